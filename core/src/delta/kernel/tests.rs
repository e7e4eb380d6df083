#![allow(clippy::unwrap_used)]
use super::{Exponents, Stored, Sums, compare, compare_wide, histogram, unchanged};
use crate::weights::Dtype;
use half::{bf16, f16};
use proptest::prelude::*;

const TYPES: [Dtype; 3] = [Dtype::F32, Dtype::F16, Dtype::BF16];

/// Bit patterns as stored, and the values they mean.
fn stored(dtype: Dtype, patterns: &[u32]) -> (Vec<u8>, Vec<f64>) {
    let mut bytes = Vec::new();
    let mut values = Vec::new();
    for &pattern in patterns {
        let short = pattern as u16;
        let (stored, value) = match dtype {
            Dtype::F16 => (short.to_le_bytes().to_vec(), f16::from_bits(short).to_f64()),
            Dtype::BF16 => (short.to_le_bytes().to_vec(), bf16::from_bits(short).to_f64()),
            _ => (pattern.to_le_bytes().to_vec(), f64::from(f32::from_bits(pattern))),
        };
        bytes.extend(stored);
        values.push(value);
    }
    (bytes, values)
}

fn agree(ours: &Sums, exact: &Sums) {
    let counts = |sums: &Sums| (sums.elements, sums.changed, sums.non_finite, sums.differing_bits);
    assert_eq!(counts(ours), counts(exact));
    let near = |ours: f64, exact: f64, scale: f64| {
        assert!(
            (ours - exact).abs() <= 4e-6 * scale,
            "{ours} is not {exact} (scale {scale})"
        );
    };
    near(ours.max_abs, exact.max_abs, exact.max_abs);
    near(ours.abs, exact.abs, exact.abs);
    near(ours.delta, exact.delta, exact.abs);
    near(ours.delta_squared, exact.delta_squared, exact.delta_squared);
    near(ours.a_squared, exact.a_squared, exact.a_squared);
    near(ours.b_squared, exact.b_squared, exact.b_squared);
    near(ours.dot, exact.dot, (exact.a_squared * exact.b_squared).sqrt());
}

fn check(dtype: Dtype, a: &[u32], b: &[u32]) {
    let ((a_bytes, a_values), (b_bytes, b_values)) = (stored(dtype, a), stored(dtype, b));
    let (a, b) = (
        Stored::new(dtype, &a_bytes).unwrap(),
        Stored::new(dtype, &b_bytes).unwrap(),
    );
    agree(&compare(a, b), &compare_wide(&a_values, &b_values));
    agree(&unchanged(a), &compare_wide(&a_values, &a_values));
}

#[test]
fn every_pattern_of_sixteen_bits_is_read_right() {
    let all: Vec<u32> = (0..1 << 16).collect();
    let next: Vec<u32> = all
        .iter()
        .map(|pattern| pattern.rotate_left(3) & 0xffff)
        .collect();
    for dtype in [Dtype::F16, Dtype::BF16] {
        // One at a time: beside its neighbours a value that is misread could hide.
        for (a, b) in all.iter().zip(&next) {
            check(dtype, &[*a], &[*b]);
        }
        check(dtype, &all, &next);
    }
}

#[test]
fn huge_tiny_and_missing_values_go_the_precise_way() {
    for values in [
        [1e30f32, -3.4e38, 1.0, 2.0],
        [1e-30, 2e-30, -1e-38, 1e-45],
        [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.0],
        [1.0, 1.0 + f32::EPSILON, -0.0, 0.0],
    ] {
        let a: Vec<u32> = values.iter().map(|value| value.to_bits()).collect();
        let b: Vec<u32> = values.iter().rev().map(|value| value.to_bits()).collect();
        check(Dtype::F32, &a, &b);
    }
}

#[test]
fn the_cosine_of_a_small_change_keeps_its_digits() {
    let a: Vec<f32> = (0..100_000)
        .map(|place| ((place * 37 % 101) as f32 - 50.0) / 50.0)
        .collect();
    let b: Vec<f32> = a
        .iter()
        .enumerate()
        .map(|(place, x)| x + if place % 2 == 0 { 1e-4 } else { -1e-4 })
        .collect();
    let sums = compare(Stored::Decoded(&a), Stored::Decoded(&b));
    let (a, b): (Vec<f64>, Vec<f64>) = a
        .iter()
        .zip(&b)
        .map(|(a, b)| (f64::from(*a), f64::from(*b)))
        .unzip();
    let dot = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
    let exact = 1.0 - dot(&a, &b) / (dot(&a, &a) * dot(&b, &b)).sqrt();
    let ours = 1.0 - sums.cosine().unwrap();
    assert!((ours - exact).abs() < 1e-3 * exact, "{ours} is not {exact}");
}

#[test]
fn the_histogram_counts_sizes_by_their_exponent() {
    let a = vec![0f32; 4096];
    let mut b = a.clone();
    (b[0], b[1], b[2000]) = (1.0, 1.5, -4.0);
    let mut counts = Exponents::default();
    let seen = histogram(Stored::Decoded(&a), Stored::Decoded(&b), true, &mut counts);
    assert_eq!(
        (
            seen,
            counts.0[127],
            counts.0[129],
            counts.0[1..].iter().sum::<u64>()
        ),
        (4096, 2, 1, 3)
    );
    let mut sampled = Exponents::default();
    let seen = histogram(Stored::Decoded(&a), Stored::Decoded(&b), false, &mut sampled);
    assert_eq!((seen, sampled.0[127], sampled.0[129]), (256, 2, 0));
}

proptest! {
    #[test]
    fn agrees_with_the_sums_one_by_one(
        pairs in prop::collection::vec(any::<(u32, u32)>(), 0..2000),
        dtype in prop::sample::select(TYPES.to_vec()),
        close in any::<bool>(),
    ) {
        // Bits shared by both sides, and no exponent out of range: as weights are.
        let plain = |bits: u32| match dtype {
            Dtype::F32 => bits & 0xbfff_ffff & !(0x7 << 27) | 0x7 << 27,
            _ => bits & 0xbbff,
        };
        let a: Vec<u32> = pairs.iter().map(|(a, _)| plain(*a)).collect();
        let b: Vec<u32> = pairs.iter().map(|(a, b)| if close { plain(*a) ^ (b & 7) } else { plain(*b) }).collect();
        check(dtype, &a, &b);
    }

    #[test]
    fn anything_goes(pairs in prop::collection::vec(any::<(u32, u32)>(), 0..700)) {
        let (a, b): (Vec<u32>, Vec<u32>) = pairs.into_iter().unzip();
        for dtype in TYPES {
            let ((a_bytes, a), (b_bytes, b)) = (stored(dtype, &a), stored(dtype, &b));
            let ours = compare(Stored::new(dtype, &a_bytes).unwrap(), Stored::new(dtype, &b_bytes).unwrap());
            let exact = compare_wide(&a, &b);
            prop_assert_eq!((ours.changed, ours.non_finite, ours.differing_bits), (exact.changed, exact.non_finite, exact.differing_bits));
        }
    }
}
