//! The linear sketch: a two-sided CountSketch of a tensor viewed as a matrix.
//!
//! Enters: runs of values with their row and first column. Leaves: a small matrix `S·W·T`, linear in `W`. Because bucket and
//! sign depend on the index alone, tensors of different shapes subtract as if padded with zeros, and because bucket counts are
//! powers of two, a finer sketch folds onto a coarser one.

use super::hash::hash_index;
use serde::{Deserialize, Serialize};

/// Most buckets on a side.
pub const MAX_SIDE: usize = 64;

const ROW_SEED: u64 = 0x726F_7773;
const COLUMN_SEED: u64 = 0x636F_6C73;

/// Sketch of one tensor. Up to [`MAX_SIDE`] rows and columns; where the matrix itself is no larger, it is the matrix up to the
/// order and signs of rows and columns, so rank, norm and cosine are exact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sketch {
    pub rows: u16,
    pub cols: u16,
    /// Row-major, `rows * cols`.
    pub cells: Vec<f32>,
}

impl Sketch {
    /// The sketch that the same tensor would have with fewer buckets: both sides are powers of two, so buckets merge.
    pub fn fold(&self, rows: u16, cols: u16) -> Sketch {
        let (rows, cols) = (rows.min(self.rows), cols.min(self.cols));
        if (rows, cols) == (self.rows, self.cols) {
            return self.clone();
        }
        let mut cells = vec![0.0f64; usize::from(rows) * usize::from(cols)];
        for (index, cell) in self.cells.iter().enumerate() {
            let row = (index / usize::from(self.cols)) & (usize::from(rows) - 1);
            let col = (index % usize::from(self.cols)) & (usize::from(cols) - 1);
            cells[row * usize::from(cols) + col] += f64::from(*cell);
        }
        let cells = cells.into_iter().map(|cell| cell as f32).collect();
        Sketch { rows, cols, cells }
    }

    /// `self - other` on the finest grid both have: the sketch of the difference of the two tensors.
    pub fn minus(&self, other: &Sketch) -> Sketch {
        let (rows, cols) = (self.rows.min(other.rows), self.cols.min(other.cols));
        let mut difference = self.fold(rows, cols);
        let other = other.fold(rows, cols);
        for (cell, subtrahend) in difference.cells.iter_mut().zip(&other.cells) {
            *cell -= subtrahend;
        }
        difference
    }

    /// Estimate of the inner product of the two tensors.
    pub fn dot(&self, other: &Sketch) -> f64 {
        let (rows, cols) = (self.rows.min(other.rows), self.cols.min(other.cols));
        if (rows, cols) == (self.rows, self.cols) && (rows, cols) == (other.rows, other.cols) {
            return dot(&self.cells, &other.cells);
        }
        dot(&self.fold(rows, cols).cells, &other.fold(rows, cols).cells)
    }

    /// Estimate of the squared L2 norm of the tensor.
    pub fn norm_squared(&self) -> f64 {
        dot(&self.cells, &self.cells)
    }
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

/// Bucket (before folding) and sign of one row.
fn row_bucket(row: u64) -> (usize, f64) {
    let hash = hash_index(ROW_SEED, row / MAX_SIDE as u64);
    let bucket = (row ^ hash) as usize % MAX_SIDE;
    let sign = hash_index(!ROW_SEED, row) & 1;
    (bucket, if sign == 0 { 1.0 } else { -1.0 })
}

const LANES: usize = 8;

/// Adds the value of lane `l` to place `l xor turn`.
#[inline(always)]
fn add_turned(line: &mut [f64; MAX_SIDE], values: &[f32; MAX_SIDE], turn: usize) {
    let (high, low) = (turn / LANES, turn % LANES);
    // Within a group of lanes the turn is a shuffle that the compiler must know.
    match low {
        0 => add_shuffled::<0>(line, values, high),
        1 => add_shuffled::<1>(line, values, high),
        2 => add_shuffled::<2>(line, values, high),
        3 => add_shuffled::<3>(line, values, high),
        4 => add_shuffled::<4>(line, values, high),
        5 => add_shuffled::<5>(line, values, high),
        6 => add_shuffled::<6>(line, values, high),
        _ => add_shuffled::<7>(line, values, high),
    }
}

#[inline(always)]
fn add_shuffled<const LOW: usize>(line: &mut [f64; MAX_SIDE], values: &[f32; MAX_SIDE], high: usize) {
    let (groups, _) = line.as_chunks_mut::<LANES>();
    let (sources, _) = values.as_chunks::<LANES>();
    for (index, group) in groups.iter_mut().enumerate() {
        let source = &sources[(index ^ high) % (MAX_SIDE / LANES)];
        for (lane, sum) in group.iter_mut().enumerate() {
            *sum += f64::from(source[lane ^ LOW]);
        }
    }
}

/// Sums values into cells.
#[derive(Debug, Clone)]
pub(super) struct SketchBuilder {
    rows: usize,
    cols: usize,
    cells: Vec<f64>,
}

impl SketchBuilder {
    pub(super) fn new(rows: u16, cols: u16) -> Self {
        let (rows, cols) = (usize::from(rows), usize::from(cols));
        Self {
            rows,
            cols,
            cells: vec![0.0; rows * cols],
        }
    }

    /// Adds values of `row`, the first at `first_column`, a multiple of [`MAX_SIDE`]. Non-finite values count as zero.
    #[inline(always)]
    pub(super) fn add(&mut self, row: u64, first_column: u64, values: &[f32]) {
        // Columns into the most buckets there can be; then those fold onto as many as there are.
        let mut line = [0.0f64; MAX_SIDE];
        let first_block = first_column / MAX_SIDE as u64;
        for (index, block) in (first_block..).zip(values.chunks(MAX_SIDE)) {
            let turn = hash_index(COLUMN_SEED, index) as usize % MAX_SIDE;
            let signs = hash_index(!COLUMN_SEED, index);
            let mut signed = [0.0f32; MAX_SIDE];
            for (lane, (signed, value)) in signed.iter_mut().zip(block).enumerate() {
                let value = if value.is_finite() { *value } else { 0.0 };
                *signed = f32::from_bits(value.to_bits() ^ ((signs >> lane) as u32 & 1) << 31);
            }
            add_turned(&mut line, &signed, turn);
        }
        let (bucket, sign) = row_bucket(row);
        let start = (bucket & (self.rows - 1)) * self.cols;
        let cells = &mut self.cells[start..start + self.cols];
        for sums in line.chunks(self.cols) {
            for (cell, sum) in cells.iter_mut().zip(sums) {
                *cell += sign * sum;
            }
        }
    }

    pub(super) fn merge(&mut self, other: &SketchBuilder) {
        for (cell, addend) in self.cells.iter_mut().zip(&other.cells) {
            *cell += addend;
        }
    }

    pub(super) fn finish(self) -> Sketch {
        Sketch {
            rows: self.rows as u16,
            cols: self.cols as u16,
            cells: self.cells.into_iter().map(|cell| cell as f32).collect(),
        }
    }
}
