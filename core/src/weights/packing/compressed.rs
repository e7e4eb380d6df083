//! compressed-tensors (LLM Compressor, vLLM) and its neighbours: whole numbers or 8-bit floats as they are or packed, and the
//! 4-bit floats of NVFP4 and MXFP4.
//!
//! Layouts: `compressed_tensors/compressors`; DeepSeek's `weight_scale_inv` is a grid of 128 by 128 blocks; the `_blocks` and
//! `_scales` of GPT-OSS are MXFP4 (transformers' `integrations/mxfp4.py`).

use super::grouped::{Codes, Grid, Grouped, Zeros};
use super::stored::Stored;
use super::{PackedLayout, Packing, Unpacked};
use crate::weights::{Dtype, TensorInfo};

/// `weight_packed`, `weight_scale` and what else there is.
pub(super) fn recognise_packed(stored: &Stored<'_>, packed: &TensorInfo) -> Option<Unpacked> {
    let prefix = packed.name.strip_suffix("_packed")?;
    match packed.dtype {
        Dtype::I32 => whole_numbers_in_words(stored, packed, prefix),
        Dtype::U8 => four_bit_floats(stored, packed, prefix),
        _ => None,
    }
}

fn whole_numbers_in_words(stored: &Stored<'_>, packed: &TensorInfo, prefix: &str) -> Option<Unpacked> {
    let part = |part: &str| format!("{prefix}_{part}");
    let shape = stored_shape(stored, &part("shape"))?;
    let codes = stored.as_matrix(packed)?;
    let columns = *shape.last()?;
    let rows = shape
        .iter()
        .rev()
        .skip(1)
        .try_fold(1u64, |product, side| product.checked_mul(*side))?;
    // `weight_g_idx` reorders the columns of groups; the tools write it sorted or not at all.
    let is_reordered = stored.tensor(&part("g_idx")).is_some();
    if rows != codes.rows || rows == 0 || columns == 0 || codes.columns > columns || is_reordered {
        return None;
    }
    let bits = (1..=8).find(|bits| (columns * bits).div_ceil(32) == codes.columns)? as u32;
    let scales = Grid::over(stored.matrix(&part("scale"))?, rows, columns)?;
    let zeros = match stored.matrix(&part("zero_point")) {
        Some(matrix) if matrix.is_words() => Some(Zeros::Words {
            matrix,
            bits,
            block_columns: match scales.group_size() {
                0 => columns,
                size => u64::from(size),
            },
        }),
        Some(matrix) => Some(Zeros::Plain(Grid::over(matrix, rows, columns)?)),
        None => None,
    };
    Some(Unpacked {
        name: prefix.to_owned(),
        shape,
        parts: parts_of(prefix, &["packed", "scale", "zero_point", "shape"]),
        packing: Packing {
            layout: PackedLayout::CompressedInt,
            bits: bits as u8,
            group_size: scales.group_size(),
            symmetric: zeros.is_none(),
        },
        decoder: Box::new(Grouped {
            codes: Codes::Words { matrix: codes, bits },
            rows,
            columns,
            scales,
            zeros,
        }),
    })
}

fn stored_shape(stored: &Stored<'_>, name: &str) -> Option<Vec<u64>> {
    let sides = stored.small_values(name)?;
    // Exact in f32 for the sides of any matrix.
    sides
        .into_iter()
        .map(|side| (0.0..1e7).contains(&side).then_some(side as u64))
        .collect()
}

/// NVFP4 (blocks of 16, scales in 8-bit floats under a scale of the tensor) and MXFP4 (blocks of 32, powers of two).
fn four_bit_floats(stored: &Stored<'_>, packed: &TensorInfo, prefix: &str) -> Option<Unpacked> {
    let codes = stored.as_matrix(packed)?;
    let columns = codes.columns * 2;
    let mut scale_matrix = stored.matrix(&format!("{prefix}_scale"))?;
    let layout = match scale_matrix.dtype {
        Dtype::U8 | Dtype::F8E8M0 => {
            // Exponents, stored as whole numbers by most tools.
            scale_matrix.dtype = Dtype::F8E8M0;
            PackedLayout::Mxfp4
        }
        _ => PackedLayout::Nvfp4,
    };
    let mut scales = Grid::over(scale_matrix, codes.rows, columns)?;
    if layout == PackedLayout::Nvfp4 {
        scales.divisor = *stored.small_values(&format!("{prefix}_global_scale"))?.first()?;
    }
    let mut shape = packed.shape.clone();
    *shape.last_mut()? = columns;
    Some(Unpacked {
        name: prefix.to_owned(),
        shape,
        parts: parts_of(prefix, &["packed", "scale", "global_scale"]),
        packing: Packing {
            layout,
            bits: 4,
            group_size: scales.group_size(),
            symmetric: true,
        },
        decoder: Box::new(Grouped {
            rows: codes.rows,
            columns,
            codes: Codes::Halves(codes),
            scales,
            zeros: None,
        }),
    })
}

/// `weight` as whole numbers or 8-bit floats, and `weight_scale` (or `weight_scale_inv`).
pub(super) fn recognise_scaled(stored: &Stored<'_>, scales: &TensorInfo) -> Option<Unpacked> {
    let prefix = scales
        .name
        .strip_suffix("_inv")
        .unwrap_or(&scales.name)
        .strip_suffix("_scale")?;
    let codes = stored.tensor(prefix)?;
    let layout = match codes.dtype {
        Dtype::I8 => PackedLayout::CompressedInt,
        Dtype::F8E4M3 | Dtype::F8E5M2 | Dtype::F8E4M3FNUZ | Dtype::F8E5M2FNUZ => PackedLayout::ScaledFp8,
        _ => return None,
    };
    let matrix = stored.as_matrix(codes)?;
    let scale_matrix = stored.as_matrix(scales)?;
    // One scale a row may be stored as a vector.
    let scale_matrix = match scales.shape.len() {
        1 if scale_matrix.columns == matrix.rows => scale_matrix.column(),
        _ => scale_matrix,
    };
    let grid = Grid::over(scale_matrix, matrix.rows, matrix.columns)?;
    let zeros = match stored.matrix(&format!("{prefix}_zero_point")) {
        Some(zeros) => Some(Zeros::Plain(Grid::over(zeros, matrix.rows, matrix.columns)?)),
        None => None,
    };
    Some(Unpacked {
        name: prefix.to_owned(),
        shape: codes.shape.clone(),
        parts: parts_of(prefix, &["scale", "scale_inv", "zero_point"])
            .into_iter()
            .chain([prefix.to_owned()])
            .collect(),
        packing: Packing {
            layout,
            bits: 8,
            group_size: grid.group_size(),
            symmetric: zeros.is_none(),
        },
        decoder: Box::new(Grouped {
            rows: matrix.rows,
            columns: matrix.columns,
            codes: Codes::Plain(matrix),
            scales: grid,
            zeros,
        }),
    })
}

/// GPT-OSS: `_blocks` of 16 bytes (32 codes) along the last axis, `_scales` of one exponent each.
pub(super) fn recognise_mx_blocks(stored: &Stored<'_>, blocks: &TensorInfo) -> Option<Unpacked> {
    let prefix = blocks.name.strip_suffix("_blocks")?;
    let scales = stored.tensor(&format!("{prefix}_scales"))?;
    let [outer @ .., groups, 16] = blocks.shape.as_slice() else {
        return None;
    };
    let [scale_outer @ .., scale_groups] = scales.shape.as_slice() else {
        return None;
    };
    if blocks.dtype != Dtype::U8
        || scales.dtype != Dtype::U8
        || outer != scale_outer
        || groups != scale_groups
    {
        return None;
    }
    let columns = groups * 32;
    let codes = stored.as_matrix(blocks)?.rows_of(groups * 16)?;
    let mut scale_matrix = stored.as_matrix(scales)?;
    scale_matrix.dtype = Dtype::F8E8M0;
    Some(Unpacked {
        name: prefix.to_owned(),
        shape: outer.iter().copied().chain([columns]).collect(),
        parts: parts_of(prefix, &["blocks", "scales"]),
        packing: Packing {
            layout: PackedLayout::Mxfp4,
            bits: 4,
            group_size: 32,
            symmetric: true,
        },
        decoder: Box::new(Grouped {
            rows: codes.rows,
            columns,
            scales: Grid::over(scale_matrix, codes.rows, columns)?,
            codes: Codes::Halves(codes),
            zeros: None,
        }),
    })
}

fn parts_of(prefix: &str, parts: &[&str]) -> Vec<String> {
    parts.iter().map(|part| format!("{prefix}_{part}")).collect()
}
