//! The leading singular values and vectors of a delta, by a randomised range finder with a fixed seed (Halko, Martinsson and Tropp
//! 2011, algorithm 4.1): `Y = D·Ω`, `Q = orth(Y)`, `B = Qᵀ·D`. The delta is read a window at a time and never held.

use super::pairing::Pair;
use crate::weights::{Checkpoint, WeightsError, WindowReader};
use nalgebra::{DMatrix, SymmetricEigen};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Columns sampled beyond the rank looked for.
pub(super) const OVERSAMPLING: usize = 8;
const SEED: u64 = 0x6865_6972_6c6f_6f6d;

/// Axis 0 by the rest, where both have at least two.
pub(super) fn matrix_shape(shape: &[u64]) -> Option<(usize, usize)> {
    let (rows, rest) = shape.split_first()?;
    let columns: u64 = rest.iter().product();
    (*rows > 1 && columns > 1).then_some((*rows as usize, columns as usize))
}

/// Reads `b - a` some rows at a time.
pub(super) struct DeltaRows<'a> {
    a: &'a Checkpoint,
    b: &'a Checkpoint,
    pair: &'a Pair<'a>,
    columns: usize,
    readers: [WindowReader; 2],
}

impl<'a> DeltaRows<'a> {
    pub fn new(a: &'a Checkpoint, b: &'a Checkpoint, pair: &'a Pair<'a>, columns: usize) -> Self {
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

    /// Infinite or NaN where a value is.
    pub fn squared_norm(&mut self) -> Result<f64, WeightsError> {
        let mut squared = 0.0;
        self.for_each_run(|_, differences| {
            squared += differences.iter().map(|value| value * value).sum::<f64>()
        })?;
        Ok(squared)
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

/// Random signs, `columns` rows of `sample`: what a delta is probed with first.
pub(super) fn probe(columns: usize, sample: usize) -> Vec<f64> {
    let mut random = ChaCha8Rng::seed_from_u64(SEED);
    (0..columns * sample)
        .map(|_| if random.random::<bool>() { 1.0 } else { -1.0 })
        .collect()
}

/// An orthonormal basis of the range of `D·Ω`, one column a sample. `probe` is `Ω`, row-major.
pub(super) fn range_of(
    delta: &mut DeltaRows<'_>,
    rows: usize,
    probe: &[f64],
    sample: usize,
) -> Result<DMatrix<f64>, WeightsError> {
    // Transposed, so that the `sample` numbers of one row lie together.
    let mut image = DMatrix::<f64>::zeros(sample, rows);
    delta.for_each_row_part(|row, column, differences| {
        let mut sums = image.column_mut(row);
        for (difference, probe) in differences.iter().zip(probe[column * sample..].chunks(sample)) {
            for (sum, probe) in sums.iter_mut().zip(probe) {
                *sum += difference * probe;
            }
        }
    })?;
    Ok(image.transpose().qr().q())
}

/// `Qᵀ·D`.
pub(super) fn project(
    delta: &mut DeltaRows<'_>,
    range: &DMatrix<f64>,
    columns: usize,
) -> Result<DMatrix<f64>, WeightsError> {
    let basis = range.transpose();
    let mut projected = DMatrix::<f64>::zeros(basis.nrows(), columns);
    delta.for_each_row_part(|row, column, differences| {
        let basis = basis.column(row);
        for (offset, difference) in differences.iter().enumerate() {
            projected
                .column_mut(column + offset)
                .axpy(*difference, &basis, 1.0);
        }
    })?;
    Ok(projected)
}

/// The squared singular values of `B`, largest first, and its left singular vectors as columns in that order.
pub(super) fn squared_singular_values(projected: &DMatrix<f64>) -> (Vec<f64>, DMatrix<f64>) {
    let eigen = SymmetricEigen::new(projected * projected.transpose());
    let mut order: Vec<usize> = (0..eigen.eigenvalues.len()).collect();
    order.sort_by(|x, y| eigen.eigenvalues[*y].total_cmp(&eigen.eigenvalues[*x]));
    let squares = order
        .iter()
        .map(|place| eigen.eigenvalues[*place].max(0.0))
        .collect();
    (squares, eigen.eigenvectors.select_columns(&order))
}
