//! Finds models by what their weights have in common.

use super::{Result, Store};

/// A tensor held by more fingerprints than this says nothing of kinship (all zeros, all ones) and is looked at no further.
const MAX_HOLDERS: i64 = 1000;

/// A model that has tensors or the architecture in common with what was asked about.
pub struct SimilarRow {
    pub reference: String,
    pub parameters: i64,
    pub tensors: i64,
    /// Distinct digests in common.
    pub shared: i64,
    pub same_architecture: bool,
    pub same_weights: bool,
}

/// What to look for.
#[derive(Debug, Clone, Default)]
pub struct WeightsQuery {
    /// SHA-256 digests of tensors, 32 bytes each.
    pub digests: Vec<Vec<u8>>,
    pub architecture: Option<String>,
    pub model_digest: Option<String>,
    /// A model to leave out of the answer.
    pub except: Option<i64>,
}

impl Store {
    /// Models whose newest weights share tensors, architecture or everything with what is described, most shared first.
    pub async fn find_similar(&self, query: &WeightsQuery, limit: i64) -> Result<Vec<SimilarRow>> {
        Ok(sqlx::query_as!(
            SimilarRow,
            r#"WITH shared AS (
                   SELECT holder.fingerprint_id, count(*) AS tensors
                   FROM (SELECT DISTINCT digest FROM unnest($1::bytea[]) AS d (digest)) mine
                   CROSS JOIN LATERAL (
                       SELECT DISTINCT t.fingerprint_id
                       FROM (SELECT fingerprint_id FROM tensors WHERE digest = mine.digest LIMIT $6) t
                   ) holder
                   GROUP BY holder.fingerprint_id
               ), alike AS (
                   SELECT fingerprint_id FROM shared
                   UNION
                   (SELECT id FROM fingerprints WHERE architecture = $2 LIMIT $6)
                   UNION
                   (SELECT id FROM fingerprints WHERE model_digest = $3 LIMIT $6)
               )
               SELECT p.hub || ':' || p.owner || '/' || p.name AS "reference!", f.parameters,
                      (SELECT count(*) FROM tensors t WHERE t.fingerprint_id = f.id) AS "tensors!",
                      coalesce(s.tensors, 0) AS "shared!",
                      coalesce(f.architecture = $2, false) AS "same_architecture!",
                      coalesce(f.model_digest = $3, false) AS "same_weights!"
               FROM alike
               JOIN fingerprints f ON f.id = alike.fingerprint_id
               JOIN packages p ON p.fingerprint_id = f.id
               LEFT JOIN shared s ON s.fingerprint_id = f.id
               WHERE p.id IS DISTINCT FROM $4
               ORDER BY 6 DESC, 4 DESC, 5 DESC, 1
               LIMIT $5"#,
            &query.digests,
            query.architecture,
            query.model_digest,
            query.except,
            limit,
            MAX_HOLDERS
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// The digests of a fingerprint's tensors.
    pub async fn tensor_digests(&self, fingerprint: i64) -> Result<Vec<Vec<u8>>> {
        Ok(sqlx::query_scalar!(
            r#"SELECT DISTINCT digest AS "digest!" FROM tensors WHERE fingerprint_id = $1 AND digest IS NOT NULL"#,
            fingerprint
        )
        .fetch_all(&self.pool)
        .await?)
    }
}
