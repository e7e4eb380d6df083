//! Finds the nearest stored weights by their signatures.
//!
//! Keys that near models share lead to candidates through an ordinary GIN index; the vectors rank them.

use super::{Result, Store};
use crate::fingerprint::Signature;

/// Candidates looked at for each reach of keys: among 2 million, about 500 strangers share one of the farthest. A family may be
/// larger: its members are then near enough to stand for one another.
const MAX_CANDIDATES: i64 = 1024;

/// Stored weights, and how far they are from what was asked about (about 1.4 for independent weights).
#[derive(Debug, Clone, PartialEq)]
pub struct Neighbour {
    pub fingerprint_id: i64,
    pub distance: f64,
}

impl Store {
    /// The nearest stored weights, nearest first.
    pub async fn nearest(&self, signature: &Signature, limit: usize) -> Result<Vec<Neighbour>> {
        let [very_near, near, far, farthest] = signature.keys();
        let mut transaction = self.pool.begin().await?;
        // A common key makes the planner think of reading everything.
        sqlx::query!("SET LOCAL enable_seqscan = off")
            .execute(&mut *transaction)
            .await?;
        let rows = sqlx::query!(
            r#"(SELECT fingerprint_id AS "fingerprint_id!", vector AS "vector!" FROM signatures WHERE keys && $1 LIMIT $5)
               UNION (SELECT fingerprint_id, vector FROM signatures WHERE keys && $2 LIMIT $5)
               UNION (SELECT fingerprint_id, vector FROM signatures WHERE keys && $3 LIMIT $5)
               UNION (SELECT fingerprint_id, vector FROM signatures WHERE keys && $4 LIMIT $5)"#,
            &very_near,
            &near,
            &far,
            &farthest,
            MAX_CANDIDATES
        )
        .fetch_all(&mut *transaction)
        .await?;
        transaction.commit().await?;
        let mut neighbours: Vec<Neighbour> = rows
            .into_iter()
            .filter_map(|row| {
                Some(Neighbour {
                    fingerprint_id: row.fingerprint_id,
                    distance: signature.distance(&Signature::from_bytes(&row.vector)?),
                })
            })
            .collect();
        neighbours.sort_by(|a, b| a.distance.total_cmp(&b.distance));
        neighbours.truncate(limit);
        Ok(neighbours)
    }
}

/// Stores the signature of a fingerprint that is new.
pub(super) async fn insert_signature(
    transaction: &mut sqlx::Transaction<'_, sqlx::Postgres>,
    fingerprint_id: i64,
    signature: &Signature,
) -> Result<()> {
    sqlx::query!(
        "INSERT INTO signatures (fingerprint_id, vector, keys) VALUES ($1, $2, $3)",
        fingerprint_id,
        signature.to_bytes(),
        &signature.keys().concat()
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}
