//! The audit log: who wanted to write, and what came of it.

use super::{Result, Store};
use serde::Serialize;
use time::OffsetDateTime;

/// What is to be noted.
#[derive(Debug, Clone, Default)]
pub struct AuditEntry {
    /// Empty for a caller whose key is not valid.
    pub actor: String,
    pub action: String,
    pub status: Option<i16>,
    pub request_id: Option<String>,
}

/// A line of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuditRow {
    pub id: i64,
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    pub actor: String,
    pub action: String,
    pub status: Option<i16>,
    pub request_id: Option<String>,
}

impl Store {
    pub async fn note_action(&self, entry: &AuditEntry) -> Result<()> {
        sqlx::query!(
            "INSERT INTO audit_log (actor, action, status, request_id) VALUES ($1, $2, $3, $4)",
            entry.actor,
            entry.action,
            entry.status,
            entry.request_id
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// The newest lines, newest first.
    pub async fn audit_log(&self, limit: i64) -> Result<Vec<AuditRow>> {
        Ok(sqlx::query_as!(
            AuditRow,
            "SELECT id, at, actor, action, status, request_id FROM audit_log ORDER BY id DESC LIMIT $1",
            limit
        )
        .fetch_all(&self.pool)
        .await?)
    }
}
