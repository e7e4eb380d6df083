//! A model's family: ancestors, descendants and the edges between them.

use super::AppState;
use super::error::ApiError;
use super::extract::{ModelPath, Path, Query, bounded, parse_word};
use super::graph;
use crate::lineage::identity::Derivation;
use crate::lineage::{Feature, Relation, Verdict};
use crate::store::families::{EdgeRow, NodeRow};
use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
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

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct LineageParams {
    /// How many edges away from the model to go.
    #[param(minimum = 1, maximum = 50, default = 10)]
    depth: Option<u32>,
    #[serde(default)]
    #[param(inline)]
    format: GraphFormat,
}

/// How to write the graph.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum GraphFormat {
    #[default]
    Json,
    /// Graphviz.
    Dot,
    Graphml,
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

/// Ancestors, descendants and relatives of one model, nearest first.
#[utoipa::path(
    get, path = "/models/{hub}/{owner}/{name}/lineage", operation_id = "show_lineage", tag = "lineage",
    params(ModelPath, LineageParams),
    responses(
        (status = OK, content(
            (Lineage = "application/json"), (String = "text/vnd.graphviz"), (String = "application/graphml+xml")
        )),
        (status = NOT_FOUND, body = super::Problem, content_type = "application/problem+json")
    )
)]
pub async fn show(
    State(state): State<AppState>,
    Path(path): Path<ModelPath>,
    Query(params): Query<LineageParams>,
) -> Result<Response, ApiError> {
    let depth = bounded("depth", params.depth, DEFAULT_DEPTH, MAX_DEPTH)?;
    let Some(root) = state.store.model_id(&path.hub, &path.owner, &path.name).await? else {
        return Err(path.unknown());
    };
    let lineage = read_family(&state, path.reference(), root, depth).await?;
    match params.format {
        GraphFormat::Json => Ok(Json(lineage).into_response()),
        GraphFormat::Dot => Ok(typed("text/vnd.graphviz", graph::dot(&lineage))),
        GraphFormat::Graphml => graph::graphml(&lineage)
            .map(|text| typed("application/graphml+xml", text))
            .map_err(|error| ApiError::Unreadable(error.to_string())),
    }
}

fn typed(content_type: &'static str, text: String) -> Response {
    ([(header::CONTENT_TYPE, content_type)], text).into_response()
}

async fn read_family(
    state: &AppState,
    reference: String,
    root: i64,
    depth: u32,
) -> Result<Lineage, ApiError> {
    let family = state.store.family(root, depth, MAX_NODES).await?;
    let nodes = state.store.family_nodes(&family.members).await?;
    let edges = family.edges.into_iter().map(Edge::try_from);
    Ok(Lineage {
        root: reference,
        nodes: nodes
            .into_iter()
            .map(LineageNode::try_from)
            .collect::<Result<_, _>>()?,
        edges: edges.collect::<Result<_, _>>()?,
        truncated: family.truncated,
    })
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
