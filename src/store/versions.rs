//! The version history of a package: what versioning compares, and what it concluded.

use super::{
    Result, Store,
    fingerprints::decode,
    lineage::{lock_packages, to_json, word},
};
use crate::fingerprint::Fingerprint;
use crate::versioning::{AssignedVersion, Snapshot, SnapshotFile};
use std::collections::{BTreeMap, HashMap};

/// Everything versioning looks at, oldest revision first.
#[derive(Debug)]
pub struct History {
    pub package_id: i64,
    /// `owner/name`
    pub name: String,
    /// The state of the package's row before the history was read.
    row_version: i64,
    revisions: Vec<HistoryRevision>,
    fingerprints: HashMap<i64, Fingerprint>,
}

#[derive(Debug)]
struct HistoryRevision {
    id: i64,
    revision: String,
    message: String,
    tags: Vec<String>,
    files: Vec<SnapshotFile>,
    texts: BTreeMap<String, String>,
    fingerprint_id: Option<i64>,
}

impl History {
    /// The history as versioning takes it.
    pub fn snapshots(&self) -> Vec<Snapshot<'_>> {
        self.revisions
            .iter()
            .map(|revision| Snapshot {
                revision: revision.revision.clone(),
                name: self.name.clone(),
                message: revision.message.clone(),
                files: revision.files.clone(),
                fingerprint: revision.fingerprint_id.and_then(|id| self.fingerprints.get(&id)),
                texts: revision.texts.clone(),
                tags: revision.tags.clone(),
            })
            .collect()
    }
}

impl Store {
    /// Packages whose versions are due.
    pub async fn versions_due(&self, limit: i64) -> Result<Vec<i64>> {
        Ok(sqlx::query_scalar!(
            "SELECT id FROM packages WHERE versions_due ORDER BY id LIMIT $1",
            limit
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// Loads the history of a package, or only its revisions `only`.
    pub async fn history(&self, package_id: i64, only: Option<&[String]>) -> Result<History> {
        let package = sqlx::query!(
            r#"SELECT owner || '/' || name AS "name!", xmin::text::bigint AS "row_version!" FROM packages WHERE id = $1"#,
            package_id
        )
        .fetch_one(&self.pool)
        .await?;
        let rows = sqlx::query!(
            "SELECT id, revision, title, message, tags, fingerprint_id FROM revisions
             WHERE package_id = $1 AND ($2::text[] IS NULL OR revision = ANY($2)) ORDER BY position",
            package_id,
            only
        )
        .fetch_all(&self.pool)
        .await?;
        let mut revisions: Vec<HistoryRevision> = rows
            .into_iter()
            .map(|row| HistoryRevision {
                id: row.id,
                revision: row.revision,
                message: joined(row.title, &row.message),
                tags: row.tags,
                files: Vec::new(),
                texts: BTreeMap::new(),
                fingerprint_id: row.fingerprint_id,
            })
            .collect();
        self.load_files(&mut revisions).await?;
        let fingerprints = self.load_fingerprints(&package.name, &revisions).await?;
        Ok(History {
            package_id,
            name: package.name,
            row_version: package.row_version,
            revisions,
            fingerprints,
        })
    }

    async fn load_files(&self, revisions: &mut [HistoryRevision]) -> Result<()> {
        let ids: Vec<i64> = revisions.iter().map(|r| r.id).collect();
        let index: HashMap<i64, usize> = ids.iter().enumerate().map(|(i, id)| (*id, i)).collect();
        let rows = sqlx::query!(
            r#"SELECT f.revision_id, f.path, f.size, coalesce(f.sha256, f.blob_id) AS digest, t.content AS "content?"
               FROM files f LEFT JOIN texts t ON t.digest = f.text_digest
               WHERE f.revision_id = ANY($1) ORDER BY f.revision_id, f.path"#,
            &ids
        )
        .fetch_all(&self.pool)
        .await?;
        for row in rows {
            let Some(revision) = index.get(&row.revision_id).and_then(|&i| revisions.get_mut(i)) else {
                continue;
            };
            if let Some(content) = row.content {
                revision.texts.insert(row.path.clone(), content);
            }
            revision.files.push(SnapshotFile {
                path: row.path,
                size: row.size.and_then(|size| u64::try_from(size).ok()),
                digest: row.digest,
            });
        }
        Ok(())
    }

    async fn load_fingerprints(
        &self,
        name: &str,
        revisions: &[HistoryRevision],
    ) -> Result<HashMap<i64, Fingerprint>> {
        let ids: Vec<i64> = revisions.iter().filter_map(|r| r.fingerprint_id).collect();
        let rows = sqlx::query!("SELECT id, data FROM fingerprints WHERE id = ANY($1)", &ids)
            .fetch_all(&self.pool)
            .await?;
        rows.into_iter()
            .map(|row| Ok((row.id, decode(&row.data, || name.to_owned())?)))
            .collect()
    }

    /// Replaces the versions of a package; nothing is written where nothing changed. They stay due where the package changed after the
    /// history was read.
    pub async fn save_versions(&self, history: &History, assigned: &[AssignedVersion]) -> Result<()> {
        let ids: HashMap<&str, i64> = history
            .revisions
            .iter()
            .map(|r| (r.revision.as_str(), r.id))
            .collect();
        let mut transaction = self.pool.begin().await?;
        lock_packages(&mut transaction, &[history.package_id]).await?;
        for version in assigned {
            let Some(&revision_id) = ids.get(version.revision.as_str()) else {
                continue;
            };
            save_version(&mut transaction, revision_id, version).await?;
        }
        sqlx::query!(
            "UPDATE packages SET versions_due = false WHERE id = $1 AND versions_due AND xmin::text::bigint = $2",
            history.package_id,
            history.row_version
        )
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(())
    }
}

async fn save_version(
    transaction: &mut sqlx::Transaction<'_, sqlx::Postgres>,
    revision_id: i64,
    assigned: &AssignedVersion,
) -> Result<()> {
    let decision = assigned.decision.as_ref();
    let bump = decision.map(|decision| word(&decision.bump)).transpose()?;
    let announced = decision.and_then(|decision| decision.announced);
    let announced = announced.map(|announced| word(&announced)).transpose()?;
    let reasons = decision.map(|decision| decision.reasons.as_slice());
    sqlx::query!(
        "INSERT INTO versions AS old (revision_id, version, declared, bump, silent, weights_changed, reasons, announced, at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8,
             (SELECT coalesce(r.date, p.crawled_at) FROM revisions r JOIN packages p ON p.id = r.package_id WHERE r.id = $1))
         ON CONFLICT (revision_id) DO UPDATE SET version = excluded.version, declared = excluded.declared,
             bump = excluded.bump, silent = excluded.silent, weights_changed = excluded.weights_changed,
             reasons = excluded.reasons, announced = excluded.announced
         WHERE (old.version, old.declared, old.bump, old.silent, old.weights_changed, old.reasons, old.announced)
             IS DISTINCT FROM (excluded.version, excluded.declared, excluded.bump, excluded.silent,
                               excluded.weights_changed, excluded.reasons, excluded.announced)",
        revision_id,
        assigned.version.to_string(),
        assigned.declared,
        bump,
        decision.is_some_and(|decision| decision.silent),
        decision.and_then(|decision| decision.weights_changed),
        to_json("the reasons of a version", &reasons.unwrap_or_default())?,
        announced
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

fn joined(title: String, message: &str) -> String {
    if message.trim().is_empty() {
        return title;
    }
    format!("{title}\n\n{message}")
}
