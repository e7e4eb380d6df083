//! Who derives from whom: parents, direction, false parents, and whether confidence can be believed.

use super::score::{PredictedEdge, Prediction, share};
use super::truth::{Truth, TruthEdge};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Shares of right answers among the given ones and among the wanted ones.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PrecisionRecall {
    pub precision: f64,
    pub recall: f64,
    pub f1: f64,
}

/// Predicted edges of similar confidence, and how many of them are right (all parents and the relation).
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct CalibrationBin {
    /// Confidence from `low` to below `low + 0.1`.
    pub low: f64,
    pub edges: u64,
    pub mean_confidence: f64,
    pub right: f64,
}

pub(super) fn harmonic_mean(a: f64, b: f64) -> f64 {
    if a + b == 0.0 { 0.0 } else { 2.0 * a * b / (a + b) }
}

impl PrecisionRecall {
    /// Nothing given and nothing wanted is perfect.
    pub(super) fn of(hits: usize, given: usize, wanted: usize) -> Self {
        let part = |of: usize, other: usize| match (of, other) {
            (0, 0) => 1.0,
            (0, _) => 0.0,
            (of, _) => hits as f64 / of as f64,
        };
        let (precision, recall) = (part(given, wanted), part(wanted, given));
        Self {
            precision,
            recall,
            f1: harmonic_mean(precision, recall),
        }
    }
}

type Pair<'a> = (&'a str, &'a str);

/// (child, parent) pairs of the truth's derived packages.
fn true_pairs(truth: &Truth) -> BTreeSet<Pair<'_>> {
    let derived = truth.edges.iter().filter(|edge| edge.is_derived());
    derived
        .flat_map(|edge| {
            edge.parents
                .iter()
                .map(|parent| (edge.child.as_str(), parent.as_str()))
        })
        .collect()
}

/// (child, parent) pairs predicted for packages that the truth labels.
fn predicted_pairs<'a>(truth: &Truth, prediction: &'a Prediction) -> BTreeSet<Pair<'a>> {
    let labelled = prediction
        .edges
        .iter()
        .filter(|edge| !truth.unlabelled.contains(&edge.child));
    labelled
        .flat_map(|edge| {
            edge.parents
                .iter()
                .map(|parent| (edge.child.as_str(), parent.as_str()))
        })
        .collect()
}

/// Micro-averaged over (child, parent) pairs: each parent of a merge is a pair of its own.
pub(super) fn score_parents(truth: &Truth, prediction: &Prediction) -> PrecisionRecall {
    let (wanted, given) = (true_pairs(truth), predicted_pairs(truth, prediction));
    PrecisionRecall::of(wanted.intersection(&given).count(), given.len(), wanted.len())
}

/// As [`score_parents`], but packages whose weights have equal values count as one: weights cannot say which of two copies was
/// the parent, nor which of them is the copy.
pub(super) fn score_parents_up_to_copies(truth: &Truth, prediction: &Prediction) -> PrecisionRecall {
    let same = |name: &'_ str| {
        prediction
            .values
            .get(name)
            .cloned()
            .unwrap_or_else(|| name.to_owned())
    };
    let fold = |pairs: BTreeSet<Pair<'_>>| -> BTreeSet<(String, String)> {
        let folded = pairs
            .into_iter()
            .map(|(child, parent)| (child.to_owned(), same(parent)));
        folded.filter(|(child, parent)| same(child) != *parent).collect()
    };
    let (wanted, given) = (fold(true_pairs(truth)), fold(predicted_pairs(truth, prediction)));
    PrecisionRecall::of(wanted.intersection(&given).count(), given.len(), wanted.len())
}

/// Among the truth's pairs that are joined by a prediction one way or the other: the share joined the right way.
pub(super) fn direction_accuracy(truth: &Truth, prediction: &Prediction) -> Option<f64> {
    let given = predicted_pairs(truth, prediction);
    let (mut right, mut found) = (0, 0);
    for (child, parent) in true_pairs(truth) {
        let forward = given.contains(&(child, parent));
        found += usize::from(forward || given.contains(&(parent, child)));
        right += usize::from(forward);
    }
    share(right, found)
}

/// Share of the truth's unrelated pairs that a prediction joins as child and parent, either way.
pub(super) fn false_parent_rate(truth: &Truth, prediction: &Prediction) -> Option<f64> {
    let edges = prediction.edges.iter();
    let given: BTreeSet<Pair<'_>> = edges
        .flat_map(|edge| {
            edge.parents
                .iter()
                .map(|parent| (edge.child.as_str(), parent.as_str()))
        })
        .collect();
    let joined = |(a, b): &&(String, String)| {
        given.contains(&(a.as_str(), b.as_str())) || given.contains(&(b.as_str(), a.as_str()))
    };
    share(
        truth.unrelated.iter().filter(joined).count(),
        truth.unrelated.len(),
    )
}

/// The reliability curve, in tenths.
pub(super) fn calibration(truth: &Truth, prediction: &Prediction) -> Vec<CalibrationBin> {
    let edges = judged_edges(truth, prediction).into_iter();
    in_tenths(edges.map(|edge| (edge.confidence, edge.right)))
}

/// The same where copies count as one, and confidence leaves out the lot that chose among them.
pub(super) fn calibration_up_to_copies(truth: &Truth, prediction: &Prediction) -> Vec<CalibrationBin> {
    let edges = judged_edges(truth, prediction).into_iter();
    in_tenths(edges.map(|edge| (edge.confidence / edge.certainty, edge.right_up_to_copies)))
}

fn in_tenths(edges: impl Iterator<Item = (f64, bool)>) -> Vec<CalibrationBin> {
    let mut bins: BTreeMap<u8, (u64, f64, u64)> = BTreeMap::new();
    for (confidence, right) in edges {
        let bin = bins.entry((confidence * 10.0).clamp(0.0, 9.0) as u8).or_default();
        bin.0 += 1;
        bin.1 += confidence;
        bin.2 += u64::from(right);
    }
    let bins = bins
        .into_iter()
        .map(|(tenth, (edges, confidence, right))| CalibrationBin {
            low: f64::from(tenth) / 10.0,
            edges,
            mean_confidence: confidence / edges as f64,
            right: right as f64 / edges as f64,
        });
    bins.collect()
}

/// Expected calibration error (Naeini et al. 2015): the bins' gaps, weighted by their edges.
pub(super) fn calibration_error(bins: &[CalibrationBin]) -> Option<f64> {
    let edges: u64 = bins.iter().map(|bin| bin.edges).sum();
    let gaps = bins
        .iter()
        .map(|bin| bin.edges as f64 * (bin.mean_confidence - bin.right).abs());
    (edges > 0).then(|| gaps.sum::<f64>() / edges as f64)
}

/// An edge as the fit of confidence wants it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JudgedEdge<'a> {
    pub child: &'a str,
    /// What the rules said, and what that was found to mean, times how sure the original of a copied parent is.
    pub score: f64,
    pub confidence: f64,
    pub certainty: f64,
    pub right: bool,
    /// Packages of equal weights counted as one.
    pub right_up_to_copies: bool,
}

/// Each predicted edge of a labelled package, and whether it is right.
pub fn judged_edges<'a>(truth: &Truth, prediction: &'a Prediction) -> Vec<JudgedEdge<'a>> {
    let by_child: BTreeMap<&str, &TruthEdge> = truth
        .edges
        .iter()
        .map(|edge| (edge.child.as_str(), edge))
        .collect();
    let labelled = prediction
        .edges
        .iter()
        .filter(|edge| !truth.unlabelled.contains(&edge.child));
    let judged = labelled.map(|edge| {
        let truth = by_child.get(edge.child.as_str()).copied();
        JudgedEdge {
            child: &edge.child,
            score: edge.score,
            confidence: edge.confidence,
            certainty: edge.certainty,
            right: truth.is_some_and(|truth| is_right(edge, truth)),
            right_up_to_copies: is_right_up_to_copies(edge, truth, &prediction.values),
        }
    });
    judged.collect()
}

/// Of two copies either may be said to be the other's.
fn is_right_up_to_copies(
    edge: &PredictedEdge,
    truth: Option<&TruthEdge>,
    values: &BTreeMap<String, String>,
) -> bool {
    let same = |name: &String| values.get(name).unwrap_or(name).clone();
    let own = same(&edge.child);
    let fold = |names: &[String]| -> BTreeSet<String> {
        names.iter().map(&same).filter(|name| *name != own).collect()
    };
    let given = fold(&edge.parents);
    given.is_empty()
        || truth.is_some_and(|truth| edge.relation == truth.relation && given == fold(&truth.parents))
}

fn is_right(edge: &PredictedEdge, truth: &TruthEdge) -> bool {
    let set = |names: &[String]| -> BTreeSet<String> { names.iter().cloned().collect() };
    edge.relation == truth.relation && set(&edge.parents) == set(&truth.parents)
}
