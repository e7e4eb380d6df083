//! How checkpoints derive from one another: pairwise evidence, relation, direction, graph, verdict.
//!
//! Enters: fingerprints of a family's members (with dates and declared bases where known). Leaves: [`Edge`]s, each with its
//! evidence in numbers. Reads no weights, knows no SQL.

mod align;
pub(crate) mod arborescence;
mod candidates;
pub(crate) mod cells;
pub(crate) mod confidence;
mod copies;
mod decide;
mod direction;
mod evidence;
mod family;
mod grid;
pub mod identity;
mod masked;
mod merge;
mod merges;
mod pair;
mod patchwork;
mod sampled;
mod spectrum;
mod verdict;

pub use family::infer_edges;
pub use pair::compare_pair;
pub use verdict::verdict;

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
