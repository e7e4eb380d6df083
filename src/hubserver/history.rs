//! `/refs` and `/commits`: branches, tags and history.

use super::catalogue::{Commit, off_runtime};
use super::page::Asked;
use super::refuse::Refusal;
use super::state::Hub;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use serde_json::{Value, json};
use std::sync::Arc;

const LONGEST_COMMIT_PAGE: usize = 50;

/// `GET /api/models/{id}/refs`
pub async fn refs(
    State(hub): State<Arc<Hub>>,
    Path((owner, name)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Json<Value>, Refusal> {
    let package = format!("{owner}/{name}");
    hub.access.check_visible(&package, &headers)?;
    off_runtime(move || {
        let commits = hub.catalogue.commits(&package)?;
        let reference = |kind: &str, name: &str, commit: &Commit| {
            json!({ "name": name, "ref": format!("refs/{kind}/{name}"), "targetCommit": commit.id })
        };
        let branches: Vec<_> = commits.last().map(|newest| reference("heads", "main", newest)).into_iter().collect();
        let tags: Vec<_> = commits
            .iter()
            .flat_map(|commit| commit.revision.tags.iter().map(move |tag| (tag, commit)))
            .map(|(tag, commit)| reference("tags", tag, commit))
            .collect();
        Ok(Json(json!({ "branches": branches, "tags": tags, "converts": [], "pullRequests": [] })))
    })
    .await
}

/// `GET /api/models/{id}/commits/{revision}`, newest first.
pub async fn commits(
    State(hub): State<Arc<Hub>>,
    Path((owner, name, revision)): Path<(String, String, String)>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let package = format!("{owner}/{name}");
    hub.access.check_readable(&package, &headers)?;
    let asked = Asked::new(&uri, &headers);
    off_runtime(move || {
        let (position, _) = hub.catalogue.find(&package, &revision)?;
        let commits = hub.catalogue.commits(&package)?;
        let shown = commits.iter().take(position + 1).rev().map(commit_json).collect();
        asked.page(shown, hub.page_size.min(LONGEST_COMMIT_PAGE))
    })
    .await
}

fn commit_json(commit: &Commit) -> Value {
    let authors: Vec<_> = commit
        .revision
        .authors
        .iter()
        .map(|user| json!({ "user": user }))
        .collect();
    json!({
        "id": commit.id,
        "title": commit.revision.title,
        "message": commit.revision.message,
        "date": commit.shown_date(),
        "authors": authors,
    })
}
