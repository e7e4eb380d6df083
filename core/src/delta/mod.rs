//! Compares two checkpoints element by element in one pass.
//!
//! Enters: two [`Checkpoint`](crate::weights::Checkpoint)s. Leaves: a [`DiffReport`]. Memory is bounded whatever the size of the
//! tensors, and the numbers do not depend on the number of threads. CPU today; knows nothing of fingerprints, Postgres or HTTP.

mod archive;
mod kernel;
mod lora;
mod pairing;
mod pass;
mod rank;
mod report;
mod rollup;
mod spectrum;

pub use archive::{Archive, ArchiveError, ArchivedFile, NamedCheckpoint, PackReport, pack};
pub use lora::{ExtractedLora, LoraFactors, extract_lora};
pub use pass::diff;
pub use report::{DiffOptions, DiffReport, Histogram, RollUp, TensorDiff};

#[cfg(test)]
mod tests;
