//! The tokenizer: which ids a text becomes. Weights are useless with other ids, so any change of ids is major.

use super::json::changed_keys;
use super::{Step, count, list};
use crate::versioning::{Bump, Reason, Snapshot};
use serde_json::Value;
use std::collections::BTreeMap;

/// Line-per-token or merge lists whose every line matters.
const PLAIN: [&str; 4] = ["vocab.txt", "merges.txt", "vocab.json", "added_tokens.json"];
/// Binary vocabularies: compared by digest only.
const BINARY: [&str; 3] = ["tokenizer.model", "spiece.model", "sentencepiece.bpe.model"];
/// Parts of tokenizer.json that change how text is cut.
const CUTTING: [&str; 3] = ["normalizer", "pre_tokenizer", "post_processor"];
/// Keys of tokenizer_config.json that change ids.
const CUTTING_KEYS: [&str; 9] = [
    "add_bos_token",
    "add_eos_token",
    "add_prefix_space",
    "do_lower_case",
    "legacy",
    "split_special_tokens",
    "strip_accents",
    "tokenize_chinese_chars",
    "use_default_system_prompt",
];
const SPECIAL: [&str; 6] = [
    "bos_token",
    "eos_token",
    "unk_token",
    "cls_token",
    "sep_token",
    "mask_token",
];

/// Vocabulary, rules, special tokens, then the rest of the config.
pub(super) fn compare(step: &Step<'_>) -> Vec<Reason> {
    let mut reasons = Vec::new();
    match (step.old.json("tokenizer.json"), step.new.json("tokenizer.json")) {
        (Some(old), Some(new)) => compare_tokenizer(&old, &new, &mut reasons),
        _ => compare_plain(step, &mut reasons),
    }
    compare_binary(step, &mut reasons);
    compare_presence(step, &mut reasons);
    compare_special(step, &mut reasons);
    compare_settings(step, &mut reasons);
    reasons
}

fn push(reasons: &mut Vec<Reason>, bump: Bump, detail: String) {
    reasons.push(Reason::new("tokenizer", bump, detail));
}

fn compare_tokenizer(old: &Value, new: &Value, reasons: &mut Vec<Reason>) {
    compare_vocabulary(&vocabulary(old), &vocabulary(new), reasons);
    if old.pointer("/model/merges") != new.pointer("/model/merges") {
        push(
            reasons,
            Bump::Major,
            "merge rules changed: text is cut into other tokens".to_owned(),
        );
    }
    for part in CUTTING {
        if old.get(part) != new.get(part) {
            let detail = format!("{part} changed: text is cut into other tokens");
            push(reasons, Bump::Major, detail);
        }
    }
    if old.get("decoder") != new.get("decoder") {
        push(
            reasons,
            Bump::Minor,
            "decoder changed: ids become other text".to_owned(),
        );
    }
    for part in ["truncation", "padding"] {
        if old.get(part) != new.get(part) {
            push(reasons, Bump::Minor, format!("{part} defaults changed"));
        }
    }
}

/// Token to id, from a map (BPE, WordPiece) or a list of pairs (Unigram), added tokens included.
fn vocabulary(tokenizer: &Value) -> BTreeMap<&str, u64> {
    let mut ids = BTreeMap::new();
    match tokenizer.pointer("/model/vocab") {
        Some(Value::Object(map)) => {
            ids.extend(
                map.iter()
                    .filter_map(|(token, id)| Some((token.as_str(), id.as_u64()?))),
            );
        }
        Some(Value::Array(pairs)) => {
            let tokens = pairs.iter().zip(0u64..);
            ids.extend(tokens.filter_map(|(pair, id)| Some((pair.get(0)?.as_str()?, id))));
        }
        _ => {}
    }
    let added = tokenizer.get("added_tokens").and_then(Value::as_array);
    ids.extend(
        added
            .into_iter()
            .flatten()
            .filter_map(|token| Some((token.get("content")?.as_str()?, token.get("id")?.as_u64()?))),
    );
    ids
}

fn compare_vocabulary(old: &BTreeMap<&str, u64>, new: &BTreeMap<&str, u64>, reasons: &mut Vec<Reason>) {
    let quoted = |tokens: Vec<&&str>| -> (usize, String) {
        let names: Vec<String> = tokens.iter().map(|token| format!("{token:?}")).collect();
        (names.len(), list(&names))
    };
    let moved = old
        .iter()
        .filter(|(token, id)| new.get(*token).is_some_and(|other| other != *id));
    let removed = old.keys().filter(|token| !new.contains_key(*token));
    let added = new.keys().filter(|token| !old.contains_key(*token));
    for (tokens, what) in [
        (quoted(moved.map(|(token, _)| token).collect()), "have another id"),
        (quoted(removed.collect()), "were removed"),
        (quoted(added.collect()), "were added"),
    ] {
        if let (1.., names) = tokens {
            let number = count(tokens.0, "token");
            push(
                reasons,
                Bump::Major,
                format!("{number} of the vocabulary {what}: {names}"),
            );
        }
    }
}

/// Vocabularies in files of their own, where there is no tokenizer.json to tell more.
fn compare_plain(step: &Step<'_>, reasons: &mut Vec<Reason>) {
    for path in PLAIN {
        if let (Some(old), Some(new)) = (step.old.text(path), step.new.text(path))
            && !old.lines().eq(new.lines())
        {
            push(
                reasons,
                Bump::Major,
                format!("{path} changed: text becomes other ids"),
            );
        }
    }
}

fn compare_binary(step: &Step<'_>, reasons: &mut Vec<Reason>) {
    for path in BINARY {
        if let (Some(old), Some(new)) = (step.old.file(path), step.new.file(path))
            && old.same_bytes(new) == Some(false)
        {
            let detail = format!("{path} changed; it is compared by digest, so other ids must be assumed");
            push(reasons, Bump::Major, detail);
        }
    }
}

/// A vocabulary file that went: removed altogether, or one of several forms.
fn compare_presence(step: &Step<'_>, reasons: &mut Vec<Reason>) {
    let forms = |snapshot: &Snapshot<'_>| -> Vec<&str> {
        let known = ["tokenizer.json", "vocab.txt", "vocab.json"]
            .into_iter()
            .chain(BINARY);
        known.filter(|path| snapshot.file(path).is_some()).collect()
    };
    let (old, new) = (forms(step.old), forms(step.new));
    let removed: Vec<&&str> = old.iter().filter(|path| !new.contains(path)).collect();
    let added: Vec<&&str> = new.iter().filter(|path| !old.contains(path)).collect();
    if !removed.is_empty() {
        push(reasons, Bump::Major, format!("removed: {}", list(&removed)));
    }
    if !added.is_empty() {
        push(reasons, Bump::Minor, format!("added: {}", list(&added)));
    }
}

/// Which token plays which part. Padding is never attended to, so it may be fixed.
fn compare_special(step: &Step<'_>, reasons: &mut Vec<Reason>) {
    let role = |snapshot: &Snapshot<'_>, role: &str| {
        ["tokenizer_config.json", "special_tokens_map.json"]
            .iter()
            .find_map(|path| content(snapshot.json(path)?.get(role)?))
    };
    for (name, bump) in SPECIAL
        .iter()
        .map(|name| (*name, Bump::Major))
        .chain([("pad_token", Bump::Minor)])
    {
        let (old, new) = (role(step.old, name), role(step.new, name));
        let described_before = step.old.json("tokenizer_config.json").is_some();
        if old != new && described_before {
            let show = |token: &Option<String>| token.clone().unwrap_or_else(|| "absent".to_owned());
            push(reasons, bump, format!("{name} {} → {}", show(&old), show(&new)));
        }
    }
}

/// A special token is a string, or an object that holds one.
fn content(token: &Value) -> Option<String> {
    let text = token.as_str().or_else(|| token.get("content")?.as_str())?;
    Some(text.to_owned())
}

fn compare_settings(step: &Step<'_>, reasons: &mut Vec<Reason>) {
    let path = "tokenizer_config.json";
    let (Some(old), Some(new)) = (step.old.json(path), step.new.json(path)) else {
        return;
    };
    let (mut cutting, mut defaults, mut rest) = (Vec::new(), Vec::new(), Vec::new());
    for change in changed_keys(&old, &new) {
        let first = change.key.split('.').next().unwrap_or_default();
        match first {
            "chat_template" | "added_tokens_decoder" | "auto_map" => {}
            _ if SPECIAL.contains(&first) || first == "pad_token" => {}
            _ if CUTTING_KEYS.contains(&first) => cutting.push(change.describe()),
            "model_max_length" | "padding_side" | "truncation_side" | "clean_up_tokenization_spaces" => {
                defaults.push(change.describe());
            }
            _ => rest.push(change.describe()),
        }
    }
    for (changes, bump, what) in [
        (cutting, Bump::Major, "text becomes other ids"),
        (defaults, Bump::Minor, "defaults changed"),
        (rest, Bump::Patch, "bookkeeping"),
    ] {
        if !changes.is_empty() {
            push(reasons, bump, format!("{path}, {what}: {}", list(&changes)));
        }
    }
}
