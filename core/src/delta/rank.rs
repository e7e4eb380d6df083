//! The rank of a delta: is it of low rank, up to the rounding of the type it was stored in?
//!
//! A singular value counts when it stands above what rounding alone would give a matrix of this shape, and the rank is reported only
//! when all that remains can be rounding.

use super::kernel::Sums;
use super::pairing::Pair;
use super::spectrum::{
    DeltaRows, OVERSAMPLING, matrix_shape, probe, project, range_of, squared_singular_values,
};
use crate::weights::{Checkpoint, Dtype, WeightsError};

/// More than this many values are not held at once; such a delta's rank is not looked for.
const MAX_SAMPLE_VALUES: usize = 1 << 22;
/// Singular values told of.
const SPECTRUM: usize = 16;

/// What was found of a delta's rank.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rank {
    /// No matrix, not finite, or too large to look at.
    Unknown,
    Exactly(u32),
    Above(u32),
}

/// Looks for a rank of `max_rank` or less; also the largest singular values, as far as they were looked for.
pub(super) fn delta_rank(
    a: &Checkpoint,
    b: &Checkpoint,
    pair: &Pair<'_>,
    sums: &Sums,
    max_rank: u32,
) -> Result<(Rank, Vec<f64>), WeightsError> {
    let Some((rows, columns)) = matrix_shape(&pair.a.shape) else {
        return Ok((Rank::Unknown, Vec::new()));
    };
    if sums.changed == 0 {
        return Ok((Rank::Exactly(0), Vec::new()));
    }
    let sample = (max_rank as usize + OVERSAMPLING).min(rows).min(columns);
    let too_large = sample.saturating_mul(rows.max(columns)) > MAX_SAMPLE_VALUES;
    if too_large || sums.non_finite > 0 {
        return Ok((Rank::Unknown, Vec::new()));
    }
    let mut delta = DeltaRows::new(a, b, pair, columns);
    let range = range_of(&mut delta, rows, &probe(columns, sample), sample)?;
    let (squares, _) = squared_singular_values(&project(&mut delta, &range, columns)?);
    // Exactly: what one-pass sums lose would look like noise of its own.
    let total = delta.squared_norm()?;
    let rank = rounding_noise(pair, sums)
        .into_iter()
        .find_map(|noise| count_above_noise(&squares, total, noise, (rows, columns)));
    let rank = match rank.filter(|rank| *rank <= max_rank) {
        Some(rank) => Rank::Exactly(rank),
        None => Rank::Above(max_rank),
    };
    let told = SPECTRUM.min(max_rank as usize);
    Ok((
        rank,
        squares.iter().take(told).map(|square| square.sqrt()).collect(),
    ))
}

/// Expected squared norm of the rounding of either side, smaller first: which side was rounded is not known here.
///
/// Rounding to `p` explicit mantissa bits leaves a uniform error of variance `ulp²/12`, and `ulp = 2^-p · 2^exponent`, whose mean
/// square over a mantissa spread evenly in its logarithm is 0.54 of the value's own.
fn rounding_noise(pair: &Pair<'_>, sums: &Sums) -> [f64; 2] {
    const SHARE: f64 = 0.54 / 12.0;
    let of = |dtype: Dtype, squared: f64| match mantissa_bits(dtype) {
        Some(bits) => SHARE * squared * 2f64.powi(-2 * bits),
        None => 0.0,
    };
    let mut noise = [of(pair.a.dtype, sums.a_squared), of(pair.b.dtype, sums.b_squared)];
    noise.sort_by(f64::total_cmp);
    noise
}

fn mantissa_bits(dtype: Dtype) -> Option<i32> {
    match dtype {
        Dtype::F8E4M3 | Dtype::F8E4M3FNUZ => Some(3),
        Dtype::F8E5M2 | Dtype::F8E5M2FNUZ => Some(2),
        Dtype::F4 => Some(1),
        Dtype::BF16 => Some(7),
        Dtype::F16 => Some(10),
        Dtype::F32 => Some(23),
        Dtype::F64 => Some(52),
        _ => None,
    }
}

/// The number of singular values above the edge of the noise, when what remains is no more than noise.
fn count_above_noise(
    squares: &[f64],
    total: f64,
    noise: f64,
    (rows, columns): (usize, usize),
) -> Option<u32> {
    // The largest singular value of noise with variance s² per element is about s(√rows + √columns); half as much again,
    // because rounding is coarser where values are larger.
    let edge =
        (noise / (rows as f64 * columns as f64)).sqrt() * ((rows as f64).sqrt() + (columns as f64).sqrt());
    // Sums of squares carry rounding of their own.
    let floor = total * 1e-12;
    let threshold = (1.5 * edge).powi(2).max(floor);
    let count = squares.iter().take_while(|square| **square > threshold).count();
    let explained: f64 = squares[..count].iter().sum();
    let remaining = total - explained;
    (remaining <= 4.0 * noise + 16.0 * floor).then_some(count as u32)
}
