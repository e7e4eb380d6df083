//! Statistics of one tensor.
//!
//! Enters: rows of values. Leaves: [`Stats`]. Floats are rounded to `f32`, so the stored form loses nothing.

use super::moments::Moments;
use serde::{Deserialize, Serialize};

/// Cap of the distinct-value counts.
pub const DISTINCT_CAP: u32 = 4096;

/// Run lengths at which distinct values are counted: usual quantization groups.
pub const RUN_LENGTHS: [usize; 5] = [16, 32, 64, 128, 256];

/// Statistics of one tensor's values, decoded to f32 and accumulated in f64; `l2` keeps all of it, because differences of squared
/// norms tell a parent from its child. Non-finite values are counted, and skipped elsewhere.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stats {
    pub count: u64,
    pub mean: f64,
    pub std: f64,
    /// Fourth standardised moment: 3 for a normal distribution. 0 for a constant tensor.
    pub kurtosis: f64,
    pub l2: f64,
    pub abs_max: f64,
    pub zeros: u64,
    pub non_finite: u64,
    /// Distinct values, counted up to [`DISTINCT_CAP`].
    pub distinct: u32,
    /// Most distinct values in any sampled row (axis 0), counted up to [`DISTINCT_CAP`]: at most 2^bits after row-wise
    /// quantization.
    pub row_distinct: u32,
    /// Likewise in any sampled column.
    pub column_distinct: u32,
    /// Most distinct values in any aligned run of a sampled row, for each of [`RUN_LENGTHS`]: at most 2^bits up to the length
    /// of a quantization group. 0 where rows are shorter than the run.
    pub run_distinct: [u16; RUN_LENGTHS.len()],
    /// Share of groups of four consecutive elements with at least two zeros (2:4 sparsity when 1.0).
    pub two_of_four: f64,
    /// Fewest zeros in any aligned group of 4, 8 and 16 consecutive elements of a row: `n - m` after n:m pruning.
    pub fewest_zeros: [u8; 3],
    /// Rows and columns that are zero throughout.
    pub zero_rows: u64,
    pub zero_columns: u64,
    /// Row-norm quantiles: 0, 25, 50, 75, 100 %, rounded to bf16. They survive reordering.
    pub row_norms: [f32; 5],
    /// Column-norm quantiles, likewise.
    pub column_norms: [f32; 5],
    /// Share of values that bf16 represents exactly, and f16 likewise: tells a cast from its source.
    pub bf16_exact: f64,
    pub f16_exact: f64,
}

/// Zeros in aligned groups of consecutive elements.
#[derive(Debug, Clone)]
pub(super) struct GroupZeros {
    fewest: [u8; 3],
    groups_of_four: u64,
    half_zero: u64,
}

const GROUPS: [usize; 3] = [4, 8, 16];

impl GroupZeros {
    pub(super) fn new() -> Self {
        Self {
            fewest: [u8::MAX; 3],
            groups_of_four: 0,
            half_zero: 0,
        }
    }

    #[inline(always)]
    pub(super) fn add(&mut self, row: &[f32]) {
        for group in row.chunks_exact(4) {
            let zeros = count_zeros(group);
            self.fewest[0] = self.fewest[0].min(zeros);
            self.groups_of_four += 1;
            self.half_zero += u64::from(zeros >= 2);
        }
        for (fewest, length) in self.fewest.iter_mut().zip(GROUPS).skip(1) {
            // once a group without zeros was seen there is nothing left to learn
            for group in row.chunks_exact(length) {
                if *fewest == 0 {
                    break;
                }
                *fewest = (*fewest).min(count_zeros(group));
            }
        }
    }

    pub(super) fn merge(&mut self, other: &GroupZeros) {
        for (fewest, candidate) in self.fewest.iter_mut().zip(other.fewest) {
            *fewest = (*fewest).min(candidate);
        }
        self.groups_of_four += other.groups_of_four;
        self.half_zero += other.half_zero;
    }
}

#[inline(always)]
fn count_zeros(values: &[f32]) -> u8 {
    values.iter().map(|value| u8::from(*value == 0.0)).sum()
}

/// What the scan learnt about lines (rows and columns).
#[derive(Debug, Clone, Default)]
pub(super) struct Lines {
    pub row_distinct: u32,
    pub column_distinct: u32,
    pub run_distinct: [u16; RUN_LENGTHS.len()],
    pub zero_rows: u64,
    pub zero_columns: u64,
    pub row_norms: [f32; 5],
    pub column_norms: [f32; 5],
}

impl Stats {
    pub(super) fn finish(moments: &Moments, zeros: &GroupZeros, distinct: u32, lines: Lines) -> Stats {
        let finite = (moments.count - moments.non_finite).max(1) as f64;
        let [first, second, third, fourth] = moments.sums.map(|sum| sum / finite);
        let variance = (second - first * first).max(0.0);
        let central = fourth - 4.0 * first * third + 6.0 * first * first * second - 3.0 * first.powi(4);
        let count = moments.count.max(1) as f64;
        Stats {
            count: moments.count,
            mean: narrow(first),
            std: narrow(variance.sqrt()),
            kurtosis: if variance > 1e-12 * second {
                narrow(central / (variance * variance))
            } else {
                0.0
            },
            l2: moments.sums[1].sqrt().min(f64::MAX),
            abs_max: f64::from(moments.abs_max),
            zeros: moments.zeros,
            non_finite: moments.non_finite,
            distinct,
            row_distinct: lines.row_distinct,
            column_distinct: lines.column_distinct,
            run_distinct: lines.run_distinct,
            two_of_four: narrow(zeros.half_zero as f64 / zeros.groups_of_four.max(1) as f64),
            fewest_zeros: zeros
                .fewest
                .map(|fewest| if fewest == u8::MAX { 0 } else { fewest }),
            zero_rows: lines.zero_rows,
            zero_columns: lines.zero_columns,
            row_norms: lines.row_norms,
            column_norms: lines.column_norms,
            bf16_exact: narrow(moments.bf16_exact as f64 / count),
            f16_exact: narrow(moments.f16_exact as f64 / count),
        }
    }
}

/// Rounds to the nearest `f32`, the largest where it overflows: the stored form holds it exactly, and JSON has a number.
fn narrow(value: f64) -> f64 {
    let largest = f64::from(f32::MAX);
    f64::from(value.clamp(-largest, largest) as f32)
}

/// The 0, 25, 50, 75 and 100 % quantiles (nearest rank), rounded to bf16.
pub(super) fn quantiles(mut values: Vec<f32>) -> [f32; 5] {
    if values.is_empty() {
        return [0.0; 5];
    }
    values.sort_unstable_by(f32::total_cmp);
    let last = values.len() - 1;
    [0, 1, 2, 3, 4].map(|quarter| half::bf16::from_f32(values[(last * quarter + 2) / 4]).to_f32())
}
