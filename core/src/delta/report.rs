//! What a comparison says: totals, and one row for each tensor that both sides have.

use super::kernel::{Exponents, Sums};
use super::pairing::Pair;
use crate::weights::Dtype;
use serde::{Deserialize, Serialize};

/// What changed between two checkpoints, `b - a`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DiffReport {
    /// In name order.
    pub tensors: Vec<TensorDiff>,
    /// Names only in `a`, only in `b`, and in both with unequal shapes.
    pub removed: Vec<String>,
    pub added: Vec<String>,
    pub reshaped: Vec<String>,
    /// By layer, and by the modules that hold the tensors' own (`layers.3.self_attn`), in the order of the names.
    #[serde(default)]
    pub layers: Vec<RollUp>,
    #[serde(default)]
    pub blocks: Vec<RollUp>,
    pub identical_tensors: u64,
    pub changed_tensors: u64,
    pub elements: u64,
    pub changed_elements: u64,
    /// Pairs with a NaN or an infinity on either side; counted here and in `changed`, left out of every other number.
    pub non_finite: u64,
    /// L2 norm of the delta over all shared tensors, absolute and relative to `a` (`None` when `|a|` is 0).
    pub l2: f64,
    pub relative_l2: Option<f64>,
}

/// One tensor that both sides have with one shape.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TensorDiff {
    pub name: String,
    pub shape: Vec<u64>,
    pub dtype_a: Dtype,
    pub dtype_b: Dtype,
    pub elements: u64,
    /// Elements of unequal value. Zeros of unequal sign are unequal, NaNs of any payload are equal.
    pub changed: u64,
    /// Pairs with a NaN or an infinity on either side; left out of the numbers below.
    pub non_finite: u64,
    pub max_abs: f64,
    pub mean_abs: f64,
    /// Mean of `b - a`.
    pub mean: f64,
    pub l2: f64,
    /// `|b-a| / |a|`; `None` when `|a|` is 0.
    pub relative_l2: Option<f64>,
    /// Of the angle between `a` and `b`; `None` when either is 0.
    pub cosine: Option<f64>,
    /// Mean number of differing bits of the f32 patterns.
    pub bit_distance: f64,
    /// How large the differences are; `None` where nothing changed, and for types that `f32` cannot hold.
    #[serde(default)]
    pub histogram: Option<Histogram>,
    /// Rank of the delta up to rounding noise; `None` where not asked, not a matrix of finite values, or above the bound.
    pub rank: Option<u32>,
    /// The bound asked for, where the rank is above it.
    pub rank_above: Option<u32>,
    /// The largest singular values of the delta, where a rank was asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub singular_values: Vec<f64>,
}

/// Sizes of differences by powers of two.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Histogram {
    /// Pairs looked at, equal ones included: all of a small tensor, one in sixteen of a large one.
    pub pairs: u64,
    /// `counts[i]` differences are at least 2^(lowest + i) and less than twice that.
    pub lowest: i32,
    pub counts: Vec<u64>,
}

impl Histogram {
    pub(super) fn new(exponents: &Exponents, pairs: u64) -> Self {
        let mut exponents = exponents.0;
        (exponents[0], exponents[255]) = (0, 0);
        let first = exponents.iter().position(|count| *count > 0).unwrap_or(0);
        let last = exponents.iter().rposition(|count| *count > 0);
        let end = last.map_or(first, |last| last + 1);
        Self {
            pairs,
            lowest: first as i32 - 127,
            counts: exponents[first..end].to_vec(),
        }
    }
}

/// The tensors below one name taken together: a layer, or a block of one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RollUp {
    /// `layers.3`, or `layers.3.self_attn`; empty for what is outside any.
    pub name: String,
    pub tensors: u64,
    pub changed_tensors: u64,
    pub elements: u64,
    pub changed: u64,
    pub max_abs: f64,
    pub l2: f64,
    /// `|b-a| / |a|`; `None` when `|a|` is 0.
    pub relative_l2: Option<f64>,
    /// Of the angle between `a` and `b`; `None` when either is 0.
    pub cosine: Option<f64>,
}

/// What to compute beyond the one-pass statistics.
#[derive(Debug, Clone, Copy, Default)]
pub struct DiffOptions {
    /// Look for a delta of at most this rank in each matrix (conv kernels: axis 0 by the rest). Reads changed matrices twice more.
    pub max_rank: Option<u32>,
}

impl TensorDiff {
    pub(super) fn new(pair: &Pair<'_>, sums: &Sums) -> Self {
        let finite = sums.elements - sums.non_finite;
        let mean_of = |sum: f64, count: u64| if count == 0 { 0.0 } else { sum / count as f64 };
        Self {
            name: pair.b.name.clone(),
            shape: pair.b.shape.clone(),
            dtype_a: pair.a.dtype,
            dtype_b: pair.b.dtype,
            elements: sums.elements,
            changed: sums.changed,
            non_finite: sums.non_finite,
            max_abs: sums.max_abs,
            mean_abs: mean_of(sums.abs, finite),
            mean: mean_of(sums.delta, finite),
            l2: sums.delta_squared.sqrt(),
            relative_l2: ratio(sums.delta_squared.sqrt(), sums.a_squared.sqrt()),
            cosine: sums.cosine(),
            histogram: None,
            bit_distance: mean_of(sums.differing_bits as f64, sums.elements),
            rank: None,
            rank_above: None,
            singular_values: Vec::new(),
        }
    }
}

pub(super) fn ratio(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| part / whole)
}
