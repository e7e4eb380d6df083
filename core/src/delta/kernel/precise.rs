//! The same sums in `f64`, one pair at a time: for types that `f32` cannot hold, and blocks with values that are not finite, huge, or
//! tiny. Such are few.

use super::Sums;

/// Compares values that may be anything.
pub(crate) fn compare_wide(a: &[f64], b: &[f64]) -> Sums {
    let mut sums = Sums {
        elements: a.len() as u64,
        ..Sums::default()
    };
    for (&x, &y) in a.iter().zip(b) {
        if x.to_bits() != y.to_bits() && !(x.is_nan() && y.is_nan()) {
            sums.changed += 1;
            let difference = (x as f32).to_bits() ^ (y as f32).to_bits();
            sums.differing_bits += u64::from(difference.count_ones());
        }
        if !(x.is_finite() && y.is_finite()) {
            sums.non_finite += 1;
            continue;
        }
        let delta = y - x;
        sums.max_abs = sums.max_abs.max(delta.abs());
        sums.delta += delta;
        sums.abs += delta.abs();
        sums.delta_squared += delta * delta;
        sums.a_squared += x * x;
        sums.b_squared += y * y;
        sums.dot += x * y;
    }
    sums
}
