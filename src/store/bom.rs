//! Reads what a bill of materials lists.

use super::{Result, Store};
use time::OffsetDateTime;

/// The revision that a bill is of.
pub struct BomRevisionRow {
    pub id: i64,
    pub revision: String,
    pub version: Option<String>,
    pub parameters: Option<i64>,
    pub model_digest: Option<String>,
    pub architecture: Option<String>,
}

/// A file of a revision.
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
    pub released_at: Option<OffsetDateTime>,
    /// 1 is a parent.
    pub generation: i32,
}

impl Store {
    /// The revision of a model called `revision`, by id or tag; the newest without one.
    pub async fn bom_revision(&self, model: i64, revision: Option<&str>) -> Result<Option<BomRevisionRow>> {
        Ok(sqlx::query_as!(
            BomRevisionRow,
            r#"SELECT r.id, r.revision, v.version AS "version?", f.parameters AS "parameters?", f.model_digest,
                      f.architecture AS "architecture?"
               FROM revisions r
               LEFT JOIN versions v ON v.revision_id = r.id
               LEFT JOIN fingerprints f ON f.id = r.fingerprint_id
               WHERE r.package_id = $1 AND ($2::text IS NULL OR r.revision = $2 OR $2 = ANY(r.tags))
               ORDER BY r.position DESC LIMIT 1"#,
            model,
            revision
        )
        .fetch_optional(&self.pool)
        .await?)
    }

    /// The files of a revision.
    pub async fn bom_files(&self, revision: i64) -> Result<Vec<BomFileRow>> {
        Ok(sqlx::query_as!(
            BomFileRow,
            "SELECT path, size, sha256 FROM files WHERE revision_id = $1 ORDER BY path",
            revision
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// Signatures beside the files of a revision: path and content.
    pub async fn signatures(&self, revision: i64) -> Result<Vec<(String, String)>> {
        let rows = sqlx::query!(
            "SELECT f.path, t.content FROM files f JOIN texts t ON t.digest = f.text_digest
             WHERE f.revision_id = $1 AND f.path LIKE '%.sig' ORDER BY f.path",
            revision
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(|row| (row.path, row.content)).collect())
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
                      coalesce(m.modified_at, m.created_at) AS released_at, nearest.generation AS "generation!"
               FROM (SELECT id, min(generation) AS generation FROM up WHERE generation > 0 GROUP BY id) nearest
               JOIN model_summaries m USING (id)
               ORDER BY nearest.generation, m.id LIMIT $2"#,
            model,
            limit
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// When the edge of a child was inferred.
    pub async fn edge_made_at(&self, child: i64) -> Result<Option<OffsetDateTime>> {
        Ok(
            sqlx::query_scalar!("SELECT made_at FROM edges WHERE child_id = $1", child)
                .fetch_optional(&self.pool)
                .await?,
        )
    }
}
