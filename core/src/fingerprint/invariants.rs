//! Hashes that survive reordering: of a tensor's values as a multiset, of its rows and of its columns.
//!
//! Enters: lines of values. Leaves: [`Invariants`]. Values are rounded to bf16 first, so a cast to bf16 moves no hash.

use super::hash::splitmix64;
use serde::{Deserialize, Serialize};
use std::sync::LazyLock;

/// How many row and column hashes are kept.
pub const KEPT_HASHES: usize = 4;

/// What reordering neurons, dropping rows or dropping columns leaves recognisable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invariants {
    /// Hash of the multiset of values.
    pub values: u64,
    /// The smallest hashes of rows as multisets, ascending: a sample that subsets of the rows share. Zero rows are left out.
    pub rows: Vec<u32>,
    /// Likewise of columns.
    pub columns: Vec<u32>,
}

/// Contribution of one value to the hash of a multiset: sums of these do not depend on order.
pub(super) struct ValueHashes(Box<[u64]>);

impl ValueHashes {
    /// The hash of every bf16 pattern, made once.
    pub(super) fn get() -> &'static Self {
        static HASHES: LazyLock<ValueHashes> =
            LazyLock::new(|| ValueHashes((0..=u16::MAX).map(|pattern| splitmix64(pattern.into())).collect()));
        &HASHES
    }

    #[inline(always)]
    pub(super) fn of(&self, value: f32) -> u64 {
        self.0[usize::from(round_to_bf16(value))]
    }

    /// The sum over a line.
    #[inline(always)]
    pub(super) fn of_line(&self, values: &[f32]) -> u64 {
        values
            .iter()
            .fold(0u64, |sum, value| sum.wrapping_add(self.of(*value)))
    }
}

/// The bf16 pattern of `value`, rounded half to even; zeros are one, and so are NaNs.
#[inline(always)]
fn round_to_bf16(value: f32) -> u16 {
    let bits = value.to_bits();
    let magnitude = bits & 0x7FFF_FFFF;
    let rounded = bits.wrapping_add(0x7FFF + (bits >> 16 & 1)) >> 16;
    match magnitude {
        0 => 0,
        0x7F80_0001.. => 0x7FC0,
        _ => rounded as u16,
    }
}

/// The smallest few of many hashes.
#[derive(Debug, Clone, Default)]
pub(super) struct SmallestHashes(Vec<u32>);

impl SmallestHashes {
    pub(super) fn add(&mut self, sum: u64) {
        let hash = (splitmix64(sum) >> 32) as u32;
        if self.0.len() == KEPT_HASHES && self.0.last().is_some_and(|largest| hash >= *largest) {
            return;
        }
        if let Err(place) = self.0.binary_search(&hash) {
            self.0.insert(place, hash);
            self.0.truncate(KEPT_HASHES);
        }
    }

    pub(super) fn merge(&mut self, other: &SmallestHashes) {
        for hash in &other.0 {
            if let Err(place) = self.0.binary_search(hash) {
                self.0.insert(place, *hash);
                self.0.truncate(KEPT_HASHES);
            }
        }
    }

    pub(super) fn finish(self) -> Vec<u32> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn rounding_is_that_of_half(bits: u32) {
            let value = f32::from_bits(bits);
            if value.is_finite() && value != 0.0 {
                prop_assert_eq!(round_to_bf16(value), half::bf16::from_f32(value).to_bits());
            }
        }
    }
}
