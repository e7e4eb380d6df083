//! ONNX: initialisers that a graph dequantizes, named as `onnxruntime.quantization` names them: `w_quantized`, `w_scale` and
//! `w_zero_point` in place of `w`.

use super::grouped::{Codes, Grid, Grouped, Zeros};
use super::stored::{Matrix, Stored};
use super::{PackedLayout, Packing, Unpacked};
use crate::weights::{Dtype, TensorInfo};

pub(super) fn recognise(stored: &Stored<'_>, codes: &TensorInfo) -> Option<Unpacked> {
    let name = codes.name.strip_suffix("_quantized")?;
    let part = |part: &str| format!("{name}_{part}");
    if !matches!(codes.dtype, Dtype::I8 | Dtype::U8) {
        return None;
    }
    let matrix = stored.as_matrix(codes)?;
    let grid = |numbers: Matrix| {
        let numbers = numbers.flat();
        // One number a channel: axis 0 of a convolution's kernel, the last axis of a matrix.
        let along_rows = codes.shape.len() > 2 || numbers.columns != matrix.columns;
        let numbers = if along_rows { numbers.column() } else { numbers };
        Grid::over(numbers, matrix.rows, matrix.columns)
    };
    let scales = grid(stored.matrix(&part("scale"))?)?;
    let (zeros, symmetric) = match stored.matrix(&part("zero_point")) {
        Some(zeros) => (
            Some(Zeros::Plain(grid(zeros)?)),
            is_middle(stored, &part("zero_point")),
        ),
        None => (None, true),
    };
    Some(Unpacked {
        name: name.to_owned(),
        shape: codes.shape.clone(),
        parts: vec![codes.name.clone(), part("scale"), part("zero_point")],
        packing: Packing {
            layout: PackedLayout::OnnxInt,
            bits: 8,
            group_size: 0,
            symmetric,
        },
        decoder: Box::new(Grouped {
            rows: matrix.rows,
            columns: matrix.columns,
            codes: Codes::Plain(matrix),
            scales,
            zeros,
        }),
    })
}

/// Whether all zero points are the middle of their range.
fn is_middle(stored: &Stored<'_>, name: &str) -> bool {
    let middle = match stored.tensor(name).map(|tensor| tensor.dtype) {
        Some(Dtype::U8) => 128.0,
        _ => 0.0,
    };
    let zeros = stored.small_values(name).unwrap_or_default();
    !zeros.is_empty() && zeros.iter().all(|zero| *zero == middle)
}
