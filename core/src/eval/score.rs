//! Everything at once: a [`Prediction`] about a hub folder, and its [`Score`].

use super::classes::{
    NO_EDGE, Observation, RelationScore, TechniqueScore, score_relations, score_techniques,
};
use super::direction::{self, CalibrationBin, PrecisionRecall};
use super::parameters::{ParameterScore, score_parameters};
use super::truth::Truth;
use crate::lineage::{Relation, Verdict};
use crate::versioning::Bump;
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What was inferred about a hub folder. Packages are named `owner/name`.
#[derive(Debug, Clone, Default)]
pub struct Prediction {
    pub edges: Vec<PredictedEdge>,
    pub verdicts: BTreeMap<String, Verdict>,
    pub bumps: Vec<PredictedBump>,
    /// Segments of each name as (text, kind); `None` when names were not cut.
    pub names: Option<BTreeMap<String, Vec<(String, String)>>>,
    /// A digest of each package's values, equal for copies.
    pub values: BTreeMap<String, String>,
}

/// An inferred edge.
#[derive(Debug, Clone)]
pub struct PredictedEdge {
    pub child: String,
    pub parents: Vec<String>,
    pub relation: Relation,
    pub technique: String,
    pub params: BTreeMap<String, Value>,
    pub confidence: f64,
    /// The confidence before calibration.
    pub score: f64,
    /// Which part of the confidence is that of telling an original from its copies.
    pub certainty: f64,
}

/// An inferred step between two consecutive revisions.
#[derive(Debug, Clone)]
pub struct PredictedBump {
    pub package: String,
    pub from: String,
    pub to: String,
    pub bump: Bump,
    pub silent: bool,
}

/// Every measure of DESIGN section 7. `None` where the truth has no case.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Score {
    /// Over (child, parent) pairs.
    pub parents: PrecisionRecall,
    /// The same with packages of equal weights counted as one.
    pub parents_up_to_copies: PrecisionRecall,
    pub relation: RelationScore,
    pub technique: TechniqueScore,
    /// Share of the joined true pairs that are joined the right way.
    pub direction_accuracy: Option<f64>,
    /// Share of the unrelated pairs that are joined.
    pub false_parent_rate: Option<f64>,
    /// Share of the truth's verdicts on declared bases that are given; no verdict is a wrong one.
    pub verdict_accuracy: Option<f64>,
    /// Share of the truth's steps that are given the right bump; a step that was not judged is wrong.
    pub bump_accuracy: Option<f64>,
    /// F1 of the flag "silent change" over the truth's steps.
    pub silent_f1: Option<f64>,
    /// F1 over (segment, kind) pairs of all names.
    pub segment_f1: Option<f64>,
    /// Mean relative error of each recovered parameter.
    pub params: BTreeMap<String, Option<f64>>,
    pub params_detail: BTreeMap<String, ParameterScore>,
    pub calibration: Vec<CalibrationBin>,
    /// Mean distance of confidence from the share of right edges, over the bins.
    pub calibration_error: Option<f64>,
    /// The same with packages of equal weights counted as one, and confidence without the lot that chose among them.
    pub calibration_error_up_to_copies: Option<f64>,
}

pub(super) fn share(part: usize, of: usize) -> Option<f64> {
    (of > 0).then(|| part as f64 / of as f64)
}

/// Scores `prediction` against `truth`.
pub fn score(truth: &Truth, prediction: &Prediction) -> Score {
    let params_detail = score_parameters(truth, prediction);
    let calibration = direction::calibration(truth, prediction);
    Score {
        parents: direction::score_parents(truth, prediction),
        parents_up_to_copies: direction::score_parents_up_to_copies(truth, prediction),
        relation: score_relations(&observe(
            truth,
            prediction,
            |edge| name_of(edge.relation),
            |edge| name_of(edge.relation),
        )),
        technique: score_techniques(&observe(
            truth,
            prediction,
            |edge| &edge.technique,
            |edge| &edge.technique,
        )),
        direction_accuracy: direction::direction_accuracy(truth, prediction),
        false_parent_rate: direction::false_parent_rate(truth, prediction),
        verdict_accuracy: verdict_accuracy(truth, prediction),
        bump_accuracy: bump_accuracy(truth, prediction),
        silent_f1: silent_f1(truth, prediction),
        segment_f1: segment_f1(truth, prediction),
        params: params_detail
            .iter()
            .map(|(name, detail)| (name.clone(), detail.mean_relative_error))
            .collect(),
        params_detail,
        calibration_error: direction::calibration_error(&calibration),
        calibration_error_up_to_copies: direction::calibration_error(&direction::calibration_up_to_copies(
            truth, prediction,
        )),
        calibration,
    }
}

/// One observation for each package that the truth labels or that an edge is predicted for.
fn observe<'a>(
    truth: &'a Truth,
    prediction: &'a Prediction,
    true_label: impl Fn(&'a super::TruthEdge) -> &'a str,
    predicted_label: impl Fn(&'a PredictedEdge) -> &'a str,
) -> Vec<Observation<'a>> {
    let predicted: BTreeMap<&str, &str> = prediction
        .edges
        .iter()
        .map(|edge| (edge.child.as_str(), predicted_label(edge)))
        .collect();
    let labelled: BTreeSet<&str> = truth.edges.iter().map(|edge| edge.child.as_str()).collect();
    let known = truth.edges.iter().map(|edge| Observation {
        truth: Some(if edge.is_derived() {
            true_label(edge)
        } else {
            NO_EDGE
        }),
        predicted: predicted.get(edge.child.as_str()).copied().unwrap_or(NO_EDGE),
    });
    let roots = predicted
        .iter()
        .filter(|(child, _)| !labelled.contains(*child) && !truth.unlabelled.contains(**child))
        .map(|(_, label)| Observation {
            truth: None,
            predicted: label,
        });
    known.chain(roots).collect()
}

fn name_of(relation: Relation) -> &'static str {
    match relation {
        Relation::Duplicate => "duplicate",
        Relation::Finetune => "finetune",
        Relation::Adapter => "adapter",
        Relation::Quantized => "quantized",
        Relation::Merge => "merge",
        Relation::Pruned => "pruned",
        Relation::Expanded => "expanded",
        Relation::Transformed => "transformed",
        Relation::Component => "component",
        Relation::Unrelated => NO_EDGE,
    }
}

fn verdict_accuracy(truth: &Truth, prediction: &Prediction) -> Option<f64> {
    let judged = truth
        .edges
        .iter()
        .filter_map(|edge| Some((&edge.child, edge.declared?)));
    let right = judged
        .clone()
        .filter(|(child, verdict)| prediction.verdicts.get(*child) == Some(verdict));
    share(right.count(), judged.count())
}

fn steps(prediction: &Prediction) -> BTreeMap<(&str, &str, &str), &PredictedBump> {
    prediction
        .bumps
        .iter()
        .map(|bump| {
            (
                (bump.package.as_str(), bump.from.as_str(), bump.to.as_str()),
                bump,
            )
        })
        .collect()
}

fn bump_accuracy(truth: &Truth, prediction: &Prediction) -> Option<f64> {
    let given = steps(prediction);
    let right = truth.bumps.iter().filter(|bump| {
        let key = (bump.package.as_str(), bump.from.as_str(), bump.to.as_str());
        given.get(&key).is_some_and(|step| step.bump == bump.bump)
    });
    share(right.count(), truth.bumps.len())
}

fn silent_f1(truth: &Truth, prediction: &Prediction) -> Option<f64> {
    let given = steps(prediction);
    let (mut hits, mut flagged, mut silent) = (0, 0, 0);
    for bump in &truth.bumps {
        let key = (bump.package.as_str(), bump.from.as_str(), bump.to.as_str());
        let flag = given.get(&key).is_some_and(|step| step.silent);
        flagged += usize::from(flag);
        silent += usize::from(bump.silent);
        hits += usize::from(flag && bump.silent);
    }
    (!truth.bumps.is_empty()).then(|| PrecisionRecall::of(hits, flagged, silent).f1)
}

fn segment_f1(truth: &Truth, prediction: &Prediction) -> Option<f64> {
    let cut = prediction.names.as_ref()?;
    let (mut hits, mut given, mut wanted) = (0, 0, 0);
    for name in &truth.names {
        let mut guesses = cut.get(&name.name).cloned().unwrap_or_default();
        given += guesses.len();
        wanted += name.segments.len();
        for segment in &name.segments {
            if let Some(index) = guesses.iter().position(|guess| guess == segment) {
                guesses.swap_remove(index);
                hits += 1;
            }
        }
    }
    (!truth.names.is_empty()).then(|| PrecisionRecall::of(hits, given, wanted).f1)
}
