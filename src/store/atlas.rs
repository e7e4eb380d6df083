//! The whole graph in pages: what a map of all families needs of each model, and no more.

use super::{Result, Store};
use time::OffsetDateTime;

/// A model as a point of the map.
pub struct AtlasRow {
    pub id: i64,
    pub reference: String,
    pub created_at: Option<OffsetDateTime>,
    pub relation: Option<String>,
    pub verdict: Option<String>,
    /// Ids of its parents.
    pub parents: Vec<i64>,
}

impl Store {
    /// Models in the order of their ids, from `after` on.
    pub async fn list_atlas(&self, after: Option<i64>, limit: i64) -> Result<Vec<AtlasRow>> {
        Ok(sqlx::query_as!(
            AtlasRow,
            r#"SELECT p.id, p.hub || ':' || p.owner || '/' || p.name AS "reference!", p.created_at,
                      e.relation AS "relation?", p.verdict,
                      ARRAY(SELECT ep.parent_id FROM edge_parents ep WHERE ep.edge_id = e.id ORDER BY ep.position) AS "parents!"
               FROM packages p LEFT JOIN edges e ON e.child_id = p.id
               WHERE $1::bigint IS NULL OR p.id > $1
               ORDER BY p.id LIMIT $2"#,
            after,
            limit
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// Models in all.
    pub async fn count_packages(&self) -> Result<i64> {
        Ok(
            sqlx::query_scalar!(r#"SELECT count(*) AS "count!" FROM packages"#)
                .fetch_one(&self.pool)
                .await?,
        )
    }
}
