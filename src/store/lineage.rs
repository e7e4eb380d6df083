//! Families, their edges and the verdicts on declared bases.

use super::fingerprints::{decode, version_column};
use super::{Result, Store, StoreError};
use crate::fingerprint::Fingerprint;
use crate::lineage::{Edge, Verdict};
use std::collections::BTreeMap;
use time::OffsetDateTime;

/// Shared tensors count as a link between packages only up to this many holders: constants (all zeros, all ones) are held by
/// everyone and say nothing.
const MAX_TENSOR_HOLDERS: i32 = 64;

/// Stored weights looked at because they are near weights that are not stored, and because they have the same shapes.
const MAX_NEIGHBOURS: usize = 64;
const MAX_SAME_SHAPES: i64 = 256;

/// A package with full fingerprint, as lineage needs it.
#[derive(Debug)]
pub struct FamilyMember {
    pub id: i64,
    pub hub: String,
    /// `owner/name`
    pub name: String,
    /// Date of its oldest revision, else its creation.
    pub date: Option<OffsetDateTime>,
    /// Declared bases as `owner/name`.
    pub base_models: Vec<String>,
    pub fingerprint: Fingerprint,
}

/// What a package says it was made from, and the state of its row when that was read.
#[derive(Debug, Clone)]
pub struct DeclaredBases {
    pub id: i64,
    /// As `owner/name`.
    pub base_models: Vec<String>,
    row_version: i64,
}

/// What was concluded about one family.
#[derive(Debug, Default)]
pub struct FamilyConclusion {
    /// Every package that was looked at: its old edge and verdict are replaced.
    pub members: Vec<DeclaredBases>,
    pub edges: Vec<Edge>,
    pub verdicts: BTreeMap<i64, Verdict>,
}

impl Store {
    /// Packages whose lineage is due, oldest first.
    pub async fn lineage_due(&self, limit: i64) -> Result<Vec<i64>> {
        Ok(sqlx::query_scalar!(
            "SELECT id FROM packages WHERE lineage_due ORDER BY id LIMIT $1",
            limit
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// Packages after the id `after` whose lineage is due, by id.
    pub async fn lineage_due_after(&self, after: i64, limit: i64) -> Result<Vec<i64>> {
        Ok(sqlx::query_scalar!(
            "SELECT id FROM packages WHERE lineage_due AND id > $1 ORDER BY id LIMIT $2",
            after,
            limit
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// How many packages' lineage is due.
    pub async fn count_lineage_due(&self) -> Result<i64> {
        let count = sqlx::query_scalar!(r#"SELECT count(*) AS "count!" FROM packages WHERE lineage_due"#);
        Ok(count.fetch_one(&self.pool).await?)
    }

    /// Is the lineage of any package due?
    pub async fn is_lineage_due(&self) -> Result<bool> {
        let due =
            sqlx::query_scalar!(r#"SELECT EXISTS (SELECT 1 FROM packages WHERE lineage_due) AS "due!""#);
        Ok(due.fetch_one(&self.pool).await?)
    }

    /// Is the lineage of one of `ids` due?
    pub async fn is_lineage_due_of(&self, ids: &[i64]) -> Result<bool> {
        let due = sqlx::query_scalar!(
            r#"SELECT EXISTS (SELECT 1 FROM packages WHERE lineage_due AND id = ANY($1)) AS "due!""#,
            ids
        );
        Ok(due.fetch_one(&self.pool).await?)
    }

    /// Packages that may be related to one of `ids`: same architecture signature, a declared base either way, a shared
    /// tensor, or an edge found before.
    pub async fn related_packages(&self, ids: &[i64]) -> Result<Vec<i64>> {
        Ok(sqlx::query_scalar!(
            r#"WITH mine AS (
                   SELECT p.id, p.hub, p.owner || '/' || p.name AS full_name, p.base_models, p.fingerprint_id, f.architecture
                   FROM packages p LEFT JOIN fingerprints f ON f.id = p.fingerprint_id WHERE p.id = ANY($1)
               ), shared AS (
                   SELECT DISTINCT other.fingerprint_id
                   FROM mine JOIN tensors t ON t.fingerprint_id = mine.fingerprint_id
                   JOIN LATERAL (
                       SELECT o.fingerprint_id FROM tensors o WHERE o.digest = t.digest LIMIT $2 + 1
                   ) other ON true
                   WHERE t.digest IS NOT NULL
                     AND (SELECT count(*) FROM (SELECT 1 FROM tensors c WHERE c.digest = t.digest LIMIT $2 + 1) c) <= $2
               )
               SELECT p.id AS "id!" FROM packages p JOIN fingerprints f ON f.id = p.fingerprint_id
                   WHERE f.architecture IN (SELECT architecture FROM mine)
               UNION SELECT p.id FROM packages p JOIN shared USING (fingerprint_id)
               UNION SELECT p.id FROM mine CROSS JOIN unnest(mine.base_models) AS base JOIN packages p
                   ON p.hub = mine.hub AND p.owner = split_part(base, '/', 1) AND p.name = split_part(base, '/', 2)
               UNION SELECT p.id FROM mine JOIN packages p
                   ON p.hub = mine.hub AND p.base_models @> ARRAY[mine.full_name]
               UNION SELECT ep.parent_id FROM edges e JOIN edge_parents ep ON ep.edge_id = e.id WHERE e.child_id = ANY($1)
               UNION SELECT e.child_id FROM edge_parents ep JOIN edges e ON e.id = ep.edge_id WHERE ep.parent_id = ANY($1)"#,
            ids,
            MAX_TENSOR_HOLDERS
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// Packages that may be related to weights that are not stored: the nearest, those of the same shapes, those with a tensor in
    /// common.
    pub async fn packages_like(&self, fingerprint: &Fingerprint) -> Result<Vec<i64>> {
        let nearest: Vec<i64> = match fingerprint.signature() {
            Some(signature) => self.nearest(&signature, MAX_NEIGHBOURS).await?,
            None => Vec::new(),
        }
        .into_iter()
        .map(|neighbour| neighbour.fingerprint_id)
        .collect();
        let digests: Vec<Vec<u8>> = fingerprint
            .tensors
            .iter()
            .filter_map(|tensor| hex::decode(tensor.digest.as_ref()?).ok())
            .collect();
        Ok(sqlx::query_scalar!(
            r#"SELECT p.id AS "id!" FROM packages p JOIN (SELECT id FROM fingerprints WHERE architecture = $1 LIMIT $5) f
                   ON f.id = p.fingerprint_id
               UNION SELECT p.id FROM unnest($2::bytea[]) AS mine (digest)
                   JOIN LATERAL (SELECT o.fingerprint_id FROM tensors o WHERE o.digest = mine.digest LIMIT $3) other ON true
                   JOIN packages p USING (fingerprint_id)
               UNION SELECT p.id FROM packages p WHERE p.fingerprint_id = ANY($4)"#,
            fingerprint.architecture,
            &digests,
            i64::from(MAX_TENSOR_HOLDERS),
            &nearest,
            MAX_SAME_SHAPES
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// Those of `ids` that have a full fingerprint, with what lineage needs of them, by id.
    pub async fn family_members(&self, ids: &[i64]) -> Result<Vec<FamilyMember>> {
        let rows = sqlx::query!(
            r#"SELECT p.id, p.hub, p.owner || '/' || p.name AS "name!", p.base_models, f.data,
                      coalesce((SELECT min(r.date) FROM revisions r WHERE r.package_id = p.id), p.created_at) AS date
               FROM packages p JOIN fingerprints f ON f.id = p.fingerprint_id
               WHERE p.id = ANY($1) AND f.level = 'full' AND f.version = $2 ORDER BY p.id"#,
            ids,
            version_column()
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|row| {
                let fingerprint = decode(&row.data, || format!("{}:{}", row.hub, row.name))?;
                Ok(FamilyMember {
                    id: row.id,
                    hub: row.hub,
                    name: row.name,
                    date: row.date,
                    base_models: row.base_models,
                    fingerprint,
                })
            })
            .collect()
    }

    /// What `ids` declare. To be asked before their weights: a package that changes afterwards stays due.
    pub async fn declared_bases(&self, ids: &[i64]) -> Result<Vec<DeclaredBases>> {
        Ok(sqlx::query_as!(
            DeclaredBases,
            r#"SELECT id, base_models, xmin::text::bigint AS "row_version!" FROM packages WHERE id = ANY($1) ORDER BY id"#,
            ids
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// Replaces edges and verdicts of the members; nothing is written where nothing changed.
    pub async fn save_family(&self, conclusion: &FamilyConclusion) -> Result<()> {
        let mut transaction = self.pool.begin().await?;
        let members: Vec<i64> = conclusion.members.iter().map(|member| member.id).collect();
        lock_packages(&mut transaction, &members).await?;
        let children: Vec<i64> = conclusion.edges.iter().map(|edge| edge.child).collect();
        sqlx::query!(
            "DELETE FROM edges WHERE child_id = ANY($1) AND child_id <> ALL($2)",
            &members,
            &children
        )
        .execute(&mut *transaction)
        .await?;
        for edge in &conclusion.edges {
            save_edge(&mut transaction, edge).await?;
        }
        save_verdicts(&mut transaction, conclusion).await?;
        transaction.commit().await?;
        Ok(())
    }
}

type Transaction<'a> = sqlx::Transaction<'a, sqlx::Postgres>;

/// Locks packages against change until the transaction ends, always in the same order, so that two transactions never wait for each
/// other.
pub(super) async fn lock_packages(transaction: &mut Transaction<'_>, ids: &[i64]) -> Result<()> {
    sqlx::query!(
        "SELECT id FROM packages WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE",
        ids
    )
    .fetch_all(&mut **transaction)
    .await?;
    Ok(())
}

async fn save_edge(transaction: &mut Transaction<'_>, edge: &Edge) -> Result<()> {
    let params = to_json("an edge's parameters", &edge.params)?;
    let evidence = to_json("an edge's evidence", &edge.evidence)?;
    let id = sqlx::query_scalar!(
        "INSERT INTO edges AS old (child_id, relation, technique, params, confidence, explanation, evidence, at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, coalesce((SELECT created_at FROM packages WHERE id = $1), now()))
         ON CONFLICT (child_id) DO UPDATE SET relation = excluded.relation, technique = excluded.technique,
             params = excluded.params, confidence = excluded.confidence, explanation = excluded.explanation,
             evidence = excluded.evidence,
             made_at = CASE WHEN (old.relation, old.technique, old.params, old.confidence, old.evidence)
                       = (excluded.relation, excluded.technique, excluded.params, excluded.confidence, excluded.evidence)
                       THEN old.made_at ELSE now() END
         RETURNING id",
        edge.child,
        word(&edge.relation)?,
        edge.technique,
        params,
        edge.confidence.clamp(0.0, 1.0),
        edge.explanation,
        evidence
    )
    .fetch_one(&mut **transaction)
    .await?;
    sqlx::query!("DELETE FROM edge_parents WHERE edge_id = $1", id)
        .execute(&mut **transaction)
        .await?;
    sqlx::query!(
        "INSERT INTO edge_parents (edge_id, position, parent_id)
         SELECT $1, (ordinality - 1)::integer, parent FROM unnest($2::bigint[]) WITH ORDINALITY AS p (parent, ordinality)",
        id,
        &edge.parents
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

async fn save_verdicts(transaction: &mut Transaction<'_>, conclusion: &FamilyConclusion) -> Result<()> {
    let ids: Vec<i64> = conclusion.members.iter().map(|member| member.id).collect();
    let row_versions: Vec<i64> = conclusion
        .members
        .iter()
        .map(|member| member.row_version)
        .collect();
    let verdicts = ids
        .iter()
        .map(|id| conclusion.verdicts.get(id).map(word).transpose())
        .collect::<Result<Vec<Option<String>>>>()?;
    sqlx::query!(
        "UPDATE packages p SET verdict = new.verdict,
             lineage_due = p.lineage_due AND p.xmin::text::bigint <> new.row_version
         FROM unnest($1::bigint[], $2::text[], $3::bigint[]) AS new (id, verdict, row_version)
         WHERE p.id = new.id AND (p.lineage_due OR p.verdict IS DISTINCT FROM new.verdict)",
        &ids,
        &verdicts as &[Option<String>],
        &row_versions
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// The lower-case word that serde gives a unit variant, as the columns hold it.
pub(super) fn word(value: &impl serde::Serialize) -> Result<String> {
    match to_json("a word", value)? {
        serde_json::Value::String(word) => Ok(word),
        other => Err(StoreError::Value {
            value: other.to_string(),
            expected: "a word",
        }),
    }
}

pub(super) fn to_json(what: &'static str, value: &impl serde::Serialize) -> Result<serde_json::Value> {
    serde_json::to_value(value).map_err(|source| StoreError::Json { what, source })
}
