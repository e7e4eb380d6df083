//! What follows from stored facts: versions of one package's history, edges and verdicts of a family.

use super::release_lines::conclude_release_line;
use crate::fingerprint::Level;
use crate::lineage::{self, Edge, Member, Verdict};
use crate::store::Store;
use crate::store::lineage::{DeclaredBases, FamilyConclusion, FamilyMember};
use crate::versioning::assign_versions;
use std::collections::{BTreeMap, BTreeSet};
use tokio::task::spawn_blocking;

/// Due packages are taken in batches of this many.
const BATCH: i64 = 1000;
/// A family that grows past this is inferred in the part around the packages that are due.
const MAX_FAMILY: usize = 5000;

/// Versions the history of one package, and its place among the releases of its line.
pub async fn conclude_package_versions(store: &Store, package_id: i64) -> anyhow::Result<()> {
    let history = store.history(package_id, None).await?;
    let (history, versions) = spawn_blocking(move || {
        let versions = assign_versions(&history.name, &history.snapshots());
        (history, versions)
    })
    .await?;
    // Before the package is marked as done, so that a run that is cut off comes back to it.
    conclude_release_line(store, package_id, &history.name).await?;
    Ok(store.save_versions(&history, &versions).await?)
}

/// Versions every history that is due.
pub async fn conclude_versions(store: &Store) -> anyhow::Result<()> {
    loop {
        let due = store.versions_due(BATCH).await?;
        if due.is_empty() {
            return Ok(());
        }
        for id in due {
            conclude_package_versions(store, id).await?;
        }
    }
}

/// Infers edges and verdicts of every family that has a member whose lineage is due; other families are left alone.
pub async fn conclude_lineage(store: &Store) -> anyhow::Result<()> {
    loop {
        let Some(&first) = store.lineage_due(1).await?.first() else {
            return Ok(());
        };
        conclude_family(store, &find_family(store, first).await?).await?;
    }
}

/// Infers edges and verdicts among `family`. A member that changes meanwhile stays due.
pub async fn conclude_family(store: &Store, family: &[i64]) -> anyhow::Result<()> {
    let declared = store.declared_bases(family).await?;
    let members = store.family_members(family).await?;
    let conclusion = spawn_blocking(move || infer(&members, declared)).await?;
    Ok(store.save_family(&conclusion).await?)
}

/// Everything connected with `first`, itself included.
pub async fn find_family(store: &Store, first: i64) -> anyhow::Result<Vec<i64>> {
    let mut family = BTreeSet::from([first]);
    let mut fresh = vec![first];
    while !fresh.is_empty() && family.len() < MAX_FAMILY {
        let related = store.related_packages(&fresh).await?;
        fresh = related.into_iter().filter(|id| family.insert(*id)).collect();
    }
    Ok(family.into_iter().collect())
}

fn infer(stored: &[FamilyMember], family: Vec<DeclaredBases>) -> FamilyConclusion {
    debug_assert!(
        stored
            .iter()
            .all(|member| member.fingerprint.level == Level::Full)
    );
    let ids: BTreeMap<String, i64> = stored
        .iter()
        .map(|member| (member.name.to_lowercase(), member.id))
        .collect();
    let find = |bases: &[String]| -> Vec<i64> {
        bases
            .iter()
            .filter_map(|name| ids.get(&name.to_lowercase()).copied())
            .collect()
    };
    let members: Vec<Member<'_>> = stored
        .iter()
        .map(|member| Member {
            id: member.id,
            name: &member.name,
            fingerprint: &member.fingerprint,
            date: member.date,
            declared: find(&member.base_models),
        })
        .collect();
    let edges = lineage::infer_edges(&members);
    let by_child: BTreeMap<i64, &Edge> = edges.iter().map(|edge| (edge.child, edge)).collect();
    let verdicts: BTreeMap<i64, Verdict> = family
        .iter()
        .filter_map(|DeclaredBases { id, base_models, .. }| {
            let known = find(base_models);
            let unknown = base_models.len().saturating_sub(known.len());
            Some((*id, lineage::verdict(by_child.get(id).copied(), &known, unknown)?))
        })
        .collect();
    FamilyConclusion {
        members: family,
        verdicts,
        edges,
    }
}
