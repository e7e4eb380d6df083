//! Quantized layouts that keep codes and scales apart, as inference libraries store them.

use crate::model::{Model, Tensor};
use half::f16;
use safetensors::tensor::Dtype;

/// The 16 levels of bitsandbytes' NF4.
const NF4: [f32; 16] = [
    -1.0,
    -0.696_192_8,
    -0.525_073_05,
    -0.394_917_5,
    -0.284_441_38,
    -0.184_773_43,
    -0.091_050_036,
    0.0,
    0.079_580_3,
    0.160_930_2,
    0.246_112_3,
    0.337_915_24,
    0.440_709_83,
    0.562_617,
    0.722_956_84,
    1.0,
];

/// Signed 8-bit codes `weight` and one scale a row, `weight_scale`.
pub fn int8(base: &Model, selects: impl Fn(&str) -> bool) -> Model {
    each_matrix(base, selects, |name, tensor, values, out| {
        let columns = tensor.columns();
        let scales: Vec<f32> = values
            .chunks_exact(columns)
            .map(|row| largest(row) / 127.0)
            .collect();
        let codes = values
            .chunks_exact(columns)
            .zip(&scales)
            .flat_map(|(row, scale)| {
                row.iter()
                    .map(move |v| (v / scale.max(f32::MIN_POSITIVE)).round() as i8 as u8)
            })
            .collect();
        out.insert(
            name.to_owned(),
            Tensor::raw(Dtype::I8, tensor.shape.clone(), codes),
        );
        out.insert(
            format!("{name}_scale"),
            Tensor::float(vec![tensor.rows(), 1], scales),
        );
    })
}

/// 8-bit floats (E4M3) and one scale a tensor.
pub fn fp8(base: &Model, selects: impl Fn(&str) -> bool) -> Model {
    each_matrix(base, selects, |name, tensor, values, out| {
        let scale = largest(values).max(f32::MIN_POSITIVE) / 448.0;
        let codes = values.iter().map(|value| to_e4m3(value / scale)).collect();
        out.insert(
            name.to_owned(),
            Tensor::raw(Dtype::F8_E4M3, tensor.shape.clone(), codes),
        );
        out.insert(format!("{name}_scale"), Tensor::float(vec![], vec![scale]));
    })
}

/// bitsandbytes' NF4: two codes a byte, one absolute maximum every 64 values.
pub fn nf4(base: &Model, selects: impl Fn(&str) -> bool) -> Model {
    const BLOCK: usize = 64;
    each_matrix(base, selects, |name, tensor, values, out| {
        let maxima: Vec<f32> = values.chunks(BLOCK).map(largest).collect();
        let mut codes: Vec<u8> = values
            .chunks(BLOCK)
            .zip(&maxima)
            .flat_map(|(block, maximum)| {
                block
                    .iter()
                    .map(move |value| nearest(value / maximum.max(f32::MIN_POSITIVE)))
            })
            .collect();
        codes.resize(codes.len().next_multiple_of(2), 7);
        let bytes: Vec<u8> = codes
            .as_chunks::<2>()
            .0
            .iter()
            .map(|[high, low]| high << 4 | low)
            .collect();
        out.insert(
            name.to_owned(),
            Tensor::raw(Dtype::U8, vec![bytes.len(), 1], bytes),
        );
        out.insert(
            format!("{name}.absmax"),
            Tensor::float(vec![maxima.len()], maxima),
        );
        out.insert(format!("{name}.quant_map"), Tensor::float(vec![16], NF4.to_vec()));
        let state = format!(
            r#"{{"quant_type": "nf4", "blocksize": {BLOCK}, "dtype": "float32", "shape": {:?}}}"#,
            tensor.shape
        );
        out.insert(
            format!("{name}.quant_state.bitsandbytes__nf4"),
            Tensor::raw(Dtype::U8, vec![state.len()], state.into_bytes()),
        );
    })
}

/// GPTQ's layout: eight 4-bit codes a 32-bit word along the inputs, packed zero points, half-precision scales, a group index. The codes
/// are rounded to nearest; the layout is what is tested.
pub fn gptq(base: &Model, group: usize, selects: impl Fn(&str) -> bool) -> Model {
    each_matrix(base, selects, |name, tensor, values, out| {
        let (rows, columns) = (tensor.rows(), tensor.columns());
        if tensor.shape.len() != 2 || columns % group != 0 || rows % 8 != 0 {
            out.insert(name.to_owned(), tensor.clone());
            return;
        }
        let groups = columns / group;
        let mut words = vec![0_u32; columns / 8 * rows];
        let mut scales = vec![0_u8; groups * rows * 2];
        for row in 0..rows {
            for (index, block) in values[row * columns..][..columns].chunks_exact(group).enumerate() {
                let scale = f16::from_f32(largest(block).max(f32::MIN_POSITIVE) / 7.0);
                scales[(index * rows + row) * 2..][..2].copy_from_slice(&scale.to_le_bytes());
                for (offset, value) in block.iter().enumerate() {
                    let column = index * group + offset;
                    let code = ((value / scale.to_f32()).round().clamp(-8.0, 7.0) + 8.0) as u32;
                    words[column / 8 * rows + row] |= code << (4 * (column % 8));
                }
            }
        }
        // the module's name, which the decoders go by: recurrent weights have none of their own
        let module = match name.strip_suffix(".weight") {
            Some(module) => format!("{module}."),
            None => format!("{name}."),
        };
        let group_index: Vec<u8> = (0..columns)
            .flat_map(|column| ((column / group) as i32).to_le_bytes())
            .collect();
        let zeros = vec![0x77; groups * rows / 8 * 4];
        let words = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        out.insert(
            format!("{module}qweight"),
            Tensor::raw(Dtype::I32, vec![columns / 8, rows], words),
        );
        out.insert(
            format!("{module}qzeros"),
            Tensor::raw(Dtype::I32, vec![groups, rows / 8], zeros),
        );
        out.insert(
            format!("{module}scales"),
            Tensor::raw(Dtype::F16, vec![groups, rows], scales),
        );
        out.insert(
            format!("{module}g_idx"),
            Tensor::raw(Dtype::I32, vec![columns], group_index),
        );
    })
}

type Tensors = std::collections::BTreeMap<String, Tensor>;

fn each_matrix(
    base: &Model,
    selects: impl Fn(&str) -> bool,
    pack: impl Fn(&str, &Tensor, &[f32], &mut Tensors),
) -> Model {
    let mut child = Model::default();
    for (name, tensor) in &base.tensors {
        match tensor.floats() {
            Some(values) if tensor.is_matrix() && selects(name) => {
                pack(name, tensor, values, &mut child.tensors)
            }
            _ => _ = child.tensors.insert(name.clone(), tensor.clone()),
        }
    }
    child
}

fn largest(values: &[f32]) -> f32 {
    values.iter().fold(0.0, |top, value| top.max(value.abs()))
}

fn nearest(value: f32) -> u8 {
    let distance = |code: &u8| (NF4[usize::from(*code)] - value).abs();
    (0..16)
        .min_by(|a, b| distance(a).total_cmp(&distance(b)))
        .unwrap_or(7)
}

/// Round to nearest in E4M3 (four exponent bits with bias 7, three mantissa bits, no infinities), saturating at 448.
fn to_e4m3(value: f32) -> u8 {
    let sign = if value.is_sign_negative() { 0x80 } else { 0 };
    let size = value.abs().min(448.0);
    let exponent = if size == 0.0 {
        -6
    } else {
        (size.log2().floor() as i32).max(-6)
    };
    let steps = (size / 2_f32.powi(exponent - 3)).round() as u32;
    // A subnormal has no hidden bit; rounding up to 16 steps moves to the next exponent.
    let code = match (steps, exponent) {
        (0..8, _) => steps,
        (16, _) => ((exponent + 8) as u32) << 3,
        _ => ((exponent + 7) as u32) << 3 | (steps - 8),
    };
    sign | code as u8
}

#[cfg(test)]
mod tests {
    use super::to_e4m3;

    #[test]
    fn e4m3_codes_of_known_values() {
        for (value, code) in [
            (0.0, 0x00),
            (1.0, 0x38),
            (-1.0, 0xB8),
            (448.0, 0x7E),
            (1e9, 0x7E),
            (0.001_953_125, 0x01),
            (1.125, 0x39),
            (1.99, 0x40),
        ] {
            assert_eq!(to_e4m3(value), code, "{value}");
        }
    }
}
