//! The rank of a delta: is it of low rank, up to the rounding of the type it was stored in?
//!
//! A randomised range finder (Halko, Martinsson and Tropp 2011, algorithm 4.1) with a fixed seed: one pass for `Y = D·Ω`, one for
//! `B = Qᵀ·D`. A singular value counts when it stands above what rounding alone would give a matrix of this shape, and the
//! rank is reported only when all that remains can be rounding.

use super::kernel::Sums;
use super::pairing::Pair;
use crate::weights::{Checkpoint, Dtype, WeightsError, WindowReader};
use nalgebra::{DMatrix, SymmetricEigen};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Columns sampled beyond the rank looked for.
const OVERSAMPLING: usize = 8;
/// More than this many values are not held at once; such a delta's rank is not looked for.
const MAX_SAMPLE_VALUES: usize = 1 << 22;
const SEED: u64 = 0x6865_6972_6c6f_6f6d;

/// What was found of a delta's rank.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rank {
    /// No matrix, not finite, or too large to look at.
    Unknown,
    Exactly(u32),
    Above(u32),
}

/// Looks for a rank of `max_rank` or less.
pub(super) fn delta_rank(
    a: &Checkpoint,
    b: &Checkpoint,
    pair: &Pair<'_>,
    sums: &Sums,
    max_rank: u32,
) -> Result<Rank, WeightsError> {
    let Some((rows, columns)) = matrix_shape(&pair.a.shape) else {
        return Ok(Rank::Unknown);
    };
    if sums.changed == 0 {
        return Ok(Rank::Exactly(0));
    }
    let sample = (max_rank as usize + OVERSAMPLING).min(rows).min(columns);
    let too_large = sample.saturating_mul(rows.max(columns)) > MAX_SAMPLE_VALUES;
    if too_large || sums.non_finite > 0 {
        return Ok(Rank::Unknown);
    }
    let mut delta = DeltaRows::new(a, b, pair, columns);
    let range = range_of(&mut delta, rows, columns, sample)?;
    let squares = squared_singular_values(&mut delta, range, columns)?;
    let rank = rounding_noise(pair, sums)
        .into_iter()
        .find_map(|noise| count_above_noise(&squares, sums.delta_squared, noise, (rows, columns)));
    Ok(match rank.filter(|rank| *rank <= max_rank) {
        Some(rank) => Rank::Exactly(rank),
        None => Rank::Above(max_rank),
    })
}

/// Axis 0 by the rest, where both have at least two.
fn matrix_shape(shape: &[u64]) -> Option<(usize, usize)> {
    let (rows, rest) = shape.split_first()?;
    let columns: u64 = rest.iter().product();
    (*rows > 1 && columns > 1).then_some((*rows as usize, columns as usize))
}

/// Reads `b - a` some rows at a time.
struct DeltaRows<'a> {
    a: &'a Checkpoint,
    b: &'a Checkpoint,
    pair: &'a Pair<'a>,
    columns: usize,
    readers: [WindowReader; 2],
}

impl<'a> DeltaRows<'a> {
    fn new(a: &'a Checkpoint, b: &'a Checkpoint, pair: &'a Pair<'a>, columns: usize) -> Self {
        Self {
            a,
            b,
            pair,
            columns,
            readers: Default::default(),
        }
    }

    /// Calls `visit` with the position of each run's first element and the run's differences, in order.
    fn for_each_run(&mut self, mut visit: impl FnMut(usize, &[f64])) -> Result<(), WeightsError> {
        let mut differences = Vec::new();
        for (first, count) in crate::weights::windows(self.pair.a.elements()) {
            let [before, after] = &mut self.readers;
            let (_, before) = before.read_wide(self.a, self.pair.a, first, count)?;
            let (_, after) = after.read_wide(self.b, self.pair.b, first, count)?;
            differences.clear();
            differences.extend(after.iter().zip(before).map(|(after, before)| after - before));
            visit(first as usize, &differences);
        }
        Ok(())
    }

    /// As [`Self::for_each_run`], cut where rows end: row, first column, differences.
    fn for_each_row_part(&mut self, mut visit: impl FnMut(usize, usize, &[f64])) -> Result<(), WeightsError> {
        let columns = self.columns;
        self.for_each_run(|first, differences| {
            let mut done = 0;
            while done < differences.len() {
                let (row, column) = ((first + done) / columns, (first + done) % columns);
                let length = (columns - column).min(differences.len() - done);
                visit(row, column, &differences[done..done + length]);
                done += length;
            }
        })
    }
}

/// An orthonormal basis of the range of `D·Ω`, one column a sample; row-major, `rows` by `sample`.
fn range_of(
    delta: &mut DeltaRows<'_>,
    rows: usize,
    columns: usize,
    sample: usize,
) -> Result<DMatrix<f64>, WeightsError> {
    let mut random = ChaCha8Rng::seed_from_u64(SEED);
    let signs: Vec<f64> = (0..columns * sample)
        .map(|_| if random.random::<bool>() { 1.0 } else { -1.0 })
        .collect();
    // Transposed, so that the `sample` numbers of one row lie together.
    let mut image = DMatrix::<f64>::zeros(sample, rows);
    delta.for_each_row_part(|row, column, differences| {
        let mut sums = image.column_mut(row);
        for (difference, signs) in differences.iter().zip(signs[column * sample..].chunks(sample)) {
            for (sum, sign) in sums.iter_mut().zip(signs) {
                *sum += difference * sign;
            }
        }
    })?;
    Ok(image.transpose().qr().q())
}

/// The eigenvalues of `B·Bᵀ` for `B = Qᵀ·D`, largest first.
fn squared_singular_values(
    delta: &mut DeltaRows<'_>,
    range: DMatrix<f64>,
    columns: usize,
) -> Result<Vec<f64>, WeightsError> {
    let basis = range.transpose();
    let sample = basis.nrows();
    let mut projected = DMatrix::<f64>::zeros(sample, columns);
    delta.for_each_row_part(|row, column, differences| {
        let basis = basis.column(row);
        for (offset, difference) in differences.iter().enumerate() {
            projected
                .column_mut(column + offset)
                .axpy(*difference, &basis, 1.0);
        }
    })?;
    let gram = &projected * projected.transpose();
    let mut squares: Vec<f64> = SymmetricEigen::new(gram).eigenvalues.iter().copied().collect();
    squares.sort_by(|a, b| b.total_cmp(a));
    Ok(squares)
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
