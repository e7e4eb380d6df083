//! What the digests of weight files say when tensors were not compared.

use super::super::{count, list};
use super::WeightsOutcome;
use crate::versioning::changes::formats::weight_format;
use crate::versioning::{Bump, Reason, Snapshot, SnapshotFile};
use std::collections::{BTreeMap, BTreeSet};

/// Judges by digests alone: unchanged bytes are proof, changed bytes are not.
pub(super) fn compare(old: &Snapshot<'_>, new: &Snapshot<'_>) -> WeightsOutcome {
    let (before, after) = (weight_files(old), weight_files(new));
    if before.is_empty() && after.is_empty() {
        return WeightsOutcome::new(Some(false), Vec::new());
    }
    let digests = |files: &BTreeMap<&str, &SnapshotFile>| -> Option<BTreeSet<String>> {
        files.values().map(|file| file.digest.clone()).collect()
    };
    if digests(&before).is_some_and(|digests_before| Some(digests_before) == digests(&after)) {
        return WeightsOutcome::new(Some(false), Vec::new());
    }
    let kept: Vec<_> = before
        .iter()
        .filter_map(|(path, file)| Some((*path, *file, *after.get(path)?)))
        .collect();
    let changed: Vec<&str> = kept
        .iter()
        .filter(|(_, a, b)| a.same_bytes(b) != Some(true))
        .map(|(path, ..)| *path)
        .collect();
    if changed.is_empty() && !kept.is_empty() {
        // Files came or went beside ones that stayed the same: that is a matter of formats.
        return WeightsOutcome::new(Some(false), Vec::new());
    }
    let names: Vec<&str> = if changed.is_empty() {
        after.keys().copied().collect()
    } else {
        changed
    };
    let detail = format!(
        "{} changed ({}); the tensors were not compared, so a re-shard or cast cannot be told from new values",
        count(names.len(), "weight file"),
        list(&names)
    );
    WeightsOutcome::new(None, vec![Reason::new("weights", Bump::Minor, detail)])
}

/// Whether the files that the fingerprints were made of differ, in name or in bytes: those of `container`, an extension.
pub(super) fn differ(old: &Snapshot<'_>, new: &Snapshot<'_>, container: &str) -> bool {
    let (mut before, mut after) = (weight_files(old), weight_files(new));
    for files in [&mut before, &mut after] {
        files.retain(|path, _| path.to_lowercase().ends_with(container));
    }
    before.len() != after.len()
        || before.iter().any(|(path, file)| {
            after
                .get(path)
                .is_none_or(|other| file.same_bytes(other) == Some(false))
        })
}

fn weight_files<'a>(snapshot: &'a Snapshot<'_>) -> BTreeMap<&'a str, &'a SnapshotFile> {
    let files = snapshot.files.iter().map(|file| (file.path.as_str(), file));
    files.filter(|(path, _)| weight_format(path).is_some()).collect()
}
