//! Reads models for their pages.

use super::{Result, Store};
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
