//! Release lines: which packages are releases of one model, and the step from each to the next.

use super::lineage::{to_json, word};
use super::{Result, Store};
use crate::versioning::{Reason, ReleaseStep};
use sqlx::types::Json;
use time::OffsetDateTime;

/// A package of a line.
#[derive(Debug, Clone, PartialEq)]
pub struct LineMember {
    pub package_id: i64,
    /// The version in its name.
    pub declared: String,
    /// Its newest revision.
    pub head: Option<String>,
}

/// A release with the step from the one before it.
pub struct ReleaseRow {
    pub reference: String,
    pub declared: String,
    pub date: Option<OffsetDateTime>,
    /// Version of its newest revision, by its own history.
    pub version: Option<String>,
    pub predecessor: Option<String>,
    pub inferred: Option<String>,
    pub bump: Option<String>,
    pub silent: bool,
    pub weights_changed: Option<bool>,
    pub reasons: Json<Vec<Reason>>,
}

impl Store {
    /// Notes the line of a package, and answers all packages of that line on its hub, itself included.
    pub async fn join_line(&self, package_id: i64, line: &str, declared: &str) -> Result<Vec<LineMember>> {
        sqlx::query!(
            "INSERT INTO releases AS old (package_id, line, declared) VALUES ($1, $2, $3)
             ON CONFLICT (package_id) DO UPDATE SET line = excluded.line, declared = excluded.declared
             WHERE (old.line, old.declared) IS DISTINCT FROM (excluded.line, excluded.declared)",
            package_id,
            line,
            declared
        )
        .execute(&self.pool)
        .await?;
        Ok(sqlx::query_as!(
            LineMember,
            "SELECT r.package_id, r.declared, p.head
             FROM releases r JOIN packages p ON p.id = r.package_id
             WHERE r.line = $1 AND p.hub = (SELECT hub FROM packages WHERE id = $2)
             ORDER BY r.package_id",
            line,
            package_id
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// Replaces the step to a release. Without one it is the first of its line.
    pub async fn save_release(&self, package_id: i64, step: Option<(i64, &ReleaseStep)>) -> Result<()> {
        let decision = step.map(|(_, step)| &step.decision);
        let bump = decision.map(|decision| word(&decision.bump)).transpose()?;
        let reasons = decision.map(|decision| decision.reasons.as_slice());
        sqlx::query!(
            "UPDATE releases SET predecessor_id = $2, inferred = $3, bump = $4, silent = $5, weights_changed = $6, reasons = $7
             WHERE package_id = $1",
            package_id,
            step.map(|(predecessor, _)| predecessor),
            step.map(|(_, step)| step.inferred.to_string()),
            bump,
            decision.is_some_and(|decision| decision.silent),
            decision.and_then(|decision| decision.weights_changed),
            to_json("the reasons of a release", &reasons.unwrap_or_default())?
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// The releases of a package's line, in no order; empty when its name declares no version.
    pub async fn list_releases(&self, package_id: i64) -> Result<Vec<ReleaseRow>> {
        Ok(sqlx::query_as!(
            ReleaseRow,
            r#"SELECT p.hub || ':' || p.owner || '/' || p.name AS "reference!", r.declared,
                      coalesce(p.created_at, p.modified_at) AS date, m.version AS "version?",
                      b.hub || ':' || b.owner || '/' || b.name AS "predecessor?",
                      r.inferred, r.bump, r.silent, r.weights_changed, r.reasons AS "reasons!: Json<Vec<Reason>>"
               FROM releases own
               JOIN packages here ON here.id = own.package_id
               JOIN releases r ON r.line = own.line
               JOIN packages p ON p.id = r.package_id AND p.hub = here.hub
               JOIN model_summaries m ON m.id = p.id
               LEFT JOIN packages b ON b.id = r.predecessor_id
               WHERE own.package_id = $1
               ORDER BY r.package_id"#,
            package_id
        )
        .fetch_all(&self.pool)
        .await?)
    }
}
