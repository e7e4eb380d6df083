//! Duplicates: the same values in other files, names, precision or order.

use super::super::Relation;
use super::super::evidence::{Elements, Evidence, TensorEvidence, common_rows, is_float};
use super::Decision;
use crate::fingerprint::TensorFingerprint;
use crate::weights::Dtype;

/// Share of probed elements that must be the parent's value rounded, for a cast.
const CAST_SHARE: f64 = 0.999;
/// Relative delta that rounding to bf16 can leave.
const ROUNDING: f64 = 0.004;

pub(super) fn recognise(evidence: &Evidence<'_>) -> Option<Decision> {
    let alignment = &evidence.alignment;
    let mut unmatched = alignment.parent_only.iter().chain(&alignment.child_only);
    let is_weight = |tensor: &TensorFingerprint| is_float(tensor.dtype) && tensor.elements() > 0;
    let repeated = !alignment.copies.is_empty();
    if unmatched.any(|tensor| is_weight(tensor)) || !evidence.reshaped.is_empty() || repeated {
        return None;
    }
    let same_types = |tensor: &TensorEvidence<'_>| tensor.pair.parent.dtype == tensor.pair.child.dtype;
    let mut tensors = evidence.tensors.iter();
    let nothing = evidence.tensors.is_empty() && evidence.transposed.is_empty();
    if !nothing && tensors.all(|tensor| tensor.same_values && same_types(tensor)) {
        return Some(same_values(evidence));
    }
    cast(evidence)
        .or_else(|| permuted(evidence))
        .or_else(|| rescaled(evidence))
}

fn same_values(evidence: &Evidence<'_>) -> Decision {
    let (from, to) = (&evidence.parent.layout, &evidence.child.layout);
    let decision = |technique, because: String| {
        Decision::new(Relation::Duplicate, technique, 0.99, because).with_misfit(0.0)
    };
    if from.container != to.container {
        return decision(
            "container",
            format!(
                "Every tensor is byte for byte the same, in {} instead of {}.",
                to.container, from.container
            ),
        );
    }
    if evidence.alignment.renamed {
        return decision(
            "rename",
            "Every tensor is byte for byte the same under other names.".to_owned(),
        );
    }
    if from.files != to.files {
        let because = format!(
            "Every tensor is byte for byte the same, in {} files instead of {}.",
            to.files, from.files
        );
        return decision("reshard", because).with("shards", to.files);
    }
    decision("copy", "Every tensor is byte for byte the same.".to_owned())
}

fn cast(evidence: &Evidence<'_>) -> Option<Decision> {
    let floats = || {
        evidence
            .tensors
            .iter()
            .filter(|tensor| is_float(tensor.pair.child.dtype))
    };
    let converted: Vec<_> = floats()
        .filter(|tensor| tensor.pair.parent.dtype != tensor.pair.child.dtype)
        .collect();
    if converted.is_empty() && floats().all(|tensor| tensor.same_values) {
        return None;
    }
    let rounds_to = |rounded: fn(&Elements) -> f64| {
        floats().all(|tensor| {
            tensor.same_values
                || tensor.relative_delta() < ROUNDING
                    && rounded(&tensor.elements) >= CAST_SHARE * tensor.elements.compared
        })
    };
    let rounded = if floats().all(|tensor| tensor.same_values) {
        None
    } else if rounds_to(|elements| elements.rounded_bf16) {
        Some("bf16")
    } else if rounds_to(|elements| elements.rounded_f16) {
        Some("f16")
    } else {
        return None;
    };
    let target = converted
        .iter()
        .max_by_key(|tensor| tensor.view.elements())
        .map(|tensor| dtype_name(tensor.pair.child.dtype));
    let dtype = target.unwrap_or_else(|| rounded.unwrap_or("f32").to_owned());
    let lossless = if rounded.is_none() {
        "without loss"
    } else {
        "rounded and not changed otherwise"
    };
    let because = format!("Every value is the parent's as {dtype}, {lossless}.");
    Some(
        Decision::new(Relation::Duplicate, "cast", 0.98, because)
            .with("dtype", dtype)
            .with_misfit(0.0),
    )
}

pub(in super::super) fn dtype_name(dtype: Dtype) -> String {
    dtype.name().to_ascii_lowercase()
}

/// Every tensor holds the same values in another order.
fn permuted(evidence: &Evidence<'_>) -> Option<Decision> {
    let mut moved = 0;
    for tensor in evidence
        .tensors
        .iter()
        .filter(|tensor| tensor.pair.parent.digest != tensor.pair.child.digest)
    {
        let (parent, child) = (
            tensor.pair.parent.invariants.as_ref()?,
            tensor.pair.child.invariants.as_ref()?,
        );
        if parent.values != child.values {
            return None;
        }
        moved += 1;
    }
    (moved > 0).then(|| {
        let because =
            format!("{moved} tensors hold exactly the parent's values in another order of neurons.");
        Decision::new(Relation::Duplicate, "permuted", 0.97, because).with_misfit(0.0)
    })
}

/// Some lines of some matrices are the parent's times a number, others its inverse: the function is the same.
fn rescaled(evidence: &Evidence<'_>) -> Option<Decision> {
    let matrices: Vec<_> = evidence.changed_matrices().collect();
    if matrices.len() < 2 {
        return None;
    }
    let mut factors: Vec<f64> = Vec::new();
    for tensor in matrices {
        factors.extend(
            line_factors(tensor)?
                .into_iter()
                .filter(|factor| (factor - 1.0).abs() > SAME_FACTOR),
        );
    }
    let largest = factors.iter().copied().fold(0.0, f64::max);
    let close = |factor: f64, to: f64| (factor / to - 1.0).abs() < SAME_FACTOR;
    let up = factors.iter().filter(|factor| close(**factor, largest)).count();
    let down = factors
        .iter()
        .filter(|factor| close(**factor, 1.0 / largest))
        .count();
    let vectors_follow = evidence
        .changed()
        .filter(|tensor| !tensor.is_matrix())
        .all(|tensor| is_scaled_by(tensor, &[largest, 1.0 / largest]));
    if up == 0 || down == 0 || up + down < factors.len() || !vectors_follow {
        return None;
    }
    let because = format!(
        "Lines of some matrices are the parent's times {largest:.4}, lines of others are divided by as much."
    );
    Some(
        Decision::new(Relation::Duplicate, "rescaled", 0.93, because)
            .with("factor", largest)
            .with_misfit(0.0),
    )
}

/// Every element of a vector is the parent's, or the parent's times one of the factors.
fn is_scaled_by(tensor: &TensorEvidence<'_>, factors: &[f64]) -> bool {
    let (Some(parent), Some(child)) = (&tensor.pair.parent.probe, &tensor.pair.child.probe) else {
        return false;
    };
    let mut elements = parent.values.iter().zip(&child.values);
    elements.all(|(parent, child)| {
        let ratio = f64::from(*child) / f64::from(*parent);
        parent == child
            || factors
                .iter()
                .any(|factor| (ratio / factor - 1.0).abs() < SAME_FACTOR)
    })
}

/// How far two factors may differ and be one.
const SAME_FACTOR: f64 = 2e-3;

/// The factor of each probed row, or else of each probed column, where lines are the parent's times a positive number.
fn line_factors(tensor: &TensorEvidence<'_>) -> Option<Vec<f64>> {
    let (parent, child) = (
        tensor.pair.parent.probe.as_ref()?,
        tensor.pair.child.probe.as_ref()?,
    );
    let rows = common_rows(parent, child, tensor.view.rows, tensor.view.rows);
    let by_row: Option<Vec<f64>> = rows
        .iter()
        .map(|(parent, child)| factor(parent.iter().copied().zip(child.iter().copied())))
        .collect();
    let width = rows.first().map_or(0, |(parent, _)| parent.len());
    let by_column = || {
        (0..width)
            .map(|column| factor(rows.iter().map(|(parent, child)| (parent[column], child[column]))))
            .collect()
    };
    by_row.or_else(|| if rows.len() > 1 { by_column() } else { None })
}

/// What a line was multiplied by: 1 for a line of zeros, nothing where elements disagree.
fn factor(line: impl Iterator<Item = (f32, f32)>) -> Option<f64> {
    let mut first: Option<f64> = None;
    for (parent, child) in line.filter(|(parent, child)| *parent != 0.0 || *child != 0.0) {
        let ratio = f64::from(child) / f64::from(parent);
        let expected = *first.get_or_insert(ratio);
        if !ratio.is_finite() || expected <= 0.0 || (ratio / expected - 1.0).abs() > SAME_FACTOR {
            return None;
        }
    }
    Some(first.unwrap_or(1.0))
}
