//! Runs of elements as they are stored, their blocks handed to the loop compiled for the processor at hand.

use super::Sums;
use super::block::{BLOCK, LARGE, compare_block, square_block};
use super::precise::compare_wide;
use crate::weights::Dtype;

/// A run of elements. The three types that weights are nearly always kept in are compared where they lie, without decoding first.
#[derive(Debug, Clone, Copy)]
pub(in crate::delta) enum Stored<'a> {
    Single(&'a [[u8; 4]]),
    Half(&'a [[u8; 2]]),
    Brain(&'a [[u8; 2]]),
    /// Any other type, decoded.
    Decoded(&'a [f32]),
}

impl<'a> Stored<'a> {
    /// `None` for a type that must be decoded.
    pub fn new(dtype: Dtype, bytes: &'a [u8]) -> Option<Self> {
        match dtype {
            Dtype::F32 => Some(Self::Single(bytes.as_chunks().0)),
            Dtype::F16 => Some(Self::Half(bytes.as_chunks().0)),
            Dtype::BF16 => Some(Self::Brain(bytes.as_chunks().0)),
            _ => None,
        }
    }
}

fn single(bytes: [u8; 4]) -> f32 {
    f32::from_le_bytes(bytes)
}

fn brain(bytes: [u8; 2]) -> f32 {
    f32::from_bits(u32::from(u16::from_le_bytes(bytes)) << 16)
}

fn decoded(value: f32) -> f32 {
    value
}

/// Exact for finite values; NaN and the infinities come out as [`HALF_LIMIT`] or more. No branch, and no subnormal operand.
fn half(bytes: [u8; 2]) -> f32 {
    /// From the exponent of f16 to that of f32.
    const REBIAS: u32 = (127 - 15) << 23;
    let bits = u32::from(u16::from_le_bytes(bytes));
    let shifted = (bits & 0x7fff) << 13;
    let normal = shifted + REBIAS;
    // 2^-14 and the mantissa, less 2^-14.
    let subnormal = (f32::from_bits(normal + (1 << 23)) - f32::from_bits(REBIAS + (1 << 23))).to_bits();
    let magnitude = if shifted < 1 << 23 { subnormal } else { normal };
    f32::from_bits(magnitude | (bits & 0x8000) << 16)
}

/// What f16 gives to infinity.
const HALF_LIMIT: f32 = 65536.0;

/// Compares two runs of one type and length.
pub(in crate::delta) fn compare(a: Stored<'_>, b: Stored<'_>) -> Sums {
    dispatch(a, Some(b))
}

/// The sums of a run whose two sides are the same: no difference to look for.
pub(in crate::delta) fn unchanged(a: Stored<'_>) -> Sums {
    dispatch(a, None)
}

fn dispatch(a: Stored<'_>, b: Option<Stored<'_>>) -> Sums {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vpopcntdq")
        {
            // SAFETY: the processor has what the function is compiled for.
            return unsafe { sum_avx512(a, b) };
        }
        if is_x86_feature_detected!("avx2") {
            // SAFETY: as above.
            return unsafe { sum_avx2(a, b) };
        }
    }
    sum(a, b)
}

/// The same code compiled for wider registers. Without fused multiply-add, so that the bits are the same, too.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vpopcntdq")]
fn sum_avx512(a: Stored<'_>, b: Option<Stored<'_>>) -> Sums {
    sum(a, b)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn sum_avx2(a: Stored<'_>, b: Option<Stored<'_>>) -> Sums {
    sum(a, b)
}

/// On ARM, NEON is part of the baseline: this is the fast code there.
#[inline(always)]
fn sum(a: Stored<'_>, b: Option<Stored<'_>>) -> Sums {
    match (a, b) {
        (Stored::Single(a), Some(Stored::Single(b))) => sum_pairs(a, b, single, single, LARGE),
        (Stored::Half(a), Some(Stored::Half(b))) => sum_pairs(a, b, half, exact_half, HALF_LIMIT),
        (Stored::Brain(a), Some(Stored::Brain(b))) => sum_pairs(a, b, brain, brain, LARGE),
        (Stored::Decoded(a), Some(Stored::Decoded(b))) => sum_pairs(a, b, decoded, decoded, LARGE),
        (Stored::Single(a), _) => sum_squares(a, single, single, LARGE),
        (Stored::Half(a), _) => sum_squares(a, half, exact_half, HALF_LIMIT),
        (Stored::Brain(a), _) => sum_squares(a, brain, brain, LARGE),
        (Stored::Decoded(a), _) => sum_squares(a, decoded, decoded, LARGE),
    }
}

fn exact_half(bytes: [u8; 2]) -> f32 {
    half::f16::from_le_bytes(bytes).to_f32()
}

#[inline(always)]
fn sum_pairs<T: Copy>(
    a: &[T],
    b: &[T],
    value: impl Fn(T) -> f32 + Copy,
    exact: impl Fn(T) -> f32 + Copy,
    limit: f32,
) -> Sums {
    let mut sums = Sums::default();
    for (a, b) in a.chunks(BLOCK).zip(b.chunks(BLOCK)) {
        let block = compare_block(a, b, value, limit)
            .unwrap_or_else(|| compare_wide(&widened(a, exact), &widened(b, exact)));
        sums.add(&block);
    }
    sums
}

#[inline(always)]
fn sum_squares<T: Copy>(
    a: &[T],
    value: impl Fn(T) -> f32 + Copy,
    exact: impl Fn(T) -> f32 + Copy,
    limit: f32,
) -> Sums {
    let mut sums = Sums::default();
    for a in a.chunks(BLOCK) {
        let block = match square_block(a, value, limit) {
            Some(a_squared) => Sums {
                elements: a.len() as u64,
                a_squared,
                b_squared: a_squared,
                dot: a_squared,
                ..Sums::default()
            },
            None => {
                let values = widened(a, exact);
                compare_wide(&values, &values)
            }
        };
        sums.add(&block);
    }
    sums
}

fn widened<T: Copy>(elements: &[T], exact: impl Fn(T) -> f32) -> Vec<f64> {
    elements
        .iter()
        .map(|element| f64::from(exact(*element)))
        .collect()
}

/// Of the elements of a run, every sixteenth stretch of 64 goes into a histogram: counting bins does not vectorise.
const STRETCH: usize = 64;
const STRIDE: usize = 16 * STRETCH;

/// How many of a run's first `elements` go into a histogram.
pub fn looked_at(elements: u64, all: bool) -> u64 {
    let (stride, stretch) = (STRIDE as u64, STRETCH as u64);
    match all {
        true => elements,
        false => elements / stride * stretch + (elements % stride).min(stretch),
    }
}

/// Differences by their exponent: how many have the exponent `place - 127`, as `f32` has it. The first counts what is no difference, the
/// last what is no number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exponents(pub [u64; 256]);

impl Default for Exponents {
    fn default() -> Self {
        Self([0; 256])
    }
}

/// Adds the sizes of the differences to `counts`, by their exponent as `f32` has it; returns how many pairs were looked at, equal ones
/// included. `all` looks at every pair.
pub(in crate::delta) fn histogram(a: Stored<'_>, b: Stored<'_>, all: bool, counts: &mut Exponents) -> u64 {
    match (a, b) {
        (Stored::Single(a), Stored::Single(b)) => count_exponents(a, b, single, all, counts),
        (Stored::Half(a), Stored::Half(b)) => count_exponents(a, b, exact_half, all, counts),
        (Stored::Brain(a), Stored::Brain(b)) => count_exponents(a, b, brain, all, counts),
        (Stored::Decoded(a), Stored::Decoded(b)) => count_exponents(a, b, decoded, all, counts),
        _ => 0,
    }
}

fn count_exponents<T: Copy>(
    a: &[T],
    b: &[T],
    value: impl Fn(T) -> f32,
    all: bool,
    counts: &mut Exponents,
) -> u64 {
    let length = if all { STRIDE } else { STRETCH };
    for (a, b) in a.chunks(STRIDE).zip(b.chunks(STRIDE)) {
        for (x, y) in a.iter().zip(b).take(length) {
            let difference = value(*y) - value(*x);
            // No branch: whether an element changed cannot be foretold. Equal pairs land in the first bin, infinite ones in the last.
            counts.0[(difference.abs().to_bits() >> 23) as usize] += 1;
        }
    }
    looked_at(a.len() as u64, all)
}
