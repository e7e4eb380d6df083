//! The dashboard's files, embedded in the binary from web/dist.
//!
//! Enters: a path outside /api. Leaves: the file, or index.html for the dashboard's own routes. Files under assets/ carry a hash
//! of their content in the name, so browsers keep them for good; index.html is always asked for again.

use super::conditional::matches_tag;
use super::error::ApiError;
use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{Html, IntoResponse, Response};
use rust_embed::{EmbeddedFile, RustEmbed};

// build.rs creates the folder where the dashboard was not built.
#[derive(RustEmbed)]
#[folder = "web/dist"]
struct Files;

const INDEX: &str = "index.html";
const NOT_BUILT: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Heirloom</title>\
    <h1>The dashboard is not built into this binary</h1>\
    <p>Run <code>make run</code>, or <code>npm ci &amp;&amp; npm run build</code> in web/ and build Heirloom again.</p>\
    <p>The REST API is at <a href=\"/api/v1/overview\">/api/v1</a>, described by \
    <a href=\"/api/v1/openapi.json\">/api/v1/openapi.json</a>.</p></html>\n";

/// Serves one file of the dashboard.
pub async fn serve(uri: Uri, headers: HeaderMap) -> Response {
    let path = uri.path().trim_start_matches('/');
    let of_api = path == "api" || path.starts_with("api/");
    if let Some(file) = Files::get(path).filter(|_| !of_api) {
        return file_response(path, file, &headers);
    }
    if of_api || path.starts_with("assets/") {
        let path = uri.path().to_owned();
        return ApiError::UnknownRoute { path }.into_response();
    }
    match Files::get(INDEX) {
        Some(index) => file_response(INDEX, index, &headers),
        None => (StatusCode::OK, Html(NOT_BUILT)).into_response(),
    }
}

fn file_response(path: &str, file: EmbeddedFile, headers: &HeaderMap) -> Response {
    let tag = format!("\"{}\"", hex::encode(&file.metadata.sha256_hash()[..12]));
    let caching = match path.starts_with("assets/") {
        true => "public, max-age=31536000, immutable",
        false => "no-cache",
    };
    let kept = [
        (header::ETAG, tag.clone()),
        (header::CACHE_CONTROL, caching.to_owned()),
    ];
    if headers
        .get(header::IF_NONE_MATCH)
        .is_some_and(|wanted| matches_tag(wanted, &tag))
    {
        return (StatusCode::NOT_MODIFIED, kept).into_response();
    }
    let kind = mime_guess::from_path(path).first_or_octet_stream();
    let kind = [(header::CONTENT_TYPE, kind.as_ref().to_owned())];
    (kept, kind, Body::from(file.data)).into_response()
}
