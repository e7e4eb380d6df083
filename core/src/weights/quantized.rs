//! Blocks of the ggml types: a scale or two and small whole numbers, decoded to what the original would have been.
//!
//! Layouts: ggml's `ggml-common.h` and `ggml-quants.c`; the tests compare with the `gguf` Python package, block by block.

mod i_quants;
mod k_quants;

use super::Dtype;
use half::f16;

/// Decodes whole blocks of `dtype`; `false` when it is not a block type of ggml.
pub(super) fn decode(dtype: Dtype, bytes: &[u8], values: &mut [f32]) -> bool {
    let decode_block: fn(&[u8], &mut [f32]) = match dtype {
        Dtype::Q4_0 => q4_0,
        Dtype::Q4_1 => q4_1,
        Dtype::Q5_0 => q5_0,
        Dtype::Q5_1 => q5_1,
        Dtype::Q8_0 => q8_0,
        Dtype::Q8_1 => q8_1,
        Dtype::Q8K => q8_k,
        Dtype::Q1_0 => q1_0,
        Dtype::NVFP4 => nvfp4,
        Dtype::IQ2XXS => i_quants::iq2_xxs,
        Dtype::IQ2XS => i_quants::iq2_xs,
        Dtype::IQ2S => i_quants::iq2_s,
        Dtype::IQ3XXS => i_quants::iq3_xxs,
        Dtype::IQ3S => i_quants::iq3_s,
        Dtype::IQ1S => i_quants::iq1_s,
        Dtype::IQ1M => i_quants::iq1_m,
        Dtype::Q2K => k_quants::q2_k,
        Dtype::Q3K => k_quants::q3_k,
        Dtype::Q4K => k_quants::q4_k,
        Dtype::Q5K => k_quants::q5_k,
        Dtype::Q6K => k_quants::q6_k,
        Dtype::IQ4NL => iq4_nl,
        Dtype::IQ4XS => iq4_xs,
        Dtype::TQ1_0 => tq1_0,
        Dtype::TQ2_0 => tq2_0,
        Dtype::MXFP4 => mxfp4,
        _ => return false,
    };
    let (block_elements, block_bytes) = dtype.block();
    let blocks = bytes.chunks_exact(block_bytes as usize);
    for (block, values) in blocks.zip(values.chunks_exact_mut(block_elements as usize)) {
        decode_block(block, values);
    }
    true
}

/// The half-precision number at `offset`.
fn half_at(block: &[u8], offset: usize) -> f32 {
    f16::from_le_bytes([block[offset], block[offset + 1]]).to_f32()
}

/// Sixteen bytes hold 32 numbers: low nibbles first, then high ones. `decode` is given the number's place and its nibble.
fn nibbles(packed: &[u8], values: &mut [f32], decode: impl Fn(usize, u8) -> f32) {
    let (low, high) = values.split_at_mut(16);
    for (place, byte) in packed.iter().take(16).enumerate() {
        low[place] = decode(place, byte & 15);
        high[place] = decode(place + 16, byte >> 4);
    }
}

fn q4_0(block: &[u8], values: &mut [f32]) {
    let scale = half_at(block, 0);
    nibbles(&block[2..], values, |_, number| {
        f32::from(i16::from(number) - 8) * scale
    });
}

fn q4_1(block: &[u8], values: &mut [f32]) {
    let (scale, least) = (half_at(block, 0), half_at(block, 2));
    nibbles(&block[4..], values, |_, number| f32::from(number) * scale + least);
}

/// The fifth bit of each of 32 numbers.
fn fifth_bits(block: &[u8], offset: usize) -> impl Fn(usize) -> u8 {
    let bits = u32::from_le_bytes([
        block[offset],
        block[offset + 1],
        block[offset + 2],
        block[offset + 3],
    ]);
    move |place| (((bits >> place) & 1) << 4) as u8
}

fn q5_0(block: &[u8], values: &mut [f32]) {
    let scale = half_at(block, 0);
    let high = fifth_bits(block, 2);
    nibbles(&block[6..], values, |place, number| {
        f32::from(i16::from(number | high(place)) - 16) * scale
    });
}

fn q5_1(block: &[u8], values: &mut [f32]) {
    let (scale, least) = (half_at(block, 0), half_at(block, 2));
    let high = fifth_bits(block, 4);
    nibbles(&block[8..], values, |place, number| {
        f32::from(number | high(place)) * scale + least
    });
}

fn q8_0(block: &[u8], values: &mut [f32]) {
    let scale = half_at(block, 0);
    for (value, byte) in values.iter_mut().zip(&block[2..]) {
        *value = f32::from(*byte as i8) * scale;
    }
}

/// As Q8_0, with the sum of the numbers beside the scale.
fn q8_1(block: &[u8], values: &mut [f32]) {
    let scale = half_at(block, 0);
    for (value, byte) in values.iter_mut().zip(&block[4..]) {
        *value = f32::from(*byte as i8) * scale;
    }
}

/// A scale in single precision, 256 numbers, and sums of them.
fn q8_k(block: &[u8], values: &mut [f32]) {
    let scale = f32::from_le_bytes([block[0], block[1], block[2], block[3]]);
    for (value, byte) in values.iter_mut().zip(&block[4..]) {
        *value = scale * f32::from(*byte as i8);
    }
}

/// A scale and 128 signs; a set bit is a positive one.
fn q1_0(block: &[u8], values: &mut [f32]) {
    let scale = half_at(block, 0);
    for (place, value) in values.iter_mut().enumerate() {
        let is_positive = block[2 + place / 8] >> (place % 8) & 1 == 1;
        *value = if is_positive { scale } else { -scale };
    }
}

/// The sixteen levels of the non-linear 4-bit types.
const LEVELS: [i8; 16] = [
    -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113,
];

fn level(number: u8) -> f32 {
    f32::from(LEVELS[usize::from(number)])
}

fn iq4_nl(block: &[u8], values: &mut [f32]) {
    let scale = half_at(block, 0);
    nibbles(&block[2..], values, |_, number| scale * level(number));
}

fn iq4_xs(block: &[u8], values: &mut [f32]) {
    let scale = half_at(block, 0);
    let high = u16::from_le_bytes([block[2], block[3]]);
    for (part, values) in values.chunks_exact_mut(32).enumerate() {
        let low = (block[4 + part / 2] >> (4 * (part % 2))) & 15;
        let six_bits = u16::from(low) | (((high >> (2 * part)) & 3) << 4);
        let part_scale = scale * (f32::from(six_bits) - 32.0);
        nibbles(&block[8 + 16 * part..], values, |_, number| {
            part_scale * level(number)
        });
    }
}

/// Base-3 digits of a byte that holds five, as a fraction of 256: multiplying shifts the digit wanted to the front.
fn ternary(byte: u8, digit: usize) -> f32 {
    const POWERS: [u8; 5] = [1, 3, 9, 27, 81];
    let front = u16::from(byte.wrapping_mul(POWERS[digit]));
    f32::from((front * 3) >> 8) - 1.0
}

fn tq1_0(block: &[u8], values: &mut [f32]) {
    let scale = half_at(block, 52);
    let groups = [(0..32, 5), (32..48, 5), (48..52, 4)];
    let mut values = values.iter_mut();
    for (bytes, digits) in groups {
        for digit in 0..digits {
            for byte in &block[bytes.clone()] {
                if let Some(value) = values.next() {
                    *value = ternary(*byte, digit) * scale;
                }
            }
        }
    }
}

fn tq2_0(block: &[u8], values: &mut [f32]) {
    let scale = half_at(block, 64);
    for (half, values) in values.chunks_exact_mut(128).enumerate() {
        for (shift, values) in values.chunks_exact_mut(32).enumerate() {
            for (value, byte) in values.iter_mut().zip(&block[32 * half..]) {
                *value = (f32::from((byte >> (2 * shift)) & 3) - 1.0) * scale;
            }
        }
    }
}

/// E2M1 without a negative zero: ggml's table of levels holds whole numbers.
fn four_bit_level(number: u8) -> f32 {
    super::decode::four_bit_float(number) + 0.0
}

/// Not as elsewhere, the topmost exponent is a number: ggml has no NaN there.
fn mxfp4(block: &[u8], values: &mut [f32]) {
    let half_scale = match block[0] {
        exponent @ 0..2 => f32::from_bits(0x0020_0000 << exponent),
        exponent => f32::from_bits((u32::from(exponent) - 1) << 23),
    };
    nibbles(&block[1..], values, |_, number| {
        2.0 * four_bit_level(number) * half_scale
    });
}

/// Four 8-bit floats without sign, each the scale of 16 values in 8 bytes: low halves first.
fn nvfp4(block: &[u8], values: &mut [f32]) {
    for (part, values) in values.chunks_exact_mut(16).enumerate() {
        let scale = match block[part] {
            // The sign is not looked at, and NaN is zero.
            0x7F => 0.0,
            byte => super::decode::eight_bit_float(byte & 0x7F),
        };
        let packed = &block[4 + 8 * part..][..8];
        for (place, value) in values.iter_mut().enumerate() {
            *value = scale * four_bit_level(packed[place % 8] >> (4 * (place / 8)));
        }
    }
}

#[cfg(test)]
mod tests;
