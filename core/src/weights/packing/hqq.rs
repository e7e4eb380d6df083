//! HQQ: codes of a weight cut into groups, which are the columns (axis 0) or the rows (axis 1) of a matrix; packed so that one
//! byte holds elements from far apart.
//!
//! Stored by `HQQLinear.state_dict`, unpacked by `BitPack` in `hqq/core`.

use super::stored::{Matrix, Stored};
use super::{Decoder, PackedLayout, Packing, Unpacked};
use crate::weights::computed::PIECE_BYTES;
use crate::weights::{Dtype, TensorInfo};
use std::io::Result;
use std::ops::Range;

pub(super) fn recognise(stored: &Stored<'_>, codes: &TensorInfo) -> Option<Unpacked> {
    let module = codes.name.strip_suffix("W_q")?;
    let part = |name: &str| format!("{module}{name}");
    let number = |name: &str| stored.small_values(&part(name))?.first().copied();
    let shape: Vec<u64> = stored
        .small_values(&part("shape"))?
        .into_iter()
        .map(|side| side as u64)
        .collect();
    let (bits, along_rows) = (number("nbits")?, number("axis")? == 1.0);
    let packing = String::from_utf8(stored.small_bytes(&part("packing"))?).ok()?;
    let (per_word, word_bits) = match packing.as_str() {
        "8bit_u8" => (1, 8),
        "4bit_u8" => (2, 4),
        "2bit_u8" => (4, 2),
        "1bit_u8" => (8, 1),
        "3bit_32" => (10, 3),
        _ => return None,
    };
    let elements = shape
        .iter()
        .try_fold(1u64, |product, side| product.checked_mul(*side))?;
    let group = match number("group_size") {
        Some(size) if size >= 1.0 => size as u64,
        _ => *shape.last()?,
    };
    let groups = elements.checked_div(group)?;
    let (rows, columns) = if along_rows {
        (groups, group)
    } else {
        (group, groups)
    };
    let codes_matrix = stored.as_matrix(codes)?;
    let expected = if word_bits == 3 { Dtype::I32 } else { Dtype::U8 };
    let fits = codes_matrix.columns == columns
        && codes_matrix.rows == rows.div_ceil(per_word)
        && codes_matrix.dtype == expected
        && rows * columns == elements;
    let (scales, zeros) = (
        stored.matrix(&part("scale"))?.flat(),
        stored.matrix(&part("zero"))?.flat(),
    );
    if !fits || elements == 0 || scales.columns != groups || zeros.columns != groups {
        return None;
    }
    let parts = PARTS.iter().map(|name| part(name));
    Some(Unpacked {
        name: part("weight"),
        shape,
        parts: parts.collect(),
        packing: Packing {
            layout: PackedLayout::Hqq,
            bits: bits.ceil() as u8,
            group_size: u32::try_from(group).ok()?,
            symmetric: false,
        },
        decoder: Box::new(Hqq {
            codes: codes_matrix,
            scales,
            zeros,
            columns,
            word_bits,
            per_word,
            along_rows,
        }),
    })
}

/// What a layer stores beside its bias.
const PARTS: [&str; 19] = [
    "W_q",
    "nbits",
    "group_size",
    "shape",
    "scale",
    "zero",
    "axis",
    "packing",
    "unpack_view_dtype",
    "view_as_float",
    "quant_scale",
    "quant_zero",
    "compute_dtype",
    "offload_meta",
    "encoded_state_dict",
    "stores_quant_config",
    "channel_wise",
    "optimize",
    "round_zero",
];

struct Hqq {
    codes: Matrix,
    scales: Matrix,
    zeros: Matrix,
    columns: u64,
    word_bits: u64,
    per_word: u64,
    along_rows: bool,
}

impl Hqq {
    /// The stored row of a row of codes, and how far its codes are shifted in it: the first part of the rows is in the highest
    /// bits.
    fn place(&self, row: u64) -> (u64, u64) {
        let part = row / self.codes.rows;
        (row % self.codes.rows, (self.per_word - 1 - part) * self.word_bits)
    }

    /// Codes of some columns of one row.
    fn codes(&self, row: u64, columns: Range<u64>) -> Result<Vec<f32>> {
        let (stored, shift) = self.place(row);
        let mask = (1u32 << self.word_bits) - 1;
        if self.codes.dtype == Dtype::I32 {
            let words = self.codes.words(stored..stored + 1, columns)?;
            return Ok(words
                .into_iter()
                .map(|word| ((word >> shift) & mask) as f32)
                .collect());
        }
        let bytes = self.codes.bytes(stored..stored + 1, columns)?;
        Ok(bytes
            .into_iter()
            .map(|byte| ((u32::from(byte) >> shift) & mask) as f32)
            .collect())
    }
}

impl Decoder for Hqq {
    fn piece_elements(&self) -> u64 {
        PIECE_BYTES / 4
    }

    fn decode(&self, elements: Range<u64>) -> Result<Vec<f32>> {
        let mut values = Vec::with_capacity((elements.end - elements.start) as usize);
        let mut next = elements.start;
        while next < elements.end {
            let (row, first) = (next / self.columns, next % self.columns);
            let last = self.columns.min(first + elements.end - next);
            let groups = if self.along_rows {
                row..row + 1
            } else {
                first..last
            };
            let scales = self.scales.values(0..1, groups.clone())?;
            let zeros = self.zeros.values(0..1, groups)?;
            for (place, code) in self.codes(row, first..last)?.into_iter().enumerate() {
                let group = if self.along_rows { 0 } else { place };
                values.push((code - zeros[group]) * scales[group]);
            }
            next += last - first;
        }
        Ok(values)
    }
}
