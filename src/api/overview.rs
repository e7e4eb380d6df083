//! The state of the whole catalogue on one page.

use super::AppState;
use super::crawls::Crawl;
use super::error::ApiError;
use super::extract::parse_word;
use super::licences::{self, LicenceStep};
use super::model_summary::{ModelSummary, summaries};
use crate::lineage::{Relation, Verdict};
use crate::store::model_list::ModelFilter;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

const LISTED: i64 = 10;
const CRAWLS: i64 = 5;
const DAY: time::Duration = time::Duration::DAY;

#[derive(Serialize, ToSchema)]
pub struct Overview {
    packages: i64,
    revisions: i64,
    fingerprints: i64,
    tensors: i64,
    edges: i64,
    silent_changes: i64,
    /// Revisions whose weights could not be read.
    failures: i64,
    /// What happened in the last 24 hours.
    today: Today,
    relations: Vec<RelationCount>,
    verdicts: Vec<VerdictCount>,
    /// Most recently changed.
    recent: Vec<ModelSummary>,
    /// Newest silent changes.
    silent: Vec<SilentChange>,
    /// Models whose weights contradict the base they declare.
    contradicted: Vec<ModelSummary>,
    /// Models whose licence lets go of what a parent's asks for, among the newest edges.
    licence_conflicts: Vec<LicenceStep>,
    crawls: Vec<Crawl>,
}

/// What hubs published in the last 24 hours, as far as it was crawled.
#[derive(Serialize, ToSchema)]
pub struct Today {
    new_models: i64,
    revisions: i64,
    major: i64,
    silent: i64,
    /// Revisions whose weights could not be read.
    unreadable: i64,
}

#[derive(Serialize, ToSchema)]
pub struct RelationCount {
    relation: Relation,
    count: i64,
}

#[derive(Serialize, ToSchema)]
pub struct VerdictCount {
    verdict: Verdict,
    count: i64,
}

/// A revision that changed the weights without a word.
#[derive(Serialize, ToSchema)]
pub struct SilentChange {
    reference: String,
    revision: String,
    version: String,
    #[serde(with = "time::serde::rfc3339::option")]
    date: Option<OffsetDateTime>,
    detail: String,
}

/// Counts, newest changes, and what needs a look.
#[utoipa::path(get, path = "/overview", tag = "service", responses((status = OK, body = Overview)))]
pub async fn overview(State(state): State<AppState>) -> Result<Json<Overview>, ApiError> {
    let store = &state.store;
    let contradicted = ModelFilter {
        verdict: Some("contradicted".to_owned()),
        ..ModelFilter::default()
    };
    let today = store.count_recent(OffsetDateTime::now_utc() - DAY).await?;
    let counts = store.count_catalogue().await?;
    let relations = store.count_relations().await?.into_iter().map(|row| {
        Ok(RelationCount {
            relation: parse_word(&row.word)?,
            count: row.count,
        })
    });
    let verdicts = store.count_verdicts().await?.into_iter().map(|row| {
        Ok(VerdictCount {
            verdict: parse_word(&row.word)?,
            count: row.count,
        })
    });
    let silent = store.list_silent_changes(LISTED).await?;
    let recent = store.list_models(&ModelFilter::default(), None, LISTED).await?;
    let contradicted = store.list_models(&contradicted, None, LISTED).await?;
    let crawls = store.list_crawls(CRAWLS).await?;
    Ok(Json(Overview {
        packages: counts.packages,
        revisions: counts.revisions,
        fingerprints: counts.fingerprints,
        tensors: counts.tensors,
        edges: counts.edges,
        silent_changes: counts.silent_changes,
        failures: counts.failures,
        today: Today {
            new_models: today.new_models,
            revisions: today.revisions,
            major: today.major,
            silent: today.silent,
            unreadable: today.unreadable,
        },
        relations: relations.collect::<Result<_, ApiError>>()?,
        verdicts: verdicts.collect::<Result<_, ApiError>>()?,
        recent: summaries(recent)?,
        silent: silent
            .into_iter()
            .map(|row| SilentChange {
                reference: row.reference,
                revision: row.revision,
                version: row.version,
                date: row.date,
                detail: row.detail,
            })
            .collect(),
        contradicted: summaries(contradicted)?,
        licence_conflicts: licences::conflicts(store, LISTED).await?,
        crawls: crawls.into_iter().map(Crawl::from).collect(),
    }))
}
