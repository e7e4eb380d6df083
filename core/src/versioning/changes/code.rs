//! Custom code that runs when the model is loaded (`auto_map` and the Python files beside it).

use super::{Step, list};
use crate::versioning::{Bump, Reason, Snapshot};
use serde_json::Value;

/// New need for custom code means that a plain load stops working; changed code may compute something else.
pub(super) fn compare(step: &Step<'_>) -> Vec<Reason> {
    let mut reasons = Vec::new();
    let (old_map, new_map) = (auto_map(step.old), auto_map(step.new));
    match (&old_map, &new_map) {
        (None, Some(map)) => reasons.push(Reason::new(
            "code",
            Bump::Major,
            format!("loading now runs the package's own code: auto_map {map}"),
        )),
        (Some(_), None) => reasons.push(Reason::new(
            "code",
            Bump::Minor,
            "loading no longer runs the package's own code",
        )),
        (Some(a), Some(b)) if a != b => reasons.push(Reason::new(
            "code",
            Bump::Minor,
            format!("loading runs another class: auto_map {a} → {b}"),
        )),
        _ => {}
    }
    let changed: Vec<&str> = changed_python(step);
    if !changed.is_empty() {
        let loaded = old_map.is_some() && new_map.is_some();
        let bump = if loaded { Bump::Minor } else { Bump::Patch };
        let detail = format!("Python files changed: {}", list(&changed));
        reasons.push(Reason::new("code", bump, detail));
    }
    reasons
}

fn auto_map(snapshot: &Snapshot<'_>) -> Option<Value> {
    snapshot.json("config.json")?.get("auto_map").cloned()
}

fn changed_python<'a>(step: &Step<'a>) -> Vec<&'a str> {
    let is_python = |path: &str| path.ends_with(".py");
    let changed_or_added = step.new.files.iter().filter(|file| {
        let old = step.old.file(&file.path);
        old.is_none_or(|old| old.same_bytes(file) == Some(false))
    });
    let removed = step
        .old
        .files
        .iter()
        .filter(|file| step.new.file(&file.path).is_none());
    changed_or_added
        .chain(removed)
        .map(|file| file.path.as_str())
        .filter(|path| is_python(path))
        .collect()
}
