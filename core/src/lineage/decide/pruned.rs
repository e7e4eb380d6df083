//! Pruned: the child has zeros where the parent has none.

use super::super::Relation;
use super::super::evidence::{Evidence, TensorEvidence, share};
use super::Decision;
use super::decision::as_chosen;

/// Zeros a matrix must gain, as a share of its elements, to count as pruned.
const GAINED: f64 = 0.04;
/// Share of the pruned matrices that must show the pattern for n:m.
const PATTERN_SHARE: f64 = 0.8;

pub(super) fn recognise(evidence: &Evidence<'_>) -> Option<Decision> {
    let pruned: Vec<_> = evidence
        .changed_matrices()
        .filter(|tensor| zeros_gained(tensor) >= GAINED)
        .collect();
    let changed = evidence.changed_matrices().count();
    let lines_only = zero_lines_only(&pruned);
    if pruned.is_empty() || lines_only && (changed == 1 || pruned.len() * 3 < changed) {
        return None;
    }
    let (zeros, elements) = pruned.iter().fold((0.0, 0.0), |(zeros, elements), tensor| {
        (
            zeros + zeros_of(tensor, false),
            elements + tensor.view.elements() as f64,
        )
    });
    let sparsity = share(zeros, elements);
    let kept = kept_share(&pruned);
    let (technique, pattern) = match n_of_m(&pruned) {
        Some(pattern) => ("n:m", Some(pattern)),
        None if lines_only => ("width", None),
        None => ("unstructured", None),
    };
    let shape = pattern.map_or_else(String::new, |(n, m)| format!(", at most {n} in every {m} left"));
    let because = format!(
        "{} matrices have {:.1} % zeros{shape}; of what is left {:.0} % is the parent's value.",
        pruned.len(),
        sparsity * 100.0,
        kept * 100.0
    );
    let mut decision = Decision::new(
        Relation::Pruned,
        technique,
        if kept > 0.9 { 0.97 } else { 0.85 },
        because,
    )
    .with("sparsity", as_chosen(sparsity))
    .with_misfit(1.0 - kept)
    .with_feature(
        "zeros_gained",
        sparsity,
        "zeros in the pruned matrices, as a share",
    )
    .with_feature(
        "survivors_unchanged",
        kept,
        "probed non-zero values that equal the parent's",
    );
    if let Some((n, m)) = pattern {
        decision = decision.with("n", n).with("m", m);
    }
    Some(decision)
}

fn zeros_of(tensor: &TensorEvidence<'_>, parent: bool) -> f64 {
    let side = if parent {
        tensor.pair.parent
    } else {
        tensor.pair.child
    };
    side.stats.as_ref().map_or(0.0, |stats| stats.zeros as f64)
}

fn zeros_gained(tensor: &TensorEvidence<'_>) -> f64 {
    share(
        zeros_of(tensor, false) - zeros_of(tensor, true),
        tensor.view.elements() as f64,
    )
}

/// All new zeros lie in whole rows or columns: an edit of neurons, not pruning by magnitude.
fn zero_lines_only(pruned: &[&TensorEvidence<'_>]) -> bool {
    pruned.iter().all(|tensor| {
        let Some(stats) = &tensor.pair.child.stats else {
            return false;
        };
        let lines = stats.zero_rows * tensor.view.cols + stats.zero_columns * tensor.view.rows;
        lines >= stats.zeros
    })
}

fn kept_share(pruned: &[&TensorEvidence<'_>]) -> f64 {
    let (kept, left) = pruned.iter().fold((0.0, 0.0), |(kept, left), tensor| {
        (kept + tensor.elements.kept, left + tensor.elements.non_zero)
    });
    share(kept, left)
}

/// The pattern that most matrices keep to: n non-zero in every m, with just that many zeros overall.
fn n_of_m(pruned: &[&TensorEvidence<'_>]) -> Option<(u32, u32)> {
    for (slot, m) in [(0usize, 4u32), (1, 8), (2, 16)] {
        let mut fewest: Vec<u32> = Vec::new();
        for tensor in pruned {
            let stats = tensor.pair.child.stats.as_ref()?;
            let zeros = u32::from(stats.fewest_zeros[slot]);
            let expected = f64::from(zeros) / f64::from(m);
            let found = share(stats.zeros as f64, tensor.view.elements() as f64);
            if zeros > 0 && (found - expected).abs() < 0.02 {
                fewest.push(zeros);
            }
        }
        let Some(&zeros) = fewest.first() else { continue };
        if fewest.len() as f64 >= PATTERN_SHARE * pruned.len() as f64
            && fewest.iter().all(|other| *other == zeros)
        {
            return Some((m - zeros, m));
        }
    }
    None
}
