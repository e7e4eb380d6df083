//! Counting distinct values: of a whole tensor up to a cap, and within runs of sampled rows, where quantization shows its bits
//! and its group size.

use super::{DISTINCT_CAP, RUN_LENGTHS};

const SLOTS: usize = 4 * DISTINCT_CAP as usize;

/// Distinct bit patterns seen so far, up to [`DISTINCT_CAP`].
#[derive(Debug, Clone)]
pub(super) struct DistinctCounter {
    /// Open addressing; 0 is an empty slot, and the pattern 0 is counted apart. Emptied once the cap is reached.
    slots: Vec<u32>,
    count: u32,
    has_zero: bool,
}

impl DistinctCounter {
    pub(super) fn new() -> Self {
        Self {
            slots: vec![0; SLOTS],
            count: 0,
            has_zero: false,
        }
    }

    pub(super) fn count(&self) -> u32 {
        (self.count + u32::from(self.has_zero)).min(DISTINCT_CAP)
    }

    pub(super) fn add(&mut self, values: &[f32]) {
        for value in values {
            if self.slots.is_empty() {
                return;
            }
            // -0.0 and 0.0 are one level of a grid
            self.insert((value + 0.0).to_bits());
        }
    }

    pub(super) fn merge(&mut self, other: &DistinctCounter) {
        if self.slots.is_empty() || other.slots.is_empty() {
            self.saturate();
            return;
        }
        self.has_zero |= other.has_zero;
        for bits in other.slots.iter().filter(|bits| **bits != 0) {
            if self.slots.is_empty() {
                return;
            }
            self.insert(*bits);
        }
    }

    fn insert(&mut self, bits: u32) {
        if bits == 0 {
            self.has_zero = true;
            return;
        }
        let mut slot = (bits.wrapping_mul(0x9E37_79B1) >> 18) as usize % SLOTS;
        while self.slots[slot] != 0 {
            if self.slots[slot] == bits {
                return;
            }
            slot = (slot + 1) % SLOTS;
        }
        self.slots[slot] = bits;
        self.count += 1;
        if self.count >= DISTINCT_CAP {
            self.saturate();
        }
    }

    /// Nothing is left to learn: the cap is reached.
    pub(super) fn is_saturated(&self) -> bool {
        self.slots.is_empty()
    }

    pub(super) fn saturate(&mut self) {
        self.count = DISTINCT_CAP;
        self.slots = Vec::new();
    }
}

/// Distinct values in one line: in all of it, and the most in any whole run of each length of [`RUN_LENGTHS`].
pub(super) fn line_distinct(line: &[f32], buffer: &mut Vec<u32>) -> (u32, [u16; RUN_LENGTHS.len()]) {
    let mut runs = [0u16; RUN_LENGTHS.len()];
    for (most, length) in runs.iter_mut().zip(RUN_LENGTHS) {
        for run in line.chunks_exact(length) {
            *most = (*most).max(distinct(run, buffer) as u16);
        }
    }
    (distinct(line, buffer).min(DISTINCT_CAP), runs)
}

fn distinct(values: &[f32], buffer: &mut Vec<u32>) -> u32 {
    buffer.clear();
    buffer.extend(values.iter().map(|value| (value + 0.0).to_bits()));
    buffer.sort_unstable();
    buffer.dedup();
    buffer.len() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_until_the_cap_whatever_the_split() {
        let values: Vec<f32> = (0..5000).map(|index| (index % 3000) as f32).collect();
        let mut whole = DistinctCounter::new();
        whole.add(&values);
        assert_eq!(whole.count(), 3000);
        let (mut left, mut right) = (DistinctCounter::new(), DistinctCounter::new());
        left.add(&values[..1700]);
        right.add(&values[1700..]);
        left.merge(&right);
        assert_eq!(left.count(), 3000);
        left.add(&(0..9000).map(|index| index as f32 + 0.5).collect::<Vec<_>>());
        assert_eq!(left.count(), DISTINCT_CAP);
    }

    #[test]
    fn runs_show_the_group_of_a_quantized_row() {
        // two levels in each group of 64, other levels in the next group
        let row: Vec<f32> = (0..256)
            .map(|index| (index % 2) as f32 + (index / 64) as f32 * 10.0)
            .collect();
        let (all, runs) = line_distinct(&row, &mut Vec::new());
        assert_eq!(all, 8);
        assert_eq!(runs, [2, 2, 2, 4, 8]);
    }
}
