//! Codes in the order of the values they stand for, with scales (and zero points) that groups of rows and columns share.

use super::Decoder;
use super::stored::{Matrix, packed_code, piece_rows};
use crate::weights::decode::four_bit_float;
use std::io::Result;
use std::ops::Range;

/// Codes, each less its zero point, times its scale.
pub(super) struct Grouped {
    pub codes: Codes,
    pub rows: u64,
    pub columns: u64,
    pub scales: Grid,
    pub zeros: Option<Zeros>,
}

pub(super) enum Codes {
    /// One element a code.
    Plain(Matrix),
    /// Whole numbers of some bits in words along a row, lowest bits first, biased by half their range.
    Words { matrix: Matrix, bits: u32 },
    /// 4-bit floats (E2M1) in bytes along a row, low half first.
    Halves(Matrix),
}

impl Codes {
    fn values(&self, rows: Range<u64>, columns: u64) -> Result<Vec<f32>> {
        let matrix = match self {
            Self::Plain(matrix) => return matrix.values(rows, 0..columns),
            Self::Words { matrix, .. } | Self::Halves(matrix) => matrix,
        };
        let mut values = Vec::with_capacity(((rows.end - rows.start) * columns) as usize);
        let width = matrix.columns as usize;
        match self {
            Self::Words { bits, .. } => {
                let half = f32::from(1u16 << (bits - 1));
                let words = matrix.words(rows, 0..matrix.columns)?;
                for line in words.chunks_exact(width) {
                    let word = |place: u64| line.get(place as usize).copied().unwrap_or(0);
                    values.extend((0..columns).map(|column| packed_code(*bits, column, word) as f32 - half));
                }
            }
            _ => {
                let bytes = matrix.bytes(rows, 0..matrix.columns)?;
                for line in bytes.chunks_exact(width) {
                    let code = |column: u64| line[column as usize / 2] >> (4 * (column % 2));
                    values.extend((0..columns).map(|column| four_bit_float(code(column))));
                }
            }
        }
        Ok(values)
    }
}

/// Numbers shared by blocks of rows and columns.
pub(super) struct Grid {
    matrix: Matrix,
    block_rows: u64,
    block_columns: u64,
    /// What each is divided by.
    pub divisor: f32,
}

impl Grid {
    /// A grid over `rows` by `columns` elements: blocks are as large as they must be for `matrix` to cover them.
    pub fn over(matrix: Matrix, rows: u64, columns: u64) -> Option<Self> {
        if matrix.rows == 0 || matrix.columns == 0 || matrix.rows > rows || matrix.columns > columns {
            return None;
        }
        Some(Self {
            block_rows: rows.div_ceil(matrix.rows),
            block_columns: columns.div_ceil(matrix.columns),
            matrix,
            divisor: 1.0,
        })
    }

    /// Elements of a row that share a number; 0 where all do.
    pub fn group_size(&self) -> u32 {
        match self.matrix.columns {
            1 => 0,
            _ => u32::try_from(self.block_columns).unwrap_or(0),
        }
    }

    fn lines(&self, rows: &Range<u64>) -> Result<Lines> {
        let first = rows.start / self.block_rows;
        let last = rows.end.div_ceil(self.block_rows).min(self.matrix.rows);
        let mut values = self.matrix.values(first..last, 0..self.matrix.columns)?;
        if self.divisor != 1.0 {
            values.iter_mut().for_each(|value| *value /= self.divisor);
        }
        Ok(Lines {
            values,
            first,
            width: self.matrix.columns as usize,
            block_rows: self.block_rows,
        })
    }
}

/// The numbers of a grid that some rows need.
struct Lines {
    values: Vec<f32>,
    first: u64,
    width: usize,
    block_rows: u64,
}

impl Lines {
    fn of_row(&self, row: u64) -> &[f32] {
        let line = (row / self.block_rows - self.first) as usize;
        &self.values[line * self.width..][..self.width]
    }
}

pub(super) enum Zeros {
    Plain(Grid),
    /// Packed along the rows like [`Codes::Words`].
    Words {
        matrix: Matrix,
        bits: u32,
        block_columns: u64,
    },
}

impl Zeros {
    fn lines(&self, rows: &Range<u64>) -> Result<Lines> {
        let (matrix, bits) = match self {
            Self::Plain(grid) => return grid.lines(rows),
            Self::Words { matrix, bits, .. } => (matrix, *bits),
        };
        let width = matrix.columns as usize;
        let first = rows.start * u64::from(bits) / 32;
        let last = (rows.end * u64::from(bits)).div_ceil(32).min(matrix.rows);
        let words = matrix.words(first..last, 0..matrix.columns)?;
        let half = f32::from(1u16 << (bits - 1));
        let mut values = Vec::with_capacity((rows.end - rows.start) as usize * width);
        for row in rows.clone() {
            for column in 0..width {
                let word = |place: u64| {
                    words
                        .get((place - first) as usize * width + column)
                        .copied()
                        .unwrap_or(0)
                };
                values.push(packed_code(bits, row, word) as f32 - half);
            }
        }
        Ok(Lines {
            values,
            first: rows.start,
            width,
            block_rows: 1,
        })
    }

    fn block_columns(&self) -> u64 {
        match self {
            Self::Plain(grid) => grid.block_columns,
            Self::Words { block_columns, .. } => *block_columns,
        }
    }
}

impl Decoder for Grouped {
    fn piece_elements(&self) -> u64 {
        piece_rows(self.columns) * self.columns
    }

    fn decode(&self, elements: Range<u64>) -> Result<Vec<f32>> {
        let rows = elements.start / self.columns..elements.end / self.columns;
        debug_assert!(rows.end <= self.rows);
        let mut values = self.codes.values(rows.clone(), self.columns)?;
        let scales = self.scales.lines(&rows)?;
        let zeros = self.zeros.as_ref().map(|zeros| zeros.lines(&rows)).transpose()?;
        for (row, line) in rows.zip(values.chunks_exact_mut(self.columns as usize)) {
            if let (Some(lines), Some(zeros)) = (&zeros, &self.zeros) {
                let blocks = line.chunks_mut(zeros.block_columns() as usize);
                for (block, zero) in blocks.zip(lines.of_row(row)) {
                    block.iter_mut().for_each(|value| *value -= zero);
                }
            }
            let blocks = line.chunks_mut(self.scales.block_columns as usize);
            for (block, scale) in blocks.zip(scales.of_row(row)) {
                block.iter_mut().for_each(|value| *value *= scale);
            }
        }
        Ok(values)
    }
}
