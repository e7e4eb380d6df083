//! Reads what a bill of materials lists.

use super::{Result, Store};

/// A file of a model's newest revision.
pub struct BomFileRow {
    pub path: String,
    pub size: Option<i64>,
    pub sha256: Option<String>,
}

/// An ancestor of a model, by any number of edges.
pub struct AncestorRow {
    pub hub: String,
    pub owner: String,
    pub name: String,
    pub head: Option<String>,
    pub version: Option<String>,
    pub licence: Option<String>,
    /// 1 is a parent.
    pub generation: i32,
}

impl Store {
    /// The files of a model's newest revision.
    pub async fn newest_files(&self, model: i64) -> Result<Vec<BomFileRow>> {
        Ok(sqlx::query_as!(
            BomFileRow,
            "SELECT f.path, f.size, f.sha256 FROM files f
             WHERE f.revision_id = (SELECT id FROM revisions WHERE package_id = $1 ORDER BY position DESC LIMIT 1)
             ORDER BY f.path",
            model
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// All ancestors of a model, nearest first.
    pub async fn ancestors(&self, model: i64, limit: i64) -> Result<Vec<AncestorRow>> {
        Ok(sqlx::query_as!(
            AncestorRow,
            r#"WITH RECURSIVE up AS (
                   SELECT $1::bigint AS id, 0 AS generation
                   UNION
                   SELECT ep.parent_id, up.generation + 1
                   FROM up JOIN edges e ON e.child_id = up.id JOIN edge_parents ep ON ep.edge_id = e.id
                   WHERE up.generation < 50
               )
               SELECT m.hub AS "hub!", m.owner AS "owner!", m.name AS "name!", m.head, m.version, m.licence,
                      nearest.generation AS "generation!"
               FROM (SELECT id, min(generation) AS generation FROM up WHERE generation > 0 GROUP BY id) nearest
               JOIN model_summaries m USING (id)
               ORDER BY nearest.generation, m.id LIMIT $2"#,
            model,
            limit
        )
        .fetch_all(&self.pool)
        .await?)
    }
}
