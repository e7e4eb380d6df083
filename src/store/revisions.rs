//! Reads a model's history.

use super::{Result, Store};
use crate::versioning::Reason;
use sqlx::types::Json;
use time::OffsetDateTime;

/// One revision with the version assigned to it.
pub struct RevisionRow {
    pub revision: String,
    pub position: i32,
    pub date: Option<OffsetDateTime>,
    pub title: String,
    pub message: String,
    pub authors: Vec<String>,
    pub tags: Vec<String>,
    pub version: Option<String>,
    pub declared: Option<String>,
    pub bump: Option<String>,
    pub silent: bool,
    pub weights_changed: Option<bool>,
    pub reasons: Json<Vec<Reason>>,
    pub model_digest: Option<String>,
    pub parameters: Option<i64>,
    pub failure: Option<String>,
}

impl Store {
    /// All revisions of a model, newest first.
    pub async fn list_revisions(&self, model: i64) -> Result<Vec<RevisionRow>> {
        Ok(sqlx::query_as!(
            RevisionRow,
            r#"SELECT r.revision, r.position, r.date, r.title, r.message, r.authors, r.tags,
                      v.version AS "version?", v.declared, v.bump, coalesce(v.silent, false) AS "silent!",
                      v.weights_changed, coalesce(v.reasons, '[]') AS "reasons!: Json<Vec<Reason>>",
                      f.model_digest, f.parameters AS "parameters?", r.failure
               FROM revisions r
               LEFT JOIN versions v ON v.revision_id = r.id
               LEFT JOIN fingerprints f ON f.id = r.fingerprint_id
               WHERE r.package_id = $1
               ORDER BY r.position DESC"#,
            model
        )
        .fetch_all(&self.pool)
        .await?)
    }
}
