//! Adapters: small models that only mean something on top of another. They share no values with it: names and shapes must fit.

use super::super::Relation;
use super::super::evidence::{Evidence, share};
use super::Decision;
use crate::fingerprint::{Fingerprint, TensorFingerprint, View};

/// Share of the adapter's tensors that must fit the base.
const FIT: f64 = 0.9;
/// Largest adapter, as a share of its base.
const LARGEST: f64 = 0.6;

/// The kind of adapter that a model's tensor names show.
pub(in super::super) fn adapter_kind(fingerprint: &Fingerprint) -> Option<&'static str> {
    let any = |words: &[&str]| {
        fingerprint
            .tensors
            .iter()
            .any(|tensor| words.iter().any(|word| tensor.name.contains(word)))
    };
    if any(&["lora_magnitude_vector", "dora_scale"]) {
        return Some("dora");
    }
    if any(&["lora_A", "lora_down", "lora_a."]) {
        return Some("lora");
    }
    if any(&["ia3_"]) {
        return Some("ia3");
    }
    if any(&["prompt_embeddings", "prefix_encoder", "soft_prompt"]) {
        return Some("prompt");
    }
    let only_state = fingerprint.tensors.len() <= 4
        && fingerprint
            .tensors
            .iter()
            .all(|tensor| tensor.name.contains("state"));
    (only_state && !fingerprint.tensors.is_empty()).then_some("state")
}

pub(super) fn recognise(evidence: &Evidence<'_>) -> Option<Decision> {
    let (base, adapter) = (evidence.parent, evidence.child);
    let kind = adapter_kind(adapter)?;
    let fit = fit(base, adapter)?;
    let because = match kind {
        "prompt" | "state" => "Its width is the model's; nothing else in it could tell a base.".to_owned(),
        _ => format!(
            "{:.0} % of its tensors name a module of the base and have its shape.",
            fit * 100.0
        ),
    };
    let mut decision = Decision::new(Relation::Adapter, kind, 0.9, because).with_feature(
        "adapter_fit",
        fit,
        "tensors of the adapter that fit a module of the base, as a share",
    );
    let first = adapter.tensors.iter().find(|tensor| is_down(&tensor.name));
    if let Some(rank) = first.and_then(|tensor| tensor.shape.first()) {
        decision = decision.with("rank", *rank);
    }
    if let (Some(distance), "dora") = (magnitude_distance(base, adapter), kind) {
        decision.confidence = if distance < 0.2 { 0.9 } else { 0.4 };
        decision = decision.with_feature(
            "magnitude_distance",
            distance,
            "relative gap of magnitudes to the base's row norms",
        );
    }
    if kind == "prompt"
        && let Some([tokens, _]) = adapter.tensors.first().map(|tensor| tensor.shape.as_slice())
    {
        decision = decision.with("tokens", *tokens);
    }
    Some(decision)
}

fn is_down(name: &str) -> bool {
    name.contains("lora_A") || name.contains("lora_down") || name.contains("lora_a.")
}

/// Share of the adapter's tensors that fit the base, if it can be the base at all.
pub(in super::super) fn fit(base: &Fingerprint, adapter: &Fingerprint) -> Option<f64> {
    let too_large = adapter.parameters as f64 > LARGEST * base.parameters as f64;
    if too_large || adapter_kind(base).is_some() {
        return None;
    }
    let fitting = adapter.tensors.iter().filter(|tensor| fits(base, tensor)).count();
    let fit = share(fitting as f64, adapter.tensors.len() as f64);
    (fit >= FIT).then_some(fit)
}

fn fits(base: &Fingerprint, tensor: &TensorFingerprint) -> bool {
    let Some(module) = module_of(&tensor.name) else {
        return fits_width(base, tensor);
    };
    let Some(weight) = find_weight(base, module) else {
        return false;
    };
    let view = View::of(&weight.shape);
    let own = View::of(&tensor.shape);
    if is_down(&tensor.name) {
        return own.cols == view.cols || own.cols == view.rows;
    }
    let length = if own.is_vector() { own.elements() } else { own.rows };
    length == view.rows || length == view.cols || Some(&length) == weight.shape.get(1)
}

/// The module an adapter tensor belongs to, without wrapping prefixes.
fn module_of(name: &str) -> Option<&str> {
    let end = [".lora_", ".ia3_", ".dora_"]
        .iter()
        .filter_map(|marker| name.find(marker))
        .min()?;
    Some(
        name[..end]
            .trim_start_matches("base_model.model.")
            .trim_start_matches("model."),
    )
}

fn find_weight<'f>(base: &'f Fingerprint, module: &str) -> Option<&'f TensorFingerprint> {
    base.tensors.iter().find(|tensor| {
        let bare = tensor.name.trim_end_matches(".weight");
        bare == module || bare.strip_suffix(module).is_some_and(|rest| rest.ends_with('.'))
    })
}

/// Prompts: as wide as an embedding. States: as wide as many of the base's tensors.
fn fits_width(base: &Fingerprint, tensor: &TensorFingerprint) -> bool {
    let Some(width) = tensor.shape.last().filter(|width| **width > 1) else {
        return false;
    };
    let as_wide = |candidate: &&TensorFingerprint| candidate.shape.last() == Some(width);
    if tensor.name.contains("state") {
        return base.tensors.iter().filter(as_wide).count() >= 2;
    }
    let is_embedding = |name: &str| ["embed", "wte", "token"].iter().any(|word| name.contains(word));
    let mut embeddings = base.tensors.iter().filter(|tensor| {
        is_embedding(&tensor.name.to_ascii_lowercase()) && !View::of(&tensor.shape).is_vector()
    });
    embeddings.any(|embedding| as_wide(&embedding))
}

/// DoRA keeps the norms of the base's rows: how far they are from this base's.
pub(in super::super) fn magnitude_distance(base: &Fingerprint, adapter: &Fingerprint) -> Option<f64> {
    let (mut gap, mut count) = (0.0, 0.0);
    for tensor in adapter
        .tensors
        .iter()
        .filter(|tensor| tensor.name.contains("magnitude"))
    {
        let weight = find_weight(base, module_of(&tensor.name)?)?.stats.as_ref()?;
        let magnitude = tensor.stats.as_ref()?;
        let median = f64::from(weight.row_norms[2]);
        // the norm over all magnitudes is the norm of the whole matrix
        gap += (magnitude.l2 - weight.l2).abs() / weight.l2.max(median).max(f64::MIN_POSITIVE);
        count += 1.0;
    }
    (count > 0.0).then(|| gap / count)
}
