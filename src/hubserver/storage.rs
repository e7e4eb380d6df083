//! The storage host: content of weight files by range, to whoever the hub sent here.

use super::catalogue::off_runtime;
use super::refuse::Refusal;
use super::state::Hub;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::header::{AUTHORIZATION, ETAG};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use std::path::PathBuf;
use std::sync::Arc;
use tower::ServiceExt;
use tower_http::services::ServeFile;

/// `GET /{key}/{owner}/{name}/{commit}/{path}`
///
/// The hub's token has no business here; real storage hosts answer such a request with an error as well.
pub async fn content(
    State(hub): State<Arc<Hub>>,
    Path((key, owner, name, commit, path)): Path<(String, String, String, String, String)>,
    request: Request,
) -> Result<Response, Refusal> {
    if request.headers().contains_key(AUTHORIZATION) {
        return Err(Refusal::bad_request(
            "only one way to sign a request is allowed; leave out Authorization",
        ));
    }
    if key != hub.storage_key {
        return Err(Refusal::forbidden("this address was not given out by the hub"));
    }
    let (file, location) = off_runtime(move || {
        let package = format!("{owner}/{name}");
        let (_, commit) = hub.catalogue.find(&package, &commit)?;
        Ok(hub.catalogue.file(&package, &commit, &path)?)
    })
    .await?;
    let mut response = send_file(location, request).await;
    if let Ok(etag) = HeaderValue::from_str(&format!("\"{}\"", file.digest.sha256)) {
        response.headers_mut().insert(ETAG, etag);
    }
    Ok(response)
}

/// The file, or the range of it that `request` asks for.
pub async fn send_file(location: PathBuf, request: Request) -> Response {
    match ServeFile::new(location).oneshot(request).await {
        Ok(response) => response.map(Body::new),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
