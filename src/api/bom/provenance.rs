//! The provenance of a model as an in-toto statement, laid out as SLSA lays out a build's.
//!
//! It says what was inferred, not what was witnessed: its predicate type is our own, and nobody signs it here.

use super::{package_url, timestamp};
use crate::api::AppState;
use crate::api::error::ApiError;
use crate::api::extract::{ModelPath, Path, parse_reference, word};
use crate::api::family::Edge;
use crate::store::Store;
use crate::store::bom::BomRevisionRow;
use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

const STATEMENT: &str = "https://in-toto.io/Statement/v1";
const PREDICATE: &str = "urn:heirloom:predicate:inferred-lineage:v1";

/// How a model was made, as an in-toto statement with the evidence.
#[utoipa::path(
    get, path = "/models/{hub}/{owner}/{name}/provenance", operation_id = "show_provenance", tag = "lineage", params(ModelPath),
    responses(
        (status = OK, body = Object),
        (status = NOT_FOUND, body = crate::api::Problem, content_type = "application/problem+json")
    )
)]
pub async fn show(
    State(state): State<AppState>,
    Path(path): Path<ModelPath>,
) -> Result<Json<Value>, ApiError> {
    let store = &state.store;
    let Some(model) = store.model_id(&path.hub, &path.owner, &path.name).await? else {
        return Err(path.unknown());
    };
    let edge = store.edge_of(model).await?.map(Edge::try_from).transpose()?;
    let (Some(edge), Some(made_at)) = (edge, store.edge_made_at(model).await?) else {
        return Err(ApiError::NoEdge {
            reference: path.reference(),
        });
    };
    let mut parents = Vec::new();
    for parent in &edge.parents {
        parents.push(dependency(store, parent).await?);
    }
    Ok(Json(json!({
        "_type": STATEMENT,
        "subject": subjects(store, &path, model).await?,
        "predicateType": PREDICATE,
        "predicate": {
            "buildDefinition": {
                "buildType": format!("urn:heirloom:relation:{}:{}", word(edge.relation), edge.technique),
                "externalParameters": edge.params,
                "resolvedDependencies": parents,
            },
            "runDetails": {
                "builder": {"id": "urn:heirloom:unknown-builder"},
            },
            "inference": {
                "tool": concat!("heirloom ", env!("CARGO_PKG_VERSION")),
                "inferredOn": timestamp(made_at),
                "confidence": edge.confidence,
                "explanation": edge.explanation,
                "evidence": edge.evidence,
                "verdict": edge.verdict,
            },
        },
    })))
}

/// The files of the newest revision, each with its digest; the model as a whole where the hub gives no digests.
async fn subjects(store: &Store, path: &ModelPath, model: i64) -> Result<Vec<Value>, ApiError> {
    let Some(revision) = store.bom_revision(model, None).await? else {
        return Ok(Vec::new());
    };
    let files = store.bom_files(revision.id).await?;
    let subjects: Vec<Value> = files
        .iter()
        .filter_map(|file| Some(json!({"name": file.path, "digest": {"sha256": file.sha256.as_ref()?}})))
        .collect();
    match subjects.is_empty() {
        true => Ok(vec![
            json!({"name": path.reference(), "digest": digests(&revision)}),
        ]),
        false => Ok(subjects),
    }
}

/// What is known of a revision by digest, under the names that in-toto gives them.
fn digests(revision: &BomRevisionRow) -> Value {
    let mut digests = json!({"gitCommit": revision.revision});
    if let Some(weights) = &revision.model_digest {
        digests["heirloomModelDigest"] = weights.as_str().into();
    }
    digests
}

async fn dependency(store: &Store, reference: &str) -> Result<Value, ApiError> {
    let (path, _) = parse_reference(reference)?;
    let revision = match store.model_id(&path.hub, &path.owner, &path.name).await? {
        Some(model) => store.bom_revision(model, None).await?,
        None => None,
    };
    let named = revision.as_ref().map(|revision| revision.revision.as_str());
    Ok(json!({
        "name": reference,
        "uri": package_url(&path.hub, &path.owner, &path.name, named),
        "digest": revision.as_ref().map(digests),
    }))
}
