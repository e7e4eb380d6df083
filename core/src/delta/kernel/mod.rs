//! The arithmetic of one window: two runs of elements in, [`Sums`] out.
//!
//! Blocks are added up in `f32` in a fixed number of lanes, blocks among themselves in `f64`, all in a fixed order and never fused:
//! every machine gets the same bits. What `f32` cannot carry (values beyond 2^60, squares that vanish, NaN) goes through `f64`.

mod block;
mod precise;
mod stored;

pub(super) use precise::compare_wide;
pub use stored::{Exponents, looked_at};
pub(super) use stored::{Stored, compare, histogram, unchanged};

/// What one pass over a run of pairs adds up to.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Sums {
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

    /// Of the angle between both sides; `None` when either is 0.
    pub fn cosine(&self) -> Option<f64> {
        let (a, b) = (self.a_squared.sqrt(), self.b_squared.sqrt());
        if a * b == 0.0 {
            return None;
        }
        // Of a small delta the angle is in the delta: rounding of the large sums would drown it.
        let small = self.delta_squared < 0.1 * self.a_squared.min(self.b_squared);
        let cosine = match small {
            true => 1.0 - (self.delta_squared - (b - a).powi(2)) / (2.0 * a * b),
            false => self.dot / (a * b),
        };
        Some(cosine.clamp(-1.0, 1.0))
    }
}

#[cfg(test)]
mod tests;
