//! Who adds up the pairs: the seam between a comparison and the hardware that it runs on.
//!
//! Enters: [`Work`], the pairs of two checkpoints. Leaves: one [`Total`] a pair. [`Cpu`] takes anything; another [`Device`] takes what
//! it can and gives the rest to [`Cpu`].

use super::kernel::{Exponents, Sums};
use super::pairing::Pair;
use super::pass;
use crate::weights::{Checkpoint, WeightsError};

/// Hardware that adds up pairs of tensors.
pub trait Device: Sync {
    /// What a reader of the report knows it by.
    fn name(&self) -> String;

    /// One total for each pair, in their order. Counts and histograms are the CPU's; sums are within 4e-6 of their size.
    fn sum(&self, work: &Work<'_>) -> Result<Vec<Total>, DiffError>;
}

/// Every core of the machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cpu;

impl Device for Cpu {
    fn name(&self) -> String {
        "CPU".to_owned()
    }

    fn sum(&self, work: &Work<'_>) -> Result<Vec<Total>, DiffError> {
        Ok(pass::sum_pairs(work)?)
    }
}

/// Pairs to add up.
pub struct Work<'a> {
    pub a: &'a Checkpoint,
    pub b: &'a Checkpoint,
    pub pairs: Vec<Pair<'a>>,
    /// Told the bytes read since its last call.
    pub progress: &'a (dyn Fn(u64) + Sync),
}

impl<'a> Work<'a> {
    /// Some of the pairs.
    pub fn only(&self, places: &[usize]) -> Self {
        Self {
            pairs: places.iter().map(|place| self.pairs[*place]).collect(),
            ..*self
        }
    }

    /// Adds up `count` elements of one pair from `first` on this thread: for values that a device cannot be trusted with. Both are
    /// multiples of 1024, but for the tensor's end. The progress is not told.
    pub fn sum_run(&self, pair: usize, first: u64, count: u64) -> Result<Total, WeightsError> {
        pass::sum_run(self, &self.pairs[pair], (first, count), &|_| {})
    }
}

/// What is known of a pair, or of a part of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Total {
    pub sums: Sums,
    /// Differences by their exponent as `f32` has it; none where no byte differs. And how many pairs were looked at.
    pub exponents: Option<Box<Exponents>>,
    pub seen: u64,
}

impl Total {
    /// Takes in another part.
    pub fn add(&mut self, other: &Total) {
        self.sums.add(&other.sums);
        if let Some(others) = &other.exponents {
            let counts = self.exponents.get_or_insert_default();
            counts
                .0
                .iter_mut()
                .zip(&others.0)
                .for_each(|(count, other)| *count += other);
        }
        self.seen += other.seen;
    }
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum DiffError {
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// The checkpoints may be well: another device may succeed.
    #[error("{device} failed: {reason}")]
    Device { device: String, reason: String },
}
