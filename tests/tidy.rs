//! Holds the invariants that ARCHITECTURE.md states: who may know whom, how long a file may grow.
#![allow(clippy::unwrap_used, reason = "a file that cannot be read fails the test")]

use std::fs;
use std::path::{Path, PathBuf};

const PURE: [&str; 6] = [
    "core/src/weights",
    "core/src/fingerprint",
    "core/src/delta",
    "core/src/lineage",
    "core/src/versioning",
    "core/src/eval",
];
/// Longer files have a seam at which they can be cut.
const MAX_LINES: usize = 500;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All files with one of `extensions` below `folder`, relative to the root.
fn files(folder: &str, extensions: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        let Ok(items) = fs::read_dir(&folder) else {
            continue;
        };
        for item in items {
            let path = item.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            if path.is_dir() {
                if !["node_modules", "dist", "target", "data"].contains(&name.as_str()) {
                    folders.push(path);
                }
            } else if path
                .extension()
                .is_some_and(|found| extensions.iter().any(|wanted| found == *wanted))
            {
                found.push(path.strip_prefix(root()).unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

fn read(path: &Path) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

/// Code without comments: docs may name what the code may not use.
fn code(path: &Path) -> String {
    let uncommented = |line: &str| line.split("//").next().unwrap_or("").to_owned() + "\n";
    read(path).lines().map(uncommented).collect()
}

fn assert_none(rule: &str, offences: Vec<String>) {
    assert!(offences.is_empty(), "{rule}:\n  {}", offences.join("\n  "));
}

fn offences(folders: &[&str], forbidden: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for path in folders.iter().flat_map(|folder| files(folder, &["rs"])) {
        let code = code(&path);
        for word in forbidden.iter().filter(|word| code.contains(**word)) {
            found.push(format!("{} uses {word}", path.display()));
        }
    }
    found
}

#[test]
fn pure_modules_know_neither_postgres_nor_http_nor_files() {
    let forbidden = [
        "sqlx",
        "axum",
        "reqwest",
        "clap::",
        "std::fs",
        "tokio",
        "heirloom_crawler",
        "heirloom_gpu",
        "wgpu",
        "crate::store",
        "crate::api",
        "crate::jobs",
        "std::process",
        "std::env",
        "SystemTime",
        "now_utc",
    ];
    // Benchmarks and tests may read fixtures; modules may not.
    let found = offences(&PURE, &forbidden)
        .into_iter()
        .filter(|offence| !offence.contains("/tests.rs") && !offence.contains("/tests/"))
        .collect();
    assert_none("a pure module takes and returns values", found);
}

#[test]
fn dependencies_point_left_to_right() {
    let mut found = offences(
        &["core/src/weights"],
        &[
            "crate::fingerprint",
            "crate::delta",
            "crate::lineage",
            "crate::versioning",
        ],
    );
    found.extend(offences(
        &["core/src/fingerprint", "core/src/delta"],
        &["crate::lineage", "crate::versioning"],
    ));
    found.extend(offences(
        &["core/src/lineage"],
        &["crate::versioning", "crate::delta"],
    ));
    found.extend(offences(&["crawler/src"], &["sqlx", "heirloom::"]));
    found.extend(offences(
        &["gpu/src"],
        &["sqlx", "tokio", "std::fs", "heirloom::", "heirloom_crawler"],
    ));
    assert_none("weights → fingerprint, delta → lineage → versioning", found);
}

#[test]
fn sql_lives_in_the_store() {
    let folders = [
        "src/api",
        "src/commands",
        "src/jobs",
        "src/source",
        "src/hubserver",
    ];
    let words = [
        "sqlx::query",
        "query!(",
        "query_as!(",
        "query_scalar!(",
        "SELECT ",
        "INSERT INTO",
        "UPDATE ",
    ];
    assert_none("every SQL statement is in src/store/", offences(&folders, &words));
}

#[test]
fn files_fit_on_a_few_screens() {
    let folders = ["src", "crawler/src", "gpu", "tests"];
    let long = folders
        .iter()
        .flat_map(|folder| files(folder, &["rs"]))
        .filter_map(|path| {
            let lines = read(&path).lines().count();
            (lines > MAX_LINES).then(|| format!("{}: {lines} lines", path.display()))
        });
    assert_none("cut these at a natural seam", long.collect());
}

#[test]
fn modules_open_with_what_they_are() {
    let folders = ["src", "crawler/src", "gpu/src"];
    let bare = folders
        .iter()
        .flat_map(|folder| files(folder, &["rs"]))
        .filter(|path| {
            let text = read(path);
            let test_module = path.iter().any(|part| part == "tests" || part == "tests.rs");
            !test_module && !text.trim_start().starts_with("//!")
        });
    assert_none(
        "a module opens with the noun, what enters and what leaves",
        bare.map(|path| path.display().to_string()).collect(),
    );
}

#[test]
fn no_module_is_a_drawer() {
    let drawers = ["common", "util", "utils", "helpers", "misc"];
    let found = ["src", "crawler/src", "gpu", "tests"]
        .iter()
        .flat_map(|folder| files(folder, &["rs"]))
        .filter(|path| {
            path.iter().any(|part| {
                drawers.iter().any(|drawer| {
                    part.to_str() == Some(drawer) || part.to_str() == Some(&format!("{drawer}.rs"))
                })
            })
        });
    assert_none(
        "name a module after what it holds",
        found.map(|path| path.display().to_string()).collect(),
    );
}
