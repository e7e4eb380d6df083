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
    /// Neighbours in the parent's order, within short runs of a row, and those whose order the child turns round: rounding never does.
    pub ordered: f64,
    pub turned: f64,
}

/// Length of the runs within which order is compared: no usual quantization group is shorter.
const RUN: usize = 16;

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
    /// The same values in another shape: transposed or flattened.
    pub transposed: Vec<Pair<'a>>,
}

impl<'a> Evidence<'a> {
    pub fn of(parent: &'a Fingerprint, child: &'a Fingerprint) -> Self {
        let alignment = align(parent, child);
        let (same, reshaped): (Vec<Pair<'a>>, Vec<Pair<'a>>) =
            alignment.pairs.iter().partition(|pair| pair.same_shape());
        let (transposed, reshaped) = reshaped.into_iter().partition(holds_same_values);
        let tensors = same.into_iter().filter_map(compare).collect();
        Self {
            parent,
            child,
            alignment,
            tensors,
            reshaped,
            transposed,
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

    /// Squared delta over squared norm, averaged over the elements that have a counterpart: large-valued tensors count no more than
    /// others.
    pub fn matched_delta(&self) -> f64 {
        // directions of bare codes are rough: where values compare, they tell more
        let all_coded = self
            .tensors
            .iter()
            .all(|tensor| tensor.coded || !tensor.is_matrix());
        let telling = self.tensors.iter().filter(|tensor| all_coded || !tensor.coded);
        let (sum, elements) = telling.fold((0.0, 0.0), |(sum, elements), tensor| {
            let count = tensor.view.elements() as f64;
            let norm = if tensor.coded {
                tensor.parent_square
            } else {
                0.5 * (tensor.parent_square + tensor.child_square)
            };
            (sum + count * share(tensor.delta_square, norm), elements + count)
        });
        if elements > 0.0 { sum / elements } else { 1.0 }
    }

    /// Share of neighbours, in the parent's order, whose order the child turns round, over matrices that changed.
    pub fn disorder(&self) -> f64 {
        let (turned, ordered) = self
            .changed_matrices()
            .fold((0.0, 0.0), |(turned, ordered), tensor| {
                (turned + tensor.elements.turned, ordered + tensor.elements.ordered)
            });
        share(turned, ordered)
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

    /// Elements of the child that have a counterpart of the same size, as a share of all.
    pub fn child_covered(&self) -> f64 {
        share(self.covered(), self.child.parameters as f64)
    }

    pub fn parent_covered(&self) -> f64 {
        let copies = self.alignment.copies.iter().map(|pair| pair.child.elements());
        share(
            self.covered() - copies.sum::<u64>() as f64,
            self.parent.parameters as f64,
        )
    }

    fn covered(&self) -> f64 {
        let compared = self.tensors.iter().map(|tensor| tensor.view.elements());
        let transposed = self.transposed.iter().map(|pair| pair.child.elements());
        compared.chain(transposed).sum::<u64>() as f64
    }

    /// Sum of what probes show over the tensors that changed.
    pub fn changed_elements(&self) -> Elements {
        self.changed().fold(Elements::default(), |mut sum, tensor| {
            sum.add(&tensor.elements);
            sum
        })
    }
}

fn holds_same_values(pair: &Pair<'_>) -> bool {
    match (&pair.parent.invariants, &pair.child.invariants) {
        (Some(parent), Some(child)) => {
            parent.values == child.values && pair.parent.elements() == pair.child.elements()
        }
        _ => false,
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
        self.ordered += other.ordered;
        self.turned += other.turned;
    }

    fn of(parent: &Probe, child: &Probe, height: u64) -> Self {
        let mut elements = Self::default();
        for (parent, child) in common_rows(parent, child, height, height) {
            for (parent, child) in parent.iter().zip(child) {
                elements.add_one(*parent, *child);
            }
            for (parent, child) in parent.chunks(RUN).zip(child.chunks(RUN)) {
                elements.add_order(parent, child);
            }
        }
        elements
    }

    fn add_order(&mut self, parent: &[f32], child: &[f32]) {
        let mut run: Vec<(f32, f32)> = parent.iter().copied().zip(child.iter().copied()).collect();
        run.sort_by(|a, b| a.0.total_cmp(&b.0));
        for [(before, first), (after, second)] in run.array_windows() {
            if before < after {
                self.ordered += 1.0;
                self.turned += f64::from(u8::from(first > second));
            }
        }
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
    let plain = matches!(
        dtype,
        F16 | BF16 | F32 | F64 | F8E4M3 | F8E5M2 | F8E4M3FNUZ | F8E5M2FNUZ | F4
    );
    plain || is_block(dtype)
}

/// Block types of ggml, which decode to weights.
pub(super) fn is_block(dtype: Dtype) -> bool {
    use Dtype::{IQ4NL, IQ4XS, MXFP4, Q2K, Q3K, Q4_0, Q4_1, Q4K, Q5_0, Q5_1, Q5K, Q6K, Q8_0, TQ1_0, TQ2_0};
    matches!(
        dtype,
        Q4_0 | Q4_1
            | Q5_0
            | Q5_1
            | Q8_0
            | Q2K
            | Q3K
            | Q4K
            | Q5K
            | Q6K
            | IQ4NL
            | IQ4XS
            | TQ1_0
            | TQ2_0
            | MXFP4
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
