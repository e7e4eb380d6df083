//! Stored bytes to numbers.
//!
//! Enters: little-endian bytes of whole elements and their [`Dtype`]. Leaves: `f32` (or `f64`, for types `f32` cannot hold).
//! The loops are plain so that the compiler vectorises them; f16 goes through `half`, which uses F16C or NEON where present.

use super::Dtype;
use half::f16;
use half::slice::HalfFloatSliceExt;

/// Decodes `bytes` into `values`, which they fill exactly.
pub(super) fn decode_f32(dtype: Dtype, bytes: &[u8], values: &mut [f32]) {
    match dtype {
        Dtype::Bool => each(bytes, values, |[byte]: [u8; 1]| f32::from(u8::from(byte != 0))),
        Dtype::U8 => each(bytes, values, |[byte]: [u8; 1]| f32::from(byte)),
        Dtype::I8 => each(bytes, values, |byte| f32::from(i8::from_le_bytes(byte))),
        Dtype::U16 => each(bytes, values, |pair| f32::from(u16::from_le_bytes(pair))),
        Dtype::I16 => each(bytes, values, |pair| f32::from(i16::from_le_bytes(pair))),
        Dtype::U32 => each(bytes, values, |quad| u32::from_le_bytes(quad) as f32),
        Dtype::I32 => each(bytes, values, |quad| i32::from_le_bytes(quad) as f32),
        Dtype::U64 => each(bytes, values, |eight| u64::from_le_bytes(eight) as f32),
        Dtype::I64 => each(bytes, values, |eight| i64::from_le_bytes(eight) as f32),
        Dtype::F8E4M3 => each(bytes, values, |[byte]: [u8; 1]| E4M3[byte as usize]),
        Dtype::F8E5M2 => each(bytes, values, |[byte]: [u8; 1]| E5M2[byte as usize]),
        Dtype::F8E8M0 => each(bytes, values, |[byte]: [u8; 1]| E8M0[byte as usize]),
        Dtype::F8E4M3FNUZ => each(bytes, values, |[byte]: [u8; 1]| E4M3FNUZ[byte as usize]),
        Dtype::F8E5M2FNUZ => each(bytes, values, |[byte]: [u8; 1]| E5M2FNUZ[byte as usize]),
        Dtype::F16 => decode_f16(bytes, values),
        Dtype::BF16 => each(bytes, values, |pair| {
            f32::from_bits(u32::from(u16::from_le_bytes(pair)) << 16)
        }),
        Dtype::F32 => each(bytes, values, f32::from_le_bytes),
        Dtype::F64 => each(bytes, values, |eight| f64::from_le_bytes(eight) as f32),
        Dtype::F4 => each_nibble(bytes, values, four_bit_float),
        Dtype::U4 => each_nibble(bytes, values, f32::from),
        Dtype::I4 => each_nibble(bytes, values, |nibble| f32::from((nibble << 4) as i8 >> 4)),
        block => {
            let decoded = super::quantized::decode(block, bytes, values);
            debug_assert!(decoded, "every dtype is decoded");
        }
    }
}

/// As [`decode_f32`], in double precision: exact for every type but 64-bit integers beyond 2^53.
pub(super) fn decode_f64(dtype: Dtype, bytes: &[u8], values: &mut [f64]) {
    match dtype {
        Dtype::U32 => each(bytes, values, |quad| f64::from(u32::from_le_bytes(quad))),
        Dtype::I32 => each(bytes, values, |quad| f64::from(i32::from_le_bytes(quad))),
        Dtype::U64 => each(bytes, values, |eight| u64::from_le_bytes(eight) as f64),
        Dtype::I64 => each(bytes, values, |eight| i64::from_le_bytes(eight) as f64),
        Dtype::F64 => each(bytes, values, f64::from_le_bytes),
        narrow => {
            let mut single = vec![0.0; values.len()];
            decode_f32(narrow, bytes, &mut single);
            for (value, single) in values.iter_mut().zip(single) {
                *value = f64::from(single);
            }
        }
    }
}

fn each<const N: usize, T>(bytes: &[u8], values: &mut [T], decode: impl Fn([u8; N]) -> T) {
    let (elements, _) = bytes.as_chunks::<N>();
    for (value, element) in values.iter_mut().zip(elements) {
        *value = decode(*element);
    }
}

fn decode_f16(bytes: &[u8], values: &mut [f32]) {
    const BATCH: usize = 256;
    let mut batch = [f16::ZERO; BATCH];
    let (pairs, _) = bytes.as_chunks::<2>();
    for (values, pairs) in values.chunks_mut(BATCH).zip(pairs.chunks(BATCH)) {
        let batch = &mut batch[..values.len()];
        for (half, pair) in batch.iter_mut().zip(pairs) {
            *half = f16::from_le_bytes(*pair);
        }
        batch.convert_to_f32_slice(values);
    }
}

/// Two elements a byte, low nibble first.
fn each_nibble(bytes: &[u8], values: &mut [f32], decode: impl Fn(u8) -> f32) {
    for (pair, byte) in values.chunks_mut(2).zip(bytes) {
        pair[0] = decode(byte & 15);
        if let Some(high) = pair.get_mut(1) {
            *high = decode(byte >> 4);
        }
    }
}

/// E2M1 of the OCP microscaling formats.
pub(super) fn four_bit_float(nibble: u8) -> f32 {
    E2M1[usize::from(nibble & 15)]
}

/// E4M3 of the OCP 8-bit formats.
pub(super) fn eight_bit_float(byte: u8) -> f32 {
    E4M3[usize::from(byte)]
}

/// What the topmost exponent and the zero with a sign mean.
#[derive(Clone, Copy)]
enum Specials {
    /// All ones is NaN, there is no infinity (OCP E4M3).
    FiniteNan,
    /// As IEEE 754.
    Ieee,
    /// Negative zero is NaN, there is no infinity (FNUZ).
    NegativeZeroNan,
}

static E4M3: [f32; 256] = small_float_table(3, 7, Specials::FiniteNan);
static E5M2: [f32; 256] = small_float_table(2, 15, Specials::Ieee);
static E4M3FNUZ: [f32; 256] = small_float_table(3, 8, Specials::NegativeZeroNan);
static E5M2FNUZ: [f32; 256] = small_float_table(2, 16, Specials::NegativeZeroNan);
static E8M0: [f32; 256] = powers_of_two();
static E2M1: [f32; 16] = [
    0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, -0.0, -0.5, -1.0, -1.5, -2.0, -3.0, -4.0, -6.0,
];

const fn small_float_table(mantissa_bits: u32, bias: i32, specials: Specials) -> [f32; 256] {
    let mut table = [0.0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = small_float(byte as u8, mantissa_bits, bias, specials);
        byte += 1;
    }
    table
}

const fn small_float(byte: u8, mantissa_bits: u32, bias: i32, specials: Specials) -> f32 {
    let magnitude = byte & 0x7f;
    let exponent = (magnitude >> mantissa_bits) as i32;
    let mantissa = (magnitude & ((1 << mantissa_bits) - 1)) as f32;
    let negative = byte >= 0x80;
    match specials {
        Specials::FiniteNan if magnitude == 0x7f => return f32::NAN,
        Specials::NegativeZeroNan if byte == 0x80 => return f32::NAN,
        Specials::Ieee if magnitude >> mantissa_bits == 0x7f >> mantissa_bits => {
            return match (mantissa == 0.0, negative) {
                (false, _) => f32::NAN,
                (true, false) => f32::INFINITY,
                (true, true) => f32::NEG_INFINITY,
            };
        }
        _ => {}
    }
    let unit = power_of_two(-(mantissa_bits as i32));
    let value = if exponent == 0 {
        mantissa * unit * power_of_two(1 - bias)
    } else {
        (1.0 + mantissa * unit) * power_of_two(exponent - bias)
    };
    if negative { -value } else { value }
}

const fn powers_of_two() -> [f32; 256] {
    let mut table = [f32::NAN; 256];
    // 2^-127 is subnormal in f32.
    table[0] = f32::from_bits(1 << 22);
    let mut byte = 1;
    while byte < 255 {
        table[byte] = power_of_two(byte as i32 - 127);
        byte += 1;
    }
    table
}

/// 2^exponent for normal f32 exponents.
const fn power_of_two(exponent: i32) -> f32 {
    f32::from_bits(((exponent + 127) as u32) << 23)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(dtype: Dtype, bytes: &[u8], expect: &[f32]) {
        let mut values = vec![f32::NAN; expect.len()];
        decode_f32(dtype, bytes, &mut values);
        for (value, expect) in values.iter().zip(expect) {
            assert!(
                value.to_bits() == expect.to_bits() || (value.is_nan() && expect.is_nan()),
                "{dtype}: {values:?} is not {expect:?}"
            );
        }
    }

    // Published tables of the OCP FP8 specification and of the FNUZ paper (arXiv 2206.02915).
    #[test]
    fn eight_bit_floats_follow_their_specifications() {
        let nan = f32::NAN;
        check(
            Dtype::F8E4M3,
            &[0x38, 0x7e, 0x01, 0x7f, 0xff, 0x80, 0xb8],
            &[1.0, 448.0, 0.001953125, nan, nan, -0.0, -1.0],
        );
        check(
            Dtype::F8E5M2,
            &[0x3c, 0x7b, 0x01, 0x7c, 0xfc, 0x7d],
            &[
                1.0,
                57344.0,
                2f32.powi(-16),
                f32::INFINITY,
                f32::NEG_INFINITY,
                nan,
            ],
        );
        check(Dtype::F8E4M3FNUZ, &[0x40, 0x7f, 0x80], &[1.0, 240.0, nan]);
        check(Dtype::F8E5M2FNUZ, &[0x40, 0x7f, 0x80], &[1.0, 57344.0, nan]);
        check(
            Dtype::F8E8M0,
            &[0, 127, 254, 255],
            &[2f32.powi(-127), 1.0, 2f32.powi(127), nan],
        );
        check(Dtype::F4, &[0x72, 0x9f], &[1.0, 6.0, -6.0, -0.5]);
        check(Dtype::U4, &[0x72], &[2.0, 7.0]);
        check(Dtype::I4, &[0x7f], &[-1.0, 7.0]);
    }

    #[test]
    fn plain_types_decode() {
        check(Dtype::Bool, &[0, 1, 7], &[0.0, 1.0, 1.0]);
        check(Dtype::I8, &[0xff, 0x80], &[-1.0, -128.0]);
        check(Dtype::I16, &[0xfe, 0xff], &[-2.0]);
        check(Dtype::U16, &[0xff, 0xff], &[65535.0]);
        check(Dtype::BF16, &[0x80, 0x3f, 0xc0, 0xff], &[1.0, f32::NAN]);
        check(Dtype::I64, &(-3i64).to_le_bytes(), &[-3.0]);
        check(Dtype::F64, &0.5f64.to_le_bytes(), &[0.5]);
    }

    #[test]
    fn every_f16_pattern_agrees_with_half() {
        let bytes: Vec<u8> = (0..=u16::MAX).flat_map(u16::to_le_bytes).collect();
        let expect: Vec<f32> = (0..=u16::MAX).map(|bits| f16::from_bits(bits).to_f32()).collect();
        check(Dtype::F16, &bytes, &expect);
    }
}
