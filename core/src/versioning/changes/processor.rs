//! Image, audio and video processors: what inputs are turned into before the model sees them.

use super::json::{KeyChange, changed_keys};
use super::{Step, list};
use crate::versioning::{Bump, Reason};

const FILES: [&str; 3] = [
    "preprocessor_config.json",
    "processor_config.json",
    "video_preprocessor_config.json",
];

/// Keys that set the shape or the rate of the model's input.
const SHAPE: [&str; 8] = [
    "size",
    "crop_size",
    "feature_size",
    "sampling_rate",
    "num_mel_bins",
    "n_fft",
    "hop_length",
    "chunk_length",
];

/// Keys that no output depends on.
const BOOKKEEPING: [&str; 5] = [
    "feature_extractor_type",
    "image_processor_type",
    "processor_class",
    "auto_map",
    "_valid_processor_keys",
];

/// Another input shape breaks whoever prepares inputs; another normalisation changes outputs.
pub(super) fn compare(step: &Step<'_>) -> Vec<Reason> {
    FILES.iter().filter_map(|path| compare_file(step, path)).collect()
}

fn compare_file(step: &Step<'_>, path: &str) -> Option<Reason> {
    let (old, new) = match (step.old.json(path), step.new.json(path)) {
        (Some(old), Some(new)) => (old, new),
        (Some(_), None) if step.new.file(path).is_none() => {
            let detail = format!("{path} was removed, so inputs can no longer be prepared from it");
            return Some(Reason::new("processor", Bump::Major, detail));
        }
        (None, Some(_)) if step.old.file(path).is_none() => {
            return Some(Reason::new("processor", Bump::Minor, format!("{path} was added")));
        }
        _ => return None,
    };
    let changes = changed_keys(&old, &new);
    let touches = |keys: &[&str], change: &KeyChange| {
        let first = change.key.split('.').next().unwrap_or_default();
        keys.contains(&first)
    };
    let bump = if changes.is_empty() {
        return None;
    } else if changes.iter().any(|change| touches(&SHAPE, change)) {
        Bump::Major
    } else if changes.iter().all(|change| touches(&BOOKKEEPING, change)) {
        Bump::Patch
    } else {
        Bump::Minor
    };
    let described: Vec<String> = changes.iter().map(KeyChange::describe).collect();
    let detail = format!("{path}: {}", list(&described));
    Some(Reason::new("processor", bump, detail))
}
