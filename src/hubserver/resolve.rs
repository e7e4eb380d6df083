//! `/{id}/resolve/{revision}/{path}`: small files at once, weights by redirect to the storage host.

use super::catalogue::{Commit, ServedFile, off_runtime};
use super::page::host_of;
use super::refuse::Refusal;
use super::state::Hub;
use super::storage;
use axum::extract::{Path, Request, State};
use axum::http::header::{ETAG, IF_NONE_MATCH, LOCATION};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use std::sync::Arc;
use url::Url;

const REPO_COMMIT: HeaderName = HeaderName::from_static("x-repo-commit");
const LINKED_ETAG: HeaderName = HeaderName::from_static("x-linked-etag");
const LINKED_SIZE: HeaderName = HeaderName::from_static("x-linked-size");

/// `GET` and `HEAD`
pub async fn resolve(
    State(hub): State<Arc<Hub>>,
    Path((owner, name, revision, path)): Path<(String, String, String, String)>,
    request: Request,
) -> Result<Response, Refusal> {
    let package = format!("{owner}/{name}");
    hub.access.check_readable(&package, request.headers())?;
    let (commit, file, location) = {
        let (hub, package) = (Arc::clone(&hub), package.clone());
        off_runtime(move || {
            let (_, commit) = hub.catalogue.find(&package, &revision)?;
            let (file, location) = hub.catalogue.file(&package, &commit, &path)?;
            Ok((commit, file, location))
        })
        .await?
    };
    let mut response = if is_known(request.headers(), &file) {
        StatusCode::NOT_MODIFIED.into_response()
    } else if file.is_lfs {
        redirect(&hub, request.headers(), &package, &commit, &file)?
    } else {
        storage::send_file(location, request).await
    };
    add_headers(response.headers_mut(), &commit, &file);
    Ok(response)
}

fn redirect(
    hub: &Hub,
    headers: &HeaderMap,
    package: &str,
    commit: &Commit,
    file: &ServedFile,
) -> Result<Response, Refusal> {
    let bad_host = || Refusal::bad_request("the Host header is no host");
    let mut url = Url::parse(&format!("http://{}", host_of(headers))).map_err(|_| bad_host())?;
    url.set_port(Some(hub.storage_port)).map_err(|()| bad_host())?;
    url.path_segments_mut()
        .map_err(|()| bad_host())?
        .clear()
        .push(&hub.storage_key)
        .extend(package.split('/'))
        .push(&commit.id)
        .extend(file.path.split('/'));
    Ok((StatusCode::FOUND, [(LOCATION, url.to_string())]).into_response())
}

fn etag(file: &ServedFile) -> String {
    let digest = if file.is_lfs {
        &file.digest.sha256
    } else {
        &file.digest.git_oid
    };
    format!("\"{digest}\"")
}

/// Whether the client holds this very content already.
fn is_known(headers: &HeaderMap, file: &ServedFile) -> bool {
    headers
        .get(IF_NONE_MATCH)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|known| {
            known
                .split(',')
                .any(|known| known.trim().trim_start_matches("W/") == etag(file))
        })
}

/// What clients read from the first answer, whether it is the file or a redirect.
fn add_headers(headers: &mut HeaderMap, commit: &Commit, file: &ServedFile) {
    let etag = if file.is_lfs {
        &file.digest.sha256
    } else {
        &file.digest.git_oid
    };
    let quoted = format!("\"{etag}\"");
    let mut add = |name: HeaderName, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    add(REPO_COMMIT, &commit.id);
    add(ETAG, &quoted);
    if file.is_lfs {
        add(LINKED_ETAG, &quoted);
        add(LINKED_SIZE, &file.digest.size.to_string());
    }
}
