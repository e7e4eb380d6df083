//! The k-quants: 256 numbers a block, in parts of 16 or 32 with scales of their own, which are quantized too.

use super::half_at;

/// 84 bytes: 16 scales and minima of four bits each, 256 numbers of two bits, the scales' scale and the minima's.
pub(super) fn q2_k(block: &[u8], values: &mut [f32]) {
    let (scales, numbers) = block.split_at(16);
    let (scale, least) = (half_at(block, 80), half_at(block, 82));
    for (part, values) in values.chunks_exact_mut(16).enumerate() {
        let packed = scales[part];
        let (part_scale, part_least) = (scale * f32::from(packed & 15), least * f32::from(packed >> 4));
        let Place { first, shift } = Place::of(part);
        for (value, byte) in values.iter_mut().zip(&numbers[first..]) {
            *value = part_scale * f32::from((byte >> shift) & 3) - part_least;
        }
    }
}

/// Where the two-bit numbers of a part of 16 lie: 32 bytes hold four layers of 32 numbers.
struct Place {
    first: usize,
    shift: usize,
}

impl Place {
    fn of(part: usize) -> Self {
        Self {
            first: 32 * (part / 8) + 16 * (part % 2),
            shift: 2 * ((part % 8) / 2),
        }
    }
}

/// 110 bytes: 256 third bits, 256 numbers of two bits, 16 scales of six bits, their scale.
pub(super) fn q3_k(block: &[u8], values: &mut [f32]) {
    let (third_bits, numbers) = block.split_at(32);
    let scale = half_at(block, 108);
    let scales = six_bit_scales(&block[96..108]);
    for (part, values) in values.chunks_exact_mut(16).enumerate() {
        let part_scale = scale * (f32::from(scales[part]) - 32.0);
        let Place { first, shift } = Place::of(part);
        let third = &third_bits[16 * (part % 2)..];
        let mask = 1 << (part / 2);
        for (place, value) in values.iter_mut().enumerate() {
            let low = i16::from((numbers[first + place] >> shift) & 3);
            let offset = if third[place] & mask == 0 { 4 } else { 0 };
            *value = part_scale * f32::from(low - offset);
        }
    }
}

/// Eight bytes hold the low nibbles of 16 scales, four more their two high bits.
fn six_bit_scales(packed: &[u8]) -> [u8; 16] {
    std::array::from_fn(|index| {
        let byte = packed[index % 8];
        let low = if index < 8 { byte & 15 } else { byte >> 4 };
        let high = (packed[8 + index % 4] >> (2 * (index / 4))) & 3;
        low | (high << 4)
    })
}

/// Scale and minimum of the `index`th of eight parts of 32, six bits each, in twelve bytes.
fn scale_and_least(packed: &[u8], index: usize) -> (f32, f32) {
    let (scale, least) = if index < 4 {
        (packed[index] & 63, packed[index + 4] & 63)
    } else {
        (
            (packed[index + 4] & 15) | ((packed[index - 4] >> 6) << 4),
            (packed[index + 4] >> 4) | ((packed[index] >> 6) << 4),
        )
    };
    (f32::from(scale), f32::from(least))
}

/// 144 bytes: two scales, 8 scales and minima of six bits, 256 numbers of four bits.
pub(super) fn q4_k(block: &[u8], values: &mut [f32]) {
    four_bit_parts(block, &block[16..], values, |_, _| 0);
}

/// 176 bytes: as Q4_K, with 256 fifth bits before the numbers.
pub(super) fn q5_k(block: &[u8], values: &mut [f32]) {
    let fifth_bits = &block[16..48];
    four_bit_parts(block, &block[48..], values, |part, place| {
        ((fifth_bits[place] >> part) & 1) << 4
    });
}

fn four_bit_parts(block: &[u8], numbers: &[u8], values: &mut [f32], fifth: impl Fn(usize, usize) -> u8) {
    let (scale, least) = (half_at(block, 0), half_at(block, 2));
    for (part, values) in values.chunks_exact_mut(32).enumerate() {
        let (part_scale, part_least) = scale_and_least(&block[4..16], part);
        let (part_scale, part_least) = (scale * part_scale, least * part_least);
        let bytes = &numbers[32 * (part / 2)..];
        for (place, value) in values.iter_mut().enumerate() {
            let low = (bytes[place] >> (4 * (part % 2))) & 15;
            *value = part_scale * f32::from(low | fifth(part, place)) - part_least;
        }
    }
}

/// 210 bytes: 256 low nibbles, 256 pairs of high bits, 16 scales of eight bits, their scale.
pub(super) fn q6_k(block: &[u8], values: &mut [f32]) {
    let scale = half_at(block, 208);
    for (part, values) in values.chunks_exact_mut(32).enumerate() {
        let (half, quarter) = (part / 4, part % 4);
        let low = &block[64 * half + 32 * (quarter % 2)..];
        let high = &block[128 + 32 * half..];
        for (place, value) in values.iter_mut().enumerate() {
            let nibble = (low[place] >> (4 * (quarter / 2))) & 15;
            let bits = (high[place] >> (2 * quarter)) & 3;
            let number = i16::from(nibble | (bits << 4)) - 32;
            let part_scale = block[192 + 8 * half + 2 * quarter + place / 16] as i8;
            *value = scale * f32::from(part_scale) * f32::from(number);
        }
    }
}
