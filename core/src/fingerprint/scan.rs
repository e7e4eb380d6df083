//! One pass over one tensor's bytes.
//!
//! Enters: a tensor of a checkpoint and the sizes to keep. Leaves: its [`TensorFingerprint`]. Windows are scanned on all cores
//! and merged in order, so the result does not depend on the number of threads; memory is a few windows.

use super::TensorFingerprint;
use super::digest::TensorDigest;
use super::distinct::{DistinctCounter, line_distinct};
use super::invariants::{Invariants, SmallestHashes, ValueHashes};
use super::moments::Moments;
use super::plan::Sizes;
use super::probe::ProbeBuilder;
use super::sketch::{Sketch, SketchBuilder};
use super::stats::{GroupZeros, Lines, RUN_LENGTHS, Stats, quantiles};
use super::view::View;
use crate::weights::{Checkpoint, TensorInfo, WeightsError, Window, WindowReader};
use rayon::prelude::*;

/// Elements in a window, about: whole rows where they fit.
const WINDOW_ELEMENTS: u64 = 1 << 16;
/// Windows read and scanned together.
const BATCH: usize = 8;
/// Rows whose distinct values are counted, and whose norms enter the quantiles, at most.
const SAMPLED_ROWS: u64 = 32;
const NORM_ROWS: u64 = 1 << 16;
/// Widest tensor whose columns are looked at; columns sampled for distinct values, and rows they are sampled in.
const WIDEST_COLUMNS: u64 = 1 << 14;
const SAMPLED_COLUMNS: u64 = 16;
const COLUMN_SAMPLE_ROWS: u64 = 2048;

/// Reads `tensor` once. `progress` is told the bytes done since its last call.
pub(super) fn scan_tensor(
    checkpoint: &Checkpoint,
    tensor: &TensorInfo,
    sizes: Sizes,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<TensorFingerprint, WeightsError> {
    let view = View::of(&tensor.shape);
    let layout = Layout::of(tensor, view);
    let mut total = Scan::new(view, sizes);
    let mut digest = TensorDigest::new(tensor.dtype, &tensor.shape);
    let mut probe = ProbeBuilder::new(view.rows, sizes.probe_rows, sizes.probe_cols);
    let mut readers: Vec<WindowReader> = Vec::new();
    readers.resize_with(BATCH.min(layout.windows()), WindowReader::default);
    for start in (0..layout.windows()).step_by(BATCH) {
        let windows: Vec<Window<'_>> = readers
            .par_iter_mut()
            .zip(start..layout.windows())
            .map(|(reader, index)| {
                let (first, count) = layout.window(index);
                reader.read(checkpoint, tensor, first, count)
            })
            .collect::<Result<_, _>>()?;
        let is_saturated = total.distinct.is_saturated();
        let scan = |window: &Window<'_>| Scan::of_window(view, sizes, window, is_saturated);
        let in_order = || {
            for window in &windows {
                digest.update(window.bytes, window.values);
                for (row, column, values) in Rows::of(view, window) {
                    if column == 0 {
                        probe.add(row, values);
                    }
                }
            }
        };
        let (scans, ()) = rayon::join(|| windows.par_iter().map(scan).collect::<Vec<_>>(), in_order);
        scans.iter().for_each(|scan| total.merge(scan));
        progress(windows.iter().map(|window| window.bytes.len() as u64).sum());
    }
    Ok(total.finish(tensor, digest, probe))
}

/// How a tensor is cut into windows: whole rows, or pieces of one row where a row is larger than a window.
struct Layout {
    elements: u64,
    window: u64,
}

impl Layout {
    fn of(tensor: &TensorInfo, view: View) -> Self {
        let elements = view.elements();
        if view.cols == 0 || view.cols > WINDOW_ELEMENTS {
            return Self {
                elements,
                window: WINDOW_ELEMENTS,
            };
        }
        let (block, _) = tensor.dtype.block();
        let mut rows = WINDOW_ELEMENTS / view.cols;
        if !view.cols.is_multiple_of(block) {
            rows = rows.next_multiple_of(block);
        }
        Self {
            elements,
            window: rows * view.cols,
        }
    }

    fn windows(&self) -> usize {
        self.elements.div_ceil(self.window) as usize
    }

    fn window(&self, index: usize) -> (u64, u64) {
        let first = index as u64 * self.window;
        (first, self.window.min(self.elements - first))
    }
}

/// The rows (or pieces of rows) of a window: row, first column, values.
struct Rows<'w> {
    cols: u64,
    first: u64,
    rest: &'w [f32],
}

impl<'w> Rows<'w> {
    fn of(view: View, window: &Window<'w>) -> Self {
        Self {
            cols: view.cols,
            first: window.first,
            rest: window.values,
        }
    }
}

impl<'w> Iterator for Rows<'w> {
    type Item = (u64, u64, &'w [f32]);

    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let (row, column) = (self.first / self.cols, self.first % self.cols);
        let length = (self.cols - column).min(self.rest.len() as u64) as usize;
        let (values, rest) = self.rest.split_at(length);
        self.first += length as u64;
        self.rest = rest;
        Some((row, column, values))
    }
}

/// Everything learnt from some of a tensor's windows.
pub(super) struct Scan {
    view: View,
    moments: Moments,
    zeros: GroupZeros,
    distinct: DistinctCounter,
    sketch: SketchBuilder,
    value_hash: u64,
    rows: RowScan,
    columns: Option<ColumnScan>,
}

/// What rows show. Rows longer than a window are not looked at as rows.
#[derive(Default)]
struct RowScan {
    hashes: SmallestHashes,
    norms: Vec<f32>,
    zero_rows: u64,
    distinct: u32,
    run_distinct: [u16; RUN_LENGTHS.len()],
}

/// What columns show, kept for matrices of moderate width.
struct ColumnScan {
    squares: Vec<f64>,
    hashes: Vec<u64>,
    /// Values of sampled columns, row by row.
    sampled: Vec<f32>,
}

impl Scan {
    pub(super) fn new(view: View, sizes: Sizes) -> Self {
        let has_columns = view.rows > 1 && view.cols > 1 && view.cols <= WIDEST_COLUMNS;
        Self {
            view,
            moments: Moments::default(),
            zeros: GroupZeros::new(),
            distinct: DistinctCounter::new(),
            sketch: SketchBuilder::new(sizes.sketch_rows.max(1), sizes.sketch_cols.max(1)),
            value_hash: 0,
            rows: RowScan::default(),
            columns: has_columns.then(|| ColumnScan {
                squares: vec![0.0; view.cols as usize],
                hashes: vec![0; view.cols as usize],
                sampled: Vec::new(),
            }),
        }
    }

    /// `is_saturated`: distinct values need not be counted any more.
    fn of_window(view: View, sizes: Sizes, window: &Window<'_>, is_saturated: bool) -> Self {
        let mut scan = Self::new(view, sizes);
        if is_saturated {
            scan.distinct.saturate();
        }
        scan.add_window(window);
        scan
    }

    /// The same loops with wider registers where the processor has them. Every sum keeps its order, so no bit differs.
    fn add_window(&mut self, window: &Window<'_>) {
        #[cfg(target_arch = "x86_64")]
        {
            #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
            fn add_rows_wide(scan: &mut Scan, window: &Window<'_>) {
                scan.add_rows(window);
            }
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("bmi2") {
                // SAFETY: the processor has what the function is compiled for; every one with BMI2 has the others.
                return unsafe { add_rows_wide(self, window) };
            }
        }
        self.add_rows(window);
    }

    #[inline(always)]
    fn add_rows(&mut self, window: &Window<'_>) {
        let mut buffer = Vec::new();
        for (row, column, values) in Rows::of(self.view, window) {
            self.add_row(row, column, values, &mut buffer);
        }
    }

    #[inline(always)]
    pub(super) fn add_row(&mut self, row: u64, column: u64, values: &[f32], buffer: &mut Vec<u32>) {
        let squares = self.moments.add(values);
        self.zeros.add(values);
        self.distinct.add(values);
        self.sketch.add(row, column, values);
        let hash = match &mut self.columns {
            Some(columns) => columns.add_row(row, values),
            None => ValueHashes::get().of_line(values),
        };
        self.value_hash = self.value_hash.wrapping_add(hash);
        if values.len() as u64 == self.view.cols {
            self.rows
                .add(self.view, row, values, RowSums { squares, hash }, buffer);
        }
    }

    fn merge(&mut self, other: &Scan) {
        self.moments.merge(&other.moments);
        self.zeros.merge(&other.zeros);
        self.distinct.merge(&other.distinct);
        self.sketch.merge(&other.sketch);
        self.value_hash = self.value_hash.wrapping_add(other.value_hash);
        self.rows.merge(&other.rows);
        if let (Some(columns), Some(other)) = (&mut self.columns, &other.columns) {
            columns.merge(other);
        }
    }

    fn finish(self, tensor: &TensorInfo, digest: TensorDigest, probe: ProbeBuilder) -> TensorFingerprint {
        let (digest, value_digest) = digest.finish();
        let has_values = self.view.elements() > 0;
        let mut column_hashes = SmallestHashes::default();
        if let Some(columns) = &self.columns {
            columns.add_hashes(&mut column_hashes);
        }
        let invariants = has_values.then(|| Invariants {
            values: self.value_hash,
            rows: self.rows.hashes.clone().finish(),
            columns: column_hashes.finish(),
        });
        let (stats, sketch) = self.finish_values();
        TensorFingerprint {
            digest: Some(digest),
            value_digest: Some(value_digest),
            stats: Some(stats),
            invariants,
            sketch: has_values.then_some(sketch),
            probe: has_values.then(|| probe.finish()),
            ..TensorFingerprint::of_header(tensor)
        }
    }

    /// Statistics and sketch.
    pub(super) fn finish_values(self) -> (Stats, Sketch) {
        let mut lines = Lines {
            row_distinct: self.rows.distinct,
            run_distinct: self.rows.run_distinct,
            zero_rows: self.rows.zero_rows,
            row_norms: quantiles(self.rows.norms),
            ..Lines::default()
        };
        if let Some(columns) = self.columns {
            columns.finish(&mut lines);
        }
        let stats = Stats::finish(&self.moments, &self.zeros, self.distinct.count(), lines);
        (stats, self.sketch.finish())
    }
}

/// Sums over one row that others have already made.
struct RowSums {
    squares: f64,
    hash: u64,
}

impl RowScan {
    fn add(&mut self, view: View, row: u64, values: &[f32], sums: RowSums, buffer: &mut Vec<u32>) {
        if view.rows > 1 && view.cols > 1 {
            self.zero_rows += u64::from(sums.squares == 0.0);
            if sums.squares != 0.0 {
                self.hashes.add(sums.hash);
            }
        }
        if row.is_multiple_of(view.rows.div_ceil(NORM_ROWS)) {
            self.norms.push(sums.squares.sqrt() as f32);
        }
        if row.is_multiple_of(view.rows.div_ceil(SAMPLED_ROWS)) {
            let (distinct, runs) = line_distinct(values, buffer);
            self.distinct = self.distinct.max(distinct);
            for (most, run) in self.run_distinct.iter_mut().zip(runs) {
                *most = (*most).max(run);
            }
        }
    }

    fn merge(&mut self, other: &RowScan) {
        self.hashes.merge(&other.hashes);
        self.norms.extend_from_slice(&other.norms);
        self.zero_rows += other.zero_rows;
        self.distinct = self.distinct.max(other.distinct);
        for (most, run) in self.run_distinct.iter_mut().zip(other.run_distinct) {
            *most = (*most).max(run);
        }
    }
}

impl ColumnScan {
    /// Adds a whole row; returns its hash as a multiset.
    #[inline(always)]
    fn add_row(&mut self, row: u64, values: &[f32]) -> u64 {
        let hashes = ValueHashes::get();
        let mut row_hash = 0u64;
        for (value, hash) in values.iter().zip(&mut self.hashes) {
            let contribution = hashes.of(*value);
            row_hash = row_hash.wrapping_add(contribution);
            *hash = hash.wrapping_add(contribution);
        }
        for (value, square) in values.iter().zip(&mut self.squares) {
            let value = if value.is_finite() { f64::from(*value) } else { 0.0 };
            *square += value * value;
        }
        if row < COLUMN_SAMPLE_ROWS {
            let stride = (values.len() as u64).div_ceil(SAMPLED_COLUMNS) as usize;
            self.sampled.extend(values.iter().step_by(stride));
        }
        row_hash
    }

    fn merge(&mut self, other: &ColumnScan) {
        for (square, addend) in self.squares.iter_mut().zip(&other.squares) {
            *square += addend;
        }
        for (hash, addend) in self.hashes.iter_mut().zip(&other.hashes) {
            *hash = hash.wrapping_add(*addend);
        }
        self.sampled.extend_from_slice(&other.sampled);
    }

    /// Columns of zeros are left out.
    fn add_hashes(&self, hashes: &mut SmallestHashes) {
        for (square, hash) in self.squares.iter().zip(&self.hashes) {
            if *square != 0.0 {
                hashes.add(*hash);
            }
        }
    }

    fn finish(self, lines: &mut Lines) {
        lines.zero_columns = self.squares.iter().filter(|square| **square == 0.0).count() as u64;
        let stride = (self.squares.len() as u64).div_ceil(SAMPLED_COLUMNS) as usize;
        let sampled_columns = self.squares.len().div_ceil(stride);
        let mut buffer = Vec::new();
        for column in 0..sampled_columns {
            let values: Vec<f32> = self
                .sampled
                .iter()
                .skip(column)
                .step_by(sampled_columns)
                .copied()
                .collect();
            lines.column_distinct = lines.column_distinct.max(line_distinct(&values, &mut buffer).0);
        }
        lines.column_norms = quantiles(self.squares.iter().map(|square| square.sqrt() as f32).collect());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_registers_change_no_bit() {
        let mut values: Vec<f32> = (0..5000u32)
            .map(|place| (place.wrapping_mul(2_654_435_761) as f32 / 1e9 - 2.0).powi(3))
            .collect();
        values[7..12].copy_from_slice(&[0.0, -0.0, f32::NAN, f32::INFINITY, 1.0]);
        let view = View { rows: 50, cols: 100 };
        let sizes = Sizes {
            sketch_rows: 16,
            sketch_cols: 16,
            probe_rows: 1,
            probe_cols: 1,
        };
        let window = Window {
            first: 0,
            bytes: &[],
            values: &values,
        };
        let [mut wide, mut plain] = [Scan::new(view, sizes), Scan::new(view, sizes)];
        wide.add_window(&window);
        plain.add_rows(&window);
        assert_eq!(wide.value_hash, plain.value_hash);
        assert_eq!(
            wide.rows.hashes.clone().finish(),
            plain.rows.hashes.clone().finish()
        );
        assert_eq!(wide.finish_values(), plain.finish_values());
    }
}
