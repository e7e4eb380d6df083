//! Real histories: the ONNX Model Zoo's dated manifests get versions, and what its publishers chose stands beside them.
//!
//! The data is not in the repository. It is read from `HEIRLOOM_SHARED_DATA`, else from `../shared/data`; without it the test
//! says so and passes. Run with `--nocapture` for every disagreement.

#![allow(clippy::unwrap_used, reason = "tests")]

use heirloom::versioning::{Bump, Snapshot, SnapshotFile, assign_versions};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A manifest entry and the date of its manifest.
type Dated = (String, Value);

fn manifests() -> Option<Vec<Dated>> {
    let folder = std::env::var_os("HEIRLOOM_SHARED_DATA")
        .map(PathBuf::from)
        .unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data"))
        .join("onnx_manifests");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        println!("skipped: no {}", folder.display());
        return None;
    };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| {
        path.file_name()
            .is_some_and(|name| name.to_string_lossy().contains('_'))
    });
    paths.sort();
    let read = |path: &PathBuf| {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        (name.get(3..13).unwrap().to_owned(), value)
    };
    Some(paths.iter().map(read).collect())
}

/// Entries by path, oldest first. The zoo moved everything below `validated/` once; the path after it is the model's name.
fn histories(manifests: &[Dated]) -> BTreeMap<String, Vec<(String, Value)>> {
    let mut histories: BTreeMap<String, Vec<(String, Value)>> = BTreeMap::new();
    for (date, manifest) in manifests {
        for entry in manifest.as_array().unwrap() {
            let path = entry["model_path"].as_str().unwrap();
            let path = path.trim_start_matches("validated/").to_owned();
            histories
                .entry(path)
                .or_default()
                .push((date.clone(), entry.clone()));
        }
    }
    histories
}

fn snapshot<'a>(path: &str, date: &str, entry: &Value) -> Snapshot<'a> {
    Snapshot {
        revision: date.to_owned(),
        files: vec![SnapshotFile {
            path: path.rsplit('/').next().unwrap().to_owned(),
            size: entry["metadata"]["model_bytes"].as_u64(),
            digest: entry["metadata"]["model_sha"].as_str().map(str::to_owned),
        }],
        texts: [("ONNX_HUB_MANIFEST.json".to_owned(), entry.to_string())].into(),
        ..Snapshot::default()
    }
}

/// The zoo's version is in the file name and never changes under one path, so every step above a patch is a disagreement.
#[test]
fn the_onnx_zoo_replaced_files_under_their_names() {
    let Some(manifests) = manifests() else {
        return;
    };
    let histories = histories(&manifests);
    let mut bumps: BTreeMap<Bump, usize> = BTreeMap::new();
    let mut replaced = 0;
    for (path, entries) in &histories {
        let snapshots: Vec<Snapshot<'_>> = entries
            .iter()
            .map(|(date, entry)| snapshot(path, date, entry))
            .collect();
        let name = format!(
            "onnx/{}",
            path.rsplit('/').next().unwrap().trim_end_matches(".onnx")
        );
        for (assigned, pair) in assign_versions(&name, &snapshots)
            .iter()
            .skip(1)
            .zip(snapshots.windows(2))
        {
            let decision = assigned.decision.as_ref().unwrap();
            *bumps.entry(decision.bump).or_default() += 1;
            replaced += usize::from(pair[0].files[0].digest != pair[1].files[0].digest);
            if decision.bump > Bump::Patch {
                let details: Vec<&str> = decision
                    .reasons
                    .iter()
                    .map(|reason| reason.detail.as_str())
                    .collect();
                println!(
                    "{} {path} → {}: {}",
                    assigned.revision,
                    assigned.version,
                    details.join("; ")
                );
            }
            // File digests alone never prove that values changed.
            assert_ne!(decision.weights_changed, Some(true));
        }
    }
    println!(
        "{} manifests, {} models, steps by size {bumps:?}, files replaced {replaced}",
        manifests.len(),
        histories.len()
    );
    assert!(replaced > 0);
    assert_eq!(
        bumps[&Bump::Major] + bumps[&Bump::Minor],
        replaced,
        "a replaced file is at least a minor step"
    );
}
