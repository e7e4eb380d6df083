//! Bills of materials: one model with its files, licence, datasets and ancestry, as CycloneDX 1.6 or SPDX 3.0.1.
//!
//! Enters: what the store knows of a model. Leaves: a JSON document that is the same for the same facts (its ids are digests).

mod cyclonedx;
mod spdx;

use super::AppState;
use super::error::ApiError;
use super::extract::{ModelPath, Path, Query};
use super::lineage::Edge;
use super::models::ModelSummary;
use crate::store::bom::{AncestorRow, BomFileRow};
use crate::store::models::{FingerprintRow, ModelDetailRow};
use axum::extract::State;
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

/// Everything a bill of materials says.
struct Materials {
    model: ModelSummary,
    detail: ModelDetailRow,
    edge: Option<Edge>,
    fingerprint: Option<FingerprintRow>,
    files: Vec<BomFileRow>,
    ancestors: Vec<AncestorRow>,
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
}

/// The bill of materials of a model's newest revision.
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
    let store = &state.store;
    let Some(row) = store.find_model(&path.hub, &path.owner, &path.name).await? else {
        return Err(path.unknown());
    };
    let materials = Materials {
        detail: store.model_detail(row.id).await?,
        edge: store.edge_of(row.id).await?.map(Edge::try_from).transpose()?,
        fingerprint: store.newest_fingerprint(row.id).await?,
        files: store.newest_files(row.id).await?,
        ancestors: store.ancestors(row.id, MAX_ANCESTORS).await?,
        model: ModelSummary::try_from(row)?,
    };
    let (content_type, document) = match params.format {
        BomFormat::Cyclonedx => (
            "application/vnd.cyclonedx+json; version=1.6",
            cyclonedx::document(&materials),
        ),
        BomFormat::Spdx => ("application/ld+json", spdx::document(&materials)),
    };
    Ok(([(header::CONTENT_TYPE, content_type)], document.to_string()).into_response())
}

impl Materials {
    /// The version to state: the inferred one, else the revision.
    fn version(&self) -> Option<&str> {
        self.model.version.as_deref().or(self.model.head.as_deref())
    }

    /// When what is said was last looked at, in UTC to the second.
    fn timestamp(&self) -> String {
        timestamp(self.detail.crawled_at)
    }

    /// A document id that changes with what is described only.
    fn id(&self, purpose: &str) -> Uuid {
        let described = [
            purpose,
            &self.model.reference,
            self.model.head.as_deref().unwrap_or_default(),
            self.model.version.as_deref().unwrap_or_default(),
            &self.timestamp(),
        ];
        let digest = Sha256::digest(described.join("\n"));
        let mut bytes = [0_u8; 16];
        bytes.copy_from_slice(&digest[..16]);
        uuid::Builder::from_custom_bytes(bytes).into_uuid()
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
