//! Power sums, extremes and exactness counts over values: everything that adds up element by element.

/// Sums over elements. Lanes are added in a fixed order, so the result depends on the values alone.
#[derive(Debug, Clone, Default)]
pub(super) struct Moments {
    pub count: u64,
    pub sums: [f64; 4],
    pub abs_max: f32,
    pub zeros: u64,
    pub non_finite: u64,
    pub bf16_exact: u64,
    pub f16_exact: u64,
}

const LANES: usize = 8;

impl Moments {
    /// Adds a run of values, at most 2^32, and returns its sum of squares.
    #[inline(always)]
    pub(super) fn add(&mut self, values: &[f32]) -> f64 {
        let mut lanes = [[0.0f64; LANES]; 4];
        let (chunks, rest) = values.as_chunks::<LANES>();
        for chunk in chunks {
            add_powers(&mut lanes, chunk);
        }
        let mut last = [0.0; LANES];
        last[..rest.len()].copy_from_slice(rest);
        add_powers(&mut lanes, &last);
        let mut counts = Counts::default();
        for value in values {
            counts.add(*value);
        }
        self.abs_max = self.abs_max.max(f32::from_bits(counts.abs_max));
        self.zeros += u64::from(counts.zeros);
        self.non_finite += u64::from(counts.non_finite);
        self.bf16_exact += u64::from(counts.bf16_exact);
        self.f16_exact += u64::from(counts.f16_exact);
        self.count += values.len() as u64;
        let totals = lanes.map(|lane| lane.iter().sum::<f64>());
        for (sum, total) in self.sums.iter_mut().zip(totals) {
            *sum += total;
        }
        totals[1]
    }

    pub(super) fn merge(&mut self, other: &Moments) {
        self.count += other.count;
        for (sum, addend) in self.sums.iter_mut().zip(other.sums) {
            *sum += addend;
        }
        self.abs_max = self.abs_max.max(other.abs_max);
        self.zeros += other.zeros;
        self.non_finite += other.non_finite;
        self.bf16_exact += other.bf16_exact;
        self.f16_exact += other.f16_exact;
    }
}

#[inline(always)]
fn add_powers(lanes: &mut [[f64; LANES]; 4], values: &[f32; LANES]) {
    for (lane, value) in values.iter().enumerate() {
        let value = if value.is_finite() { f64::from(*value) } else { 0.0 };
        let square = value * value;
        lanes[0][lane] += value;
        lanes[1][lane] += square;
        lanes[2][lane] += square * value;
        lanes[3][lane] += square * square;
    }
}

/// Counts over one run, without a branch, so that the loop is vectorised.
#[derive(Default)]
struct Counts {
    /// Bits of the largest finite magnitude: for those, order of bits is order of values.
    abs_max: u32,
    zeros: u32,
    non_finite: u32,
    bf16_exact: u32,
    f16_exact: u32,
}

impl Counts {
    #[inline(always)]
    fn add(&mut self, value: f32) {
        let bits = value.to_bits();
        let magnitude = bits & 0x7FFF_FFFF;
        let is_finite = magnitude < 0x7F80_0000;
        self.abs_max = self.abs_max.max(if is_finite { magnitude } else { 0 });
        self.zeros += u32::from(magnitude == 0);
        self.non_finite += u32::from(!is_finite);
        self.bf16_exact += u32::from(is_finite & (bits & 0xFFFF == 0));
        self.f16_exact += u32::from(is_f16_exact(value));
    }
}

/// True when half precision represents `value` exactly: it is finite, and enough low bits are zero for its exponent.
#[inline(always)]
fn is_f16_exact(value: f32) -> bool {
    const SMALLEST_NORMAL: u32 = 127 - 14;
    let bits = value.to_bits();
    let exponent = bits >> 23 & 0xFF;
    // Past 23 spare bits no number is left; the range below says so.
    let spare_bits = (13 + SMALLEST_NORMAL.saturating_sub(exponent)).min(31);
    let mantissa = bits & 0x7F_FFFF | 0x80_0000;
    let is_in_range = (103..=142).contains(&exponent);
    (is_in_range & (mantissa & ((1 << spare_bits) - 1) == 0)) | (bits << 1 == 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn f16_exactness_is_what_a_round_trip_says(bits: u32, half: u16) {
            for value in [f32::from_bits(bits), half::f16::from_bits(half).to_f32()] {
                if value.is_finite() {
                    let back = half::f16::from_f32(value).to_f32();
                    prop_assert_eq!(is_f16_exact(value), back == value);
                }
            }
        }
    }
}
