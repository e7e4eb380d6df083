//! The declared base model: another one, or a corrected declaration?

use super::Step;
use crate::versioning::{Bump, Reason, Snapshot, card};

/// Another base under changed weights is another model, unless that base is the very release this one follows. Under unchanged
/// weights the declaration was corrected.
pub(super) fn compare(step: &Step<'_>) -> Vec<Reason> {
    let (Some(old), Some(new)) = (declared(step.old), declared(step.new)) else {
        return Vec::new();
    };
    if old == new {
        return Vec::new();
    }
    let (before, after) = (old.join(", "), new.join(", "));
    if !step.old.name.is_empty() && new == [step.old.name.as_str()] {
        let detail = format!("made from the release before it, {after}");
        return vec![Reason::new("base_model", Bump::Patch, detail)];
    }
    let (bump, detail) = match (old.is_empty(), new.is_empty(), step.weights_changed) {
        (true, _, _) => (Bump::Patch, format!("the base model is now declared: {after}")),
        (_, true, _) => (
            Bump::Patch,
            format!("the base model {before} is no longer declared"),
        ),
        (_, _, Some(false)) => (
            Bump::Patch,
            format!(
                "the declared base model was corrected from {before} to {after}; the weights are the same"
            ),
        ),
        _ => (Bump::Major, format!("another base model: {before} → {after}")),
    };
    vec![Reason::new("base_model", bump, detail)]
}

/// From the card, else from the adapter's config. `None` when neither could be read.
fn declared(snapshot: &Snapshot<'_>) -> Option<Vec<String>> {
    let from_card = snapshot
        .text("README.md")
        .map(|text| card::parse(text).strings("base_model"));
    let from_adapter = snapshot.json("adapter_config.json").map(|config| {
        let base = config
            .get("base_model_name_or_path")
            .and_then(|base| base.as_str());
        base.map(str::to_owned).into_iter().collect()
    });
    match (from_card, from_adapter) {
        (Some(card), Some(adapter)) if card.is_empty() => Some(adapter),
        (Some(card), _) => Some(card),
        (None, adapter) => adapter,
    }
}
