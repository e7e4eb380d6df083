//! The rules a weight file can break, each with the file and the values that broke it.

use super::Dtype;

/// A rule of the format that a file broke.
#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    #[error("{file}: cannot be read: {source}")]
    Read { file: String, source: std::io::Error },
    #[error("no weight files to read")]
    NoFiles,
    #[error("{file}: is empty")]
    Empty { file: String },
    #[error(
        "{file}: is not a weight format that Heirloom reads ({})",
        super::format::NAMES
    )]
    UnknownFormat { file: String },
    #[error("{file}: is a git-lfs pointer, not the weights; fetch them with `git lfs pull`")]
    LfsPointer { file: String },
    #[error("{file}: ends early: {needed} bytes are needed for {what}, the file has {length}")]
    Truncated {
        file: String,
        what: String,
        needed: u64,
        length: u64,
    },
    #[error("{file}: the {what} claims {claimed}, more than the limit of {limit}")]
    OverLimit {
        file: String,
        what: &'static str,
        claimed: u64,
        limit: u64,
    },
    #[error("{file}: the header is not valid: {reason}")]
    Header { file: String, reason: String },
    #[error("{file}: tensor {tensor:?} has the unknown element type {dtype:?}")]
    UnknownDtype {
        file: String,
        tensor: String,
        dtype: String,
    },
    #[error("{file}: tensor {tensor:?} of shape {shape:?} has more elements than can be counted")]
    ShapeOverflow {
        file: String,
        tensor: String,
        shape: Vec<u64>,
    },
    #[error("{file}: tensor {tensor:?} ({dtype}, shape {shape:?}) does not fill its {bytes} bytes")]
    SizeMismatch {
        file: String,
        tensor: String,
        dtype: Dtype,
        shape: Vec<u64>,
        bytes: u64,
    },
    #[error(
        "{file}: tensor {tensor:?} lies at bytes {start} to {end}, outside the {length} bytes of data (a truncated download?)"
    )]
    OutOfRange {
        file: String,
        tensor: String,
        start: u64,
        end: u64,
        length: u64,
    },
    #[error("{file}: tensors {first:?} and {second:?} overlap")]
    Overlap {
        file: String,
        first: String,
        second: String,
    },
    #[error("{file}: {bytes} bytes of data before {before} belong to no tensor")]
    Hole {
        file: String,
        before: String,
        bytes: u64,
    },
    #[error("{file}: the data of tensor {tensor:?} is missing ({missing})")]
    MissingData {
        file: String,
        tensor: String,
        missing: String,
    },
    #[error("{file}: the pickle cannot be followed at byte {position}: {source}")]
    Pickle {
        file: String,
        position: u64,
        source: super::PickleFault,
    },
    #[error("{file}: two tensors are called {tensor:?}")]
    DuplicateTensor { file: String, tensor: String },
    #[error("tensor {tensor:?} is in both {first} and {second}")]
    DuplicateAcrossFiles {
        tensor: String,
        first: String,
        second: String,
    },
    #[error("{file}: shard {missing} of {total} is missing")]
    MissingShard { file: String, missing: u32, total: u32 },
    #[error("{file}: tensor {tensor:?} has {elements} elements, elements {first} to {end} were asked for")]
    Window {
        file: String,
        tensor: String,
        elements: u64,
        first: u64,
        end: u64,
    },
}

impl WeightsError {
    pub(super) fn header(file: &str, reason: impl Into<String>) -> Self {
        Self::Header {
            file: file.to_owned(),
            reason: reason.into(),
        }
    }
}
