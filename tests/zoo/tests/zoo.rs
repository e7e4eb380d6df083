//! The ground-truth zoo as written to disk.
#![allow(clippy::unwrap_used)]

use heirloom_zoo::model::Model;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

fn truth(folder: &Path) -> Value {
    serde_json::from_slice(&fs::read(folder.join("truth.json")).unwrap()).unwrap()
}

/// Weight files of each package's newest revision, by package.
fn weights(folder: &Path) -> BTreeMap<String, Vec<Vec<u8>>> {
    let mut found = BTreeMap::new();
    for owner in fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
    {
        for package in fs::read_dir(&owner).unwrap().map(|entry| entry.unwrap().path()) {
            let name = package
                .strip_prefix(folder)
                .unwrap()
                .to_string_lossy()
                .into_owned();
            let files = fs::read_dir(&package).unwrap().map(|entry| entry.unwrap().path());
            let files = files.filter(|path| path.extension().is_some_and(|end| end == "safetensors"));
            found.insert(name, files.map(|path| fs::read(path).unwrap()).collect());
        }
    }
    found
}

#[test]
fn every_technique_has_three_instances_and_every_package_reads() {
    let folder = tempfile::tempdir().unwrap();
    heirloom_zoo::zoo::write(folder.path(), 7).unwrap();
    let truth = truth(folder.path());
    let mut instances: BTreeMap<String, usize> = BTreeMap::new();
    for edge in truth["edges"].as_array().unwrap() {
        *instances
            .entry(edge["technique"].as_str().unwrap().to_owned())
            .or_default() += 1;
    }
    let few: Vec<_> = instances.iter().filter(|(_, count)| **count < 3).collect();
    assert!(few.is_empty(), "{few:?}");
    assert!(instances.len() >= 39, "{instances:?}");

    let packages = weights(folder.path());
    for (name, files) in &packages {
        assert!(!files.is_empty(), "{name} has no weights");
        for file in files {
            Model::read(file).unwrap_or_else(|error| panic!("{name}: {error:#}"));
        }
    }
    for edge in truth["edges"].as_array().unwrap() {
        let child = edge["child"].as_str().unwrap();
        for parent in edge["parents"].as_array().unwrap() {
            let parent = parent.as_str().unwrap();
            assert!(packages.contains_key(parent), "{parent}");
            let copy = ["copy"].contains(&edge["technique"].as_str().unwrap());
            assert_eq!(
                packages[child] == packages[parent],
                copy,
                "{child} and {parent} ({})",
                edge["technique"]
            );
        }
    }
}

#[test]
fn a_seed_decides_every_byte() {
    let folders = [
        tempfile::tempdir().unwrap(),
        tempfile::tempdir().unwrap(),
        tempfile::tempdir().unwrap(),
    ];
    for (folder, seed) in folders.iter().zip([3, 3, 4]) {
        heirloom_zoo::zoo::write(folder.path(), seed).unwrap();
    }
    let [first, second, other] = folders
        .each_ref()
        .map(|folder| (truth(folder.path()), weights(folder.path())));
    assert!(first == second);
    assert!(first.0 != other.0);
}
