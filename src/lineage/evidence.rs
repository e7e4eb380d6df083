//! What a pair of aligned models shows, in numbers.
//!
//! Enters: an [`Alignment`]. Leaves: [`Evidence`]: per tensor how far it moved and how, and sums over the model.

use super::align::{Alignment, Pair, align, cosine};
use crate::fingerprint::{Fingerprint, Probe, View, probe_rows};
use crate::weights::Dtype;

/// Cosine from which a matrix counts as related: independent weights scatter around 0 with a deviation of 1/sqrt(cells).
const RELATED_COSINE: f64 = 0.45;

/// What probes show of one pair of tensors, element by element.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Elements {
    pub compared: f64,
    pub unchanged: f64,
    /// The parent is not zero and the child is.
    pub zeroed: f64,
    /// The child is not zero, and equals the parent.
    pub kept: f64,
    /// The child is not zero.
    pub non_zero: f64,
    /// The child is the parent rounded to bf16, and to f16.
    pub rounded_bf16: f64,
    pub rounded_f16: f64,
    /// Differing bits of the f32 patterns, summed.
    pub bits: f64,
}

/// One aligned tensor of one shape.
#[derive(Debug, Clone, Copy)]
pub(super) struct TensorEvidence<'a> {
    pub pair: Pair<'a>,
    pub view: View,
    pub same_values: bool,
    /// The child holds 8-bit codes of the parent's weights: only directions compare.
    pub coded: bool,
    /// Squared norms of the parent's and the child's values, and of the delta's.
    pub parent_square: f64,
    pub child_square: f64,
    pub delta_square: f64,
    pub cosine: f64,
    pub elements: Elements,
}

impl TensorEvidence<'_> {
    pub fn is_matrix(&self) -> bool {
        !self.view.is_vector()
    }

    /// |delta| / |parent|.
    pub fn relative_delta(&self) -> f64 {
        (self.delta_square / self.parent_square.max(f64::MIN_POSITIVE)).sqrt()
    }
}

/// Two models compared.
#[derive(Debug)]
pub(super) struct Evidence<'a> {
    pub parent: &'a Fingerprint,
    pub child: &'a Fingerprint,
    pub alignment: Alignment<'a>,
    /// Aligned float tensors of one shape, with values.
    pub tensors: Vec<TensorEvidence<'a>>,
    /// Aligned by name, with another shape.
    pub reshaped: Vec<Pair<'a>>,
}

impl<'a> Evidence<'a> {
    pub fn of(parent: &'a Fingerprint, child: &'a Fingerprint) -> Self {
        let alignment = align(parent, child);
        let (same, reshaped): (Vec<Pair<'a>>, Vec<Pair<'a>>) =
            alignment.pairs.iter().partition(|pair| pair.same_shape());
        let tensors = same.into_iter().filter_map(compare).collect();
        Self {
            parent,
            child,
            alignment,
            tensors,
            reshaped,
        }
    }

    pub fn changed(&self) -> impl Iterator<Item = &TensorEvidence<'a>> {
        self.tensors.iter().filter(|tensor| !tensor.same_values)
    }

    pub fn changed_matrices(&self) -> impl Iterator<Item = &TensorEvidence<'a>> {
        self.changed().filter(|tensor| tensor.is_matrix())
    }

    /// Sum over the tensors of squared delta norms, and of the parent's squared norms.
    pub fn delta_and_norm(&self) -> (f64, f64) {
        self.tensors.iter().fold((0.0, 0.0), |(delta, norm), tensor| {
            (delta + tensor.delta_square, norm + tensor.parent_square)
        })
    }

    pub fn relative_delta(&self) -> f64 {
        let (delta, norm) = self.delta_and_norm();
        (delta / norm.max(f64::MIN_POSITIVE)).sqrt()
    }

    /// Squared delta over squared norm, averaged over the child's elements: large-valued tensors count no more than others, and what
    /// has no counterpart counts as moved by its whole norm.
    pub fn balanced_delta(&self) -> f64 {
        let (sum, elements) = self.tensors.iter().fold((0.0, 0.0), |(sum, elements), tensor| {
            let count = tensor.view.elements() as f64;
            let norm = 0.5
                * (tensor.parent_square
                    + if tensor.coded {
                        tensor.parent_square
                    } else {
                        tensor.child_square
                    });
            (sum + count * share(tensor.delta_square, norm), elements + count)
        });
        let rest = (self.child.parameters as f64 - elements).max(0.0);
        share(sum + rest, elements + rest)
    }

    /// Elements of matched matrices, as a share of the smaller model's.
    pub fn matched_share(&self) -> f64 {
        let matched = self
            .tensors
            .iter()
            .filter(|tensor| tensor.is_matrix())
            .map(|tensor| tensor.view.elements() as f64);
        share(
            matched.sum(),
            self.child.parameters.min(self.parent.parameters) as f64,
        )
    }

    /// Share of the matrices, by count, that are equal or point the same way.
    pub fn related_share(&self) -> f64 {
        let matrices: Vec<_> = self.tensors.iter().filter(|tensor| tensor.is_matrix()).collect();
        let related = matrices
            .iter()
            .filter(|tensor| tensor.same_values || tensor.cosine >= RELATED_COSINE);
        share(related.count() as f64, matrices.len() as f64)
    }

    /// Elements of the child that have a counterpart of the same shape, as a share of all.
    pub fn child_covered(&self) -> f64 {
        let covered: f64 = self
            .tensors
            .iter()
            .map(|tensor| tensor.view.elements() as f64)
            .sum();
        share(covered, self.child.parameters as f64)
    }

    pub fn parent_covered(&self) -> f64 {
        let covered: f64 = self
            .tensors
            .iter()
            .map(|tensor| tensor.view.elements() as f64)
            .sum();
        share(covered, self.parent.parameters as f64)
    }

    /// Sum of what probes show over the tensors that changed.
    pub fn changed_elements(&self) -> Elements {
        self.changed().fold(Elements::default(), |mut sum, tensor| {
            sum.add(&tensor.elements);
            sum
        })
    }
}

pub(super) fn share(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

impl Elements {
    fn add(&mut self, other: &Elements) {
        self.compared += other.compared;
        self.unchanged += other.unchanged;
        self.zeroed += other.zeroed;
        self.kept += other.kept;
        self.non_zero += other.non_zero;
        self.rounded_bf16 += other.rounded_bf16;
        self.rounded_f16 += other.rounded_f16;
        self.bits += other.bits;
    }

    fn of(parent: &Probe, child: &Probe, height: u64) -> Self {
        let mut elements = Self::default();
        for (parent, child) in common_rows(parent, child, height, height) {
            for (parent, child) in parent.iter().zip(child) {
                elements.add_one(*parent, *child);
            }
        }
        elements
    }

    fn add_one(&mut self, parent: f32, child: f32) {
        let count = |condition: bool| f64::from(u8::from(condition));
        self.compared += 1.0;
        self.unchanged += count(parent == child);
        self.zeroed += count(child == 0.0 && parent != 0.0);
        self.kept += count(child != 0.0 && parent == child);
        self.non_zero += count(child != 0.0);
        self.rounded_bf16 += count(half::bf16::from_f32(parent).to_f32() == child);
        self.rounded_f16 += count(half::f16::from_f32(parent).to_f32() == child);
        self.bits += f64::from((parent.to_bits() ^ child.to_bits()).count_ones());
    }
}

/// Rows that both probes hold, each cut to the narrower width.
pub(super) fn common_rows<'p>(
    parent: &'p Probe,
    child: &'p Probe,
    parent_height: u64,
    child_height: u64,
) -> Vec<(&'p [f32], &'p [f32])> {
    let cols = parent.cols.min(child.cols) as usize;
    if parent_height == child_height {
        let rows = parent.rows.min(child.rows) as usize;
        return (0..rows)
            .map(|row| (&parent.row(row)[..cols], &child.row(row)[..cols]))
            .collect();
    }
    let (parent_rows, child_rows) = (
        probe_rows(parent_height, parent.rows),
        probe_rows(child_height, child.rows),
    );
    let place = |row: &u64| parent_rows.iter().position(|candidate| candidate == row);
    child_rows
        .iter()
        .enumerate()
        .filter_map(|(index, row)| Some((&parent.row(place(row)?)[..cols], &child.row(index)[..cols])))
        .collect()
}

/// True for element types that hold weights. Indices and masks are no evidence.
pub(super) fn is_float(dtype: Dtype) -> bool {
    use Dtype::{BF16, F4, F8E4M3, F8E4M3FNUZ, F8E5M2, F8E5M2FNUZ, F16, F32, F64};
    matches!(
        dtype,
        F16 | BF16 | F32 | F64 | F8E4M3 | F8E5M2 | F8E4M3FNUZ | F8E5M2FNUZ | F4
    )
}

/// Element types of 8-bit codes, which a scale turns into weights.
fn is_code(dtype: Dtype) -> bool {
    use Dtype::{F8E4M3, F8E4M3FNUZ, F8E5M2, F8E5M2FNUZ, I8, U8};
    matches!(dtype, I8 | U8 | F8E4M3 | F8E5M2 | F8E4M3FNUZ | F8E5M2FNUZ)
}

fn compare(pair: Pair<'_>) -> Option<TensorEvidence<'_>> {
    let coded = is_float(pair.parent.dtype) && !is_code(pair.parent.dtype) && is_code(pair.child.dtype);
    let floats = is_float(pair.parent.dtype) && is_float(pair.child.dtype);
    if !floats && !coded || coded && View::of(&pair.child.shape).is_vector() {
        return None;
    }
    let (parent_stats, child_stats) = (pair.parent.stats.as_ref()?, pair.child.stats.as_ref()?);
    let (parent_sketch, child_sketch) = (pair.parent.sketch.as_ref()?, pair.child.sketch.as_ref()?);
    let view = View::of(&pair.child.shape);
    let same_values = pair.same_values();
    let cosine = if same_values {
        1.0
    } else {
        cosine(pair.parent, pair.child).unwrap_or(0.0)
    };
    let parent_square = parent_stats.l2 * parent_stats.l2;
    let delta_square = match (same_values, coded) {
        (true, _) => 0.0,
        (_, true) => parent_square * (1.0 - cosine * cosine),
        _ => child_sketch.minus(parent_sketch).norm_squared(),
    };
    let elements = match (&pair.parent.probe, &pair.child.probe) {
        (Some(parent), Some(child)) => Elements::of(parent, child, view.rows),
        _ => Elements::default(),
    };
    Some(TensorEvidence {
        pair,
        view,
        same_values,
        coded,
        parent_square,
        child_square: child_stats.l2 * child_stats.l2,
        delta_square,
        cosine,
        elements,
    })
}
