//! bitsandbytes: 4-bit codes into a table of 16 levels (NF4, FP4) with a scale for each block, whose scales may be quantized
//! again; and 8-bit codes with a scale for each row (LLM.int8).
//!
//! Stored by `QuantState.as_dict` in `bitsandbytes/functional.py`; the high half of a byte holds the first of its two codes.

use super::grouped::{Codes, Grid, Grouped};
use super::stored::{Matrix, Stored};
use super::{Decoder, PackedLayout, Packing, Unpacked};
use crate::weights::computed::PIECE_BYTES;
use crate::weights::{Dtype, TensorInfo};
use std::io::{Error, ErrorKind, Result};
use std::ops::Range;

/// What is not a tensor of a quantization state, as JSON.
#[derive(serde::Deserialize)]
struct QuantState {
    blocksize: u64,
    shape: Vec<u64>,
    nested_blocksize: Option<u64>,
    nested_offset: Option<f32>,
}

pub(super) fn recognise_four_bits(stored: &Stored<'_>, state: &TensorInfo) -> Option<Unpacked> {
    let (name, kind) = state.name.rsplit_once(".quant_state.bitsandbytes__")?;
    let read: QuantState = serde_json::from_slice(&stored.small_bytes(&state.name)?).ok()?;
    let part = |part: &str| format!("{name}.{part}");
    let codes = stored.matrix(name)?;
    let elements = read
        .shape
        .iter()
        .try_fold(1u64, |product, length| product.checked_mul(*length))?;
    let code_bytes = codes
        .rows
        .checked_mul(codes.columns)?
        .checked_mul(codes.dtype.block().1)?;
    if elements == 0 || elements.div_ceil(2) != code_bytes || !(2..=1 << 20).contains(&read.blocksize) {
        return None;
    }
    let nested = match (read.nested_blocksize, read.nested_offset) {
        (Some(block), Some(offset)) if block > 0 => Some(Nested {
            levels: stored.small_values(&part("nested_quant_map"))?,
            scales: stored.matrix(&part("nested_absmax"))?.flat(),
            block,
            offset,
        }),
        _ => None,
    };
    let decoder = FourBits {
        codes: codes.into_bytes(),
        levels: stored.small_values(&part("quant_map"))?.try_into().ok()?,
        scales: stored.matrix(&part("absmax"))?.flat(),
        block: read.blocksize,
        elements,
        nested,
    };
    let parts = ["absmax", "quant_map", "nested_absmax", "nested_quant_map"].map(part);
    Some(Unpacked {
        name: name.to_owned(),
        shape: read.shape,
        parts: parts
            .into_iter()
            .chain([name.to_owned(), state.name.clone()])
            .collect(),
        packing: Packing {
            layout: if kind == "nf4" {
                PackedLayout::Nf4
            } else {
                PackedLayout::Fp4
            },
            bits: 4,
            group_size: read.blocksize as u32,
            symmetric: true,
        },
        decoder: Box::new(decoder),
    })
}

struct FourBits {
    codes: Matrix,
    levels: [f32; 16],
    scales: Matrix,
    block: u64,
    elements: u64,
    nested: Option<Nested>,
}

/// Scales that are themselves 8-bit codes into a table.
struct Nested {
    levels: Vec<f32>,
    scales: Matrix,
    block: u64,
    offset: f32,
}

impl FourBits {
    fn scales(&self, blocks: Range<u64>) -> Result<Vec<f32>> {
        let Some(nested) = &self.nested else {
            return self.scales.values(0..1, blocks);
        };
        let codes = self.scales.bytes(0..1, blocks.clone())?;
        let first = blocks.start / nested.block;
        let outer = nested
            .scales
            .values(0..1, first..blocks.end.div_ceil(nested.block))?;
        let scale = |(block, code): (u64, u8)| {
            let level = nested.levels.get(usize::from(code))?;
            Some(level * outer[(block / nested.block - first) as usize] + nested.offset)
        };
        let scales: Option<Vec<f32>> = blocks.zip(codes).map(scale).collect();
        scales.ok_or_else(|| Error::new(ErrorKind::InvalidData, "a scale has a code beyond its table"))
    }
}

impl Decoder for FourBits {
    fn piece_elements(&self) -> u64 {
        // Whole blocks and whole bytes.
        (PIECE_BYTES / 4).next_multiple_of(2 * self.block)
    }

    fn decode(&self, elements: Range<u64>) -> Result<Vec<f32>> {
        let bytes = self
            .codes
            .bytes(0..1, elements.start / 2..elements.end.div_ceil(2))?;
        let scales = self.scales(elements.start / self.block..elements.end.div_ceil(self.block))?;
        let mut values = vec![0.0; (elements.end - elements.start) as usize];
        debug_assert!(elements.end <= self.elements);
        for (place, value) in values.iter_mut().enumerate() {
            let byte = bytes[place / 2];
            let code = if place % 2 == 0 { byte >> 4 } else { byte & 15 };
            *value = self.levels[usize::from(code)] * scales[place / self.block as usize];
        }
        Ok(values)
    }
}

pub(super) fn recognise_int8(stored: &Stored<'_>, scales: &TensorInfo) -> Option<Unpacked> {
    let module = scales.name.strip_suffix("SCB")?;
    let name = format!("{module}weight");
    let codes = stored.tensor(&name)?;
    if codes.dtype != Dtype::I8 || codes.shape.len() != 2 || scales.shape != codes.shape[..1] {
        return None;
    }
    let column = stored.as_matrix(scales)?.column();
    let mut grid = Grid::over(column, codes.shape[0], codes.shape[1])?;
    grid.divisor = 127.0;
    Some(Unpacked {
        shape: codes.shape.clone(),
        parts: vec![
            scales.name.clone(),
            format!("{module}weight_format"),
            name.clone(),
        ],
        packing: Packing {
            layout: PackedLayout::BitsandbytesInt8,
            bits: 8,
            group_size: 0,
            symmetric: true,
        },
        decoder: Box::new(Grouped {
            codes: Codes::Plain(stored.as_matrix(codes)?),
            rows: codes.shape[0],
            columns: codes.shape[1],
            scales: grid,
            zeros: None,
        }),
        name,
    })
}
