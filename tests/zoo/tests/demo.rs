//! The demo hub as written to disk.
#![allow(clippy::unwrap_used)]

use heirloom_zoo::model::Model;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

fn digests(folder: &Path) -> BTreeMap<String, (u64, Vec<u8>)> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let content = fs::read(&path).unwrap();
                let name = path.strip_prefix(folder).unwrap().to_string_lossy().into_owned();
                found.insert(name, (content.len() as u64, Sha256::digest(&content).to_vec()));
            }
        }
    }
    found
}

#[test]
fn is_the_same_every_time_and_small() {
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    heirloom_zoo::demo::write(first.path()).unwrap();
    heirloom_zoo::demo::write(second.path()).unwrap();
    let written = digests(first.path());
    assert_eq!(written, digests(second.path()));
    let bytes: u64 = written.values().map(|(size, _)| size).sum();
    assert!(bytes <= 40_000_000, "the demo hub takes {bytes} bytes");
}

#[test]
fn truth_names_packages_and_revisions_that_exist() {
    let hub = heirloom_zoo::demo::build().unwrap();
    let shas: BTreeMap<&str, Vec<String>> =
        hub.packages.iter().map(|p| (p.name.as_str(), p.shas())).collect();
    assert_eq!(shas.len(), hub.packages.len(), "two packages share a name");
    for edge in &hub.truth.edges {
        for name in edge.parents.iter().chain([&edge.child]) {
            assert!(shas.contains_key(name.as_str()), "{name} is not a package");
        }
    }
    for bump in &hub.truth.bumps {
        let history = &shas[bump.package.as_str()];
        let from = history.iter().position(|sha| *sha == bump.from).unwrap();
        assert_eq!(history[from + 1], bump.to, "{}", bump.package);
    }
    for name in hub.truth.unrelated.iter().flatten().chain(&hub.truth.unlabelled) {
        assert!(shas.contains_key(name.as_str()), "{name} is not a package");
    }
}

#[test]
fn every_weight_file_reads_but_the_broken_upload() {
    let hub = heirloom_zoo::demo::build().unwrap();
    for package in &hub.packages {
        for revision in &package.history {
            for (path, content) in revision
                .files
                .iter()
                .filter(|(path, _)| path.ends_with(".safetensors"))
            {
                let broken = package.name.ends_with("-broken-upload");
                assert_eq!(Model::read(content).is_err(), broken, "{} {path}", package.name);
            }
        }
    }
}
