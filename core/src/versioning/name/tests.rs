use super::*;
use proptest::prelude::*;

/// `text:kind text:kind`
fn cut(name: &str) -> String {
    let pieces = parse_name(name).segments;
    let pieces: Vec<String> = pieces
        .iter()
        .map(|segment| format!("{}:{}", segment.text, segment.kind.as_str()))
        .collect();
    pieces.join(" ")
}

#[test]
fn names_are_cut_into_segments() {
    for (name, segments) in [
        (
            "meta-llama/Llama-2-7b-chat-hf",
            "Llama-2:base-model 7b:size chat:task hf:description",
        ),
        (
            "mistralai/Mixtral-8x7B-Instruct-v0.1",
            "Mixtral:base-model 8x7B:size Instruct:training-mechanism v0.1:version",
        ),
        (
            "x/distilbert-base-uncased-finetuned-emotion",
            "distilbert-base-uncased:base-model finetuned:variant-type emotion:dataset",
        ),
        (
            "google/gemma-2-2b-it",
            "gemma-2:base-model 2b:size it:training-mechanism",
        ),
        (
            "dbmdz/bert-base-italian-cased",
            "bert-base:base-model italian:language cased:description",
        ),
        (
            "a/Qwen2.5-7B-Instruct-GGUF-Q4_K_M",
            "Qwen2.5:base-model 7B:size Instruct:training-mechanism GGUF:variant-type Q4_K_M:variant-type",
        ),
        (
            "a/Sparse_2024-03-01",
            "Sparse:training-mechanism 2024-03-01:creation-date",
        ),
        ("a/foo-bar_2", "foo-bar_2:identifier"),
    ] {
        assert_eq!(cut(name), segments, "{name}");
    }
}

#[test]
fn odd_names_are_kept_whole() {
    assert_eq!(cut(""), "");
    assert_eq!(cut("--"), "--:ambiguous");
    assert_eq!(cut("a/"), "");
    assert_eq!(cut("模型-7b"), "模型:identifier 7b:size");
}

/// Walks through the name: every segment in order, separators only between them.
fn assert_nothing_lost(name: &str) {
    let parsed = parse_name(name);
    let mut rest = name.rsplit_once('/').map_or(name, |(_, name)| name);
    for segment in &parsed.segments {
        let at = rest.find(&segment.text).expect("segment stands in the name");
        assert!(
            rest[..at]
                .chars()
                .all(|c| c.is_ascii_punctuation() || c.is_ascii_whitespace()),
            "{name:?}: {parsed:?}"
        );
        rest = &rest[at + segment.text.len()..];
    }
    assert!(
        rest.chars()
            .all(|c| c.is_ascii_punctuation() || c.is_ascii_whitespace()),
        "{name:?}: {parsed:?}"
    );
    // Neighbours of one kind count once, and words of no meaning not at all.
    let kinds = parsed.convention.matches('{').count();
    assert!(kinds <= parsed.segments.len(), "{name:?}: {parsed:?}");
    assert_eq!(kinds == 0, parsed.segments.is_empty(), "{name:?}: {parsed:?}");
}

proptest! {
    #[test]
    fn no_name_panics_or_loses_characters(name in "\\PC{0,60}") {
        assert_nothing_lost(&name);
    }

    #[test]
    fn no_usual_name_loses_characters(name in "[a-zA-Z0-9._-]{0,8}(-|_|\\.)?(v?[0-9.]{1,5}|[0-9]{1,3}[bBmMkK]|base|llama)?[a-zA-Z0-9._-]{0,20}") {
        assert_nothing_lost(&name);
    }
}
