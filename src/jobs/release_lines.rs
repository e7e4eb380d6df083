//! Joins a package to the line of its releases, and compares it with its neighbours there.

use crate::store::Store;
use crate::store::releases::LineMember;
use crate::store::versions::History;
use crate::versioning::lines::line_of;
use crate::versioning::{ReleaseStep, release_step};
use semver::Version;
use tokio::task::spawn_blocking;

/// A release with its newest revision.
struct Head {
    version: Version,
    history: History,
}

/// Concludes the step to this package from the release before it, and from it to the next. Others of its line stay as they are.
pub async fn conclude_release_line(store: &Store, package_id: i64, name: &str) -> anyhow::Result<()> {
    let Some((line, declared)) = line_of(name) else {
        return Ok(());
    };
    let members = store.join_line(package_id, &line, &declared.to_string()).await?;
    let mut members: Vec<(Version, LineMember)> = members
        .into_iter()
        .filter_map(|member| Some((member.declared.parse().ok()?, member)))
        .collect();
    members.sort_by(|(a, x), (b, y)| a.cmp(b).then(x.package_id.cmp(&y.package_id)));
    let Some(place) = members
        .iter()
        .position(|(_, member)| member.package_id == package_id)
    else {
        return Ok(());
    };
    let nearby = place.saturating_sub(1)..(place + 2).min(members.len());
    let mut heads = Vec::with_capacity(nearby.len());
    for (version, member) in &members[nearby.clone()] {
        let head = member.head.clone().into_iter().collect::<Vec<_>>();
        heads.push(Head {
            version: version.clone(),
            history: store.history(member.package_id, Some(&head)).await?,
        });
    }
    if nearby.start == place {
        store.save_release(package_id, None).await?;
    }
    let steps = spawn_blocking(move || {
        heads
            .windows(2)
            .map(|pair| step(&pair[0], &pair[1]))
            .collect::<Vec<_>>()
    })
    .await?;
    for (before, step) in nearby.zip(steps) {
        let (from, to) = (members[before].1.package_id, members[before + 1].1.package_id);
        store
            .save_release(to, step.as_ref().map(|step| (from, step)))
            .await?;
    }
    Ok(())
}

/// `None` where one of the two has no revision yet.
fn step(before: &Head, after: &Head) -> Option<ReleaseStep> {
    let (old, new) = (before.history.snapshots(), after.history.snapshots());
    let (old, new) = (old.last()?, new.last()?);
    Some(release_step((old, &before.version), (new, &after.version)))
}
