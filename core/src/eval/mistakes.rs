//! Which packages were answered wrongly, for whoever mends lineage.

use super::score::{PredictedEdge, Prediction};
use super::truth::{Truth, TruthEdge};
use crate::lineage::Relation;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// A package whose parents, relation or technique are not the true ones.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Mistake<'a> {
    pub child: &'a str,
    /// `None` for a root.
    pub truth: Option<Answer<'a>>,
    /// `None` where no edge was predicted.
    pub predicted: Option<Answer<'a>>,
}

/// Where a package comes from.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Answer<'a> {
    pub parents: BTreeSet<&'a str>,
    pub relation: Relation,
    pub technique: &'a str,
}

/// The mistakes of `prediction`, in the order of the packages' names. Unlabelled packages make none.
pub fn mistakes<'a>(truth: &'a Truth, prediction: &'a Prediction) -> Vec<Mistake<'a>> {
    let wanted: BTreeMap<&str, Answer<'_>> = truth
        .edges
        .iter()
        .filter(|edge| edge.is_derived())
        .map(|edge| (edge.child.as_str(), Answer::of_truth(edge)))
        .collect();
    let given: BTreeMap<&str, Answer<'_>> = prediction
        .edges
        .iter()
        .map(|edge| (edge.child.as_str(), Answer::of_prediction(edge)))
        .collect();
    let children: BTreeSet<&str> = wanted.keys().chain(given.keys()).copied().collect();
    let labelled = children
        .into_iter()
        .filter(|child| !truth.unlabelled.contains(*child));
    labelled
        .map(|child| Mistake {
            child,
            truth: wanted.get(child).cloned(),
            predicted: given.get(child).cloned(),
        })
        .filter(|answers| answers.truth != answers.predicted)
        .collect()
}

impl<'a> Answer<'a> {
    fn of_truth(edge: &'a TruthEdge) -> Self {
        let parents = edge.parents.iter().map(String::as_str).collect();
        Self {
            parents,
            relation: edge.relation,
            technique: &edge.technique,
        }
    }

    fn of_prediction(edge: &'a PredictedEdge) -> Self {
        let parents = edge.parents.iter().map(String::as_str).collect();
        Self {
            parents,
            relation: edge.relation,
            technique: &edge.technique,
        }
    }
}
