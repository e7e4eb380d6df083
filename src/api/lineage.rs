//! A model's family: ancestors, descendants and the edges between them.

use super::AppState;
use super::error::ApiError;
use super::extract::{ModelPath, Path, Query, bounded};
use super::family::{Edge, Lineage, LineageNode};
use super::graph;
use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

const DEFAULT_DEPTH: u32 = 10;
const MAX_DEPTH: u32 = 50;
/// A family graph is cut here: the base model of a hub may have a hundred thousand descendants.
const MAX_NODES: usize = 2000;

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
