//! The arithmetic of one window: two slices in, [`Sums`] out.
//!
//! Sums are kept in `f64` in a fixed number of lanes, added up in a fixed order, and never fused: every machine gets the same
//! bits. The loops are written for the compiler to vectorise.

/// Elements handled between two visits to memory: both sides stay in the first-level cache.
const BLOCK: usize = 1024;
const LANES: usize = 8;

/// What one pass over a run of pairs adds up to.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Sums {
    pub elements: u64,
    pub changed: u64,
    pub non_finite: u64,
    pub differing_bits: u64,
    pub max_abs: f64,
    pub delta: f64,
    pub abs: f64,
    pub delta_squared: f64,
    pub a_squared: f64,
    pub b_squared: f64,
    pub dot: f64,
}

impl Sums {
    pub fn add(&mut self, other: &Sums) {
        self.elements += other.elements;
        self.changed += other.changed;
        self.non_finite += other.non_finite;
        self.differing_bits += other.differing_bits;
        self.max_abs = self.max_abs.max(other.max_abs);
        self.delta += other.delta;
        self.abs += other.abs;
        self.delta_squared += other.delta_squared;
        self.a_squared += other.a_squared;
        self.b_squared += other.b_squared;
        self.dot += other.dot;
    }
}

/// Compares two windows of `f32`.
pub(super) fn compare(a: &[f32], b: &[f32]) -> Sums {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("popcnt") {
        // SAFETY: the processor has what the function is compiled for.
        return unsafe { compare_avx2(a, b) };
    }
    compare_plain(a, b)
}

/// The same code compiled for wider registers. Without fused multiply-add, so that the bits are the same, too.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,popcnt")]
fn compare_avx2(a: &[f32], b: &[f32]) -> Sums {
    compare_plain(a, b)
}

#[inline(always)]
fn compare_plain(a: &[f32], b: &[f32]) -> Sums {
    let mut sums = Sums::default();
    for (a, b) in a.chunks(BLOCK).zip(b.chunks(BLOCK)) {
        if all_finite(a) && all_finite(b) {
            sums.add(&Sums {
                elements: a.len() as u64,
                ..bits(a, b).with(&numbers(a, b))
            });
        } else {
            sums.add(&compare_with_gaps(a, b));
        }
    }
    sums
}

/// As the finite case, for a block where some values are not finite.
fn compare_with_gaps(a: &[f32], b: &[f32]) -> Sums {
    let mut clean_a = Vec::with_capacity(a.len());
    let mut clean_b = Vec::with_capacity(a.len());
    let mut sums = Sums {
        elements: a.len() as u64,
        ..Sums::default()
    };
    for (&x, &y) in a.iter().zip(b) {
        if x.is_finite() && y.is_finite() {
            clean_a.push(x);
            clean_b.push(y);
            continue;
        }
        sums.non_finite += 1;
        if !(x.is_nan() && y.is_nan()) && x.to_bits() != y.to_bits() {
            sums.changed += 1;
            sums.differing_bits += u64::from((x.to_bits() ^ y.to_bits()).count_ones());
        }
    }
    sums.add(&bits(&clean_a, &clean_b).with(&numbers(&clean_a, &clean_b)));
    sums
}

#[inline(always)]
fn all_finite(values: &[f32]) -> bool {
    const EXPONENT: u32 = 0x7f80_0000;
    let topmost = values
        .iter()
        .fold(0, |topmost, value| (value.to_bits() & EXPONENT).max(topmost));
    topmost != EXPONENT
}

/// The counts that come from bit patterns.
struct Bits {
    changed: u32,
    differing: u32,
}

impl Bits {
    fn with(self, numbers: &Sums) -> Sums {
        Sums {
            changed: u64::from(self.changed),
            differing_bits: u64::from(self.differing),
            ..*numbers
        }
    }
}

#[inline(always)]
fn bits(a: &[f32], b: &[f32]) -> Bits {
    let mut found = Bits {
        changed: 0,
        differing: 0,
    };
    for (x, y) in a.iter().zip(b) {
        let difference = x.to_bits() ^ y.to_bits();
        found.changed += u32::from(difference != 0);
        found.differing += difference.count_ones();
    }
    found
}

#[derive(Default)]
struct Lanes {
    max_abs: [f64; LANES],
    delta: [f64; LANES],
    abs: [f64; LANES],
    delta_squared: [f64; LANES],
    a_squared: [f64; LANES],
    b_squared: [f64; LANES],
    dot: [f64; LANES],
}

/// The sums that come from finite values. The differences are exact: `f64` holds the difference of any two `f32` of like size.
#[inline(always)]
fn numbers(a: &[f32], b: &[f32]) -> Sums {
    let mut lanes = Lanes::default();
    let (a_rows, a_rest) = a.as_chunks::<LANES>();
    let (b_rows, b_rest) = b.as_chunks::<LANES>();
    for (x, y) in a_rows.iter().zip(b_rows) {
        lanes.take(&x.map(f64::from), &y.map(f64::from));
    }
    let mut last = [[0.0; LANES]; 2];
    for (lane, (x, y)) in a_rest.iter().zip(b_rest).enumerate() {
        last[0][lane] = f64::from(*x);
        last[1][lane] = f64::from(*y);
    }
    lanes.take(&last[0], &last[1]);
    lanes.total()
}

impl Lanes {
    #[inline(always)]
    fn take(&mut self, a: &[f64; LANES], b: &[f64; LANES]) {
        for lane in 0..LANES {
            let (x, y) = (a[lane], b[lane]);
            let delta = y - x;
            let abs = delta.abs();
            self.max_abs[lane] = if abs > self.max_abs[lane] {
                abs
            } else {
                self.max_abs[lane]
            };
            self.delta[lane] += delta;
            self.abs[lane] += abs;
            self.delta_squared[lane] += delta * delta;
            self.a_squared[lane] += x * x;
            self.b_squared[lane] += y * y;
            self.dot[lane] += x * y;
        }
    }

    #[inline(always)]
    fn total(&self) -> Sums {
        let sum = |lanes: &[f64; LANES]| lanes.iter().sum::<f64>();
        Sums {
            max_abs: self.max_abs.iter().copied().fold(0.0, f64::max),
            delta: sum(&self.delta),
            abs: sum(&self.abs),
            delta_squared: sum(&self.delta_squared),
            a_squared: sum(&self.a_squared),
            b_squared: sum(&self.b_squared),
            dot: sum(&self.dot),
            ..Sums::default()
        }
    }
}

/// As [`compare`], for values that `f32` cannot hold. Such tensors are few and small, so this is plain.
pub(super) fn compare_wide(a: &[f64], b: &[f64]) -> Sums {
    let mut sums = Sums {
        elements: a.len() as u64,
        ..Sums::default()
    };
    let mut lanes = Lanes::default();
    for (&x, &y) in a.iter().zip(b) {
        let same = x.to_bits() == y.to_bits() || (x.is_nan() && y.is_nan());
        sums.changed += u64::from(!same);
        if !same {
            let difference = (x as f32).to_bits() ^ (y as f32).to_bits();
            sums.differing_bits += u64::from(difference.count_ones());
        }
        if x.is_finite() && y.is_finite() {
            let mut pair = [[0.0; LANES]; 2];
            (pair[0][0], pair[1][0]) = (x, y);
            lanes.take(&pair[0], &pair[1]);
        } else {
            sums.non_finite += 1;
        }
    }
    sums.add(&lanes.total());
    sums
}

/// The sums of a window whose two sides are the same bytes: no difference to look for.
pub(super) fn unchanged(values: &[f32]) -> Sums {
    let mut sums = Sums::default();
    for block in values.chunks(BLOCK) {
        let mut lanes = [0.0; LANES];
        let mut non_finite = 0;
        for row in block.chunks(LANES) {
            for (lane, &value) in lanes.iter_mut().zip(row) {
                let finite = value.is_finite();
                non_finite += u64::from(!finite);
                let value = if finite { f64::from(value) } else { 0.0 };
                *lane += value * value;
            }
        }
        let squared = lanes.iter().sum::<f64>();
        sums.add(&Sums {
            elements: block.len() as u64,
            non_finite,
            a_squared: squared,
            b_squared: squared,
            dot: squared,
            ..Sums::default()
        });
    }
    sums
}
