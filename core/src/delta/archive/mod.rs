//! Delta archives: children kept as their difference from a base, bit for bit.
//!
//! Enters: children and their base, or an archive and its base. Leaves: an archive, or the children's files. A tensor that the base
//! holds too costs nothing; one with a partner of its shape is kept as the difference of their bit patterns, cut into byte planes
//! (after BitX in ZipLLM, arXiv 2505.06252, and ZipNN, arXiv 2411.05239): signs and exponents of a fine-tune hardly move, so their
//! planes are nearly all zeros. What an earlier child holds is referred to. Layout: `docs/delta-archive.md`.

mod entropy;
mod index;
mod pack;
mod planes;
mod reference;
mod unpack;

pub use pack::{NamedCheckpoint, PackReport, pack};
pub use unpack::{Archive, ArchivedFile};

use crate::weights::WeightsError;

const MAGIC: &[u8; 8] = b"HLDELTA1";

/// Bytes of a child's file that are packed together: large enough to compress well, small enough for many to be in memory.
const CHUNK_BYTES: u64 = 4 << 20;

/// Chunks in memory at once: with both sides and the planes of each, well under 512 MiB.
const BATCH: usize = 16;

/// Why an archive cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    #[error(transparent)]
    Weights(#[from] WeightsError),
    #[error("cannot write: {0}")]
    Write(std::io::Error),
    #[error("cannot compress: {0}")]
    Compress(std::io::Error),
    #[error(
        "{child} and the base share no tensor of one name and shape, so nothing would be saved: is it the right base?"
    )]
    NothingShared { child: String },
    #[error("two of the children are called {name:?}, and unpacking would put both in one folder")]
    SameName { name: String },
    #[error("{file} is not a delta archive of version 1")]
    NotAnArchive { file: String },
    #[error("{file}: the archive is damaged: {reason}")]
    Damaged { file: String, reason: String },
    #[error("this is not the base the archive was made on ({base}): {difference}")]
    OtherBase { base: String, difference: String },
    #[error("{path} does not come out with the digest it went in with; nothing of it is kept")]
    WrongDigest { path: String },
}

#[cfg(test)]
mod tests;
