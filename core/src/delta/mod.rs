//! Compares two checkpoints element by element in one pass.
//!
//! Enters: two [`Checkpoint`](crate::weights::Checkpoint)s. Leaves: a [`DiffReport`]. Memory is bounded whatever the size of the
//! tensors, and the numbers do not depend on the number of threads. The work
//! is done by a [`Device`], which is the CPU unless another is given; knows nothing of fingerprints, Postgres or HTTP.

mod archive;
mod device;
mod kernel;
mod lora;
mod pairing;
mod pass;
mod rank;
mod report;
mod rollup;
mod spectrum;

pub use archive::{Archive, ArchiveError, ArchivedFile, NamedCheckpoint, PackReport, pack};
pub use device::{Cpu, Device, DiffError, Total, Work};
pub use kernel::{Exponents, Sums, looked_at};
pub use lora::{ExtractedLora, LoraFactors, extract_lora};
pub use pairing::Pair;
pub use pass::{diff, diff_on};
pub use report::{DiffOptions, DiffReport, Histogram, RollUp, TensorDiff};

#[cfg(test)]
mod tests;
