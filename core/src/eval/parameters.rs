//! How near recovered parameters are to the true ones.
//!
//! Scored where the technique is right: a rank read off a fine-tune that was none means nothing.

use super::score::{PredictedEdge, Prediction};
use super::truth::{Truth, TruthEdge};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// Accuracy of one parameter over all edges that have it.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct ParameterScore {
    /// Edges whose technique was recognised and whose truth has the parameter.
    pub edges: u64,
    /// Those for which a value was predicted.
    pub recovered: u64,
    /// Of the recovered: exactly equal.
    pub exact: u64,
    /// Over the recovered: `|predicted - true| / |true|` for numbers (of the vectors' sums for lists), else 0 when equal and 1 when not.
    pub mean_relative_error: Option<f64>,
    /// Over the recovered numbers, element by element for lists.
    pub mean_absolute_error: Option<f64>,
}

#[derive(Default)]
struct Sums {
    score: ParameterScore,
    relative: f64,
    absolute: f64,
    numeric: u64,
}

/// Error of one value; `absolute` only for numbers.
struct Distance {
    relative: f64,
    absolute: Option<f64>,
}

pub(super) fn score_parameters(truth: &Truth, prediction: &Prediction) -> BTreeMap<String, ParameterScore> {
    let by_child: BTreeMap<&str, &PredictedEdge> =
        prediction.edges.iter().map(|e| (e.child.as_str(), e)).collect();
    let mut sums: BTreeMap<&str, Sums> = BTreeMap::new();
    for edge in &truth.edges {
        let Some(predicted) = by_child
            .get(edge.child.as_str())
            .filter(|p| p.technique == edge.technique)
        else {
            continue;
        };
        // `steps` describes several techniques at once; it is a label, not a quantity.
        for (name, value) in edge.params.iter().filter(|(name, _)| *name != "steps") {
            let sum = sums.entry(name).or_default();
            sum.score.edges += 1;
            if let Some(guess) = predicted.params.get(name) {
                sum.add(distance(&aligned(guess, edge, predicted), value));
            }
        }
    }
    sums.into_iter()
        .map(|(name, sum)| (name.to_owned(), sum.finish()))
        .collect()
}

impl Sums {
    fn add(&mut self, distance: Distance) {
        self.score.recovered += 1;
        self.score.exact += u64::from(distance.relative == 0.0);
        self.relative += distance.relative;
        if let Some(absolute) = distance.absolute {
            self.numeric += 1;
            self.absolute += absolute;
        }
    }

    fn finish(self) -> ParameterScore {
        let mean = |sum: f64, count: u64| (count > 0).then(|| sum / count as f64);
        ParameterScore {
            mean_relative_error: mean(self.relative, self.score.recovered),
            mean_absolute_error: mean(self.absolute, self.numeric),
            ..self.score
        }
    }
}

/// A list with one entry a parent (or one a parent after the base) in the order of the truth's parents. Other values as they are.
fn aligned(guess: &Value, truth: &TruthEdge, predicted: &PredictedEdge) -> Value {
    let Value::Array(values) = guess else {
        return guess.clone();
    };
    let skipped = match predicted.parents.len().checked_sub(values.len()) {
        Some(skipped @ 0..=1) if truth.parents.len() == predicted.parents.len() => skipped,
        _ => return guess.clone(),
    };
    let by_parent: BTreeMap<&String, &Value> = predicted.parents[skipped..].iter().zip(values).collect();
    let in_order: Option<Vec<Value>> = truth.parents[skipped..]
        .iter()
        .map(|parent| by_parent.get(parent).copied().cloned())
        .collect();
    in_order.map_or_else(|| guess.clone(), Value::Array)
}

fn distance(guess: &Value, truth: &Value) -> Distance {
    if let (Some(guess), Some(truth)) = (numbers(guess), numbers(truth))
        && guess.len() == truth.len()
    {
        let gap: f64 = guess.iter().zip(&truth).map(|(g, t)| (g - t).abs()).sum();
        let size: f64 = truth.iter().map(|t| t.abs()).sum();
        return Distance {
            relative: if gap == 0.0 {
                0.0
            } else {
                gap / size.max(f64::MIN_POSITIVE)
            },
            absolute: Some(gap / truth.len().max(1) as f64),
        };
    }
    Distance {
        relative: if guess == truth { 0.0 } else { 1.0 },
        absolute: None,
    }
}

fn numbers(value: &Value) -> Option<Vec<f64>> {
    match value {
        Value::Number(number) => number.as_f64().map(|n| vec![n]),
        Value::Array(values) => values.iter().map(Value::as_f64).collect(),
        _ => None,
    }
}
