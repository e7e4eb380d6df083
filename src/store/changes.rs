//! Reads the feed of changes.

use super::{Result, Store};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// One row of `changes`.
pub struct ChangeRow {
    pub kind: String,
    pub source_id: i64,
    pub package_id: i64,
    pub at: OffsetDateTime,
    pub hub: String,
    pub owner: String,
    pub name: String,
    pub revision: Option<String>,
    pub version: Option<String>,
    pub detail: String,
}

/// A place in the feed, newest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChangePosition {
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    pub kind: String,
    pub source_id: i64,
    pub package_id: i64,
}

impl ChangeRow {
    /// `hub:owner/name` of the model it happened to.
    pub fn reference(&self) -> String {
        format!("{}:{}/{}", self.hub, self.owner, self.name)
    }

    /// The same change has the same name wherever it is told.
    pub fn urn(&self) -> String {
        format!(
            "urn:heirloom:change:{}:{}:{}",
            self.kind, self.source_id, self.package_id
        )
    }

    pub fn position(&self) -> ChangePosition {
        ChangePosition {
            at: self.at,
            kind: self.kind.clone(),
            source_id: self.source_id,
            package_id: self.package_id,
        }
    }
}

/// Which changes to list; `None` does not filter.
#[derive(Debug, Clone, Default)]
pub struct ChangeFilter {
    pub kind: Option<String>,
    pub hub: Option<String>,
    pub owner: Option<String>,
    pub name: Option<String>,
}

impl Store {
    /// One page of the feed, from `after` on. Each source gives its own newest, out of an index, before they are put in order.
    pub async fn list_changes(
        &self,
        filter: &ChangeFilter,
        after: Option<&ChangePosition>,
        limit: i64,
    ) -> Result<Vec<ChangeRow>> {
        Ok(sqlx::query_as!(
            ChangeRow,
            r#"SELECT kind AS "kind!", source_id AS "source_id!", package_id AS "package_id!", at AS "at!", hub AS "hub!",
                      owner AS "owner!", name AS "name!", revision, version, detail AS "detail!"
               FROM (
                   (SELECT * FROM version_changes WHERE ($1::text IS NULL OR kind = $1) AND ($2::text IS NULL OR hub = $2)
                    AND ($3::text IS NULL OR owner = $3) AND ($4::text IS NULL OR name = $4)
                    AND ($5::timestamptz IS NULL OR (at, kind, source_id, package_id) < ($5, $6::text, $7::bigint, $8::bigint))
                    ORDER BY at DESC, kind DESC, source_id DESC, package_id DESC LIMIT $9)
                   UNION ALL
                   (SELECT * FROM verdict_changes WHERE ($1::text IS NULL OR kind = $1) AND ($2::text IS NULL OR hub = $2)
                    AND ($3::text IS NULL OR owner = $3) AND ($4::text IS NULL OR name = $4)
                    AND ($5::timestamptz IS NULL OR (at, kind, source_id, package_id) < ($5, $6::text, $7::bigint, $8::bigint))
                    ORDER BY at DESC, kind DESC, source_id DESC, package_id DESC LIMIT $9)
                   UNION ALL
                   (SELECT * FROM descendant_changes WHERE ($1::text IS NULL OR kind = $1) AND ($2::text IS NULL OR hub = $2)
                    AND ($3::text IS NULL OR owner = $3) AND ($4::text IS NULL OR name = $4)
                    AND ($5::timestamptz IS NULL OR (at, kind, source_id, package_id) < ($5, $6::text, $7::bigint, $8::bigint))
                    ORDER BY at DESC, kind DESC, source_id DESC, package_id DESC LIMIT $9)
               ) newest
               ORDER BY at DESC, kind DESC, source_id DESC, package_id DESC
               LIMIT $9"#,
            filter.kind,
            filter.hub,
            filter.owner,
            filter.name,
            after.map(|position| position.at),
            after.map(|position| position.kind.as_str()),
            after.map(|position| position.source_id),
            after.map(|position| position.package_id),
            limit
        )
        .fetch_all(&self.pool)
        .await?)
    }
}
