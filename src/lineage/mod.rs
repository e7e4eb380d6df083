//! How checkpoints derive from one another: pairwise evidence, relation, direction, graph, verdict.
//!
//! Enters: fingerprints of a family's members (with dates and declared bases where known). Leaves: [`Edge`]s, each with its
//! evidence in numbers. Reads no weights, knows no SQL.

pub mod identity;

use crate::fingerprint::Fingerprint;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use time::OffsetDateTime;

/// How a child derives from its parents: the hub's `base_model_relation` words, extended.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Relation {
    Duplicate,
    Finetune,
    Adapter,
    Quantized,
    Merge,
    Pruned,
    Expanded,
    Transformed,
    Component,
    Unrelated,
}

/// What the weights say of a declared base model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Verdict {
    Confirmed,
    Contradicted,
    Undeclared,
    Unverifiable,
}

/// One checkpoint (a package at its newest fingerprinted revision) as lineage sees it.
pub struct Member<'a> {
    /// Chosen by the caller, returned in edges.
    pub id: i64,
    /// `owner/name`, for explanations only.
    pub name: &'a str,
    pub fingerprint: &'a Fingerprint,
    /// When it was published; `None` when unknown or withheld.
    pub date: Option<OffsetDateTime>,
    /// Ids of the declared base models that are among the members.
    pub declared: Vec<i64>,
}

/// One named number that a person can check.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Feature {
    /// e.g. `tensors_identical`, `relative_delta_norm`, `delta_rank`.
    pub name: String,
    pub value: f64,
    /// What it means, in a few words.
    pub meaning: String,
}

/// An inferred derivation. `parents` has two or more entries for a merge.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Edge {
    pub child: i64,
    pub parents: Vec<i64>,
    pub relation: Relation,
    /// Technique id of the design's section 7: `cast`, `lora-merged`, `rtn`, `unstructured`, `linear`, ...
    pub technique: String,
    /// Recovered parameters: `rank`, `bits`, `sparsity`, `coefficients`, `dtype`, ...
    pub params: BTreeMap<String, serde_json::Value>,
    /// 0 to 1.
    pub confidence: f64,
    /// Two sentences.
    pub explanation: String,
    pub evidence: Vec<Feature>,
}

/// Infers the edges of one family at once: at most one edge per child, no cycles, no edge rather than a wrong one.
pub fn infer_edges(members: &[Member<'_>]) -> Vec<Edge> {
    let _ = members;
    unimplemented!()
}

/// Compares one pair without deciding direction over a family: `parent` is taken as the parent.
pub fn compare_pair(parent: &Fingerprint, child: &Fingerprint) -> PairOutcome {
    let _ = (parent, child);
    unimplemented!()
}

/// What a pair looks like: relation, technique and the numbers behind them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PairOutcome {
    pub relation: Relation,
    pub technique: String,
    #[schema(value_type = Object)]
    pub params: BTreeMap<String, serde_json::Value>,
    pub confidence: f64,
    pub explanation: String,
    pub evidence: Vec<Feature>,
}

/// Judges a child's declared bases against its inferred edge. `declared_known` are declared ids with a full fingerprint;
/// `declared_unknown` counts declared names that are not in the database.
pub fn verdict(edge: Option<&Edge>, declared_known: &[i64], declared_unknown: usize) -> Option<Verdict> {
    let _ = (edge, declared_known, declared_unknown);
    unimplemented!()
}
