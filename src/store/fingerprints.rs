//! Fingerprints and the tensors they cover.

use super::{Result, Store, StoreError, neighbours::insert_signature, packages::refresh_fingerprint};
use crate::fingerprint::{FINGERPRINT_VERSION, Fingerprint, Level};

/// A revision whose weights are still to be read.
#[derive(Debug, Clone)]
pub struct PendingRevision {
    pub id: i64,
    pub revision: String,
    pub weight_files: Vec<String>,
    pub weights_key: Option<String>,
}

impl Store {
    /// Revisions of a package that have weights and no fingerprint at `level` yet, newest first. Revisions whose weights are
    /// known to be damaged are not tried again: a revision's content never changes.
    pub async fn pending_revisions(&self, package_id: i64, level: Level) -> Result<Vec<PendingRevision>> {
        let rows = sqlx::query_as!(
            PendingRevision,
            r#"SELECT r.id, r.revision, r.weight_files, r.weights_key
               FROM revisions r LEFT JOIN fingerprints f ON f.id = r.fingerprint_id
               WHERE r.package_id = $1 AND r.weight_files <> '{}' AND r.failure IS NULL
                 AND (f.id IS NULL OR f.version <> $2
                      OR array_position(ARRAY['metadata', 'sample', 'full'], f.level)
                         < array_position(ARRAY['metadata', 'sample', 'full'], $3))
               ORDER BY r.position DESC"#,
            package_id,
            version_column(),
            level_name(level)
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows)
    }

    /// Those of `packages` that have such revisions.
    pub async fn packages_with_pending(&self, packages: &[i64], level: Level) -> Result<Vec<i64>> {
        let ids = sqlx::query_scalar!(
            "SELECT DISTINCT r.package_id
             FROM revisions r LEFT JOIN fingerprints f ON f.id = r.fingerprint_id
             WHERE r.package_id = ANY($1) AND r.weight_files <> '{}' AND r.failure IS NULL
               AND (f.id IS NULL OR f.version <> $2
                    OR array_position(ARRAY['metadata', 'sample', 'full'], f.level)
                       < array_position(ARRAY['metadata', 'sample', 'full'], $3))",
            packages,
            version_column(),
            level_name(level)
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(ids)
    }

    /// Uses the fingerprint of the same weight files, if any revision of any package has one. True when it did.
    pub async fn reuse_fingerprint(
        &self,
        package_id: i64,
        revision: &PendingRevision,
        level: Level,
    ) -> Result<bool> {
        let Some(key) = &revision.weights_key else {
            return Ok(false);
        };
        let mut transaction = self.pool.begin().await?;
        let found = sqlx::query_scalar!(
            "SELECT id FROM fingerprints WHERE weights_key = $1 AND version = $2 AND level IN ('full', $3)
             ORDER BY level LIMIT 1",
            key,
            version_column(),
            level_name(level)
        )
        .fetch_optional(&mut *transaction)
        .await?;
        let Some(fingerprint_id) = found else {
            return Ok(false);
        };
        attach(&mut transaction, package_id, revision.id, fingerprint_id).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Stores what was read of a revision's weights; versions and lineage of its package become due.
    pub async fn save_fingerprint(
        &self,
        package_id: i64,
        revision: &PendingRevision,
        fingerprint: &Fingerprint,
    ) -> Result<()> {
        let mut transaction = self.pool.begin().await?;
        let fingerprint_id = insert_fingerprint(&mut transaction, revision, fingerprint).await?;
        attach(&mut transaction, package_id, revision.id, fingerprint_id).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Notes in one sentence why a revision's weights cannot be read; versions of its package become due.
    pub async fn save_failure(&self, package_id: i64, revision_id: i64, failure: &str) -> Result<()> {
        let mut transaction = self.pool.begin().await?;
        sqlx::query!(
            "UPDATE revisions SET failure = $2 WHERE id = $1",
            revision_id,
            failure.replace('\0', "")
        )
        .execute(&mut *transaction)
        .await?;
        sqlx::query!(
            "UPDATE packages SET versions_due = true WHERE id = $1",
            package_id
        )
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// The fingerprint of `owner/name` at `revision`, or of its newest revision that has one.
    pub async fn fingerprint(
        &self,
        hub: &str,
        owner: &str,
        name: &str,
        revision: Option<&str>,
    ) -> Result<Option<Fingerprint>> {
        let data = sqlx::query_scalar!(
            "SELECT f.data FROM packages p
             JOIN revisions r ON r.package_id = p.id
             JOIN fingerprints f ON f.id = r.fingerprint_id
             WHERE p.hub = $1 AND p.owner = $2 AND p.name = $3 AND ($4::text IS NULL OR r.revision = $4)
             ORDER BY r.position DESC LIMIT 1",
            hub,
            owner,
            name,
            revision
        )
        .fetch_optional(&self.pool)
        .await?;
        data.map(|data| decode(&data, || format!("{hub}:{owner}/{name}")))
            .transpose()
    }

    /// The fingerprint of one revision, if it has one.
    pub async fn revision_fingerprint_value(&self, revision_id: i64) -> Result<Option<Fingerprint>> {
        let row = sqlx::query!(
            "SELECT f.data, r.revision FROM revisions r JOIN fingerprints f ON f.id = r.fingerprint_id WHERE r.id = $1",
            revision_id
        )
        .fetch_optional(&self.pool)
        .await?;
        row.map(|row| decode(&row.data, || format!("revision {}", row.revision)))
            .transpose()
    }
}

pub(super) fn decode(data: &[u8], package: impl FnOnce() -> String) -> Result<Fingerprint> {
    Fingerprint::from_bytes(data).map_err(|source| StoreError::Fingerprint {
        package: package(),
        source,
    })
}

type Transaction<'a> = sqlx::Transaction<'a, sqlx::Postgres>;

async fn attach(
    transaction: &mut Transaction<'_>,
    package_id: i64,
    revision_id: i64,
    fingerprint_id: i64,
) -> Result<()> {
    sqlx::query!(
        "UPDATE revisions SET fingerprint_id = $2, failure = NULL WHERE id = $1",
        revision_id,
        fingerprint_id
    )
    .execute(&mut **transaction)
    .await?;
    sqlx::query!(
        "UPDATE packages SET versions_due = true WHERE id = $1",
        package_id
    )
    .execute(&mut **transaction)
    .await?;
    refresh_fingerprint(transaction, package_id).await
}

/// Inserts the fingerprint and its tensors, or finds the row that another worker made of the same weight files meanwhile.
pub(super) async fn insert_fingerprint(
    transaction: &mut Transaction<'_>,
    revision: &PendingRevision,
    fingerprint: &Fingerprint,
) -> Result<i64> {
    let inserted = sqlx::query_scalar!(
        "INSERT INTO fingerprints (version, level, weights_key, parameters, bytes, model_digest, named_digest,
             architecture, data)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         ON CONFLICT (weights_key, level, version) DO NOTHING RETURNING id",
        i16::try_from(fingerprint.version).unwrap_or(i16::MAX),
        level_name(fingerprint.level),
        revision.weights_key,
        as_bigint(fingerprint.parameters),
        as_bigint(fingerprint.bytes),
        fingerprint.model_digest,
        fingerprint.named_digest,
        fingerprint.architecture,
        fingerprint.to_bytes()
    )
    .fetch_optional(&mut **transaction)
    .await?;
    match inserted {
        Some(id) => {
            insert_tensors(transaction, id, fingerprint).await?;
            if let Some(signature) = fingerprint.signature() {
                insert_signature(transaction, id, &signature).await?;
            }
            Ok(id)
        }
        None => Ok(sqlx::query_scalar!(
            "SELECT id FROM fingerprints WHERE weights_key = $1 AND level = $2 AND version = $3",
            revision.weights_key,
            level_name(fingerprint.level),
            version_column()
        )
        .fetch_one(&mut **transaction)
        .await?),
    }
}

async fn insert_tensors(
    transaction: &mut Transaction<'_>,
    fingerprint_id: i64,
    fingerprint: &Fingerprint,
) -> Result<()> {
    let tensors = &fingerprint.tensors;
    let names: Vec<String> = tensors.iter().map(|t| t.name.replace('\0', "")).collect();
    let dtypes: Vec<String> = tensors.iter().map(|t| dtype_name(&t.dtype)).collect();
    // An array of arrays of unequal length is not a Postgres value, so shapes travel as array literals.
    let shapes: Vec<String> = tensors.iter().map(|t| array_literal(&t.shape)).collect();
    let digests: Vec<Option<Vec<u8>>> = tensors
        .iter()
        .map(|t| t.digest.as_ref().and_then(|hex| hex::decode(hex).ok()))
        .collect();
    sqlx::query!(
        "INSERT INTO tensors (fingerprint_id, name, dtype, shape, digest)
         SELECT $1, name, dtype, shape::bigint[], digest
         FROM unnest($2::text[], $3::text[], $4::text[], $5::bytea[]) AS new (name, dtype, shape, digest)
         ON CONFLICT (fingerprint_id, name) DO NOTHING",
        fingerprint_id,
        &names,
        &dtypes,
        &shapes,
        &digests as &[Option<Vec<u8>>]
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

fn array_literal(shape: &[u64]) -> String {
    let extents: Vec<String> = shape.iter().map(u64::to_string).collect();
    format!("{{{}}}", extents.join(","))
}

/// The dtype's name as the format and REST spell it: `F32`, `BF16`.
fn dtype_name(dtype: &crate::weights::Dtype) -> String {
    match serde_json::to_value(dtype) {
        Ok(serde_json::Value::String(name)) => name,
        _ => format!("{dtype:?}"),
    }
}

pub(super) fn level_name(level: Level) -> &'static str {
    match level {
        Level::Metadata => "metadata",
        Level::Sample => "sample",
        Level::Full => "full",
    }
}

pub(super) fn level_of(name: &str) -> Result<Level> {
    match name {
        "metadata" => Ok(Level::Metadata),
        "sample" => Ok(Level::Sample),
        "full" => Ok(Level::Full),
        other => Err(StoreError::Value {
            value: other.to_owned(),
            expected: "a level",
        }),
    }
}

pub(super) fn version_column() -> i16 {
    i16::try_from(FINGERPRINT_VERSION).unwrap_or(i16::MAX)
}

fn as_bigint(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
