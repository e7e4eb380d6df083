//! The inner loop: a block of finite pairs of ordinary size, written for the compiler to vectorise.

use super::Sums;

/// Elements of a block. Few enough that adding them up in `f32` loses at most 2e-6 of a sum's size.
pub(super) const BLOCK: usize = 512;
const LANES: usize = 16;

/// Squares of values above this overflow once a few are added up.
pub(super) const LARGE: f32 = (1u64 << 60) as f32;
/// Squares of values below this vanish.
const SMALL: f32 = 1.0 / (1u64 << 50) as f32;

#[derive(Default)]
struct Lanes {
    max_abs: [f32; LANES],
    largest: [[u32; LANES]; 2],
    delta: [f32; LANES],
    abs: [f32; LANES],
    delta_squared: [f32; LANES],
    a_squared: [f32; LANES],
    b_squared: [f32; LANES],
    dot: [f32; LANES],
    changed: [u32; LANES],
    differing: [u32; LANES],
}

/// The sums of one block; `None` where a value is `limit` or larger, or not finite, or all are too small for their squares.
#[inline(always)]
pub(super) fn compare_block<T: Copy>(
    a: &[T],
    b: &[T],
    value: impl Fn(T) -> f32 + Copy,
    limit: f32,
) -> Option<Sums> {
    let mut lanes = Lanes::default();
    let (a_rows, a_rest) = a.as_chunks::<LANES>();
    let (b_rows, b_rest) = b.as_chunks::<LANES>();
    for (x, y) in a_rows.iter().zip(b_rows) {
        lanes.take(&x.map(value), &y.map(value));
    }
    if !a_rest.is_empty() {
        let mut last = [[0.0; LANES]; 2];
        for (lane, (x, y)) in a_rest.iter().zip(b_rest).enumerate() {
            last[0][lane] = value(*x);
            last[1][lane] = value(*y);
        }
        lanes.take(&last[0], &last[1]);
    }
    let sums = lanes.total(a.len());
    let [a, b] = lanes.largest.map(largest);
    (is_ordinary(a, limit) && is_ordinary(b, limit) && is_ordinary(sums.max_abs as f32, f32::INFINITY))
        .then_some(sums)
}

impl Lanes {
    #[inline(always)]
    fn take(&mut self, a: &[f32; LANES], b: &[f32; LANES]) {
        const SIGNLESS: u32 = u32::MAX >> 1;
        for lane in 0..LANES {
            let (x, y) = (a[lane], b[lane]);
            let delta = y - x;
            let abs = delta.abs();
            let max_abs = self.max_abs[lane];
            self.max_abs[lane] = if abs > max_abs { abs } else { max_abs };
            self.delta[lane] += delta;
            self.abs[lane] += abs;
            self.delta_squared[lane] += delta * delta;
            self.a_squared[lane] += x * x;
            self.b_squared[lane] += y * y;
            self.dot[lane] += x * y;
            let (x, y) = (x.to_bits(), y.to_bits());
            let difference = x ^ y;
            self.changed[lane] += u32::from(difference != 0);
            self.differing[lane] += difference.count_ones();
            self.largest[0][lane] = self.largest[0][lane].max(x & SIGNLESS);
            self.largest[1][lane] = self.largest[1][lane].max(y & SIGNLESS);
        }
    }

    #[inline(always)]
    fn total(&self, elements: usize) -> Sums {
        let sum = |lanes: &[f32; LANES]| lanes.iter().map(|lane| f64::from(*lane)).sum::<f64>();
        let count = |lanes: &[u32; LANES]| u64::from(lanes.iter().sum::<u32>());
        Sums {
            elements: elements as u64,
            changed: count(&self.changed),
            non_finite: 0,
            differing_bits: count(&self.differing),
            max_abs: f64::from(self.max_abs.iter().copied().fold(0.0, f32::max)),
            delta: sum(&self.delta),
            abs: sum(&self.abs),
            delta_squared: sum(&self.delta_squared),
            a_squared: sum(&self.a_squared),
            b_squared: sum(&self.b_squared),
            dot: sum(&self.dot),
        }
    }
}

/// `|a|²` of one block; `None` as for [`compare_block`].
#[inline(always)]
pub(super) fn square_block<T: Copy>(a: &[T], value: impl Fn(T) -> f32 + Copy, limit: f32) -> Option<f64> {
    let mut squares = [0f32; LANES];
    let mut largest = [0u32; LANES];
    let mut take = |row: &[f32; LANES]| {
        for lane in 0..LANES {
            let size = row[lane].abs();
            // As bits, a NaN is larger than any number.
            largest[lane] = largest[lane].max(size.to_bits());
            squares[lane] += size * size;
        }
    };
    let (rows, rest) = a.as_chunks::<LANES>();
    for row in rows {
        take(&row.map(value));
    }
    let mut last = [0.0; LANES];
    for (lane, element) in last.iter_mut().zip(rest) {
        *lane = value(*element);
    }
    take(&last);
    is_ordinary(self::largest(largest), limit).then(|| squares.iter().map(|square| f64::from(*square)).sum())
}

#[inline(always)]
fn largest(lanes: [u32; LANES]) -> f32 {
    f32::from_bits(lanes.iter().copied().fold(0, u32::max))
}

/// No square overflows or vanishes where the largest of its side is `size`. Of a NaN nothing is true.
#[inline(always)]
fn is_ordinary(size: f32, limit: f32) -> bool {
    size == 0.0 || (size >= SMALL && size < limit)
}
