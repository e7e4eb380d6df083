//! The model card, less what other kinds judge (licence, base model).

use super::{Step, list};
use crate::versioning::{Bump, Reason, card};
use serde_json::{Value, json};

const JUDGED_ELSEWHERE: [&str; 4] = ["license", "license_name", "license_link", "base_model"];

/// Documentation is a patch, whatever it says.
pub(super) fn compare(step: &Step<'_>) -> Vec<Reason> {
    let (old, new) = match (step.old.text("README.md"), step.new.text("README.md")) {
        (None, None) => return Vec::new(),
        (Some(_), None) if step.new.file("README.md").is_some() => return Vec::new(),
        (None, Some(_)) if step.old.file("README.md").is_some() => return Vec::new(),
        (old, new) => (old.unwrap_or_default(), new.unwrap_or_default()),
    };
    if old == new {
        return Vec::new();
    }
    let (old, new) = (card::parse(old), card::parse(new));
    let mut parts: Vec<String> = changed_fields(&old.front, &new.front);
    if old.body.trim() != new.body.trim() {
        parts.push("text".to_owned());
    }
    if parts.is_empty() {
        return Vec::new();
    }
    let detail = format!("the model card changed: {}", list(&parts));
    vec![Reason::new("card", Bump::Patch, detail)]
}

fn changed_fields(old: &Value, new: &Value) -> Vec<String> {
    let empty = json!({});
    let fields = |value: &Value| value.as_object().or(empty.as_object()).cloned();
    let (old, new) = (fields(old).unwrap_or_default(), fields(new).unwrap_or_default());
    let mut names: Vec<&String> = old.keys().chain(new.keys()).collect();
    names.sort();
    names.dedup();
    names
        .into_iter()
        .filter(|name| !JUDGED_ELSEWHERE.contains(&name.as_str()))
        .filter(|name| old.get(*name) != new.get(*name))
        .cloned()
        .collect()
}
