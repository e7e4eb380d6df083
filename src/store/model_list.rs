//! Lists of models: filtered by the database's one filter, `matching_models`, or found by name.

use super::models::ModelSummaryRow;
use super::{Result, Store};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// Matches are counted up to here: to count more of two million takes longer than anyone waits for a page.
pub const MAX_COUNTED: i64 = 10_000;
/// Names that hold a text are ranked among so many.
const MAX_RANKED: i64 = 2000;

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
    /// Words of the name, the task or the card, as people type them into a search box.
    pub text: Option<String>,
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
    pub tag: Option<String>,
    pub min_parameters: Option<i64>,
    pub max_parameters: Option<i64>,
    pub min_bytes: Option<i64>,
    pub max_bytes: Option<i64>,
    pub modified_since: Option<OffsetDateTime>,
    pub modified_before: Option<OffsetDateTime>,
    /// Major, minor and patch of the least version and of the first that is too great.
    pub version_from: Option<[i64; 3]>,
    pub version_below: Option<[i64; 3]>,
    /// Only models with a silent change.
    pub silent: bool,
}

impl ModelFilter {
    pub(super) fn pattern(&self) -> Option<String> {
        self.search.as_deref().map(containing)
    }
}

/// A LIKE pattern for what holds `text`, with LIKE's own characters taken literally.
fn containing(text: &str) -> String {
    let literal = text.to_lowercase().replace('\\', "\\\\");
    let literal = literal.replace('%', "\\%").replace('_', "\\_");
    format!("%{literal}%")
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
                   SELECT id FROM matching_models($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19,
                                                  $20, $21)
                   WHERE $22::bigint IS NULL OR (at, id) < (coalesce($23::timestamptz, '-infinity'), $22)
                   ORDER BY at DESC, id DESC LIMIT $24
               )
               SELECT m.id AS "id!", m.reference AS "reference!", m.hub AS "hub!", m.owner AS "owner!", m.name AS "name!",
                      m.url, m.head, m.created_at, m.modified_at, m.architecture, m.task, m.library, m.licence,
                      m.downloads, m.likes, m.gated AS "gated!", m.parameters, m.version, m.relation, m.technique,
                      m.parents AS "parents!", m.verdict, m.revisions AS "revisions!",
                      m.silent_changes AS "silent_changes!", m.failure
               FROM page JOIN model_summaries m USING (id)
               ORDER BY coalesce(m.modified_at, '-infinity') DESC, m.id DESC"#,
            filter.pattern(),
            filter.text,
            filter.hub,
            filter.owner,
            filter.relation,
            filter.verdict,
            filter.task,
            filter.library,
            filter.licence,
            filter.architecture,
            filter.base,
            filter.tag,
            filter.min_parameters,
            filter.max_parameters,
            filter.min_bytes,
            filter.max_bytes,
            filter.modified_since,
            filter.modified_before,
            filter.version_from.as_ref().map(|version| version.as_slice()),
            filter.version_below.as_ref().map(|version| version.as_slice()),
            filter.silent,
            after.map(|position| position.id),
            after.and_then(|position| position.modified_at),
            limit,
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// How many models match, counted up to one more than [`MAX_COUNTED`].
    pub async fn count_models(&self, filter: &ModelFilter) -> Result<i64> {
        Ok(sqlx::query_scalar!(
            r#"SELECT count(*) AS "count!" FROM (
                   SELECT FROM matching_models($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19,
                                               $20, $21)
                   LIMIT $22
               ) matching"#,
            filter.pattern(),
            filter.text,
            filter.hub,
            filter.owner,
            filter.relation,
            filter.verdict,
            filter.task,
            filter.library,
            filter.licence,
            filter.architecture,
            filter.base,
            filter.tag,
            filter.min_parameters,
            filter.max_parameters,
            filter.min_bytes,
            filter.max_bytes,
            filter.modified_since,
            filter.modified_before,
            filter.version_from.as_ref().map(|version| version.as_slice()),
            filter.version_below.as_ref().map(|version| version.as_slice()),
            filter.silent,
            MAX_COUNTED + 1,
        )
        .fetch_one(&self.pool)
        .await?)
    }

    /// Ids of models whose name holds `text`: that name itself first, then names that begin so, then the most downloaded.
    pub async fn models_named(&self, text: &str, limit: i64) -> Result<Vec<i64>> {
        let pattern = containing(text);
        Ok(sqlx::query_scalar!(
            r#"SELECT id AS "id!" FROM (
                   (SELECT id, lower(name) AS name, lower(owner || '/' || name) AS full_name, downloads FROM packages
                    WHERE lower(name) = $2 OR lower(owner || '/' || name) = $2 LIMIT $4)
                   UNION
                   (SELECT id, lower(name), lower(owner || '/' || name), downloads FROM packages
                    WHERE lower(owner || '/' || name) LIKE $1 LIMIT $4)
               ) named
               ORDER BY full_name = $2 OR name = $2 DESC, name LIKE substr($1, 2) OR full_name LIKE substr($1, 2) DESC,
                        downloads DESC NULLS LAST, id
               LIMIT $3"#,
            pattern,
            text.to_lowercase(),
            limit,
            MAX_RANKED
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// Ids of models whose name is nearly `text`, the likest first.
    pub async fn models_named_like(&self, text: &str, limit: i64) -> Result<Vec<i64>> {
        Ok(
            sqlx::query_scalar!(r#"SELECT id AS "id!" FROM similar_names($1, $2)"#, text, limit)
                .fetch_all(&self.pool)
                .await?,
        )
    }

    /// Summaries of models, in the order of `ids`.
    pub async fn model_summaries(&self, ids: &[i64]) -> Result<Vec<ModelSummaryRow>> {
        Ok(sqlx::query_as!(
            ModelSummaryRow,
            r#"SELECT m.id AS "id!", m.reference AS "reference!", m.hub AS "hub!", m.owner AS "owner!", m.name AS "name!",
                      m.url, m.head, m.created_at, m.modified_at, m.architecture, m.task, m.library, m.licence,
                      m.downloads, m.likes, m.gated AS "gated!", m.parameters, m.version, m.relation, m.technique,
                      m.parents AS "parents!", m.verdict, m.revisions AS "revisions!",
                      m.silent_changes AS "silent_changes!", m.failure
               FROM unnest($1::bigint[]) WITH ORDINALITY AS wanted (id, place) JOIN model_summaries m USING (id)
               ORDER BY place"#,
            ids
        )
        .fetch_all(&self.pool)
        .await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_is_taken_literally() {
        assert_eq!(containing("50%_\\Llama"), "%50\\%\\_\\\\llama%");
    }
}
