//! `/tree` and `/paths-info`: the files of a revision.

use super::catalogue::{Catalogue, Commit, ServedFile, off_runtime};
use super::page::Asked;
use super::refuse::Refusal;
use super::state::Hub;
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use heirloom_crawler::HubError;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use url::form_urlencoded;

const LONGEST_EXPANDED_PAGE: usize = 50;
const POINTER_BYTES: u64 = 134;
const OID_CHARS: usize = 40;

/// `GET /api/models/{id}/tree/{revision}`
pub async fn tree(
    hub: State<Arc<Hub>>,
    Path((owner, name, revision)): Path<(String, String, String)>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    tree_below(hub, Path((owner, name, revision, String::new())), uri, headers).await
}

/// `GET /api/models/{id}/tree/{revision}/{folder}`
pub async fn tree_below(
    State(hub): State<Arc<Hub>>,
    Path((owner, name, revision, folder)): Path<(String, String, String, String)>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let package = format!("{owner}/{name}");
    hub.access.check_visible(&package, &headers)?;
    let asked = Asked::new(&uri, &headers);
    off_runtime(move || {
        let (position, commit) = hub.catalogue.find(&package, &revision)?;
        let files = hub.catalogue.files(&commit)?;
        let folder = folder.trim_matches('/');
        let entries = entries_below(&files, folder, asked.is_set("recursive"));
        if entries.is_empty() && !folder.is_empty() {
            return Err(Refusal::entry_not_found(folder));
        }
        let expand = asked.is_set("expand");
        let shown = if expand {
            let commits = hub.catalogue.commits(&package)?;
            let last = LastCommits::new(&hub.catalogue, &commits[..=position])?;
            entries
                .into_iter()
                .map(|(path, entry)| last.add(&path, entry))
                .collect()
        } else {
            entries.into_values().collect()
        };
        let longest = if expand { LONGEST_EXPANDED_PAGE } else { usize::MAX };
        asked.page(shown, hub.page_size.min(longest))
    })
    .await
}

#[derive(Debug, Deserialize)]
struct PathsInfoRequest {
    paths: Vec<String>,
    #[serde(default)]
    expand: bool,
}

/// `POST /api/models/{id}/paths-info/{revision}`, a form or JSON; paths that are not there are left out.
pub async fn paths_info(
    State(hub): State<Arc<Hub>>,
    Path((owner, name, revision)): Path<(String, String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Vec<Value>>, Refusal> {
    let package = format!("{owner}/{name}");
    hub.access.check_visible(&package, &headers)?;
    let request = parse_paths(&headers, &body)?;
    off_runtime(move || {
        let (position, commit) = hub.catalogue.find(&package, &revision)?;
        let files = hub.catalogue.files(&commit)?;
        let mut entries = entries_below(&files, "", true);
        entries.retain(|path, _| {
            request
                .paths
                .iter()
                .any(|wanted| wanted.trim_matches('/') == path)
        });
        if !request.expand {
            return Ok(Json(entries.into_values().collect()));
        }
        let commits = hub.catalogue.commits(&package)?;
        let last = LastCommits::new(&hub.catalogue, &commits[..=position])?;
        Ok(Json(
            entries
                .into_iter()
                .map(|(path, entry)| last.add(&path, entry))
                .collect(),
        ))
    })
    .await
}

fn parse_paths(headers: &HeaderMap, body: &[u8]) -> Result<PathsInfoRequest, Refusal> {
    let is_json = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .is_some_and(|kind| kind.starts_with("application/json"));
    let request = if is_json {
        serde_json::from_slice(body).map_err(|error| Refusal::bad_request(error.to_string()))?
    } else {
        let pairs: Vec<_> = form_urlencoded::parse(body).into_owned().collect();
        let values = |key| {
            pairs
                .iter()
                .filter(move |(name, _)| name == key)
                .map(|(_, value)| value)
        };
        PathsInfoRequest {
            paths: values("paths").cloned().collect(),
            expand: values("expand").any(|value| value == "1" || value.eq_ignore_ascii_case("true")),
        }
    };
    Ok(request)
}

/// Files and folders below `folder` by path: all of them, or the direct children only.
fn entries_below(files: &[ServedFile], folder: &str, recursive: bool) -> BTreeMap<String, Value> {
    let prefix = if folder.is_empty() {
        String::new()
    } else {
        format!("{folder}/")
    };
    let mut entries = BTreeMap::new();
    for file in files {
        let Some(rest) = file.path.strip_prefix(&prefix) else {
            continue;
        };
        for folder in folders_of(rest) {
            if recursive || !folder.contains('/') {
                let path = format!("{prefix}{folder}");
                entries.entry(path.clone()).or_insert_with(|| folder_json(&path));
            }
        }
        if recursive || !rest.contains('/') {
            entries.insert(file.path.clone(), file_json(file));
        }
    }
    entries
}

/// `a/b/c` → `a`, `a/b`.
fn folders_of(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(end, _)| &path[..end])
}

fn file_json(file: &ServedFile) -> Value {
    let mut entry = json!({
        "type": "file",
        "oid": file.digest.git_oid,
        "size": file.digest.size,
        "path": file.path,
    });
    if file.is_lfs {
        entry["lfs"] = json!({
            "oid": file.digest.sha256,
            "size": file.digest.size,
            "pointerSize": POINTER_BYTES,
        });
    }
    entry
}

fn folder_json(path: &str) -> Value {
    let mut oid = hex::encode(Sha256::digest(path));
    oid.truncate(OID_CHARS);
    json!({ "type": "directory", "oid": oid, "size": 0, "path": path })
}

/// The commit that last changed each path.
struct LastCommits {
    by_path: BTreeMap<String, Value>,
}

impl LastCommits {
    /// `commits` is the history up to the revision shown, oldest first.
    fn new(catalogue: &Catalogue, commits: &[Commit]) -> Result<Self, HubError> {
        let mut before = BTreeMap::new();
        let mut by_path = BTreeMap::new();
        for commit in commits {
            let now: BTreeMap<String, String> = catalogue
                .files(commit)?
                .into_iter()
                .map(|file| (file.path, file.digest.sha256))
                .collect();
            let changed: BTreeSet<&str> = now
                .iter()
                .filter(|(path, digest)| before.get(*path) != Some(*digest))
                .flat_map(|(path, _)| folders_of(path).chain([path.as_str()]))
                .collect();
            for path in changed {
                by_path.insert(path.to_owned(), last_commit_json(commit));
            }
            before = now;
        }
        Ok(Self { by_path })
    }

    fn add(&self, path: &str, mut entry: Value) -> Value {
        if let Some(commit) = self.by_path.get(path) {
            entry["lastCommit"] = commit.clone();
        }
        entry
    }
}

fn last_commit_json(commit: &Commit) -> Value {
    json!({ "id": commit.id, "title": commit.revision.title, "date": commit.shown_date() })
}
