//! The chat template, wherever it is kept.

use super::Step;
use crate::versioning::{Bump, Reason, Snapshot};
use serde_json::Value;

/// A moved template is no change; a lost one breaks every chat call.
pub(super) fn compare(step: &Step<'_>) -> Vec<Reason> {
    let (old, new) = (template(step.old), template(step.new));
    let (bump, detail) = match (&old, &new) {
        (None, None) => return Vec::new(),
        (Some(a), Some(b)) if a == b => return Vec::new(),
        (Some(_), Some(_)) => (Bump::Patch, "the chat template was changed"),
        (None, Some(_)) => (Bump::Patch, "a chat template was added"),
        (Some(_), None) => (Bump::Major, "the chat template was removed, so chat calls fail"),
    };
    vec![Reason::new("chat_template", bump, detail)]
}

/// In order of what loaders prefer: its own file, then the tokenizer's config.
fn template(snapshot: &Snapshot<'_>) -> Option<String> {
    if let Some(text) = snapshot.text("chat_template.jinja") {
        return Some(text.trim().to_owned());
    }
    ["chat_template.json", "tokenizer_config.json"]
        .iter()
        .find_map(|path| match snapshot.json(path)?.get("chat_template")? {
            Value::String(text) => Some(text.trim().to_owned()),
            Value::Null => None,
            several => Some(several.to_string()),
        })
}
