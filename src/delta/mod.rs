//! Compares two checkpoints element by element in one pass.
//!
//! Enters: two [`Checkpoint`](crate::weights::Checkpoint)s. Leaves: a [`DiffReport`]. Memory is bounded whatever the size of the
//! tensors, and the numbers do not depend on the number of threads. CPU today; knows nothing of fingerprints, Postgres or HTTP.

mod kernel;
mod pairing;
mod pass;
mod rank;
mod report;

pub use pass::diff;
pub use report::{DiffOptions, DiffReport, TensorDiff};

#[cfg(test)]
mod tests;
