//! Does anybody say that the weights changed? The test behind *silent* changes.
//!
//! A statement is a sentence, not a file name. It counts when it
//!
//! 1. names a version or a release (`v1.2`, `release 3`), or
//! 2. says what was done to the model (`retrained`, `fine-tuned further`, `merged`, `quantized`, `epoch 3`), or
//! 3. joins the weights with a change (`update weights`, `new checkpoint`, `fix the model`),
//!
//! unless it speaks of documents or libraries (`update the training section of the README`) or denies a change (`weights unchanged`).
//! Messages that tools write by themselves (`Upload folder using huggingface_hub`, `Update model.safetensors`) say that a
//! file was written, which a re-shard does too: they do not count. It is looked for in new tags, in the package's name where
//! two packages are compared, in the commit message, and in the lines that the revision added to its card.

use super::{Snapshot, card, declared_version};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// Where a change of weights was announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Announcement {
    /// A new tag.
    Tag,
    /// Another version in the package's name.
    Name,
    /// The commit message.
    Message,
    /// Lines added to the card.
    Card,
}

/// What is done to a model so that its values change.
const TRAINING: [&str; 42] = [
    "retrain",
    "retrained",
    "retraining",
    "trained",
    "train",
    "training",
    "finetune",
    "finetuned",
    "finetuning",
    "tuned",
    "pretrained",
    "quantize",
    "quantized",
    "quantise",
    "quantised",
    "requantize",
    "requantized",
    "requantise",
    "requantised",
    "quantization",
    "quantisation",
    "dequantized",
    "pruned",
    "prune",
    "pruning",
    "distill",
    "distilled",
    "merge",
    "merged",
    "lora",
    "sft",
    "dpo",
    "rlhf",
    "epoch",
    "epochs",
    "abliterated",
    "calibrated",
    "recalibrated",
    "sparsified",
    "aligned",
    "upcycled",
    "averaged",
];
const WEIGHTS: [&str; 10] = [
    "weights",
    "weight",
    "checkpoint",
    "checkpoints",
    "ckpt",
    "parameters",
    "params",
    "model",
    "tensors",
    "embeddings",
];
const CHANGE: [&str; 27] = [
    "update",
    "updated",
    "updates",
    "updating",
    "new",
    "newer",
    "change",
    "changed",
    "changes",
    "replace",
    "replaced",
    "improve",
    "improved",
    "better",
    "fix",
    "fixed",
    "correct",
    "corrected",
    "latest",
    "refresh",
    "refreshed",
    "upload",
    "uploaded",
    "add",
    "added",
    "final",
    "push",
];
/// Subjects of a sentence that is not about the weights.
const OTHER_SUBJECTS: [&str; 22] = [
    "readme",
    "readme.md",
    "card",
    "docs",
    "doc",
    "documentation",
    "typo",
    "typos",
    "section",
    "example",
    "examples",
    "snippet",
    "license",
    "licence",
    "citation",
    "logs",
    "transformers",
    "torch",
    "pytorch",
    "onnxruntime",
    "requirements",
    "dependency",
];
const DENIALS: [&str; 11] = [
    "unchanged",
    "weights untouched",
    "no weight",
    "no change",
    "not change",
    "same weights",
    "same values",
    "identical",
    "without changing",
    "no functional",
    "re-shard",
];

/// The first place that says the weights changed.
pub(super) fn find(old: &Snapshot<'_>, new: &Snapshot<'_>) -> Option<Announcement> {
    if new.tags.iter().any(|tag| !old.tags.contains(tag)) {
        return Some(Announcement::Tag);
    }
    if declared_version(&old.name) != declared_version(&new.name) {
        return Some(Announcement::Name);
    }
    if says_so(&new.message) {
        return Some(Announcement::Message);
    }
    card_says_so(old, new).then_some(Announcement::Card)
}

/// Only what the revision added counts: a card that always spoke of training announces nothing.
fn card_says_so(old: &Snapshot<'_>, new: &Snapshot<'_>) -> bool {
    let text = |snapshot: &Snapshot<'_>| snapshot.text("README.md").unwrap_or_default().to_owned();
    let (old, new) = (text(old), text(new));
    let (old, new) = (card::parse(&old), card::parse(&new));
    let version_changed = ["version", "model_version"]
        .iter()
        .any(|key| new.front.get(key).is_some() && old.front.get(key) != new.front.get(key));
    let lines =
        |text: &'_ str| -> Vec<String> { text.lines().map(|line| line.trim().to_lowercase()).collect() };
    let (before, after) = (lines(old.body), lines(new.body));
    let gone: Vec<&String> = before
        .iter()
        .filter(|line| !after.contains(line) && says_so(line))
        .collect();
    let is_new = |line: &&String| !before.contains(line) && !gone.iter().any(|old| is_rewording(old, line));
    version_changed || after.iter().filter(is_new).any(|line| says_so(line))
}

/// True when the lines share most of their words: a corrected spelling states nothing that was not stated before.
fn is_rewording(old: &str, new: &str) -> bool {
    let words = |line: &'_ str| -> HashSet<String> { line.split_whitespace().map(str::to_owned).collect() };
    let (old, new) = (words(old), words(new));
    2 * old.intersection(&new).count() >= old.len().max(new.len())
}

/// Whether a text holds a statement that the weights changed.
fn says_so(text: &str) -> bool {
    let lower = text.to_lowercase();
    lower
        .split(['\n', ';', '!', '?'])
        .flat_map(|line| line.split(". "))
        .any(sentence_says_so)
}

fn sentence_says_so(sentence: &str) -> bool {
    if DENIALS.iter().any(|denial| sentence.contains(denial)) || is_written_by_tool(sentence) {
        return false;
    }
    let joined = sentence
        .replace("fine-tun", "finetun")
        .replace("re-train", "retrain");
    let words: Vec<&str> = joined
        .split(|c: char| !(c.is_alphanumeric() || c == '.'))
        .map(|word| word.trim_matches('.'))
        .filter(|word| !word.is_empty())
        .collect();
    let any = |list: &[&str]| words.iter().any(|word| list.contains(word));
    if any(&OTHER_SUBJECTS) {
        return false;
    }
    names_version(&words) || any(&TRAINING) || (any(&WEIGHTS) && any(&CHANGE))
}

/// `Upload folder using huggingface_hub`, `Update model.safetensors`, `Add files via upload`.
fn is_written_by_tool(sentence: &str) -> bool {
    let sentence = sentence.trim();
    if sentence.contains("huggingface_hub")
        || sentence.contains("huggingface-hub")
        || sentence == "add files via upload"
    {
        return true;
    }
    let words: Vec<&str> = sentence.split_whitespace().collect();
    matches!(words.as_slice(),
        ["update" | "upload" | "add" | "create" | "rename" | "delete" | "replace", file] if looks_like_path(file))
}

fn looks_like_path(word: &str) -> bool {
    word.rsplit_once('.').is_some_and(|(stem, extension)| {
        !stem.is_empty()
            && (1..=11).contains(&extension.len())
            && extension.bytes().all(|b| b.is_ascii_alphanumeric())
    })
}

/// `v2`, `v1.2.0`, `1.2.0`, `version 3`, `release 2.1`
fn names_version(words: &[&str]) -> bool {
    let is_number = |word: &str| {
        !word.is_empty()
            && word
                .split('.')
                .all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
    };
    let marked = words.iter().any(|word| {
        word.strip_prefix('v').is_some_and(is_number) || (is_number(word) && word.matches('.').count() == 2)
    });
    let spelled = words
        .windows(2)
        .any(|pair| matches!(pair[0], "version" | "release" | "ver") && is_number(pair[1]));
    marked || spelled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_that_the_weights_changed() {
        for text in [
            "v1.2",
            "Release 3",
            "Retrain on more data",
            "Update weights",
            "update model weights after epoch 5",
            "Fine-tuned for two more epochs",
            "fix a bug.\n\nUpload new checkpoint",
            "Requantized with a larger calibration set",
            "1.2.0",
        ] {
            assert!(says_so(text), "{text:?}");
        }
    }

    #[test]
    fn statements_that_do_not_say_so() {
        for text in [
            "",
            "Update README.md",
            "Upload folder using huggingface_hub",
            "Update model.safetensors",
            "Add files via upload",
            "Describe the training data in the model card",
            "Re-shard the model, weights unchanged",
            "fix typo",
            "initial commit",
            "bump transformers to 4.41.2",
            "add example of how the model is trained",
        ] {
            assert!(!says_so(text), "{text:?}");
        }
    }

    #[test]
    fn only_added_lines_of_a_card_count() {
        let snapshot = |card: &str| Snapshot {
            texts: [("README.md".to_owned(), card.to_owned())].into(),
            ..Snapshot::default()
        };
        let before = snapshot("Trained on books.\n");
        assert_eq!(find(&before, &snapshot("Trained on books.\nSee also.\n")), None);
        // A typo mended in a line that spoke of training.
        let misspelt = snapshot("Tuned on call centre recordngs.\n");
        assert_eq!(
            find(&misspelt, &snapshot("Tuned on call centre recordings.\n")),
            None
        );
        let after = snapshot("Trained on books.\n- May: retrained on films\n");
        assert_eq!(find(&before, &after), Some(Announcement::Card));
    }
}
