//! Models in lists: filtered in pages, or found by a name that is nearly right.

use super::AppState;
use super::cursor;
use super::error::ApiError;
use super::extract::{Query, bounded, empty_is_none, word};
use super::model_summary::{ModelSummary, summaries};
use crate::lineage::{Relation, Verdict};
use crate::store::model_list::{MAX_COUNTED, ModelFilter, ModelPosition};
use crate::store::models::ModelSummaryRow;
use crate::versioning::Interval;
use axum::Json;
use axum::extract::State;
use semver::VersionReq;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};

const DEFAULT_LIMIT: u32 = 50;
const MAX_LIMIT: u32 = 200;
const DEFAULT_FOUND: u32 = 20;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListParams {
    /// Part of `owner/name`, in any case.
    #[serde(default, deserialize_with = "empty_is_none")]
    search: Option<String>,
    /// Words of the name, the task or the card; quotes hold a phrase together, a minus excludes.
    #[serde(default, deserialize_with = "empty_is_none")]
    text: Option<String>,
    #[serde(default, deserialize_with = "empty_is_none")]
    hub: Option<String>,
    #[serde(default, deserialize_with = "empty_is_none")]
    owner: Option<String>,
    /// How it derives from its parents.
    relation: Option<Relation>,
    /// What the weights say of its declared base.
    verdict: Option<Verdict>,
    #[serde(default, deserialize_with = "empty_is_none")]
    task: Option<String>,
    #[serde(default, deserialize_with = "empty_is_none")]
    library: Option<String>,
    /// As the model's page shows it: an SPDX expression, or the hub's own word.
    #[serde(default, deserialize_with = "empty_is_none")]
    licence: Option<String>,
    #[serde(default, deserialize_with = "empty_is_none")]
    architecture: Option<String>,
    /// `owner/name` of a base, declared by the card or found in the weights.
    #[serde(default, deserialize_with = "empty_is_none")]
    base: Option<String>,
    #[serde(default, deserialize_with = "empty_is_none")]
    tag: Option<String>,
    #[param(minimum = 0)]
    min_parameters: Option<i64>,
    #[param(minimum = 0)]
    max_parameters: Option<i64>,
    /// Bytes of the weights.
    #[param(minimum = 0)]
    min_bytes: Option<i64>,
    #[param(minimum = 0)]
    max_bytes: Option<i64>,
    /// Changed at or after this time.
    #[serde(default, with = "time::serde::rfc3339::option")]
    modified_since: Option<OffsetDateTime>,
    /// Changed before this time.
    #[serde(default, with = "time::serde::rfc3339::option")]
    modified_before: Option<OffsetDateTime>,
    /// What the inferred version of the newest revision must satisfy: `^1.2`, `>=1, <3`. Pre-releases never do.
    #[serde(default, deserialize_with = "empty_is_none")]
    #[param(example = "^1.2")]
    version: Option<String>,
    /// Only models whose weights changed without a word.
    #[serde(default)]
    silent: bool,
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u32>,
    /// `next` of the page before.
    #[serde(default, deserialize_with = "empty_is_none")]
    cursor: Option<String>,
}

impl ListParams {
    /// Which models are meant, whatever the page.
    pub fn into_filter(self) -> Result<ModelFilter, ApiError> {
        let interval = self.version.as_deref().map(parse_requirement).transpose()?;
        Ok(ModelFilter {
            search: self.search,
            text: self.text,
            hub: self.hub,
            owner: self.owner,
            relation: self.relation.map(word),
            verdict: self.verdict.map(word),
            task: self.task,
            library: self.library,
            licence: self.licence,
            architecture: self.architecture,
            base: self.base,
            tag: self.tag,
            min_parameters: self.min_parameters,
            max_parameters: self.max_parameters,
            min_bytes: self.min_bytes,
            max_bytes: self.max_bytes,
            modified_since: self.modified_since,
            modified_before: self.modified_before,
            version_from: interval.map(|interval| as_signed(interval.from)),
            version_below: interval.and_then(|interval| interval.below).map(as_signed),
            silent: self.silent,
        })
    }
}

fn parse_requirement(text: &str) -> Result<Interval, ApiError> {
    let invalid = |reason: String| ApiError::InvalidRequirement {
        text: text.to_owned(),
        reason,
    };
    let requirement = VersionReq::parse(text).map_err(|error| invalid(error.to_string()))?;
    Interval::of(&requirement).ok_or_else(|| invalid("a list is not filtered by pre-releases".to_owned()))
}

fn as_signed(numbers: [u64; 3]) -> [i64; 3] {
    numbers.map(|number| i64::try_from(number).unwrap_or(i64::MAX))
}

#[derive(Serialize, ToSchema)]
pub struct ModelPage {
    items: Vec<ModelSummary>,
    /// Cursor of the next page; `null` on the last.
    next: Option<String>,
    /// Models that match, over all pages; not counted beyond 10 000.
    total: i64,
    /// False where there are more than `total`.
    total_is_exact: bool,
}

/// Models, most recently changed first.
#[utoipa::path(get, path = "/models", operation_id = "list_models", tag = "models", params(ListParams), responses((status = OK, body = ModelPage)))]
pub async fn list(
    State(state): State<AppState>,
    Query(params): Query<ListParams>,
) -> Result<Json<ModelPage>, ApiError> {
    let limit = bounded("limit", params.limit, DEFAULT_LIMIT, MAX_LIMIT)?;
    let after = params
        .cursor
        .as_deref()
        .map(cursor::decode::<ModelPosition>)
        .transpose()?;
    let filter = params.into_filter()?;
    let (counted, rows) = tokio::try_join!(
        state.store.count_models(&filter),
        state
            .store
            .list_models(&filter, after.as_ref(), i64::from(limit) + 1)
    )?;
    let mut rows = rows;
    let next = cursor::cut(&mut rows, limit, ModelSummaryRow::position)?;
    Ok(Json(ModelPage {
        items: summaries(rows)?,
        next,
        total: counted.min(MAX_COUNTED),
        total_is_exact: counted <= MAX_COUNTED,
    }))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SearchParams {
    /// A name, or nearly one.
    #[param(min_length = 1, max_length = 200)]
    q: String,
    #[param(minimum = 1, maximum = 200, default = 20)]
    limit: Option<u32>,
}

#[derive(Serialize, ToSchema)]
pub struct FoundModels {
    /// Names that hold the text first, then names that are nearly it.
    items: Vec<ModelSummary>,
}

/// Models by name: what holds the text, then what is nearly it (a letter wrong, words in another order).
#[utoipa::path(get, path = "/search", operation_id = "search_models", tag = "models", params(SearchParams), responses((status = OK, body = FoundModels)))]
pub async fn search(
    State(state): State<AppState>,
    Query(params): Query<SearchParams>,
) -> Result<Json<FoundModels>, ApiError> {
    let limit = bounded("limit", params.limit, DEFAULT_FOUND, MAX_LIMIT)?;
    let text = params.q.trim();
    if text.is_empty() || text.len() > MAX_SEARCH_BYTES {
        return Err(ApiError::InvalidSearch {
            max: MAX_SEARCH_BYTES,
        });
    }
    let store = &state.store;
    let mut ids = store.models_named(text, limit.into()).await?;
    if ids.len() < limit as usize {
        let alike = store.models_named_like(text, limit.into()).await?;
        let new: Vec<i64> = alike.into_iter().filter(|id| !ids.contains(id)).collect();
        ids.extend(new);
        ids.truncate(limit as usize);
    }
    Ok(Json(FoundModels {
        items: summaries(store.model_summaries(&ids).await?)?,
    }))
}

const MAX_SEARCH_BYTES: usize = 200;
