//! Accuracy and macro-F1 over labels, for relations and for techniques.
//!
//! One observation a package: its true label and the label of its predicted edge. A package without a predicted edge has the label
//! `unrelated`. Packages that the truth leaves out are roots: they count as false positives of what is predicted for them, and
//! nowhere else.

use serde::Serialize;
use std::collections::BTreeMap;

/// The label of "no edge".
pub(super) const NO_EDGE: &str = "unrelated";

/// One package's labels.
#[derive(Debug, Clone, Copy)]
pub(super) struct Observation<'a> {
    /// `None` for a root.
    pub truth: Option<&'a str>,
    pub predicted: &'a str,
}

/// Scores of one label.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct ClassScore {
    pub precision: f64,
    pub recall: f64,
    pub f1: f64,
    /// Packages with this label in the truth.
    pub support: u64,
}

/// How well relations are told apart.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct RelationScore {
    /// Share of the truth's edges whose child is given the true relation. `None` without edges.
    pub accuracy: Option<f64>,
    /// Mean F1 over the labels that occur in the truth.
    pub macro_f1: Option<f64>,
    pub per_relation: BTreeMap<String, ClassScore>,
}

/// How well techniques are told apart; as [`RelationScore`].
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct TechniqueScore {
    pub accuracy: Option<f64>,
    pub macro_f1: Option<f64>,
    pub per_technique: BTreeMap<String, ClassScore>,
    /// True label to predicted label to number of packages.
    pub confusion: BTreeMap<String, BTreeMap<String, u64>>,
}

#[derive(Default)]
struct Counts {
    support: u64,
    predicted: u64,
    hits: u64,
}

pub(super) fn score_relations(observations: &[Observation<'_>]) -> RelationScore {
    let classes = score_classes(observations);
    RelationScore {
        accuracy: accuracy(observations),
        macro_f1: macro_f1(&classes),
        per_relation: classes,
    }
}

pub(super) fn score_techniques(observations: &[Observation<'_>]) -> TechniqueScore {
    let classes = score_classes(observations);
    let mut confusion: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
    for observation in observations {
        if let Some(truth) = observation.truth {
            let row = confusion.entry(truth.to_owned()).or_default();
            *row.entry(observation.predicted.to_owned()).or_default() += 1;
        }
    }
    TechniqueScore {
        accuracy: accuracy(observations),
        macro_f1: macro_f1(&classes),
        per_technique: classes,
        confusion,
    }
}

fn accuracy(observations: &[Observation<'_>]) -> Option<f64> {
    let labelled = observations.iter().filter(|o| o.truth.is_some());
    let right = labelled.clone().filter(|o| o.truth == Some(o.predicted));
    super::score::share(right.count(), labelled.count())
}

fn score_classes(observations: &[Observation<'_>]) -> BTreeMap<String, ClassScore> {
    let mut counts: BTreeMap<&str, Counts> = BTreeMap::new();
    for observation in observations {
        counts.entry(observation.predicted).or_default().predicted += 1;
        if let Some(truth) = observation.truth {
            let class = counts.entry(truth).or_default();
            class.support += 1;
            class.hits += u64::from(truth == observation.predicted);
        }
    }
    // A root without an edge is right, and no instance of the class "from scratch" either.
    let quiet_roots = observations
        .iter()
        .filter(|o| o.truth.is_none() && o.predicted == NO_EDGE)
        .count();
    if let Some(class) = counts.get_mut(NO_EDGE) {
        class.predicted -= quiet_roots as u64;
    }
    counts
        .into_iter()
        .filter(|(_, class)| class.support > 0 || class.predicted > 0)
        .map(|(label, class)| (label.to_owned(), class.score()))
        .collect()
}

fn macro_f1(classes: &BTreeMap<String, ClassScore>) -> Option<f64> {
    let present: Vec<f64> = classes
        .values()
        .filter(|class| class.support > 0)
        .map(|class| class.f1)
        .collect();
    (!present.is_empty()).then(|| present.iter().sum::<f64>() / present.len() as f64)
}

impl Counts {
    fn score(&self) -> ClassScore {
        let share = |of: u64| {
            if of == 0 {
                0.0
            } else {
                self.hits as f64 / of as f64
            }
        };
        let (precision, recall) = (share(self.predicted), share(self.support));
        ClassScore {
            precision,
            recall,
            f1: super::direction::harmonic_mean(precision, recall),
            support: self.support,
        }
    }
}
