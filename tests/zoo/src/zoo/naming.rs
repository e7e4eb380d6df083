//! Package names that say nothing of the technique, or mislead; and the names whose segments the truth knows.

use crate::truth::Name;
use rand::Rng;
use rand::seq::IndexedRandom;

const OWNERS: [&str; 7] = ["amber", "basalt", "cobalt", "dune", "ember", "fjord", "garnet"];
const WORDS: [&str; 16] = [
    "atlas", "birch", "comet", "delta", "echo", "flint", "grove", "harbor", "iris", "juniper", "kite",
    "lumen", "maple", "nova", "onyx", "pine",
];
/// Endings that promise something; given to one package in eight, whatever it is.
const PROMISES: [&str; 6] = ["int8", "merged", "finetuned", "v2", "GGUF", "pruned"];

/// `owner/type-word-serial`, sometimes with a promise.
pub fn package_name(model_type: &str, serial: u32, rng: &mut impl Rng) -> String {
    let mut pick = |words: &[&'static str]| words.choose(rng).copied().unwrap_or("none");
    let (owner, word, promise) = (pick(&OWNERS), pick(&WORDS), pick(&PROMISES));
    let ending = if rng.random_ratio(1, 8) {
        format!("-{promise}")
    } else {
        String::new()
    };
    format!("{owner}/{model_type}-{word}-{serial}{ending}")
}

/// Names whose segments nobody would argue about.
pub fn cut_names() -> Vec<Name> {
    [
        (
            "meta-llama/llama-7b",
            &[("llama", "base_model"), ("7b", "size")][..],
        ),
        (
            "mistralai/mistral-7b-v0.1",
            &[("mistral", "base_model"), ("7b", "size"), ("v0.1", "version")],
        ),
        (
            "someone/roberta-large-squad2",
            &[
                ("roberta", "base_model"),
                ("large", "size"),
                ("squad2", "dataset"),
            ],
        ),
        (
            "someone/t5-small-finetuned-xsum",
            &[
                ("t5", "base_model"),
                ("small", "size"),
                ("finetuned", "variant_type"),
                ("xsum", "dataset"),
            ],
        ),
        (
            "someone/bert-base-german",
            &[("bert", "base_model"), ("base", "size"), ("german", "language")],
        ),
        (
            "someone/llama-13b-gptq",
            &[("llama", "base_model"), ("13b", "size"), ("gptq", "variant_type")],
        ),
        (
            "someone/vit-large-imagenet",
            &[("vit", "base_model"), ("large", "size"), ("imagenet", "dataset")],
        ),
        (
            "someone/gpt2-medium-japanese",
            &[
                ("gpt2", "base_model"),
                ("medium", "size"),
                ("japanese", "language"),
            ],
        ),
        (
            "someone/whisper-small-french",
            &[
                ("whisper", "base_model"),
                ("small", "size"),
                ("french", "language"),
            ],
        ),
        (
            "someone/bert-base-ner",
            &[("bert", "base_model"), ("base", "size"), ("ner", "task")],
        ),
        (
            "someone/qwen-7b-int4",
            &[("qwen", "base_model"), ("7b", "size"), ("int4", "variant_type")],
        ),
        (
            "someone/gpt2-finetuned-v2",
            &[
                ("gpt2", "base_model"),
                ("finetuned", "variant_type"),
                ("v2", "version"),
            ],
        ),
    ]
    .into_iter()
    .map(|(name, segments)| Name {
        name: name.to_owned(),
        segments: segments
            .iter()
            .map(|(text, kind)| [(*text).to_owned(), (*kind).to_owned()])
            .collect(),
    })
    .collect()
}
