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
    /// Adds a run of values and returns its sum of squares.
    pub(super) fn add(&mut self, values: &[f32]) -> f64 {
        let mut lanes = [[0.0f64; LANES]; 4];
        for chunk in values.chunks(LANES) {
            for (lane, value) in chunk.iter().enumerate() {
                let value = if value.is_finite() { f64::from(*value) } else { 0.0 };
                let square = value * value;
                lanes[0][lane] += value;
                lanes[1][lane] += square;
                lanes[2][lane] += square * value;
                lanes[3][lane] += square * square;
            }
        }
        for value in values {
            self.count_one(*value);
        }
        self.count += values.len() as u64;
        let totals = lanes.map(|lane| lane.iter().sum::<f64>());
        for (sum, total) in self.sums.iter_mut().zip(totals) {
            *sum += total;
        }
        totals[1]
    }

    fn count_one(&mut self, value: f32) {
        if !value.is_finite() {
            self.non_finite += 1;
            return;
        }
        self.abs_max = self.abs_max.max(value.abs());
        self.zeros += u64::from(value == 0.0);
        self.bf16_exact += u64::from(value.to_bits() & 0xFFFF == 0);
        self.f16_exact += u64::from(is_f16_exact(value));
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

/// True when half precision represents a finite `value` exactly: enough low bits are zero for its exponent.
fn is_f16_exact(value: f32) -> bool {
    const SMALLEST_NORMAL: u32 = 127 - 14;
    let bits = value.to_bits();
    let exponent = bits >> 23 & 0xFF;
    let spare_bits = match exponent {
        SMALLEST_NORMAL..=142 => 13,
        103..SMALLEST_NORMAL => 13 + SMALLEST_NORMAL - exponent,
        _ => return value == 0.0,
    };
    let mantissa = bits & 0x7F_FFFF | 0x80_0000;
    mantissa & ((1 << spare_bits) - 1) == 0
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
