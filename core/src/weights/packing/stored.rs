//! Stored tensors as the layouts want them: found by name, read as matrices, block by block.

use super::super::computed::PIECE_BYTES;
use super::super::decode::decode_f32;
use super::super::{Dtype, TensorInfo, WeightFile};
use serde_json::Value;
use std::cell::OnceCell;
use std::io::{Error, ErrorKind, Result};
use std::ops::Range;

/// Rows longer than this are no matrix of a model: a piece holds at least one row.
const MAX_COLUMNS: u64 = 1 << 24;
/// Texts and shapes beside codes are short.
const MAX_SMALL_BYTES: u64 = 1 << 16;

/// The tensors of a checkpoint as they are stored.
pub(super) struct Stored<'a> {
    files: &'a [WeightFile],
    tensors: &'a [TensorInfo],
    /// Reads the model's config.json, where there is one.
    read_config: &'a dyn Fn() -> Option<String>,
    config: OnceCell<Value>,
    /// What GPTQ adds to stored zero points: found once for a model.
    pub zero_offset: OnceCell<f32>,
}

impl<'a> Stored<'a> {
    /// `tensors` must be in name order.
    pub fn new(
        files: &'a [WeightFile],
        tensors: &'a [TensorInfo],
        read_config: &'a dyn Fn() -> Option<String>,
    ) -> Self {
        Self {
            files,
            tensors,
            read_config,
            config: OnceCell::new(),
            zero_offset: OnceCell::new(),
        }
    }

    /// `quantization_config` of the model's config.json (or all of a quantize_config.json), `null` where there is none.
    pub fn config(&self) -> &Value {
        self.config.get_or_init(|| {
            let text = (self.read_config)().unwrap_or_default();
            let mut config: Value = serde_json::from_str(&text).unwrap_or_default();
            match config.get_mut("quantization_config") {
                Some(inner) => inner.take(),
                None => config,
            }
        })
    }

    pub fn tensor(&self, name: &str) -> Option<&'a TensorInfo> {
        let found = self
            .tensors
            .binary_search_by(|tensor| tensor.name.as_str().cmp(name));
        found.ok().map(|index| &self.tensors[index])
    }

    /// The tensor called `name` as a matrix.
    pub fn matrix(&self, name: &str) -> Option<Matrix> {
        self.as_matrix(self.tensor(name)?)
    }

    /// `tensor` as a matrix: leading axes are stacked. `None` where its rows are no whole bytes, or too long.
    pub fn as_matrix(&self, tensor: &TensorInfo) -> Option<Matrix> {
        let columns = tensor.shape.last().copied().unwrap_or(1);
        let rows = tensor.elements().checked_div(columns)?;
        let (block, _) = tensor.dtype.block();
        (block == 1 && columns <= MAX_COLUMNS).then(|| Matrix {
            file: self.files[tensor.file].clone(),
            offset: tensor.offset,
            dtype: tensor.dtype,
            rows,
            columns,
        })
    }

    /// The bytes of a small tensor.
    pub fn small_bytes(&self, name: &str) -> Option<Vec<u8>> {
        let tensor = self.tensor(name)?;
        if tensor.bytes > MAX_SMALL_BYTES {
            return None;
        }
        let mut bytes = vec![0; tensor.bytes as usize];
        self.files[tensor.file].read(tensor.offset, &mut bytes).ok()?;
        Some(bytes)
    }

    /// The values of a small tensor.
    pub fn small_values(&self, name: &str) -> Option<Vec<f32>> {
        let tensor = self.tensor(name)?;
        let bytes = self.small_bytes(name)?;
        let mut values = vec![0.0; tensor.elements() as usize];
        decode_f32(tensor.dtype, &bytes, &mut values);
        Some(values)
    }
}

/// A stored tensor of two axes, row-major.
#[derive(Clone)]
pub(super) struct Matrix {
    file: WeightFile,
    offset: u64,
    pub dtype: Dtype,
    pub rows: u64,
    pub columns: u64,
}

impl Matrix {
    /// The bytes of a block, row by row.
    pub fn bytes(&self, rows: Range<u64>, columns: Range<u64>) -> Result<Vec<u8>> {
        if rows.end > self.rows || columns.end > self.columns {
            return Err(Error::from(ErrorKind::UnexpectedEof));
        }
        let (_, size) = self.dtype.block();
        let width = (columns.end - columns.start) * size;
        let mut bytes = vec![0; ((rows.end - rows.start) * width) as usize];
        if width == self.columns * size {
            self.file
                .bytes
                .read_at(self.offset + rows.start * width, &mut bytes)?;
            return Ok(bytes);
        }
        for (row, line) in rows.zip(bytes.chunks_exact_mut(width.max(1) as usize)) {
            let start = self.offset + (row * self.columns + columns.start) * size;
            self.file.bytes.read_at(start, line)?;
        }
        Ok(bytes)
    }

    /// The values of a block, row by row.
    pub fn values(&self, rows: Range<u64>, columns: Range<u64>) -> Result<Vec<f32>> {
        let count = (rows.end - rows.start) * (columns.end - columns.start);
        let bytes = self.bytes(rows, columns)?;
        let mut values = vec![0.0; count as usize];
        decode_f32(self.dtype, &bytes, &mut values);
        Ok(values)
    }

    /// The words of a block, row by row; the type must have four bytes.
    pub fn words(&self, rows: Range<u64>, columns: Range<u64>) -> Result<Vec<u32>> {
        let bytes = self.bytes(rows, columns)?;
        let (words, _) = bytes.as_chunks::<4>();
        Ok(words.iter().map(|word| u32::from_le_bytes(*word)).collect())
    }

    /// The same elements in one row.
    pub fn flat(self) -> Self {
        Self {
            columns: self.rows * self.columns,
            rows: 1,
            ..self
        }
    }

    /// The same elements in rows of `columns`.
    pub fn rows_of(self, columns: u64) -> Option<Self> {
        let elements = self.rows * self.columns;
        (elements.is_multiple_of(columns.max(1)) && columns <= MAX_COLUMNS).then(|| Self {
            rows: elements / columns.max(1),
            columns,
            ..self
        })
    }

    /// The same elements in one column.
    pub fn column(self) -> Self {
        Self {
            rows: self.rows * self.columns,
            columns: 1,
            ..self
        }
    }

    /// The same bytes in one row, whatever the type (4-bit codes may be stored as floats).
    pub fn into_bytes(self) -> Self {
        let (_, size) = self.dtype.block();
        Self {
            dtype: Dtype::U8,
            columns: self.rows * self.columns * size,
            rows: 1,
            ..self
        }
    }

    pub fn is_words(&self) -> bool {
        matches!(self.dtype, Dtype::I32 | Dtype::U32)
    }
}

/// Rows of `columns` elements in one piece.
pub(super) fn piece_rows(columns: u64) -> u64 {
    (PIECE_BYTES / 4 / columns.max(1)).max(1)
}

/// The code of `bits` bits at `index` of codes packed one after the other into words, lowest bits first; `word` gives the words.
pub(super) fn packed_code(bits: u32, index: u64, word: impl Fn(u64) -> u32) -> u32 {
    let bit = index * u64::from(bits);
    let (place, shift) = (bit / 32, (bit % 32) as u32);
    let mut code = word(place) >> shift;
    if shift + bits > 32 {
        code |= word(place + 1) << (32 - shift);
    }
    code & ((1 << bits) - 1)
}
