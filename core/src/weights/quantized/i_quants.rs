//! The i-quants: runs of 4 or 8 values drawn from a fixed grid, with signs and scales apart. 256 values a block.
//!
//! The grids are `iq2xxs_grid` and its kin of `ggml-common.h`, a byte a value, one after the other.

use super::half_at;

static GRIDS: &[u8; 33_792] = include_bytes!("grids.bin");

/// `points` runs of `N` values.
fn grid<const N: usize>(offset: usize, point: u16) -> &'static [u8] {
    &GRIDS[offset + N * usize::from(point)..][..N]
}

const IQ2_XXS: usize = 0;
const IQ2_XS: usize = IQ2_XXS + 256 * 8;
const IQ2_S: usize = IQ2_XS + 512 * 8;
const IQ3_XXS: usize = IQ2_S + 1024 * 8;
const IQ3_S: usize = IQ3_XXS + 256 * 4;
const IQ1_S: usize = IQ3_S + 512 * 4;

/// Seven signs are stored; the eighth makes the number of negative ones even.
fn eight_signs(seven: u32) -> u8 {
    let seven = (seven & 0x7F) as u8;
    seven | ((seven.count_ones() as u8 & 1) << 7)
}

fn signed(values: &mut [f32], scale: f32, points: &[u8], signs: u8) {
    for (place, (value, point)) in values.iter_mut().zip(points).enumerate() {
        let size = scale * f32::from(*point);
        *value = if signs >> place & 1 == 0 { size } else { -size };
    }
}

fn u16_at(block: &[u8], offset: usize) -> u16 {
    u16::from_le_bytes([block[offset], block[offset + 1]])
}

fn u32_at(block: &[u8], offset: usize) -> u32 {
    u32::from(u16_at(block, offset)) | u32::from(u16_at(block, offset + 2)) << 16
}

/// 66 bytes: the scale; for each 32 values four points, then four times seven signs and four bits of scale.
pub(super) fn iq2_xxs(block: &[u8], values: &mut [f32]) {
    let scale = half_at(block, 0);
    for (part, values) in values.chunks_exact_mut(32).enumerate() {
        let points = &block[2 + 8 * part..];
        let word = u32_at(points, 4);
        let part_scale = scale * (0.5 + (word >> 28) as f32) * 0.25;
        for (run, values) in values.chunks_exact_mut(8).enumerate() {
            let point = grid::<8>(IQ2_XXS, u16::from(points[run]));
            signed(values, part_scale, point, eight_signs(word >> (7 * run)));
        }
    }
}

/// 74 bytes: the scale; for each 8 values nine bits of point and seven signs; four bits of scale for each 16.
pub(super) fn iq2_xs(block: &[u8], values: &mut [f32]) {
    let scale = half_at(block, 0);
    for (run, values) in values.chunks_exact_mut(8).enumerate() {
        let word = u16_at(block, 2 + 2 * run);
        let nibble = (block[66 + run / 4] >> (4 * (run / 2 % 2))) & 15;
        let run_scale = scale * (0.5 + f32::from(nibble)) * 0.25;
        signed(
            values,
            run_scale,
            grid::<8>(IQ2_XS, word & 511),
            eight_signs(u32::from(word >> 9)),
        );
    }
}

/// 82 bytes: the scale; low bytes of points, signs, high pairs of points; four bits of scale for each 16.
pub(super) fn iq2_s(block: &[u8], values: &mut [f32]) {
    let scale = half_at(block, 0);
    for (run, values) in values.chunks_exact_mut(8).enumerate() {
        let high = u16::from((block[66 + run / 4] >> (2 * (run % 4))) & 3);
        let point = u16::from(block[2 + run]) | high << 8;
        let nibble = (block[74 + run / 4] >> (4 * (run / 2 % 2))) & 15;
        let run_scale = scale * (0.5 + f32::from(nibble)) * 0.25;
        signed(values, run_scale, grid::<8>(IQ2_S, point), block[34 + run]);
    }
}

/// 98 bytes: the scale; a point for each 4 values; for each 32 four times seven signs and four bits of scale.
pub(super) fn iq3_xxs(block: &[u8], values: &mut [f32]) {
    let scale = half_at(block, 0);
    for (part, values) in values.chunks_exact_mut(32).enumerate() {
        let word = u32_at(block, 66 + 4 * part);
        let part_scale = scale * (0.5 + (word >> 28) as f32) * 0.5;
        for (run, values) in values.chunks_exact_mut(8).enumerate() {
            let signs = eight_signs(word >> (7 * run));
            for (half, values) in values.chunks_exact_mut(4).enumerate() {
                let point = u16::from(block[2 + 8 * part + 2 * run + half]);
                signed(values, part_scale, grid::<4>(IQ3_XXS, point), signs >> (4 * half));
            }
        }
    }
}

/// 110 bytes: the scale; low bytes of points, their high bits, signs; four bits of scale for each 32.
pub(super) fn iq3_s(block: &[u8], values: &mut [f32]) {
    let scale = half_at(block, 0);
    for (run, values) in values.chunks_exact_mut(4).enumerate() {
        let high = u16::from((block[66 + run / 8] >> (run % 8)) & 1);
        let point = u16::from(block[2 + run]) | high << 8;
        let nibble = (block[106 + run / 16] >> (4 * (run / 8 % 2))) & 15;
        let run_scale = scale * (1.0 + 2.0 * f32::from(nibble));
        let signs = block[74 + run / 2] >> (4 * (run % 2));
        signed(values, run_scale, grid::<4>(IQ3_S, point), signs);
    }
}

/// What is added to the ternary points of IQ1.
const SHIFT: f32 = 0.125;

fn ternary(values: &mut [f32], scale: f32, point: u16, is_negative: bool) {
    let shift = if is_negative { -SHIFT } else { SHIFT };
    for (value, step) in values.iter_mut().zip(grid::<8>(IQ1_S, point)) {
        *value = scale * (f32::from(*step as i8) + shift);
    }
}

/// 50 bytes: the scale; low bytes of points; for each 32 values four high triples, three bits of scale and the shift's sign.
pub(super) fn iq1_s(block: &[u8], values: &mut [f32]) {
    let scale = half_at(block, 0);
    for (part, values) in values.chunks_exact_mut(32).enumerate() {
        let word = u16_at(block, 34 + 2 * part);
        let part_scale = scale * f32::from(2 * ((word >> 12) & 7) + 1);
        for (run, values) in values.chunks_exact_mut(8).enumerate() {
            let high = (word >> (3 * run)) & 7;
            let point = u16::from(block[2 + 4 * part + run]) | high << 8;
            ternary(values, part_scale, point, word & 0x8000 != 0);
        }
    }
}

/// 56 bytes: low bytes of points; for each 16 values two high triples with a shift's sign each; three bits of scale for each 16,
/// and the scale of all in the high bits of those.
pub(super) fn iq1_m(block: &[u8], values: &mut [f32]) {
    let words = [48, 50, 52, 54].map(|offset| u16_at(block, offset));
    let bits = words
        .iter()
        .enumerate()
        .fold(0, |bits, (place, word)| bits | (word >> 12) << (4 * place));
    let scale = half::f16::from_bits(bits).to_f32();
    for (run, values) in values.chunks_exact_mut(8).enumerate() {
        let part = run / 2;
        let part_scale = scale * f32::from(2 * ((words[part / 4] >> (3 * (part % 4))) & 7) + 1);
        let nibble = block[32 + part] >> (4 * (run % 2));
        let point = u16::from(block[run]) | u16::from(nibble & 7) << 8;
        ternary(values, part_scale, point, nibble & 8 != 0);
    }
}
