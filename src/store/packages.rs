//! Packages, their history and their files, as a hub gave them.

use super::{Result, Store, StoreError, listing::availability_name};
use heirloom_crawler::{FileEntry, Package, Revision};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// A revision with everything that was read of it from the hub.
#[derive(Debug, Clone)]
pub struct RevisionFacts {
    pub revision: Revision,
    pub files: Vec<FileEntry>,
    /// Small text files by path.
    pub texts: BTreeMap<String, String>,
    /// The files that hold its weights: one consistent set, empty when there are none that can be read.
    pub weight_files: Vec<String>,
    /// Digest over the content ids of the weight files, where the hub gives them.
    pub weights_key: Option<String>,
}

/// One crawled package: its newest facts, its history oldest first, and in full the revisions that were not stored before.
#[derive(Debug, Clone)]
pub struct PackageFacts {
    pub package: Package,
    pub history: Vec<Revision>,
    pub new_revisions: Vec<RevisionFacts>,
}

/// What is already stored of a package.
#[derive(Debug, Clone)]
pub struct KnownPackage {
    pub id: i64,
    pub head: Option<String>,
    pub endpoint: String,
    pub revisions: BTreeSet<String>,
}

impl Store {
    /// What is stored of `owner/name`, or `None` when it was never crawled.
    pub async fn known_package(&self, hub: &str, owner: &str, name: &str) -> Result<Option<KnownPackage>> {
        let row = sqlx::query!(
            r#"SELECT p.id, p.head, p.endpoint,
                      ARRAY(SELECT r.revision FROM revisions r WHERE r.package_id = p.id) AS "revisions!"
               FROM packages p WHERE p.hub = $1 AND p.owner = $2 AND p.name = $3"#,
            hub,
            owner,
            name
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.map(|row| KnownPackage {
            id: row.id,
            head: row.head,
            endpoint: row.endpoint,
            revisions: row.revisions.into_iter().collect(),
        }))
    }

    /// Texts that are already stored for `package_id`, by the content id of their file: they need not be fetched again.
    pub async fn known_texts(&self, package_id: i64) -> Result<BTreeMap<String, String>> {
        let rows = sqlx::query!(
            r#"SELECT DISTINCT coalesce(f.sha256, f.blob_id) AS "content_id!", t.content
               FROM revisions r
               JOIN files f ON f.revision_id = r.id
               JOIN texts t ON t.digest = f.text_digest
               WHERE r.package_id = $1 AND coalesce(f.sha256, f.blob_id) IS NOT NULL"#,
            package_id
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows
            .into_iter()
            .map(|row| (row.content_id, row.content))
            .collect())
    }

    /// Stores one crawled package whole or not at all, and returns its id. Versions and lineage become due where a fact they
    /// rest on changed.
    pub async fn save_package(&self, facts: &PackageFacts) -> Result<i64> {
        let mut transaction = self.pool.begin().await?;
        let id = upsert_package(&mut transaction, &facts.package).await?;
        let kept: Vec<String> = facts.history.iter().map(|r| r.id.clone()).collect();
        sqlx::query!(
            "DELETE FROM revisions WHERE package_id = $1 AND revision <> ALL($2)",
            id,
            &kept
        )
        .execute(&mut *transaction)
        .await?;
        let new: BTreeMap<&str, &RevisionFacts> = facts
            .new_revisions
            .iter()
            .map(|facts| (facts.revision.id.as_str(), facts))
            .collect();
        for (position, revision) in facts.history.iter().enumerate() {
            let position = i32::try_from(position).unwrap_or(i32::MAX);
            match new.get(revision.id.as_str()) {
                Some(facts) => insert_revision(&mut transaction, id, position, facts).await?,
                None => move_revision(&mut transaction, id, position, revision).await?,
            }
        }
        refresh_fingerprint(&mut transaction, id).await?;
        transaction.commit().await?;
        Ok(id)
    }

    /// Stores the present facts of a package whose history has not moved, and returns its id.
    pub async fn save_unchanged(&self, package: &Package) -> Result<i64> {
        let mut transaction = self.pool.begin().await?;
        let id = upsert_package(&mut transaction, package).await?;
        transaction.commit().await?;
        Ok(id)
    }

    /// Follows a hub to its new address: packages and unfinished crawls are pointed from `old` to `new`.
    pub async fn move_endpoint(&self, hub: &str, old: &str, new: &str) -> Result<()> {
        let mut transaction = self.pool.begin().await?;
        sqlx::query!(
            "UPDATE packages SET endpoint = $3 WHERE hub = $1 AND endpoint = $2",
            hub,
            old,
            new
        )
        .execute(&mut *transaction)
        .await?;
        sqlx::query!(
            "UPDATE crawls SET endpoint = $3 WHERE hub = $1 AND endpoint = $2 AND finished_at IS NULL",
            hub,
            old,
            new
        )
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Those files of a revision that are at `paths`.
    pub async fn revision_files(&self, revision_id: i64, paths: &[String]) -> Result<Vec<FileEntry>> {
        let rows = sqlx::query!(
            "SELECT path, size, sha256, blob_id, xet_hash FROM files WHERE revision_id = $1 AND path = ANY($2) ORDER BY path",
            revision_id,
            paths
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows
            .into_iter()
            .map(|row| FileEntry {
                path: row.path,
                size: row.size.and_then(|size| u64::try_from(size).ok()),
                sha256: row.sha256,
                blob_id: row.blob_id,
                xet_hash: row.xet_hash,
            })
            .collect())
    }
}

type Transaction<'a> = sqlx::Transaction<'a, sqlx::Postgres>;

async fn upsert_package(transaction: &mut Transaction<'_>, package: &Package) -> Result<i64> {
    let ports = package.ports.as_ref().map(serde_json::to_value).transpose();
    let ports = ports.map_err(|source| StoreError::Json {
        what: "a package's ports",
        source,
    })?;
    let id = sqlx::query_scalar!(
        r#"INSERT INTO packages AS old (hub, owner, name, url, endpoint, head, created_at, modified_at, architecture, task,
               library, licence, tags, datasets, papers, downloads, likes, gated, base_models, base_model_relation, card, raw,
               availability, io_ports)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24)
           ON CONFLICT (hub, owner, name) DO UPDATE SET
               url = excluded.url, endpoint = excluded.endpoint, head = excluded.head, created_at = excluded.created_at,
               modified_at = excluded.modified_at, architecture = excluded.architecture, task = excluded.task,
               library = excluded.library, licence = excluded.licence, tags = excluded.tags, datasets = excluded.datasets,
               papers = excluded.papers, downloads = excluded.downloads, likes = excluded.likes, gated = excluded.gated,
               base_models = excluded.base_models, base_model_relation = excluded.base_model_relation, card = excluded.card,
               raw = excluded.raw, availability = excluded.availability, renamed_to = NULL, io_ports = excluded.io_ports,
               crawled_at = now(),
               versions_due = old.versions_due OR old.head IS DISTINCT FROM excluded.head,
               lineage_due = old.lineage_due OR old.head IS NULL OR old.base_models <> excluded.base_models
           RETURNING id"#,
        package.hub,
        package.owner,
        package.name,
        package.url,
        package.endpoint,
        package.revision,
        package.created_at,
        package.modified_at,
        package.architecture,
        package.task,
        package.library,
        package.licence,
        &package.tags,
        &package.datasets,
        &package.papers,
        package.downloads,
        package.likes,
        package.gated,
        &package.base_models,
        package.base_model_relation,
        package.card,
        without_nul(&package.raw),
        availability_name(package.availability),
        ports.as_ref().map(without_nul)
    )
    .fetch_one(&mut **transaction)
    .await?;
    Ok(id)
}

/// A revision that was stored before: its content cannot change, its place in the history and its tags can.
async fn move_revision(
    transaction: &mut Transaction<'_>,
    package_id: i64,
    position: i32,
    revision: &Revision,
) -> Result<()> {
    sqlx::query!(
        "UPDATE revisions SET position = $3, tags = $4
         WHERE package_id = $1 AND revision = $2 AND (position <> $3 OR tags <> $4)",
        package_id,
        revision.id,
        position,
        &revision.tags
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

async fn insert_revision(
    transaction: &mut Transaction<'_>,
    package_id: i64,
    position: i32,
    facts: &RevisionFacts,
) -> Result<()> {
    let revision = &facts.revision;
    let id = sqlx::query_scalar!(
        r#"INSERT INTO revisions (package_id, revision, position, date, title, message, authors, tags, weight_files,
               weights_key, fingerprint_id)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10,
               (SELECT f.id FROM fingerprints f WHERE f.weights_key = $10 ORDER BY f.level, f.version DESC LIMIT 1))
           ON CONFLICT (package_id, revision) DO UPDATE SET position = excluded.position, tags = excluded.tags
           RETURNING id"#,
        package_id,
        revision.id,
        position,
        revision.date,
        revision.title,
        revision.message,
        &revision.authors,
        &revision.tags,
        &facts.weight_files,
        facts.weights_key
    )
    .fetch_one(&mut **transaction)
    .await?;
    insert_files(transaction, id, facts).await
}

async fn insert_files(
    transaction: &mut Transaction<'_>,
    revision_id: i64,
    facts: &RevisionFacts,
) -> Result<()> {
    let mut digests: BTreeMap<&str, Vec<u8>> = BTreeMap::new();
    for (path, content) in &facts.texts {
        // Postgres text holds no NUL; such a file is not a text.
        if content.contains('\0') {
            continue;
        }
        let digest = Sha256::digest(content.as_bytes()).to_vec();
        sqlx::query!(
            "INSERT INTO texts (digest, content) VALUES ($1, $2) ON CONFLICT (digest) DO NOTHING",
            digest,
            content
        )
        .execute(&mut **transaction)
        .await?;
        digests.insert(path, digest);
    }
    let files = &facts.files;
    let paths: Vec<String> = files.iter().map(|f| f.path.clone()).collect();
    let sizes: Vec<Option<i64>> = files
        .iter()
        .map(|f| f.size.and_then(|size| i64::try_from(size).ok()))
        .collect();
    let sha256: Vec<Option<String>> = files.iter().map(|f| f.sha256.clone()).collect();
    let blobs: Vec<Option<String>> = files.iter().map(|f| f.blob_id.clone()).collect();
    let xet: Vec<Option<String>> = files.iter().map(|f| f.xet_hash.clone()).collect();
    let texts: Vec<Option<Vec<u8>>> = files
        .iter()
        .map(|f| digests.get(f.path.as_str()).cloned())
        .collect();
    sqlx::query!(
        "INSERT INTO files (revision_id, path, size, sha256, blob_id, text_digest, xet_hash)
         SELECT $1, * FROM unnest($2::text[], $3::bigint[], $4::text[], $5::text[], $6::bytea[], $7::text[])
         ON CONFLICT (revision_id, path) DO NOTHING",
        revision_id,
        &paths,
        &sizes as &[Option<i64>],
        &sha256 as &[Option<String>],
        &blobs as &[Option<String>],
        &texts as &[Option<Vec<u8>>],
        &xet as &[Option<String>]
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Points the package at the fingerprint of its newest revision that has one; lineage is due when that changed.
pub(super) async fn refresh_fingerprint(transaction: &mut Transaction<'_>, package_id: i64) -> Result<()> {
    sqlx::query!(
        "UPDATE packages p SET fingerprint_id = newest.fingerprint_id, lineage_due = true
         FROM (SELECT (SELECT r.fingerprint_id FROM revisions r
                       WHERE r.package_id = $1 AND r.fingerprint_id IS NOT NULL
                       ORDER BY r.position DESC LIMIT 1) AS fingerprint_id) newest
         WHERE p.id = $1 AND p.fingerprint_id IS DISTINCT FROM newest.fingerprint_id",
        package_id
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Postgres' jsonb refuses `\u0000` in strings, which a hostile hub may send.
pub(super) fn without_nul(value: &serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    match value {
        Value::String(text) => Value::String(text.replace('\0', "")),
        Value::Array(items) => Value::Array(items.iter().map(without_nul).collect()),
        Value::Object(fields) => Value::Object(
            fields
                .iter()
                .map(|(key, value)| (key.replace('\0', ""), without_nul(value)))
                .collect(),
        ),
        other => other.clone(),
    }
}
