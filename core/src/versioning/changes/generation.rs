//! Generation defaults: what a caller gets who passes no settings.

use super::json::{KeyChange, changed_keys};
use super::{Step, list};
use crate::versioning::{Bump, Reason};
use serde_json::{Value, json};

const FILE: &str = "generation_config.json";

/// Defaults may be passed explicitly, so a change of them is a fix.
pub(super) fn compare(step: &Step<'_>) -> Vec<Reason> {
    let absent = || json!({});
    let (old, new): (Option<Value>, Option<Value>) = (step.old.json(FILE), step.new.json(FILE));
    if old == new {
        return Vec::new();
    }
    let changes: Vec<String> = changed_keys(&old.unwrap_or_else(absent), &new.unwrap_or_else(absent))
        .iter()
        .filter(|change| change.key != "transformers_version" && !change.key.is_empty())
        .map(KeyChange::describe)
        .collect();
    if changes.is_empty() {
        return Vec::new();
    }
    let detail = format!("generation defaults: {}", list(&changes));
    vec![Reason::new("generation", Bump::Patch, detail)]
}
