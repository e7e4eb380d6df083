//! Weights: did tensor values change, which, and by how much?
//!
//! Fingerprints answer in full. Without them, equal digests of the weight files prove that nothing changed; unequal ones
//! prove nothing, since a re-shard changes every file and no value.

mod align;
mod files;

use super::{count, list};
use crate::fingerprint::{Fingerprint, TensorFingerprint};
use crate::versioning::{Bump, Reason, Snapshot};
use align::{Aligned, align};

/// What the weights say of a step.
pub(in crate::versioning) struct WeightsOutcome {
    /// `None` when values could not be compared.
    pub changed: Option<bool>,
    pub reasons: Vec<Reason>,
}

impl WeightsOutcome {
    fn new(changed: Option<bool>, reasons: Vec<Reason>) -> Self {
        Self { changed, reasons }
    }
}

/// Compares the weights of two snapshots.
pub(in crate::versioning) fn compare(old: &Snapshot<'_>, new: &Snapshot<'_>) -> WeightsOutcome {
    let (Some(before), Some(after)) = (old.fingerprint, new.fingerprint) else {
        return files::compare(old, new);
    };
    if before.layout.container != after.layout.container {
        // Read from another container, though the files read before may be there still.
        let by_files = files::compare(old, new);
        if by_files.changed == Some(false) {
            return by_files;
        }
    }
    let aligned = align(before, after);
    let mut reasons = architecture_reasons(&aligned);
    reasons.extend(rename_reasons(before, after, &aligned));
    match (&before.model_digest, &after.model_digest) {
        (Some(a), Some(b)) if a == b => same_values(old, new, &aligned, reasons, &after.layout.container),
        (Some(_), Some(_)) => changed_values(before, after, &aligned, reasons),
        _ if !reasons.is_empty() => WeightsOutcome::new(Some(true), reasons),
        _ => files::compare(old, new),
    }
}

/// Every tensor is there on both sides, bit for bit; names may differ.
fn same_values(
    old: &Snapshot<'_>,
    new: &Snapshot<'_>,
    aligned: &Aligned<'_>,
    mut reasons: Vec<Reason>,
    container: &str,
) -> WeightsOutcome {
    if reasons.is_empty() && files::differ(old, new, container) {
        let tensors = count(aligned.pairs.len(), "tensor");
        reasons.push(Reason::new(
            "weights",
            Bump::Patch,
            format!("weight files were packed anew; all {tensors} are bit for bit the same"),
        ));
    }
    WeightsOutcome::new(Some(false), reasons)
}

/// Loaders ask for tensors by name. A prefix is looked through by the usual loaders, and another container brings its own
/// names; any other rename breaks whoever loads the file.
fn rename_reasons(before: &Fingerprint, after: &Fingerprint, aligned: &Aligned<'_>) -> Vec<Reason> {
    if aligned.renamed.is_empty() && aligned.prefix.is_none() {
        return Vec::new();
    }
    if let Some(prefix) = &aligned.prefix {
        let detail = format!("tensor names differ by the prefix {prefix:?} only; the values are the same");
        return vec![Reason::new("weights", Bump::Patch, detail)];
    }
    let renamed = count(aligned.renamed.len(), "tensor");
    let (a, b) = aligned.renamed[0];
    let example = format!("{} → {}", a.name, b.name);
    if before.layout.container != after.layout.container {
        let detail = format!("{renamed} renamed by another container, values the same: {example}");
        return vec![Reason::new("weights", Bump::Patch, detail)];
    }
    let detail = format!("{renamed} renamed, so loading by name breaks: {example}");
    vec![Reason::new("weights", Bump::Major, detail)]
}

/// Tensors that came, went or took another shape: what was loaded before no longer fits.
fn architecture_reasons(aligned: &Aligned<'_>) -> Vec<Reason> {
    let mut reasons = Vec::new();
    let mut push = |bump, detail| reasons.push(Reason::new("architecture", bump, detail));
    if !aligned.reshaped.is_empty() {
        let shown: Vec<String> = aligned
            .reshaped
            .iter()
            .map(|(a, b)| format!("{} {:?} → {:?}", a.name, a.shape, b.shape))
            .collect();
        let number = count(shown.len(), "tensor");
        push(
            Bump::Major,
            format!("{number} took another shape: {}", list(&shown)),
        );
    }
    for (tensors, what) in [(&aligned.removed, "removed"), (&aligned.added, "added")] {
        let names: Vec<&str> = tensors.iter().map(|tensor| tensor.name.as_str()).collect();
        if !names.is_empty() {
            let number = count(names.len(), "tensor");
            push(Bump::Major, format!("{number} {what}: {}", list(&names)));
        }
    }
    if !aligned.implied.is_empty() {
        let names: Vec<&str> = aligned
            .implied
            .iter()
            .map(|tensor| tensor.name.as_str())
            .collect();
        push(
            Bump::Patch,
            format!("tensors that loaders rebuild came or went: {}", list(&names)),
        );
    }
    reasons
}

/// The model digests differ: tell a lossless cast from changed values.
fn changed_values(
    before: &Fingerprint,
    after: &Fingerprint,
    aligned: &Aligned<'_>,
    mut reasons: Vec<Reason>,
) -> WeightsOutcome {
    let changed: Vec<_> = aligned.pairs.iter().filter(|pair| !same_value(pair)).collect();
    let recast: Vec<_> = aligned
        .pairs
        .iter()
        .filter(|pair| same_value(pair) && pair.0.digest != pair.1.digest)
        .collect();
    if let Some((a, b)) = recast.first() {
        let detail = format!(
            "{} cast from {:?} to {:?} without loss: every value is the same",
            count(recast.len(), "tensor"),
            a.dtype,
            b.dtype
        );
        reasons.push(Reason::new("weights", Bump::Patch, detail));
    }
    if !changed.is_empty() {
        let mut detail = describe_change(aligned, &changed);
        if let Some(technique) = technique(before, after, aligned) {
            detail += &technique;
        }
        reasons.push(Reason::new("weights", Bump::Minor, detail));
    }
    let structural = reasons.iter().any(|reason| reason.bump == Bump::Major);
    WeightsOutcome::new(Some(!changed.is_empty() || structural), reasons)
}

type Pair<'a> = (&'a TensorFingerprint, &'a TensorFingerprint);

fn same_value((a, b): &Pair<'_>) -> bool {
    a.digest == b.digest || (a.value_digest.is_some() && a.value_digest == b.value_digest)
}

/// `12 of 34 tensors changed, by 0.41 % of their norm (estimated from sketches); most: h.0.weight by 3.1 %`
fn describe_change(aligned: &Aligned<'_>, changed: &[&Pair<'_>]) -> String {
    let mut detail = format!(
        "{} of {} changed value",
        changed.len(),
        count(aligned.pairs.len(), "tensor")
    );
    if let Some((whole, name, most)) = relative_change(aligned, changed) {
        detail += &format!(
            ", by {} of the norm of all weights (estimated from sketches); most: {name} by {}",
            percent(whole),
            percent(most)
        );
    }
    let (a, b) = changed[0];
    if a.dtype != b.dtype {
        detail += &format!("; dtype {:?} → {:?} lost precision", a.dtype, b.dtype);
    }
    detail
}

/// `; looks like finetune (lora-merged)`: what lineage makes of the step. Only where the shapes stayed the same, since another
/// architecture has been named already.
fn technique(before: &Fingerprint, after: &Fingerprint, aligned: &Aligned<'_>) -> Option<String> {
    let kept = aligned.removed.is_empty() && aligned.added.is_empty() && aligned.reshaped.is_empty();
    let outcome = kept.then(|| crate::lineage::compare_pair(before, after))?;
    if outcome.relation == crate::lineage::Relation::Unrelated {
        return Some("; looks unrelated to the weights before".to_owned());
    }
    let relation = format!("{:?}", outcome.relation).to_lowercase();
    Some(format!("; looks like {relation} ({})", outcome.technique))
}

/// The norm of the delta over the norm of all weights, and the tensor that moved most. Linear sketches subtract, and keep norms.
fn relative_change<'a>(aligned: &Aligned<'a>, changed: &[&Pair<'a>]) -> Option<(f64, &'a str, f64)> {
    let total: f64 = aligned
        .pairs
        .iter()
        .filter_map(|(a, _)| a.stats.as_ref())
        .map(|stats| stats.l2.powi(2))
        .sum();
    let mut delta = 0.0;
    let mut most: Option<(&str, f64)> = None;
    for (a, b) in changed {
        let squared = squared_distance(a, b)?;
        delta += squared;
        let norm = a.stats.as_ref()?.l2;
        let relative = squared.sqrt() / norm;
        if norm > 0.0 && most.is_none_or(|(_, so_far)| relative > so_far) {
            most = Some((&a.name, relative));
        }
    }
    let (name, relative) = most?;
    (total > 0.0).then(|| ((delta / total).sqrt(), name, relative))
}

fn squared_distance(a: &TensorFingerprint, b: &TensorFingerprint) -> Option<f64> {
    Some(b.sketch.as_ref()?.minus(a.sketch.as_ref()?).norm_squared())
}

fn percent(share: f64) -> String {
    let percent = share * 100.0;
    match percent {
        _ if percent >= 10.0 => format!("{percent:.0} %"),
        _ if percent >= 0.1 => format!("{percent:.1} %"),
        _ => format!("{percent:.1e} %"),
    }
}
