//! Files and formats of weights: what a consumer downloads by name.

use super::{Step, list};
use crate::versioning::{Bump, Reason, Snapshot, SnapshotFile};
use std::collections::{BTreeMap, BTreeSet};

/// A container format of weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::versioning) enum Format {
    Safetensors,
    PyTorch,
    TorchScript,
    Onnx,
    Gguf,
    TensorFlow,
    Flax,
    Rust,
    TfLite,
    CoreMl,
    OpenVino,
    Numpy,
    Keras,
    Other,
}

impl Format {
    fn name(self) -> &'static str {
        match self {
            Self::Safetensors => "safetensors",
            Self::PyTorch => "PyTorch",
            Self::TorchScript => "TorchScript",
            Self::Onnx => "ONNX",
            Self::Gguf => "GGUF",
            Self::TensorFlow => "TensorFlow",
            Self::Flax => "Flax",
            Self::Rust => "rust-bert",
            Self::TfLite => "TFLite",
            Self::CoreMl => "Core ML",
            Self::OpenVino => "OpenVINO",
            Self::Numpy => "NumPy",
            Self::Keras => "Keras",
            Self::Other => "other",
        }
    }

    /// Whether the loaders that read `self` read `other` as well, unasked.
    fn shares_loaders_with(self, other: Self) -> bool {
        matches!(
            (self, other),
            (Self::Safetensors, Self::PyTorch) | (Self::PyTorch, Self::Safetensors)
        )
    }
}

/// Training leftovers with a weight file's extension.
const TRAINING_STATE: [&str; 6] = [
    "optimizer",
    "scheduler",
    "rng_state",
    "training_args",
    "scaler",
    "random_states",
];

/// The format of a weight file; `None` for any other file.
pub(in crate::versioning) fn weight_format(path: &str) -> Option<Format> {
    let file = path.rsplit('/').next().unwrap_or(path);
    let (stem, extension) = file.rsplit_once('.')?;
    if TRAINING_STATE.iter().any(|state| stem.starts_with(state)) {
        return None;
    }
    Some(match extension.to_ascii_lowercase().as_str() {
        "safetensors" => Format::Safetensors,
        "bin" if path.contains("openvino") => Format::OpenVino,
        "bin" | "pt" | "pth" | "ckpt" => Format::PyTorch,
        "jit" | "torchscript" | "ptl" => Format::TorchScript,
        "onnx" => Format::Onnx,
        "gguf" | "ggml" => Format::Gguf,
        "h5" | "pb" => Format::TensorFlow,
        "keras" => Format::Keras,
        "msgpack" => Format::Flax,
        "ot" => Format::Rust,
        "tflite" => Format::TfLite,
        "mlmodel" | "mlpackage" => Format::CoreMl,
        "npz" => Format::Numpy,
        "mdl" | "nemo" | "pdparams" | "params" | "caffemodel" => Format::Other,
        _ => return None,
    })
}

/// Formats and named variants that came, went, or changed unseen by the fingerprint.
pub(super) fn compare(step: &Step<'_>) -> Vec<Reason> {
    let (before, after) = (variants(step.old), variants(step.new));
    let mut reasons = Vec::new();
    for (format, old_variants) in &before {
        match after.get(format) {
            None => reasons.push(removed(step, *format, &before, &after)),
            Some(new_variants) => reasons.extend(compare_variants(*format, old_variants, new_variants)),
        }
    }
    let replaces = |format: Format| {
        before
            .keys()
            .any(|old| !after.contains_key(old) && old.shares_loaders_with(format))
    };
    let added = after.iter().filter(|(format, _)| !before.contains_key(format));
    for (format, files) in added {
        // Said already: by the container that changed, or by weights where there were none.
        let is_said = replaces(*format) && step.weights_changed == Some(false) || before.is_empty();
        if !is_said {
            let files: Vec<&String> = files.iter().collect();
            let detail = format!("weights are offered in {} too: {}", format.name(), list(&files));
            reasons.push(Reason::new("format", Bump::Minor, detail));
        }
    }
    reasons.extend(unseen(step));
    reasons.extend(left_behind(step));
    reasons
}

fn removed(
    step: &Step<'_>,
    format: Format,
    before: &BTreeMap<Format, BTreeSet<String>>,
    after: &BTreeMap<Format, BTreeSet<String>>,
) -> Reason {
    let replacement = after
        .keys()
        .find(|new| !before.contains_key(new) && new.shares_loaders_with(format));
    match replacement {
        Some(new) if step.weights_changed == Some(false) => {
            let (old, new) = (format.name(), new.name());
            let detail = format!("the container changed from {old} to {new}, which the same loaders read");
            Reason::new("format", Bump::Patch, detail)
        }
        _ => {
            let detail = format!("weights are no longer offered in {}", format.name());
            Reason::new("format", Bump::Major, detail)
        }
    }
}

fn compare_variants(format: Format, old: &BTreeSet<String>, new: &BTreeSet<String>) -> Vec<Reason> {
    let removed: Vec<&String> = old.difference(new).collect();
    let added: Vec<&String> = new.difference(old).collect();
    if let ([a], [b], 1, 1) = (removed.as_slice(), added.as_slice(), old.len(), new.len()) {
        let detail = format!("the {} file was renamed from {a} to {b}", format.name());
        return vec![Reason::new("format", Bump::Patch, detail)];
    }
    let mut reasons = Vec::new();
    if !removed.is_empty() {
        let detail = format!("{} variants removed: {}", format.name(), list(&removed));
        reasons.push(Reason::new("format", Bump::Major, detail));
    }
    if !added.is_empty() {
        let detail = format!("{} variants added: {}", format.name(), list(&added));
        reasons.push(Reason::new("format", Bump::Minor, detail));
    }
    reasons
}

/// The weights were compared in one format; a file of another format changed beside them.
fn unseen(step: &Step<'_>) -> Vec<Reason> {
    if step.weights_changed.is_none() || step.old.fingerprint.is_none() {
        return Vec::new();
    }
    let Some(seen) = variants(step.new).keys().next().copied() else {
        return Vec::new();
    };
    let changed: Vec<&str> = step
        .new
        .files
        .iter()
        .filter(|file| weight_format(&file.path).is_some_and(|format| format != seen))
        .filter(|file| {
            let old: Option<&SnapshotFile> = step.old.file(&file.path);
            old.is_some_and(|old| old.same_bytes(file) == Some(false))
        })
        .map(|file| file.path.as_str())
        .collect();
    if changed.is_empty() {
        return Vec::new();
    }
    let detail = format!(
        "{} changed; only the {} weights were compared",
        list(&changed),
        seen.name()
    );
    vec![Reason::new("format", Bump::Minor, detail)]
}

/// Values changed in one format, and a file of another stayed as it was: whoever loads that one gets the weights of before.
fn left_behind(step: &Step<'_>) -> Option<Reason> {
    if step.weights_changed != Some(true) {
        return None;
    }
    let same = |file: &&SnapshotFile| {
        let old = step.old.file(&file.path);
        weight_format(&file.path).is_some() && old.is_some_and(|old| old.same_bytes(file) == Some(true))
    };
    let kept: Vec<&str> = step
        .new
        .files
        .iter()
        .filter(same)
        .map(|file| file.path.as_str())
        .collect();
    let detail = format!("{} stayed as before, beside weights that changed", list(&kept));
    (!kept.is_empty()).then(|| Reason::new("format", Bump::None, detail))
}

/// The weight files of each format, a set of shards counted as the one file it was cut from.
fn variants(snapshot: &Snapshot<'_>) -> BTreeMap<Format, BTreeSet<String>> {
    let mut variants: BTreeMap<Format, BTreeSet<String>> = BTreeMap::new();
    for file in &snapshot.files {
        if let Some(format) = weight_format(&file.path) {
            variants
                .entry(format)
                .or_default()
                .insert(without_shard(&file.path));
        }
    }
    variants
}

/// `model-00001-of-00003.safetensors` → `model.safetensors`
fn without_shard(path: &str) -> String {
    let Some((stem, extension)) = path.rsplit_once('.') else {
        return path.to_owned();
    };
    let is_number = |text: &str| text.len() >= 2 && text.bytes().all(|byte| byte.is_ascii_digit());
    if let Some((rest, total)) = stem.rsplit_once("-of-")
        && let Some((name, index)) = rest.rsplit_once(['-', '_', '.'])
        && is_number(index)
        && is_number(total)
    {
        return format!("{name}.{extension}");
    }
    path.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_count_as_the_file_they_were_cut_from() {
        for (path, whole) in [
            ("model-00001-of-00003.safetensors", "model.safetensors"),
            ("a/q4-00002-of-00002.gguf", "a/q4.gguf"),
            ("one-of-us.bin", "one-of-us.bin"),
            ("model.safetensors", "model.safetensors"),
        ] {
            assert_eq!(without_shard(path), whole);
        }
    }

    #[test]
    fn training_state_is_not_a_weight_file() {
        assert_eq!(weight_format("optimizer.pt"), None);
        assert_eq!(weight_format("training_args.bin"), None);
        assert_eq!(weight_format("README.md"), None);
        assert_eq!(weight_format("sub/model.ONNX"), Some(Format::Onnx));
    }
}
