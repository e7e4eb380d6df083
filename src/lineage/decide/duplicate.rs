//! Duplicates: the same values in other files, names, precision or order.

use super::super::Relation;
use super::super::evidence::{Elements, Evidence, TensorEvidence, is_float};
use super::Decision;
use crate::weights::Dtype;

/// Share of probed elements that must be the parent's value rounded, for a cast.
const CAST_SHARE: f64 = 0.999;
/// Relative delta that rounding to bf16 can leave.
const ROUNDING: f64 = 0.004;

pub(super) fn recognise(evidence: &Evidence<'_>) -> Option<Decision> {
    let complete = evidence.alignment.parent_only.is_empty()
        && evidence.alignment.child_only.is_empty()
        && evidence.reshaped.is_empty();
    if complete && evidence.parent.model_digest == evidence.child.model_digest {
        return Some(same_bytes(evidence));
    }
    if !complete {
        return None;
    }
    cast(evidence)
        .or_else(|| permuted(evidence))
        .or_else(|| rescaled(evidence))
}

fn same_bytes(evidence: &Evidence<'_>) -> Decision {
    let (from, to) = (&evidence.parent.layout, &evidence.child.layout);
    let decision = |technique, because: String| Decision::new(Relation::Duplicate, technique, 0.99, because);
    if from.container != to.container {
        return decision(
            "container",
            format!(
                "Every tensor is byte for byte the same, in {} instead of {}.",
                to.container, from.container
            ),
        );
    }
    if evidence.parent.named_digest != evidence.child.named_digest {
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
    Some(Decision::new(Relation::Duplicate, "cast", 0.98, because).with("dtype", dtype))
}

pub(in super::super) fn dtype_name(dtype: Dtype) -> String {
    dtype.name().to_ascii_lowercase()
}

/// Every tensor holds the same values in another order.
fn permuted(evidence: &Evidence<'_>) -> Option<Decision> {
    let mut moved = 0;
    for tensor in evidence.changed() {
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
        Decision::new(Relation::Duplicate, "permuted", 0.97, because)
    })
}

/// Squared sine of the angle below which two tensors are parallel.
const PARALLEL: f64 = 1e-6;

/// Some tensors are the parent's times a number, with the product of the numbers one: the function is the same.
fn rescaled(evidence: &Evidence<'_>) -> Option<Decision> {
    let changed: Vec<_> = evidence.changed().collect();
    let is_rescaled = |tensor: &&TensorEvidence<'_>| is_parallel(tensor) || is_line_scaled(tensor);
    if changed.len() < 2
        || changed.len() * 2 > evidence.tensors.len().max(4)
        || !changed.iter().all(|tensor| is_rescaled(&tensor))
    {
        return None;
    }
    let ratios: Vec<f64> = changed
        .iter()
        .map(|tensor| (tensor.child_square / tensor.parent_square).sqrt())
        .collect();
    let (grown, shrunk) = (
        ratios.iter().any(|ratio| *ratio > 1.0),
        ratios.iter().any(|ratio| *ratio < 1.0),
    );
    if !(grown && shrunk) {
        return None;
    }
    let factor = ratios.iter().copied().fold(0.0, f64::max);
    let because = format!(
        "{} tensors are the parent's up to scale and pull in opposite directions, by up to {factor:.3}.",
        changed.len()
    );
    Some(Decision::new(Relation::Duplicate, "rescaled", 0.9, because).with("factor", factor))
}

fn is_parallel(tensor: &TensorEvidence<'_>) -> bool {
    1.0 - tensor.cosine * tensor.cosine < PARALLEL && tensor.cosine > 0.0
}

/// Every probed row, or every probed column, is the parent's times a positive number.
fn is_line_scaled(tensor: &TensorEvidence<'_>) -> bool {
    let (Some(parent), Some(child)) = (&tensor.pair.parent.probe, &tensor.pair.child.probe) else {
        return false;
    };
    let rows = super::super::evidence::common_rows(parent, child, tensor.view.rows, tensor.view.rows);
    let ratio = |parent: f32, child: f32| (parent != 0.0).then(|| f64::from(child) / f64::from(parent));
    let constant = |ratios: &[f64]| {
        let Some(first) = ratios.first().filter(|first| **first > 0.0) else {
            return true;
        };
        ratios.iter().all(|ratio| (ratio / first - 1.0).abs() < 1e-3)
    };
    let by_row = rows.iter().all(|(parent, child)| {
        constant(
            &parent
                .iter()
                .zip(*child)
                .filter_map(|(parent, child)| ratio(*parent, *child))
                .collect::<Vec<_>>(),
        )
    });
    let width = rows.first().map_or(0, |(parent, _)| parent.len());
    let by_column = rows.len() > 1
        && (0..width).all(|column| {
            constant(
                &rows
                    .iter()
                    .filter_map(|(parent, child)| ratio(parent[column], child[column]))
                    .collect::<Vec<_>>(),
            )
        });
    // a vector is one row: each of its elements has its own factor, which says nothing
    tensor.view.is_vector() || by_row || by_column
}
