//! Reads tensors: of one revision, and by digest over everything that was crawled.

use super::{Result, Store};

/// A revision's fingerprint, by which its tensors are listed.
pub struct RevisionFingerprintRow {
    pub revision: String,
    pub fingerprint: Option<i64>,
    pub failure: Option<String>,
}

/// One tensor of a fingerprint.
pub struct TensorRow {
    pub name: String,
    pub dtype: String,
    pub shape: Vec<i64>,
    pub digest: Option<String>,
    /// Other packages that hold the same tensor.
    pub held_by: i64,
}

/// A place where a tensor is found.
pub struct HolderRow {
    pub revision_id: i64,
    pub reference: String,
    pub revision: String,
    pub name: String,
    pub dtype: String,
    pub shape: Vec<i64>,
}

impl Store {
    /// The revision called `revision`; without one, the newest that is fingerprinted, else the newest.
    pub async fn revision_fingerprint(
        &self,
        model: i64,
        revision: Option<&str>,
    ) -> Result<Option<RevisionFingerprintRow>> {
        Ok(sqlx::query_as!(
            RevisionFingerprintRow,
            r#"SELECT revision, fingerprint_id AS fingerprint, failure FROM revisions
               WHERE package_id = $1 AND ($2::text IS NULL OR revision = $2 OR $2 = ANY(tags))
               ORDER BY fingerprint_id IS NULL, position DESC LIMIT 1"#,
            model,
            revision
        )
        .fetch_optional(&self.pool)
        .await?)
    }

    /// Tensors of a fingerprint in name order, after `after`. `model` is not counted among the holders.
    pub async fn list_tensors(
        &self,
        fingerprint: i64,
        model: i64,
        after: Option<&str>,
        limit: i64,
    ) -> Result<Vec<TensorRow>> {
        Ok(sqlx::query_as!(
            TensorRow,
            r#"SELECT t.name, t.dtype, t.shape, encode(t.digest, 'hex') AS digest,
                      (SELECT count(DISTINCT r.package_id)
                       FROM tensors other JOIN revisions r ON r.fingerprint_id = other.fingerprint_id
                       WHERE other.digest = t.digest AND r.package_id <> $2) AS "held_by!"
               FROM tensors t
               WHERE t.fingerprint_id = $1 AND ($3::text IS NULL OR t.name > $3)
               ORDER BY t.name LIMIT $4"#,
            fingerprint,
            model,
            after,
            limit
        )
        .fetch_all(&self.pool)
        .await?)
    }

    pub async fn count_tensors(&self, fingerprint: i64) -> Result<i64> {
        Ok(sqlx::query_scalar!(
            r#"SELECT count(*) AS "count!" FROM tensors WHERE fingerprint_id = $1"#,
            fingerprint
        )
        .fetch_one(&self.pool)
        .await?)
    }

    /// The stored bytes of a fingerprint.
    pub async fn fingerprint_data(&self, fingerprint: i64) -> Result<Vec<u8>> {
        Ok(
            sqlx::query_scalar!("SELECT data FROM fingerprints WHERE id = $1", fingerprint)
                .fetch_one(&self.pool)
                .await?,
        )
    }

    /// Where a tensor is found, from (revision, name) `after` on.
    pub async fn tensor_holders(
        &self,
        digest: &[u8],
        after: Option<(i64, &str)>,
        limit: i64,
    ) -> Result<Vec<HolderRow>> {
        Ok(sqlx::query_as!(
            HolderRow,
            r#"SELECT r.id AS revision_id, p.hub || ':' || p.owner || '/' || p.name AS "reference!", r.revision,
                      t.name, t.dtype, t.shape
               FROM tensors t
               JOIN revisions r ON r.fingerprint_id = t.fingerprint_id
               JOIN packages p ON p.id = r.package_id
               WHERE t.digest = $1 AND ($2::bigint IS NULL OR (r.id, t.name) > ($2, $3::text))
               ORDER BY r.id, t.name LIMIT $4"#,
            digest,
            after.map(|(revision, _)| revision),
            after.map(|(_, name)| name),
            limit
        )
        .fetch_all(&self.pool)
        .await?)
    }
}
