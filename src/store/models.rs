//! Reads models for lists and pages.

use super::{Result, Store};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// One row of `model_summaries`.
pub struct ModelSummaryRow {
    pub id: i64,
    pub reference: String,
    pub hub: String,
    pub owner: String,
    pub name: String,
    pub url: Option<String>,
    pub head: Option<String>,
    pub created_at: Option<OffsetDateTime>,
    pub modified_at: Option<OffsetDateTime>,
    pub architecture: Option<String>,
    pub task: Option<String>,
    pub library: Option<String>,
    pub licence: Option<String>,
    pub downloads: Option<i64>,
    pub likes: Option<i64>,
    pub gated: bool,
    pub parameters: Option<i64>,
    pub version: Option<String>,
    pub relation: Option<String>,
    pub technique: Option<String>,
    pub parents: Vec<String>,
    pub verdict: Option<String>,
    pub revisions: i64,
    pub silent_changes: i64,
    pub failure: Option<String>,
}

impl ModelSummaryRow {
    /// Its place in the list.
    pub fn position(&self) -> ModelPosition {
        ModelPosition {
            modified_at: self.modified_at,
            id: self.id,
        }
    }
}

/// A place in the list of models: most recently changed first, undated last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelPosition {
    #[serde(with = "time::serde::rfc3339::option")]
    pub modified_at: Option<OffsetDateTime>,
    pub id: i64,
}

/// Which models to list; `None` does not filter.
#[derive(Debug, Clone, Default)]
pub struct ModelFilter {
    /// Part of `owner/name`, in any case.
    pub search: Option<String>,
    pub hub: Option<String>,
    pub owner: Option<String>,
    pub relation: Option<String>,
    pub verdict: Option<String>,
    pub task: Option<String>,
    pub library: Option<String>,
    pub licence: Option<String>,
    pub architecture: Option<String>,
    /// `owner/name` of a base, declared or found.
    pub base: Option<String>,
    pub min_parameters: Option<i64>,
    pub max_parameters: Option<i64>,
    pub modified_since: Option<OffsetDateTime>,
    /// Only models with a silent change.
    pub silent: bool,
}

impl ModelFilter {
    /// The search as a LIKE pattern, with LIKE's own characters taken literally.
    pub(super) fn pattern(&self) -> Option<String> {
        let search = self.search.as_ref()?.to_lowercase();
        let literal = search
            .replace('\\', "\\\\")
            .replace('%', "\\%")
            .replace('_', "\\_");
        Some(format!("%{literal}%"))
    }
}

/// What a model's own page shows beyond its summary.
pub struct ModelDetailRow {
    pub tags: Vec<String>,
    pub datasets: Vec<String>,
    pub papers: Vec<String>,
    pub base_models: Vec<String>,
    pub base_model_relation: Option<String>,
    pub card: Option<String>,
    pub endpoint: String,
    pub crawled_at: OffsetDateTime,
}

/// The newest fingerprint of a model, without its tensors.
pub struct FingerprintRow {
    pub id: i64,
    pub revision: String,
    pub level: String,
    pub parameters: i64,
    pub bytes: i64,
    pub model_digest: Option<String>,
    pub named_digest: Option<String>,
    pub architecture: String,
    pub tensors: i64,
}

impl Store {
    /// One page of models, from `after` on.
    pub async fn list_models(
        &self,
        filter: &ModelFilter,
        after: Option<&ModelPosition>,
        limit: i64,
    ) -> Result<Vec<ModelSummaryRow>> {
        Ok(sqlx::query_as!(
            ModelSummaryRow,
            r#"WITH page AS (
                   SELECT p.id FROM packages p
                   WHERE ($1::text IS NULL OR lower(p.owner || '/' || p.name) LIKE $1)
                     AND ($2::text IS NULL OR p.hub = $2)
                     AND ($3::text IS NULL OR p.owner = $3)
                     AND ($4::text IS NULL OR EXISTS (SELECT FROM edges e WHERE e.child_id = p.id AND e.relation = $4))
                     AND ($5::text IS NULL OR p.verdict = $5)
                     AND ($6::text IS NULL OR p.task = $6)
                     AND ($7::text IS NULL OR p.library = $7)
                     AND ($8::text IS NULL OR p.licence = $8)
                     AND ($9::text IS NULL OR p.architecture = $9)
                     AND ($10::text IS NULL OR $10 = ANY(p.base_models) OR EXISTS (
                         SELECT FROM edges e JOIN edge_parents ep ON ep.edge_id = e.id JOIN packages b ON b.id = ep.parent_id
                         WHERE e.child_id = p.id AND b.owner || '/' || b.name = $10))
                     AND ($11::bigint IS NULL OR EXISTS (
                         SELECT FROM fingerprints f WHERE f.id = p.fingerprint_id AND f.parameters >= $11))
                     AND ($12::bigint IS NULL OR EXISTS (
                         SELECT FROM fingerprints f WHERE f.id = p.fingerprint_id AND f.parameters <= $12))
                     AND ($13::timestamptz IS NULL OR p.modified_at >= $13)
                     AND (NOT $14::boolean OR EXISTS (
                         SELECT FROM revisions r JOIN versions v ON v.revision_id = r.id
                         WHERE r.package_id = p.id AND v.silent))
                     AND ($15::bigint IS NULL
                          OR (coalesce(p.modified_at, '-infinity'), p.id) < (coalesce($16::timestamptz, '-infinity'), $15))
                   ORDER BY coalesce(p.modified_at, '-infinity') DESC, p.id DESC
                   LIMIT $17
               )
               SELECT m.id AS "id!", m.reference AS "reference!", m.hub AS "hub!", m.owner AS "owner!", m.name AS "name!",
                      m.url, m.head, m.created_at, m.modified_at, m.architecture, m.task, m.library, m.licence,
                      m.downloads, m.likes, m.gated AS "gated!", m.parameters, m.version, m.relation, m.technique,
                      m.parents AS "parents!", m.verdict, m.revisions AS "revisions!",
                      m.silent_changes AS "silent_changes!", m.failure
               FROM page JOIN model_summaries m USING (id)
               ORDER BY coalesce(m.modified_at, '-infinity') DESC, m.id DESC"#,
            filter.pattern(),
            filter.hub,
            filter.owner,
            filter.relation,
            filter.verdict,
            filter.task,
            filter.library,
            filter.licence,
            filter.architecture,
            filter.base,
            filter.min_parameters,
            filter.max_parameters,
            filter.modified_since,
            filter.silent,
            after.map(|position| position.id),
            after.and_then(|position| position.modified_at),
            limit,
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// How many models match.
    pub async fn count_models(&self, filter: &ModelFilter) -> Result<i64> {
        Ok(sqlx::query_scalar!(
            r#"SELECT count(*) AS "count!" FROM packages p
               WHERE ($1::text IS NULL OR lower(p.owner || '/' || p.name) LIKE $1)
                 AND ($2::text IS NULL OR p.hub = $2)
                 AND ($3::text IS NULL OR p.owner = $3)
                 AND ($4::text IS NULL OR EXISTS (SELECT FROM edges e WHERE e.child_id = p.id AND e.relation = $4))
                 AND ($5::text IS NULL OR p.verdict = $5)
                 AND ($6::text IS NULL OR p.task = $6)
                 AND ($7::text IS NULL OR p.library = $7)
                 AND ($8::text IS NULL OR p.licence = $8)
                 AND ($9::text IS NULL OR p.architecture = $9)
                 AND ($10::text IS NULL OR $10 = ANY(p.base_models) OR EXISTS (
                     SELECT FROM edges e JOIN edge_parents ep ON ep.edge_id = e.id JOIN packages b ON b.id = ep.parent_id
                     WHERE e.child_id = p.id AND b.owner || '/' || b.name = $10))
                 AND ($11::bigint IS NULL OR EXISTS (
                     SELECT FROM fingerprints f WHERE f.id = p.fingerprint_id AND f.parameters >= $11))
                 AND ($12::bigint IS NULL OR EXISTS (
                     SELECT FROM fingerprints f WHERE f.id = p.fingerprint_id AND f.parameters <= $12))
                 AND ($13::timestamptz IS NULL OR p.modified_at >= $13)
                 AND (NOT $14::boolean OR EXISTS (
                     SELECT FROM revisions r JOIN versions v ON v.revision_id = r.id
                     WHERE r.package_id = p.id AND v.silent))"#,
            filter.pattern(),
            filter.hub,
            filter.owner,
            filter.relation,
            filter.verdict,
            filter.task,
            filter.library,
            filter.licence,
            filter.architecture,
            filter.base,
            filter.min_parameters,
            filter.max_parameters,
            filter.modified_since,
            filter.silent,
        )
        .fetch_one(&self.pool)
        .await?)
    }

    /// The id of a model, where it was crawled.
    pub async fn model_id(&self, hub: &str, owner: &str, name: &str) -> Result<Option<i64>> {
        Ok(sqlx::query_scalar!(
            "SELECT id FROM packages WHERE hub = $1 AND owner = $2 AND name = $3",
            hub,
            owner,
            name
        )
        .fetch_optional(&self.pool)
        .await?)
    }

    /// The summary of one model, where it was crawled.
    pub async fn find_model(&self, hub: &str, owner: &str, name: &str) -> Result<Option<ModelSummaryRow>> {
        Ok(sqlx::query_as!(
            ModelSummaryRow,
            r#"SELECT m.id AS "id!", m.reference AS "reference!", m.hub AS "hub!", m.owner AS "owner!", m.name AS "name!",
                      m.url, m.head, m.created_at, m.modified_at, m.architecture, m.task, m.library, m.licence,
                      m.downloads, m.likes, m.gated AS "gated!", m.parameters, m.version, m.relation, m.technique,
                      m.parents AS "parents!", m.verdict, m.revisions AS "revisions!",
                      m.silent_changes AS "silent_changes!", m.failure
               FROM model_summaries m WHERE hub = $1 AND owner = $2 AND name = $3"#,
            hub,
            owner,
            name
        )
        .fetch_optional(&self.pool)
        .await?)
    }

    /// The rest of one model's page.
    pub async fn model_detail(&self, id: i64) -> Result<ModelDetailRow> {
        Ok(sqlx::query_as!(
            ModelDetailRow,
            "SELECT tags, datasets, papers, base_models, base_model_relation, card, endpoint, crawled_at
             FROM packages WHERE id = $1",
            id
        )
        .fetch_one(&self.pool)
        .await?)
    }

    /// The fingerprint of a model's newest fingerprinted revision.
    pub async fn newest_fingerprint(&self, model: i64) -> Result<Option<FingerprintRow>> {
        Ok(sqlx::query_as!(
            FingerprintRow,
            r#"SELECT f.id, r.revision, f.level, f.parameters, f.bytes, f.model_digest, f.named_digest, f.architecture,
                      (SELECT count(*) FROM tensors t WHERE t.fingerprint_id = f.id) AS "tensors!"
               FROM revisions r JOIN fingerprints f ON f.id = r.fingerprint_id
               WHERE r.package_id = $1
               ORDER BY r.position DESC LIMIT 1"#,
            model
        )
        .fetch_optional(&self.pool)
        .await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_is_taken_literally() {
        let filter = ModelFilter {
            search: Some("50%_\\Llama".to_owned()),
            ..ModelFilter::default()
        };
        assert_eq!(filter.pattern().as_deref(), Some("%50\\%\\_\\\\llama%"));
    }
}
