//! docs/versioning.md against the code: every row of the table of changes is tried, and nothing is tried that has no row.

use super::super::*;
use super::bumps::{fingerprint, package};
use semver::Version;
use std::collections::BTreeSet;

const DOCUMENT: &str = include_str!("../../../../docs/versioning.md");

/// `(kind, bump)` pairs of the table in section 2. A row may name two bumps: `major / minor`.
fn documented() -> BTreeSet<(String, Bump)> {
    let section = DOCUMENT.split("## 2. Kinds of change").nth(1).unwrap_or_default();
    let section = section.split("\n## ").next().unwrap_or_default();
    let rows = section.lines().filter(|line| line.starts_with("| ")).skip(1);
    let mut pairs = BTreeSet::new();
    for row in rows {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        for bump in cells[3].split(" / ") {
            let bump = bump.parse().unwrap_or_else(|error| panic!("{row}: {error}"));
            pairs.insert((cells[1].replace(' ', "_"), bump));
        }
    }
    pairs
}

/// A change of one text file, as `old` and `new`; an empty side means that the file is not there.
fn texts(path: &str, old: &str, new: &str) -> BumpDecision {
    let side = |text: &str| match text {
        "" => package(&[]),
        text => package(&[(path, text)]),
    };
    decide_bump(&side(old), &side(new))
}

fn files(old: &[(&str, &str)], new: &[(&str, &str)]) -> BumpDecision {
    decide_bump(&package(old), &package(new))
}

/// A change of weights under one file name.
fn weights(old: &[(&str, &[u64], &str)], new: &[(&str, &[u64], &str)]) -> BumpDecision {
    let (old, new) = (fingerprint(old), fingerprint(new));
    let before = Snapshot {
        fingerprint: Some(&old),
        ..package(&[("model.safetensors", "1")])
    };
    let after = Snapshot {
        fingerprint: Some(&new),
        ..package(&[("model.safetensors", "2")])
    };
    decide_bump(&before, &after)
}

/// One decision for each kind of change and bump, at least.
fn decisions() -> Vec<BumpDecision> {
    const BODY: (&str, &[u64], &str) = ("body", &[4], "b");
    let card = |front: &str| format!("---\n{front}\n---\n# Model\n");
    let mut decisions = weight_decisions(BODY);
    decisions.extend(document_decisions(card));
    decisions.extend(loading_decisions());
    decisions
}

fn weight_decisions(body: (&str, &'static [u64], &str)) -> Vec<BumpDecision> {
    let head = ("head", [2_u64].as_slice(), "h");
    vec![
        weights(&[body], &[("body", &[4], "c")]),
        weights(&[body], &[body]),
        weights(&[body, head], &[("trunk", &[4], "b"), ("top", &[2], "h")]),
        weights(&[body], &[body, head]),
        weights(&[body], &[body, ("rope.inv_freq", &[4], "i")]),
        files(&[("a.safetensors", "1")], &[("a.safetensors", "2")]),
        files(
            &[("a.safetensors", "1"), ("a.onnx", "2")],
            &[("a.safetensors", "1")],
        ),
        files(
            &[("a.safetensors", "1")],
            &[("a.safetensors", "1"), ("a.onnx", "2")],
        ),
        files(&[("a.q4.gguf", "1")], &[("b.q4.gguf", "1")]),
        left_behind(),
    ]
}

/// The safetensors weights changed, and the ONNX file beside them did not.
fn left_behind() -> BumpDecision {
    let (old, new) = (
        fingerprint(&[("body", &[4], "b")]),
        fingerprint(&[("body", &[4], "c")]),
    );
    let before = Snapshot {
        fingerprint: Some(&old),
        ..package(&[("model.safetensors", "1"), ("half.onnx", "1")])
    };
    let after = Snapshot {
        fingerprint: Some(&new),
        ..package(&[("model.safetensors", "2"), ("half.onnx", "1")])
    };
    decide_bump(&before, &after)
}

fn document_decisions(card: impl Fn(&str) -> String) -> Vec<BumpDecision> {
    let base = |name: &str, digest: &'static str| {
        let readme = card(&format!("base_model: {name}"));
        decide_bump(
            &package(&[("README.md", &card("base_model: a/b")), ("m.safetensors", "1")]),
            &package(&[("README.md", &readme), ("m.safetensors", digest)]),
        )
    };
    vec![
        texts("README.md", &card("license: mit"), &card("license: cc-by-nc-4.0")),
        texts("README.md", &card("license: cc-by-nc-4.0"), &card("license: mit")),
        texts("LICENSE", "one", "two"),
        base("a/c", "2"),
        base("a/c", "1"),
        texts("README.md", &card("datasets: a"), &card("datasets: b")),
        texts("README.md", &card("metrics: a"), &card("metrics: b")),
        files(&[("notes.csv", "1")], &[("notes.csv", "2")]),
        files(&[("trainer_state.json", "1")], &[("trainer_state.json", "2")]),
        decide_bump(
            &Snapshot {
                texts: [].into(),
                ..package(&[("config.json", "{}")])
            },
            &Snapshot {
                texts: [].into(),
                ..package(&[("config.json", "{ }")])
            },
        ),
    ]
}

fn loading_decisions() -> Vec<BumpDecision> {
    let config = |old: &str, new: &str| texts("config.json", old, new);
    let vocabulary = |vocab: &str| format!(r#"{{"model": {{"vocab": {vocab}}}}}"#);
    let ports = |shape: &str, opset: u32| {
        format!(
            r#"{{"opset_version": {opset}, "metadata": {{"io_ports": {{"inputs": [{{"name": "x", "shape": {shape}, "type": "f"}}]}}}}}}"#
        )
    };
    let manifest = |old: (&str, u32), new: (&str, u32)| {
        texts(
            "ONNX_HUB_MANIFEST.json",
            &ports(old.0, old.1),
            &ports(new.0, new.1),
        )
    };
    vec![
        config(r#"{"hidden_size": 1}"#, r#"{"hidden_size": 2}"#),
        config(
            r#"{"quantization_config": {"bits": 4}}"#,
            r#"{"quantization_config": {"bits": 8}}"#,
        ),
        config(r#"{"rope_theta": 1}"#, r#"{"rope_theta": 2}"#),
        config(r#"{"torch_dtype": "a"}"#, r#"{"torch_dtype": "b"}"#),
        config(r#"{"id2label": {"0": "a"}}"#, r#"{"id2label": {"0": "b"}}"#),
        config("{}", r#"{"auto_map": {"AutoModel": "m.M"}}"#),
        config(r#"{"auto_map": {"AutoModel": "m.M"}}"#, "{}"),
        texts("modeling.py", "1", "2"),
        texts(
            "tokenizer.json",
            &vocabulary(r#"{"a": 0}"#),
            &vocabulary(r#"{"a": 1}"#),
        ),
        texts(
            "tokenizer_config.json",
            r#"{"padding_side": "left"}"#,
            r#"{"padding_side": "right"}"#,
        ),
        texts(
            "tokenizer_config.json",
            r#"{"tokenizer_class": "A"}"#,
            r#"{"tokenizer_class": "B"}"#,
        ),
        texts("chat_template.jinja", "a", "b"),
        texts("chat_template.jinja", "a", ""),
        texts("generation_config.json", r#"{"top_p": 1}"#, r#"{"top_p": 0.9}"#),
        texts("preprocessor_config.json", r#"{"size": 224}"#, r#"{"size": 336}"#),
        texts(
            "preprocessor_config.json",
            r#"{"image_mean": 1}"#,
            r#"{"image_mean": 2}"#,
        ),
        texts(
            "preprocessor_config.json",
            r#"{"processor_class": "A"}"#,
            r#"{"processor_class": "B"}"#,
        ),
        manifest(("[1]", 9), ("[2]", 9)),
        manifest(("[1]", 9), (r#"["N"]"#, 9)),
        manifest(("[1]", 9), ("[1]", 8)),
    ]
}

#[test]
fn every_documented_change_is_found_and_every_found_one_documented() {
    let found: BTreeSet<(String, Bump)> = decisions()
        .into_iter()
        .flat_map(|decision| decision.reasons)
        .map(|reason| (reason.kind, reason.bump))
        .collect();
    let documented = documented();
    let untried: Vec<_> = documented.difference(&found).collect();
    let undocumented: Vec<_> = found.difference(&documented).collect();
    assert!(
        untried.is_empty(),
        "rows of docs/versioning.md that nothing here brings about: {untried:?}"
    );
    assert!(
        undocumented.is_empty(),
        "found, and without a row in docs/versioning.md: {undocumented:?}"
    );
}

/// Section 6: the versions of the worked examples follow from one another by the bumps that the table gives.
#[test]
fn the_worked_examples_add_up() {
    let section = DOCUMENT.split("## 6. Worked examples").nth(1).unwrap_or_default();
    let section = section.split("\n## ").next().unwrap_or_default();
    let mut steps = 0;
    for row in section.lines().filter(|line| line.starts_with("| ")).skip(1) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let versions: Vec<Version> = cells[3]
            .split([' ', ','])
            .filter_map(|word| word.parse().ok())
            .collect();
        let [from, to, ..] = versions.as_slice() else {
            continue;
        };
        let reached = [Bump::Patch, Bump::Minor, Bump::Major]
            .into_iter()
            .any(|bump| next_version(from, bump) == *to);
        assert!(reached, "{row}: no bump leads from {from} to {to}");
        steps += 1;
    }
    assert!(steps >= 10, "{steps} examples were read");
}
