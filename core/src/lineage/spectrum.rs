//! The shape of one tensor's delta: its rank, and how much of the tensor it touches.
//!
//! Enters: two sketches. Leaves: a [`Spectrum`].

use crate::fingerprint::Sketch;
use nalgebra::DMatrix;

/// A singular value this many times larger than the next ends the low-rank part.
const GAP: f64 = 6.0;
/// The last singular value of a random square matrix is often small by itself: there the gap must be wider.
const GAP_AT_END: f64 = 100.0;
/// ... and what is left beyond the gap holds at most this share of the squared norm.
const REST_SHARE: f64 = 0.02;

/// Singular values of a delta's sketch, largest first, and its pattern of zeros.
#[derive(Debug, Clone)]
pub(super) struct Spectrum {
    pub singular: Vec<f64>,
    /// Sketch cells that are exactly zero, as a share: no element that falls in them changed.
    pub zero_cells: f64,
    /// Sketch rows and columns that are not zero throughout, and how many there are.
    pub touched_rows: (usize, usize),
    pub touched_cols: (usize, usize),
}

impl Spectrum {
    pub fn of(parent: &Sketch, child: &Sketch) -> Self {
        let delta = child.minus(parent);
        let (rows, cols) = (usize::from(delta.rows), usize::from(delta.cols));
        let matrix = DMatrix::from_row_iterator(rows, cols, delta.cells.iter().map(|cell| f64::from(*cell)));
        let mut singular: Vec<f64> = matrix.singular_values().iter().copied().collect();
        singular.sort_by(|a, b| b.total_cmp(a));
        let zero = delta.cells.iter().filter(|cell| **cell == 0.0).count();
        let row_touched = |row: &usize| (0..cols).any(|col| matrix[(*row, col)] != 0.0);
        let col_touched = |col: &usize| (0..rows).any(|row| matrix[(row, *col)] != 0.0);
        Self {
            singular,
            zero_cells: zero as f64 / delta.cells.len() as f64,
            touched_rows: ((0..rows).filter(row_touched).count(), rows),
            touched_cols: ((0..cols).filter(col_touched).count(), cols),
        }
    }

    /// Most singular values a sketch of this size can show.
    pub fn size(&self) -> usize {
        self.singular.len()
    }

    /// The rank, where the spectrum ends in a clear gap before the sketch does. `None`: no low rank is visible at this size.
    pub fn rank(&self) -> Option<usize> {
        let total: f64 = self.singular.iter().map(|value| value * value).sum();
        if total == 0.0 {
            return None;
        }
        let floor = self.singular[0] * 1e-12;
        let mut best: Option<(f64, usize)> = None;
        for rank in 1..self.size() {
            let (last, next) = (self.singular[rank - 1], self.singular[rank].max(floor));
            let rest: f64 = self.singular[rank..].iter().map(|value| value * value).sum();
            let gap = last / next;
            let at_end = rank + (self.size() / 8).max(1) >= self.size();
            let wanted = if at_end { GAP_AT_END } else { GAP };
            if rank * 4 <= self.size() * 3
                && rest <= REST_SHARE * total
                && gap >= wanted
                && best.is_none_or(|(widest, _)| gap > widest)
            {
                best = Some((gap, rank));
            }
        }
        best.map(|(_, rank)| rank)
    }

    /// Where the widest gap lies in the upper half of the spectrum, if it is `wide` enough.
    pub fn soft_rank(&self, wide: f64) -> Option<usize> {
        let gap = |rank: usize| self.singular[rank - 1] / self.singular[rank].max(f64::MIN_POSITIVE);
        let widest = (1..=self.size() / 2).max_by(|a, b| gap(*a).total_cmp(&gap(*b)))?;
        (gap(widest) >= wide && self.singular[0] > 0.0).then_some(widest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spectrum(singular: &[f64]) -> Spectrum {
        Spectrum {
            singular: singular.to_vec(),
            zero_cells: 0.0,
            touched_rows: (0, 0),
            touched_cols: (0, 0),
        }
    }

    #[test]
    fn a_soft_gap_is_the_widest_of_the_upper_half() {
        assert_eq!(spectrum(&[9.0, 8.0, 2.0, 1.9, 1.8, 1.7]).soft_rank(1.5), Some(2));
        assert_eq!(spectrum(&[9.0, 8.0, 7.0, 6.0]).soft_rank(1.5), None);
    }

    #[test]
    fn rank_is_where_the_spectrum_breaks_off() {
        assert_eq!(spectrum(&[9.0, 5.0, 3.0, 0.01, 0.009, 0.008]).rank(), Some(3));
        assert_eq!(spectrum(&[9.0, 8.0, 7.0, 6.0]).rank(), None);
        assert_eq!(
            spectrum(&[9.0, 4.0, 2.0, 1.0, 0.5, 0.25]).rank(),
            None,
            "a decaying spectrum has no rank"
        );
        assert_eq!(spectrum(&[0.0, 0.0]).rank(), None);
    }
}
