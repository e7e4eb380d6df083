//! Files that no other kind reads: noted, so that nothing changes unseen.

use super::formats::weight_format;
use super::{Step, list};
use crate::versioning::{Bump, Reason};

/// Left behind by training and version control; no consumer reads them.
const UNOBSERVED: [&str; 12] = [
    ".gitattributes",
    ".gitignore",
    "trainer_state.json",
    "training_args.bin",
    "all_results.json",
    "train_results.json",
    "eval_results.json",
    "optimizer.pt",
    "scheduler.pt",
    "rng_state.pth",
    "scaler.pt",
    "events.out.tfevents",
];

/// Files that have a kind of their own.
const READ_ELSEWHERE: [&str; 27] = [
    "README.md",
    "ONNX_HUB_MANIFEST.json",
    "LICENSE.md",
    "1_Pooling/config.json",
    "config.json",
    "adapter_config.json",
    "model_index.json",
    "params.json",
    "modules.json",
    "generation_config.json",
    "preprocessor_config.json",
    "processor_config.json",
    "video_preprocessor_config.json",
    "chat_template.jinja",
    "chat_template.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "tokenizer.model",
    "spiece.model",
    "sentencepiece.bpe.model",
    "LICENSE",
    "LICENSE.txt",
];

/// Every other file: a patch when a consumer could read it, none for leftovers.
pub(super) fn compare(step: &Step<'_>) -> Vec<Reason> {
    let changed = step.new.files.iter().filter(|file| {
        let old = step.old.file(&file.path);
        old.is_none_or(|old| old.same_bytes(file) == Some(false))
    });
    let removed = step
        .old
        .files
        .iter()
        .filter(|file| step.new.file(&file.path).is_none());
    let (leftovers, rest): (Vec<&str>, Vec<&str>) = changed
        .chain(removed)
        .map(|file| file.path.as_str())
        .filter(|path| !is_read_elsewhere(path))
        .partition(|path| is_unobserved(path));
    let mut reasons: Vec<Reason> = unread(step).into_iter().collect();
    if !rest.is_empty() {
        let detail = format!("other files changed: {}", list(&rest));
        reasons.push(Reason::new("files", Bump::Patch, detail));
    }
    if !leftovers.is_empty() {
        let detail = format!("files that no consumer reads changed: {}", list(&leftovers));
        reasons.push(Reason::new("files", Bump::None, detail));
    }
    reasons
}

/// Files with a kind of their own that changed, and whose text was not at hand on both sides.
fn unread(step: &Step<'_>) -> Option<Reason> {
    let paths = READ_ELSEWHERE.iter().filter(|path| !path.ends_with(".model"));
    let unread: Vec<&&str> = paths
        .filter(|path| match (step.old.file(path), step.new.file(path)) {
            (Some(old), Some(new)) => old.same_bytes(new) == Some(false),
            _ => false,
        })
        .filter(|path| step.old.text(path).is_none() || step.new.text(path).is_none())
        .collect();
    let detail = format!(
        "changed, and what changed in them was not read: {}",
        list(&unread)
    );
    (!unread.is_empty()).then(|| Reason::new("files", Bump::Minor, detail))
}

fn is_read_elsewhere(path: &str) -> bool {
    let is_index = path.ends_with(".index.json");
    let is_code = path.ends_with(".py");
    is_index || is_code || weight_format(path).is_some() || READ_ELSEWHERE.contains(&path)
}

fn is_unobserved(path: &str) -> bool {
    let file = path.rsplit('/').next().unwrap_or(path);
    UNOBSERVED.iter().any(|name| file.starts_with(name))
}
