use super::super::*;
use crate::fingerprint::{FINGERPRINT_VERSION, Fingerprint, Layout, Level, TensorFingerprint};
use crate::weights::Dtype;
use sha2::Digest;

/// A fingerprint of `(name, shape, value)`: equal values have equal digests.
pub(super) fn fingerprint(tensors: &[(&str, &[u64], &str)]) -> Fingerprint {
    typed(Dtype::F32, tensors)
}

fn typed(dtype: Dtype, tensors: &[(&str, &[u64], &str)]) -> Fingerprint {
    let tensors: Vec<TensorFingerprint> = tensors
        .iter()
        .map(|(name, shape, value)| TensorFingerprint {
            name: (*name).to_owned(),
            dtype,
            shape: shape.to_vec(),
            packing: None,
            digest: Some(format!("{dtype:?} {shape:?} {value}")),
            value_digest: Some(format!("{shape:?} {value}")),
            stats: None,
            sketch: None,
            invariants: None,
            probe: None,
        })
        .collect();
    let mut digests: Vec<String> = tensors
        .iter()
        .filter_map(|tensor| tensor.digest.clone())
        .collect();
    digests.sort();
    Fingerprint {
        version: FINGERPRINT_VERSION,
        level: Level::Full,
        parameters: 0,
        bytes: 0,
        layout: Layout {
            container: "safetensors".to_owned(),
            files: 1,
        },
        model_digest: Some(hex::encode(digests.join(" "))),
        named_digest: None,
        architecture: String::new(),
        findings: Vec::new(),
        tensors,
    }
}

/// A package of small texts; `path=digest` entries are files without text.
pub(super) fn package<'a>(entries: &[(&str, &str)]) -> Snapshot<'a> {
    let mut snapshot = Snapshot::default();
    for (path, content) in entries {
        snapshot.files.push(SnapshotFile {
            path: (*path).to_owned(),
            size: None,
            digest: Some(hex::encode(sha2::Sha256::digest(content))),
        });
        let is_text = !path.ends_with(".safetensors") && !path.ends_with(".bin") && !path.ends_with(".onnx");
        if is_text {
            snapshot.texts.insert((*path).to_owned(), (*content).to_owned());
        }
    }
    snapshot
}

fn check(old: &Snapshot<'_>, new: &Snapshot<'_>, kind: &str, bump: Bump) {
    let decision = decide_bump(old, new);
    assert_eq!(decision.bump, bump, "{:#?}", decision.reasons);
    let kinds: Vec<&str> = decision
        .reasons
        .iter()
        .map(|reason| reason.kind.as_str())
        .collect();
    assert!(kinds.contains(&kind), "{kind} is not among {kinds:?}");
}

fn check_texts(path: &str, old: &str, new: &str, kind: &str, bump: Bump) {
    check(&package(&[(path, old)]), &package(&[(path, new)]), kind, bump);
}

fn check_weights(old: &Fingerprint, new: &Fingerprint, bump: Bump, changed: bool) {
    let side = |fingerprint, digest: &'static str| Snapshot {
        fingerprint: Some(fingerprint),
        ..package(&[("model.safetensors", digest)])
    };
    let decision = decide_bump(&side(old, "aa"), &side(new, "bb"));
    assert_eq!(decision.bump, bump, "{:#?}", decision.reasons);
    assert_eq!(decision.weights_changed, Some(changed));
    assert_eq!(decision.silent, changed);
}

const HEAD: (&str, &[u64], &str) = ("head", &[2, 4], "h");
const BODY: (&str, &[u64], &str) = ("body", &[4, 4], "b");

#[test]
fn equal_values_are_a_patch() {
    let base = fingerprint(&[BODY, HEAD]);
    check_weights(&base, &base, Bump::Patch, false);
    check_weights(&base, &typed(Dtype::F64, &[BODY, HEAD]), Bump::Patch, false);
    let prefixed = fingerprint(&[("model.body", &[4, 4], "b"), ("model.head", &[2, 4], "h")]);
    check_weights(&base, &prefixed, Bump::Patch, false);
}

#[test]
fn a_tied_copy_or_a_rebuilt_buffer_may_come_and_go() {
    let tied = fingerprint(&[BODY, HEAD, ("lm_head", &[4, 4], "b")]);
    check_weights(&tied, &fingerprint(&[BODY, HEAD]), Bump::Patch, false);
    let buffer = fingerprint(&[BODY, HEAD, ("embeddings.position_ids", &[1, 8], "p")]);
    check_weights(&buffer, &fingerprint(&[BODY, HEAD]), Bump::Patch, false);
}

#[test]
fn what_no_longer_loads_is_major() {
    let base = fingerprint(&[BODY, HEAD]);
    check_weights(&base, &fingerprint(&[BODY]), Bump::Major, true);
    check_weights(
        &base,
        &fingerprint(&[BODY, ("head", &[3, 4], "h")]),
        Bump::Major,
        true,
    );
    check_weights(
        &base,
        &fingerprint(&[BODY, HEAD, ("more", &[4], "m")]),
        Bump::Major,
        true,
    );
    let renamed = fingerprint(&[("trunk", &[4, 4], "b"), ("top", &[2, 4], "h")]);
    check_weights(&base, &renamed, Bump::Major, false);
}

#[test]
fn another_container_brings_its_own_names() {
    let (mut a, b) = (fingerprint(&[BODY]), fingerprint(&[("blk.0.body", &[4, 4], "b")]));
    a.layout.container = "bin".to_owned();
    let old = Snapshot {
        fingerprint: Some(&a),
        ..package(&[("pytorch_model.bin", "1")])
    };
    let new = Snapshot {
        fingerprint: Some(&b),
        ..package(&[("model.safetensors", "2")])
    };
    check(&old, &new, "weights", Bump::Patch);
    check(&old, &new, "format", Bump::Patch);
}

#[test]
fn a_variant_beside_untouched_weights_is_no_repacking() {
    let print = fingerprint(&[BODY]);
    let side = |files: &[(&str, &str)]| Snapshot {
        fingerprint: Some(&print),
        ..package(files)
    };
    let old = side(&[("model.safetensors", "1"), ("model.onnx", "2")]);
    let new = side(&[
        ("model.safetensors", "1"),
        ("model.onnx", "2"),
        ("half.onnx", "3"),
    ]);
    let decision = decide_bump(&old, &new);
    let kinds: Vec<&str> = decision
        .reasons
        .iter()
        .map(|reason| reason.kind.as_str())
        .collect();
    assert_eq!(kinds, ["format"]);
}

#[test]
fn without_fingerprints_only_equal_bytes_prove_anything() {
    let old = package(&[("model.safetensors", "1"), ("README.md", "a")]);
    let same = package(&[("model.safetensors", "1"), ("README.md", "b")]);
    let changed = package(&[("model.safetensors", "2"), ("README.md", "a")]);
    let resharded = package(&[
        ("model-00001-of-00002.safetensors", "3"),
        ("model-00002-of-00002.safetensors", "4"),
    ]);
    assert_eq!(decide_bump(&old, &same).weights_changed, Some(false));
    assert_eq!(decide_bump(&old, &changed).weights_changed, None);
    assert_eq!(decide_bump(&old, &resharded).weights_changed, None);
    assert!(!decide_bump(&old, &changed).silent);
}

#[test]
fn formats_that_go_are_major_and_that_come_minor() {
    let both = package(&[("model.safetensors", "1"), ("model.onnx", "2")]);
    let one = package(&[("model.safetensors", "1")]);
    check(&both, &one, "format", Bump::Major);
    check(&one, &both, "format", Bump::Minor);
    let q4 = package(&[("m.q4_k_m.gguf", "1")]);
    let q4_q8 = package(&[("m.q4_k_m.gguf", "1"), ("m.q8_0.gguf", "2")]);
    check(&q4, &q4_q8, "format", Bump::Minor);
    check(&q4_q8, &q4, "format", Bump::Major);
}

#[test]
fn config_keys_have_their_class() {
    let path = "config.json";
    check_texts(
        path,
        r#"{"hidden_size": 4}"#,
        r#"{"hidden_size": 8}"#,
        "architecture",
        Bump::Major,
    );
    check_texts(
        path,
        r#"{"rope_theta": 1}"#,
        r#"{"rope_theta": 2}"#,
        "config",
        Bump::Minor,
    );
    check_texts(
        path,
        r#"{"torch_dtype": "a"}"#,
        r#"{"torch_dtype": "b"}"#,
        "config",
        Bump::Patch,
    );
    check_texts(
        path,
        r#"{"id2label": {"0": "a"}}"#,
        r#"{"id2label": {"0": "b"}}"#,
        "labels",
        Bump::Major,
    );
    check_texts(
        path,
        "{}",
        r#"{"auto_map": {"AutoModel": "m.M"}}"#,
        "code",
        Bump::Major,
    );
    check_texts(
        "generation_config.json",
        r#"{"top_p": 1}"#,
        r#"{"top_p": 0.9}"#,
        "generation",
        Bump::Patch,
    );
}

#[test]
fn token_ids_are_major_and_padding_is_not() {
    let path = "tokenizer.json";
    let with = |vocab: &str| format!(r#"{{"model": {{"vocab": {vocab}, "merges": []}}}}"#);
    let old = with(r#"{"a": 0, "b": 1}"#);
    check_texts(path, &old, &with(r#"{"a": 1, "b": 0}"#), "tokenizer", Bump::Major);
    check_texts(
        path,
        &old,
        &with(r#"{"a": 0, "b": 1, "c": 2}"#),
        "tokenizer",
        Bump::Major,
    );
    let formatted = old.replace(": ", ":");
    assert_eq!(
        decide_bump(&package(&[(path, &old)]), &package(&[(path, &formatted)])).bump,
        Bump::None
    );
    let path = "tokenizer_config.json";
    check_texts(
        path,
        r#"{"pad_token": "a"}"#,
        r#"{"pad_token": "b"}"#,
        "tokenizer",
        Bump::Minor,
    );
    check_texts(
        path,
        r#"{"eos_token": "a"}"#,
        r#"{"eos_token": {"content": "b"}}"#,
        "tokenizer",
        Bump::Major,
    );
    check_texts(
        path,
        r#"{"chat_template": "a"}"#,
        r#"{"chat_template": "b"}"#,
        "chat_template",
        Bump::Patch,
    );
    check_texts(
        path,
        r#"{"chat_template": "a"}"#,
        "{}",
        "chat_template",
        Bump::Major,
    );
}

#[test]
fn a_template_that_moved_is_no_change() {
    let old = package(&[("tokenizer_config.json", r#"{"chat_template": "a"}"#)]);
    let new = package(&[("tokenizer_config.json", "{}"), ("chat_template.jinja", "a\n")]);
    assert_eq!(decide_bump(&old, &new).bump, Bump::None);
}

#[test]
fn cards_are_a_patch_and_licences_are_not() {
    let card = |front: &str| format!("---\n{front}\n---\n# Model\n");
    let path = "README.md";
    check_texts(path, "# Model\n", "# Models\n", "card", Bump::Patch);
    check_texts(
        path,
        &card("license: mit"),
        &card("license: cc-by-nc-4.0"),
        "licence",
        Bump::Major,
    );
    check_texts(
        path,
        &card("license: gpl-3.0"),
        &card("license: mit"),
        "licence",
        Bump::Patch,
    );
    check_texts(
        path,
        &card("datasets: a"),
        &card("datasets: b"),
        "card",
        Bump::Patch,
    );
    // No weight file changed, so the declaration was corrected.
    check_texts(
        path,
        &card("base_model: a/b"),
        &card("base_model: a/c"),
        "base_model",
        Bump::Patch,
    );
}

#[test]
fn another_base_under_other_weights_is_major() {
    let old = package(&[
        ("README.md", "---\nbase_model: a/b\n---\n"),
        ("model.safetensors", "1"),
    ]);
    let new = package(&[
        ("README.md", "---\nbase_model: a/c\n---\n"),
        ("model.safetensors", "2"),
    ]);
    check(&old, &new, "base_model", Bump::Major);
}

#[test]
fn leftovers_are_none_and_unread_files_are_not_overlooked() {
    let old = package(&[("trainer_state.json", "1")]);
    check(
        &old,
        &package(&[("trainer_state.json", "2")]),
        "files",
        Bump::None,
    );
    let mut before = package(&[("config.json", "{}")]);
    let mut after = package(&[("config.json", "{ }")]);
    before.texts.clear();
    after.texts.clear();
    check(&before, &after, "files", Bump::Minor);
}
