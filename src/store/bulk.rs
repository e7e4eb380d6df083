//! Many packages at once, with what was concluded of them: for imports and benchmarks, where a transaction a package is too slow.

use super::fingerprints::{PendingRevision, insert_fingerprint};
use super::{Result, Store, lineage::to_json};
use crate::fingerprint::Fingerprint;
use heirloom_crawler::{FileEntry, Package};
use serde::Serialize;
use std::collections::HashMap;
use time::OffsetDateTime;

/// One package, its history oldest first, and how it derives from another, if it does.
#[derive(Debug, Clone)]
pub struct BulkPackage {
    pub package: Package,
    pub revisions: Vec<BulkRevision>,
    pub fingerprint: Option<Fingerprint>,
    pub edge: Option<BulkEdge>,
}

/// One revision with the version that was assigned to it.
#[derive(Debug, Clone)]
pub struct BulkRevision {
    pub id: String,
    pub date: OffsetDateTime,
    pub title: String,
    pub files: Vec<FileEntry>,
    pub weights_key: Option<String>,
    pub version: String,
    pub bump: Option<&'static str>,
    pub silent: bool,
}

/// The parent that was found. It was stored before, or stands earlier in the same batch.
#[derive(Debug, Clone)]
pub struct BulkEdge {
    /// `owner/name` on the same hub.
    pub parent: String,
    pub relation: &'static str,
    pub technique: &'static str,
    pub verdict: Option<&'static str>,
}

type Transaction<'a> = sqlx::Transaction<'a, sqlx::Postgres>;

impl Store {
    /// Stores all of `packages` or none. They must be new: nothing stored is replaced.
    pub async fn load_packages(&self, packages: &[BulkPackage]) -> Result<()> {
        let mut transaction = self.pool.begin().await?;
        let fingerprints = load_fingerprints(&mut transaction, packages).await?;
        let ids = load_facts(&mut transaction, packages, &fingerprints).await?;
        let revisions = load_revisions(&mut transaction, packages, &ids, &fingerprints).await?;
        load_files(&mut transaction, packages, &revisions).await?;
        load_versions(&mut transaction, packages, &revisions).await?;
        load_edges(&mut transaction, packages).await?;
        transaction.commit().await?;
        Ok(())
    }
}

/// Fingerprint ids, one a package.
async fn load_fingerprints(
    transaction: &mut Transaction<'_>,
    packages: &[BulkPackage],
) -> Result<Vec<Option<i64>>> {
    let mut ids = Vec::with_capacity(packages.len());
    for package in packages {
        let (Some(fingerprint), Some(newest)) = (&package.fingerprint, package.revisions.last()) else {
            ids.push(None);
            continue;
        };
        let revision = PendingRevision {
            id: 0,
            revision: newest.id.clone(),
            weight_files: Vec::new(),
            weights_key: newest.weights_key.clone(),
        };
        ids.push(Some(
            insert_fingerprint(transaction, &revision, fingerprint).await?,
        ));
    }
    Ok(ids)
}

/// A row of `packages` as Postgres reads it from JSON.
#[derive(Serialize)]
struct PackageColumns<'a> {
    #[serde(flatten)]
    package: &'a Package,
    // As Postgres reads them; `Package` writes dates for itself to read.
    #[serde(with = "time::serde::rfc3339::option")]
    created_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    modified_at: Option<OffsetDateTime>,
    head: Option<&'a str>,
    verdict: Option<&'static str>,
    fingerprint_id: Option<i64>,
}

async fn load_facts(
    transaction: &mut Transaction<'_>,
    packages: &[BulkPackage],
    fingerprints: &[Option<i64>],
) -> Result<HashMap<String, i64>> {
    let columns: Vec<PackageColumns<'_>> = packages
        .iter()
        .zip(fingerprints)
        .map(|(bulk, fingerprint_id)| PackageColumns {
            package: &bulk.package,
            created_at: bulk.package.created_at,
            modified_at: bulk.package.modified_at,
            head: bulk.package.revision.as_deref(),
            verdict: bulk.edge.as_ref().and_then(|edge| edge.verdict),
            fingerprint_id: *fingerprint_id,
        })
        .collect();
    let rows = sqlx::query!(
        r#"INSERT INTO packages (hub, owner, name, url, endpoint, head, created_at, modified_at, architecture, task, library, licence,
               tags, datasets, papers, downloads, likes, gated, base_models, base_model_relation, card, raw, verdict,
               fingerprint_id, versions_due, lineage_due)
           SELECT hub, owner, name, url, endpoint, head, created_at, modified_at, architecture, task, library, licence,
               tags, datasets, papers, downloads, likes, gated, base_models, base_model_relation, card, raw, verdict,
               fingerprint_id, false, false
           FROM jsonb_populate_recordset(NULL::packages, $1)
           RETURNING id, owner || '/' || name AS "full_name!""#,
        to_json("packages", &columns)?
    )
    .fetch_all(&mut **transaction)
    .await?;
    Ok(rows.into_iter().map(|row| (row.full_name, row.id)).collect())
}

/// Revision ids: by package, oldest first.
async fn load_revisions(
    transaction: &mut Transaction<'_>,
    packages: &[BulkPackage],
    ids: &HashMap<String, i64>,
    fingerprints: &[Option<i64>],
) -> Result<Vec<Vec<i64>>> {
    let mut columns = RevisionColumns::default();
    for (bulk, fingerprint) in packages.iter().zip(fingerprints) {
        let package = ids.get(&full_name(&bulk.package)).copied().unwrap_or_default();
        for (position, revision) in (0..).zip(&bulk.revisions) {
            let is_newest = position + 1 == bulk.revisions.len();
            columns.packages.push(package);
            columns.revisions.push(revision.id.clone());
            columns
                .positions
                .push(i32::try_from(position).unwrap_or(i32::MAX));
            columns.dates.push(revision.date);
            columns.titles.push(revision.title.clone());
            columns.keys.push(revision.weights_key.clone());
            columns.fingerprints.push(fingerprint.filter(|_| is_newest));
        }
    }
    let mut rows = sqlx::query!(
        "INSERT INTO revisions (package_id, revision, position, date, title, message, weight_files, weights_key, fingerprint_id)
         SELECT package_id, revision, position, date, title, '', '{model.safetensors}', weights_key, fingerprint_id
         FROM unnest($1::bigint[], $2::text[], $3::integer[], $4::timestamptz[], $5::text[], $6::text[], $7::bigint[])
              AS new (package_id, revision, position, date, title, weights_key, fingerprint_id)
         RETURNING id, package_id, position",
        &columns.packages,
        &columns.revisions,
        &columns.positions,
        &columns.dates,
        &columns.titles,
        &columns.keys as &[Option<String>],
        &columns.fingerprints as &[Option<i64>]
    )
    .fetch_all(&mut **transaction)
    .await?;
    rows.sort_by_key(|row| (row.package_id, row.position));
    let mut by_package: HashMap<i64, Vec<i64>> = HashMap::new();
    for row in rows {
        by_package.entry(row.package_id).or_default().push(row.id);
    }
    let of = |bulk: &BulkPackage| {
        ids.get(&full_name(&bulk.package))
            .and_then(|id| by_package.remove(id))
    };
    Ok(packages.iter().map(of).map(Option::unwrap_or_default).collect())
}

#[derive(Default)]
struct RevisionColumns {
    packages: Vec<i64>,
    revisions: Vec<String>,
    positions: Vec<i32>,
    dates: Vec<OffsetDateTime>,
    titles: Vec<String>,
    keys: Vec<Option<String>>,
    fingerprints: Vec<Option<i64>>,
}

async fn load_files(
    transaction: &mut Transaction<'_>,
    packages: &[BulkPackage],
    revisions: &[Vec<i64>],
) -> Result<()> {
    let mut ids = Vec::new();
    let mut files: Vec<&FileEntry> = Vec::new();
    for (bulk, revision_ids) in packages.iter().zip(revisions) {
        for (revision, id) in bulk.revisions.iter().zip(revision_ids) {
            ids.extend(std::iter::repeat_n(*id, revision.files.len()));
            files.extend(&revision.files);
        }
    }
    let paths: Vec<String> = files.iter().map(|file| file.path.clone()).collect();
    let size = |file: &&FileEntry| file.size.and_then(|size| i64::try_from(size).ok());
    let sizes: Vec<Option<i64>> = files.iter().map(size).collect();
    let digests: Vec<Option<String>> = files.iter().map(|file| file.sha256.clone()).collect();
    let blobs: Vec<Option<String>> = files.iter().map(|file| file.blob_id.clone()).collect();
    sqlx::query!(
        "INSERT INTO files (revision_id, path, size, sha256, blob_id)
         SELECT * FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::text[], $5::text[])",
        &ids,
        &paths,
        &sizes as &[Option<i64>],
        &digests as &[Option<String>],
        &blobs as &[Option<String>]
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

async fn load_versions(
    transaction: &mut Transaction<'_>,
    packages: &[BulkPackage],
    revisions: &[Vec<i64>],
) -> Result<()> {
    let ids: Vec<i64> = revisions.iter().flatten().copied().collect();
    let all = || packages.iter().flat_map(|bulk| &bulk.revisions);
    let versions: Vec<String> = all().map(|revision| revision.version.clone()).collect();
    let bumps: Vec<Option<String>> = all().map(|revision| revision.bump.map(str::to_owned)).collect();
    let dates: Vec<OffsetDateTime> = all().map(|revision| revision.date).collect();
    let silent: Vec<bool> = all().map(|revision| revision.silent).collect();
    sqlx::query!(
        "INSERT INTO versions (revision_id, version, bump, silent, at)
         SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::boolean[], $5::timestamptz[])",
        &ids,
        &versions,
        &bumps as &[Option<String>],
        &silent,
        &dates
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

async fn load_edges(transaction: &mut Transaction<'_>, packages: &[BulkPackage]) -> Result<()> {
    let derived: Vec<(&BulkPackage, &BulkEdge)> = packages
        .iter()
        .filter_map(|bulk| Some((bulk, bulk.edge.as_ref()?)))
        .collect();
    let hubs: Vec<String> = derived.iter().map(|(bulk, _)| bulk.package.hub.clone()).collect();
    let children: Vec<String> = derived.iter().map(|(bulk, _)| full_name(&bulk.package)).collect();
    let parents: Vec<String> = derived.iter().map(|(_, edge)| edge.parent.clone()).collect();
    let relations: Vec<String> = derived.iter().map(|(_, edge)| edge.relation.to_owned()).collect();
    let techniques: Vec<String> = derived
        .iter()
        .map(|(_, edge)| edge.technique.to_owned())
        .collect();
    sqlx::query!(
        "WITH new AS (
             SELECT child.id AS child_id, child.created_at AS at, parent.id AS parent_id, relation, technique
             FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[]) AS n (hub, child, parent, relation, technique)
             JOIN packages child ON child.hub = n.hub AND child.owner = split_part(n.child, '/', 1)
                  AND child.name = split_part(n.child, '/', 2)
             JOIN packages parent ON parent.hub = n.hub AND parent.owner = split_part(n.parent, '/', 1)
                  AND parent.name = split_part(n.parent, '/', 2)
         ), made AS (
             INSERT INTO edges (child_id, relation, technique, params, confidence, explanation, evidence, at)
             SELECT child_id, relation, technique, '{}', 0.9, 'Loaded in bulk.', '[]', coalesce(at, now()) FROM new
             RETURNING id, child_id
         )
         INSERT INTO edge_parents (edge_id, position, parent_id)
         SELECT made.id, 0, new.parent_id FROM made JOIN new USING (child_id)",
        &hubs,
        &children,
        &parents,
        &relations,
        &techniques
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

fn full_name(package: &Package) -> String {
    format!("{}/{}", package.owner, package.name)
}
