//! A family as answers and graph tools show it: models and the edges between them.

use super::error::ApiError;
use super::extract::parse_word;
use crate::lineage::identity::Derivation;
use crate::lineage::{Feature, Relation, Verdict};
use crate::store::families::{EdgeRow, NodeRow};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// How one model derives from its parents, with the evidence.
#[derive(Clone, Serialize, ToSchema)]
pub struct Edge {
    /// Reference of the child.
    pub child: String,
    /// References of the parents; two or more for a merge.
    pub parents: Vec<String>,
    pub relation: Relation,
    /// How exactly: `lora-merged`, `cast`, `rtn`, ...
    pub technique: String,
    /// Recovered parameters: `rank`, `bits`, `sparsity`, `coefficients`, ...
    #[schema(value_type = Object)]
    pub params: BTreeMap<String, Value>,
    /// 0 to 1.
    pub confidence: f64,
    pub explanation: String,
    pub evidence: Vec<Feature>,
    /// What the weights say of the child's declared base.
    pub verdict: Option<Verdict>,
}

impl TryFrom<EdgeRow> for Edge {
    type Error = ApiError;
    fn try_from(row: EdgeRow) -> Result<Self, ApiError> {
        Ok(Self {
            relation: parse_word(&row.relation)?,
            verdict: row.verdict.as_deref().map(parse_word).transpose()?,
            child: row.child,
            parents: row.parents,
            technique: row.technique,
            params: row.params.0,
            confidence: row.confidence,
            explanation: row.explanation,
            evidence: row.evidence.0,
        })
    }
}

impl Edge {
    /// What an identity line says of it.
    pub fn derivation(&self) -> Derivation<'_> {
        Derivation {
            relation: self.relation,
            technique: &self.technique,
            params: &self.params,
            parents: &self.parents,
        }
    }
}

/// The family around one model.
#[derive(Serialize, ToSchema)]
pub struct Lineage {
    /// The model that was asked about.
    pub root: String,
    pub nodes: Vec<LineageNode>,
    pub edges: Vec<Edge>,
    /// True where the family is larger than what is shown.
    pub truncated: bool,
}

#[derive(Serialize, ToSchema)]
pub struct LineageNode {
    pub reference: String,
    pub version: Option<String>,
    pub parameters: Option<i64>,
    pub architecture: Option<String>,
    pub verdict: Option<Verdict>,
    pub relation: Option<Relation>,
    pub technique: Option<String>,
}

impl TryFrom<NodeRow> for LineageNode {
    type Error = ApiError;
    fn try_from(row: NodeRow) -> Result<Self, ApiError> {
        Ok(Self {
            verdict: row.verdict.as_deref().map(parse_word).transpose()?,
            relation: row.relation.as_deref().map(parse_word).transpose()?,
            reference: row.reference,
            version: row.version,
            parameters: row.parameters,
            architecture: row.architecture,
            technique: row.technique,
        })
    }
}
