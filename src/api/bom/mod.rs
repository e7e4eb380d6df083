//! Bills of materials: a model, or those of a lock file, with files, licence, datasets and ancestry, as CycloneDX 1.6 or SPDX 3.0.1.
//!
//! Enters: what the store knows of each model. Leaves: a JSON document that is the same for the same facts (its ids are digests).

mod cyclonedx;
pub mod provenance;
mod signing;
mod spdx;

use self::signing::SignedManifest;
use super::AppState;
use super::error::ApiError;
use super::extract::{ModelPath, Path, Query, empty_is_none, parse_reference};
use super::family::Edge;
use super::model_summary::ModelSummary;
use crate::store::Store;
use crate::store::bom::{AncestorRow, BomFileRow, BomRevisionRow};
use crate::store::models::ModelDetailRow;
use crate::versioning::lock::Lock;
use axum::extract::State;
use axum::extract::rejection::StringRejection;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

const MAX_ANCESTORS: i64 = 100;
const MAX_LOCKED: usize = 200;

/// Everything that is said of one model.
struct Materials {
    model: ModelSummary,
    detail: ModelDetailRow,
    edge: Option<Edge>,
    revision: Option<BomRevisionRow>,
    files: Vec<BomFileRow>,
    signed: Vec<SignedManifest>,
    ancestors: Vec<AncestorRow>,
}

/// What a bill of materials is of.
struct Subject {
    /// The lock file's name; `None` for a single model.
    lock: Option<&'static str>,
    models: Vec<Materials>,
}

#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum BomFormat {
    /// CycloneDX 1.6 with a model card.
    #[default]
    Cyclonedx,
    /// SPDX 3.0.1 with the AI profile.
    Spdx,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct BomParams {
    #[serde(default)]
    #[param(inline)]
    format: BomFormat,
    /// A revision or a tag; the newest without it.
    #[serde(default, deserialize_with = "empty_is_none")]
    revision: Option<String>,
}

/// The bill of materials of a model.
#[utoipa::path(
    get, path = "/models/{hub}/{owner}/{name}/bom", operation_id = "show_bom", tag = "models",
    params(ModelPath, BomParams),
    responses(
        (status = OK, content((Object = "application/vnd.cyclonedx+json"), (Object = "application/ld+json"))),
        (status = NOT_FOUND, body = super::Problem, content_type = "application/problem+json")
    )
)]
pub async fn show(
    State(state): State<AppState>,
    Path(path): Path<ModelPath>,
    Query(params): Query<BomParams>,
) -> Result<Response, ApiError> {
    let subject = Subject {
        lock: None,
        models: vec![read_materials(&state.store, path, params.revision.as_deref()).await?],
    };
    Ok(subject.written_as(params.format))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct LockBomParams {
    #[serde(default)]
    #[param(inline)]
    format: BomFormat,
}

/// The bill of materials of a lock file: the text of `models.lock`, all of whose models were crawled here.
#[utoipa::path(
    post, path = "/bom", operation_id = "show_lock_bom", tag = "models", params(LockBomParams),
    request_body(content = String, content_type = "text/plain", description = "What `heirloom lock` wrote"),
    responses(
        (status = OK, content((Object = "application/vnd.cyclonedx+json"), (Object = "application/ld+json"))),
        (status = NOT_FOUND, body = super::Problem, content_type = "application/problem+json")
    )
)]
pub async fn of_lock(
    State(state): State<AppState>,
    Query(params): Query<LockBomParams>,
    body: Result<String, StringRejection>,
) -> Result<Response, ApiError> {
    let invalid = |reason: String| ApiError::InvalidLock { reason };
    let lock = Lock::parse(&body?).map_err(|error| invalid(error.to_string()))?;
    if lock.models.len() > MAX_LOCKED {
        return Err(invalid(format!("it holds more than {MAX_LOCKED} models")));
    }
    let mut models = Vec::new();
    for locked in &lock.models {
        let (path, revision) = parse_reference(&locked.reference)?;
        let revision = locked.revision.as_deref().or(revision);
        models.push(read_materials(&state.store, path, revision).await?);
    }
    let subject = Subject {
        lock: Some("models.lock"),
        models,
    };
    Ok(subject.written_as(params.format))
}

async fn read_materials(
    store: &Store,
    path: ModelPath,
    revision: Option<&str>,
) -> Result<Materials, ApiError> {
    let Some(row) = store.find_model(&path.hub, &path.owner, &path.name).await? else {
        return Err(path.unknown());
    };
    let found = store.bom_revision(row.id, revision).await?;
    if let (None, Some(revision)) = (&found, revision) {
        return Err(ApiError::UnknownRevision {
            reference: path.reference(),
            revision: revision.to_owned(),
        });
    }
    let (files, signatures) = match &found {
        Some(found) => (
            store.bom_files(found.id).await?,
            store.signatures(found.id).await?,
        ),
        None => Default::default(),
    };
    Ok(Materials {
        detail: store.model_detail(row.id).await?,
        edge: store.edge_of(row.id).await?.map(Edge::try_from).transpose()?,
        revision: found,
        files,
        signed: signatures
            .iter()
            .filter_map(|(path, text)| signing::read(path, text))
            .collect(),
        ancestors: store.ancestors(row.id, MAX_ANCESTORS).await?,
        model: ModelSummary::try_from(row)?,
    })
}

impl Subject {
    fn written_as(&self, format: BomFormat) -> Response {
        let (content_type, document) = match format {
            BomFormat::Cyclonedx => (
                "application/vnd.cyclonedx+json; version=1.6",
                cyclonedx::document(self),
            ),
            BomFormat::Spdx => ("application/ld+json", spdx::document(self)),
        };
        ([(header::CONTENT_TYPE, content_type)], document.to_string()).into_response()
    }

    /// When what is said was last looked at, in UTC to the second.
    fn timestamp(&self) -> String {
        let crawled = self.models.iter().map(|materials| materials.detail.crawled_at);
        timestamp(crawled.max().unwrap_or(OffsetDateTime::UNIX_EPOCH))
    }

    /// A document id that changes with what is described only.
    fn id(&self, purpose: &str) -> Uuid {
        let mut digest = Sha256::new();
        digest.update(format!(
            "{purpose}\n{}\n{}",
            self.lock.unwrap_or_default(),
            self.timestamp()
        ));
        for materials in &self.models {
            let revision = materials.revision().unwrap_or_default();
            let version = materials.version().unwrap_or_default();
            digest.update(format!("\n{}\n{revision}\n{version}", materials.model.reference));
        }
        let digest = digest.finalize();
        let mut bytes = [0_u8; 16];
        bytes.copy_from_slice(&digest[..16]);
        uuid::Builder::from_custom_bytes(bytes).into_uuid()
    }
}

impl Materials {
    fn revision(&self) -> Option<&str> {
        let revision = self.revision.as_ref().map(|revision| revision.revision.as_str());
        revision.or(self.model.head.as_deref())
    }

    /// The version to state: the inferred one, else the revision.
    fn version(&self) -> Option<&str> {
        let inferred = self
            .revision
            .as_ref()
            .and_then(|revision| revision.version.as_deref());
        inferred.or(self.revision())
    }

    fn purl(&self) -> String {
        let model = &self.model;
        package_url(&model.hub, &model.owner, &model.name, self.revision())
    }
}

fn timestamp(at: OffsetDateTime) -> String {
    let at = at.to_offset(time::UtcOffset::UTC);
    let at = at.replace_nanosecond(0).unwrap_or(at);
    at.format(&Rfc3339).unwrap_or_default()
}

/// The package URL of a model: `pkg:huggingface/owner/name@revision`, or the generic type for other hubs.
fn package_url(hub: &str, owner: &str, name: &str, revision: Option<&str>) -> String {
    let kind = match hub {
        "hf" => "huggingface",
        _ => "generic",
    };
    let revision = revision.map(|revision| format!("@{}", percent_encoded(&revision.to_lowercase())));
    format!(
        "pkg:{kind}/{}/{}{}",
        percent_encoded(owner),
        percent_encoded(name),
        revision.unwrap_or_default()
    )
}

/// Encodes all but unreserved characters.
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(byte.into()),
            byte => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

/// The licence as SPDX writes it, where it is one.
enum Licence<'a> {
    Id(&'a str),
    Expression(&'a str),
    /// The hub's own word.
    Name(&'a str),
}

impl<'a> Licence<'a> {
    fn parse(text: &'a str) -> Self {
        if let Some(id) = ::spdx::license_id(text) {
            return Self::Id(id.name);
        }
        match ::spdx::Expression::parse(text) {
            Ok(_) => Self::Expression(text),
            Err(_) => Self::Name(text),
        }
    }
}

/// Leaves out what is not known: both standards have no `null`.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (name, without_nulls(value)))
            .collect(),
        Value::Array(items) => items.into_iter().map(without_nulls).collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn package_urls_follow_the_purl_types() {
        let check = |hub, owner, name, revision, expect| {
            assert_eq!(package_url(hub, owner, name, revision), expect);
        };
        check(
            "hf",
            "lab",
            "base",
            Some("ABC123"),
            "pkg:huggingface/lab/base@abc123",
        );
        check("hf", "lab", "base", None, "pkg:huggingface/lab/base");
        check("dir", "my lab", "a@b", None, "pkg:generic/my%20lab/a%40b");
    }

    #[test]
    fn licences_are_told_apart() {
        assert!(matches!(Licence::parse("Apache-2.0"), Licence::Id("Apache-2.0")));
        assert!(matches!(
            Licence::parse("MIT OR Apache-2.0"),
            Licence::Expression(_)
        ));
        assert!(matches!(Licence::parse("llama3.1"), Licence::Name("llama3.1")));
    }
}
