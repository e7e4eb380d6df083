//! A model's family: ancestors, descendants and the edges between them.

use super::AppState;
use super::error::ApiError;
use super::extract::{ModelPath, Path, Query, bounded, parse_word};
use crate::lineage::identity::Derivation;
use crate::lineage::{Feature, Relation, Verdict};
use crate::store::families::EdgeRow;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use utoipa::{IntoParams, ToSchema};

const DEFAULT_DEPTH: u32 = 10;
const MAX_DEPTH: u32 = 50;
/// A family graph is cut here: the base model of a hub may have a hundred thousand descendants.
const MAX_NODES: usize = 2000;

/// How one model derives from its parents, with the evidence.
#[derive(Clone, Serialize, ToSchema)]
pub struct Edge {
    /// Reference of the child.
    child: String,
    /// References of the parents; two or more for a merge.
    parents: Vec<String>,
    relation: Relation,
    /// How exactly: `lora-merged`, `cast`, `rtn`, ...
    technique: String,
    /// Recovered parameters: `rank`, `bits`, `sparsity`, `coefficients`, ...
    #[schema(value_type = Object)]
    params: BTreeMap<String, Value>,
    /// 0 to 1.
    confidence: f64,
    explanation: String,
    evidence: Vec<Feature>,
    /// What the weights say of the child's declared base.
    verdict: Option<Verdict>,
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

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct LineageParams {
    /// How many edges away from the model to go.
    #[param(minimum = 1, maximum = 50, default = 10)]
    depth: Option<u32>,
}

/// The family around one model.
#[derive(Serialize, ToSchema)]
pub struct Lineage {
    /// The model that was asked about.
    root: String,
    nodes: Vec<LineageNode>,
    edges: Vec<Edge>,
    /// True where the family is larger than what is shown.
    truncated: bool,
}

#[derive(Serialize, ToSchema)]
pub struct LineageNode {
    reference: String,
    version: Option<String>,
    parameters: Option<i64>,
    architecture: Option<String>,
    verdict: Option<Verdict>,
    relation: Option<Relation>,
    technique: Option<String>,
}

/// Ancestors, descendants and relatives of one model, nearest first.
#[utoipa::path(
    get, path = "/models/{hub}/{owner}/{name}/lineage", operation_id = "show_lineage", tag = "lineage", params(ModelPath, LineageParams),
    responses((status = OK, body = Lineage), (status = NOT_FOUND, body = super::Problem, content_type = "application/problem+json"))
)]
pub async fn show(
    State(state): State<AppState>,
    Path(path): Path<ModelPath>,
    Query(params): Query<LineageParams>,
) -> Result<Json<Lineage>, ApiError> {
    let depth = bounded("depth", params.depth, DEFAULT_DEPTH, MAX_DEPTH)?;
    let Some(root) = state.store.model_id(&path.hub, &path.owner, &path.name).await? else {
        return Err(path.unknown());
    };
    let family = state.store.family(root, depth, MAX_NODES).await?;
    let nodes = state.store.family_nodes(&family.members).await?;
    let nodes = nodes
        .into_iter()
        .map(|row| {
            Ok(LineageNode {
                verdict: row.verdict.as_deref().map(parse_word).transpose()?,
                relation: row.relation.as_deref().map(parse_word).transpose()?,
                reference: row.reference,
                version: row.version,
                parameters: row.parameters,
                architecture: row.architecture,
                technique: row.technique,
            })
        })
        .collect::<Result<_, ApiError>>()?;
    let edges = family
        .edges
        .into_iter()
        .map(Edge::try_from)
        .collect::<Result<_, _>>()?;
    Ok(Json(Lineage {
        root: path.reference(),
        nodes,
        edges,
        truncated: family.truncated,
    }))
}
