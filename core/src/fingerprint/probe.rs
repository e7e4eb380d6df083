//! Probes: values at fixed places of a tensor, for element-wise evidence.
//!
//! Enters: a tensor's rows as they are read. Leaves: the first columns of a fixed sequence of rows. The places are absolute
//! (they do not depend on the extent), so tensors of different height share the rows both have, and a smaller probe is part of
//! a larger one.

use serde::{Deserialize, Serialize};

/// Decoded values of the first `cols` columns of [`probe_rows`]`(height, rows)`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Probe {
    pub rows: u32,
    pub cols: u32,
    /// Row-major, `rows * cols`.
    pub values: Vec<f32>,
}

impl Probe {
    /// The values at the `index`-th probed row.
    pub fn row(&self, index: usize) -> &[f32] {
        let cols = self.cols as usize;
        &self.values[index * cols..(index + 1) * cols]
    }
}

/// The probed rows of a tensor of `height` rows: 0, the powers of two, then the other numbers in order.
pub fn probe_rows(height: u64, count: u32) -> Vec<u64> {
    let powers = (0..63).map(|exponent| 1u64 << exponent);
    let others = (3u64..).filter(|row| !row.is_power_of_two());
    std::iter::once(0)
        .chain(powers.take_while(|power| *power < height))
        .chain(others.take_while(|row| *row < height))
        .take(count as usize)
        .collect()
}

/// Picks probed values out of the rows as they pass.
#[derive(Debug, Clone)]
pub(super) struct ProbeBuilder {
    cols: usize,
    /// Probed rows in ascending order, each with its place in the probe.
    places: Vec<(u64, usize)>,
    values: Vec<f32>,
}

impl ProbeBuilder {
    pub(super) fn new(height: u64, rows: u32, cols: u32) -> Self {
        let rows = probe_rows(height, rows);
        let mut places: Vec<(u64, usize)> = rows.into_iter().zip(0..).collect();
        places.sort_unstable();
        Self {
            cols: cols as usize,
            values: vec![0.0; places.len() * cols as usize],
            places,
        }
    }

    /// Keeps what the probe wants of the start of `row`.
    pub(super) fn add(&mut self, row: u64, values: &[f32]) {
        let Ok(found) = self.places.binary_search_by_key(&row, |place| place.0) else {
            return;
        };
        let start = self.places[found].1 * self.cols;
        self.values[start..start + self.cols].copy_from_slice(&values[..self.cols]);
    }

    pub(super) fn finish(self) -> Probe {
        Probe {
            rows: self.places.len() as u32,
            cols: self.cols as u32,
            values: self.values,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_nest_across_heights_and_counts() {
        assert_eq!(probe_rows(6, 10), [0, 1, 2, 4, 3, 5]);
        assert_eq!(probe_rows(1, 4), [0]);
        assert_eq!(probe_rows(100, 3), [0, 1, 2]);
        let tall = probe_rows(1000, 64);
        assert_eq!(tall[..8], probe_rows(1000, 8));
        assert!(probe_rows(100, 6).iter().all(|row| tall.contains(row)));
    }
}
