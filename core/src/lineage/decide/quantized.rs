//! Quantized: the child's values lie on a grid that the parent's do not.

use super::super::Relation;
use super::super::evidence::{Evidence, is_block};
use super::super::grid::{Granularity, Grid, grid_of};
use super::Decision;
use crate::weights::Dtype;
use std::collections::BTreeMap;

/// Share of the changed matrices that must have gained a grid.
const GRID_SHARE: f64 = 0.6;

pub(super) fn recognise(evidence: &Evidence<'_>) -> Option<Decision> {
    blocks(evidence).or_else(|| rounded(evidence))
}

/// The child is stored in block types of ggml and the parent is not.
fn blocks(evidence: &Evidence<'_>) -> Option<Decision> {
    let gained = evidence.changed_matrices().filter(|tensor| {
        is_block(tensor.pair.child.dtype) && tensor.pair.child.dtype != tensor.pair.parent.dtype
    });
    let types: Vec<Dtype> = gained.map(|tensor| tensor.pair.child.dtype).collect();
    let kind = most_common(types.iter().copied())?;
    let (elements, bytes) = kind.block();
    let because = format!(
        "{} matrices are stored as {}, in blocks of {elements}.",
        types.len(),
        kind.name()
    );
    Some(
        Decision::new(Relation::Quantized, "gguf", 0.95, because)
            .with("bits", bits_of(kind).unwrap_or(bytes * 8 / elements))
            .with("type", kind.name())
            .with_misfit(evidence.disorder()),
    )
}

/// The digit in a block type's name.
fn bits_of(kind: Dtype) -> Option<u64> {
    let digit = kind.name().chars().find(char::is_ascii_digit)?;
    digit.to_digit(10).map(u64::from)
}

fn rounded(evidence: &Evidence<'_>) -> Option<Decision> {
    let changed: Vec<_> = evidence
        .changed_matrices()
        .filter(|tensor| tensor.view.elements() >= 256)
        .collect();
    let gained: Vec<Grid> = changed
        .iter()
        .filter_map(|tensor| {
            let grid = grid_of(tensor.pair.child)?;
            let before = grid_of(tensor.pair.parent);
            before
                .is_none_or(|before| before.bits > grid.bits)
                .then_some(grid)
        })
        .collect();
    if changed.is_empty() || (gained.len() as f64) < GRID_SHARE * changed.len() as f64 {
        return None;
    }
    let bits = most_common(gained.iter().map(|grid| grid.bits))?;
    let granularity = most_common(
        gained
            .iter()
            .filter(|grid| grid.bits == bits)
            .map(|grid| grid.granularity),
    )?;
    let symmetric = most_common(gained.iter().filter_map(|grid| grid.symmetric));
    let because = format!(
        "{} of {} changed matrices lie on a grid of {bits} bits for each {} that the parent's do not lie on.",
        gained.len(),
        changed.len(),
        granularity.name()
    );
    let share = gained.len() as f64 / changed.len() as f64;
    let mut decision = Decision::new(Relation::Quantized, "rtn", 0.8 + 0.18 * share, because)
        .with("bits", bits)
        .with("granularity", granularity.name())
        .with_misfit(evidence.disorder())
        .with_feature(
            "order_turned",
            evidence.disorder(),
            "neighbouring values whose order the child turns round, which rounding never does",
        )
        .with_feature(
            "grid_share",
            share,
            "changed matrices that lie on a quantization grid",
        );
    if let Granularity::Group(size) = granularity {
        decision = decision.with("group_size", size);
    }
    if let Some(symmetric) = symmetric {
        decision = decision.with("symmetric", symmetric);
    }
    Some(decision)
}

fn most_common<T: Ord + Copy>(values: impl Iterator<Item = T>) -> Option<T> {
    let mut counts: BTreeMap<T, usize> = BTreeMap::new();
    values.for_each(|value| *counts.entry(value).or_default() += 1);
    counts
        .into_iter()
        .max_by_key(|(_, count)| *count)
        .map(|(value, _)| value)
}
