//! What is stored about a revision's weights: digests, statistics, sketches, probes.
//!
//! Enters: a [`Checkpoint`]. Leaves: a [`Fingerprint`], a value that answers lineage questions without the weights.
//! Knows nothing of relations (that is `lineage`) nor of where fingerprints are kept (that is `store`).

mod binary;
mod digest;
mod distinct;
mod hash;
mod invariants;
mod moments;
mod plan;
mod probe;
mod scan;
mod sketch;
mod stats;
#[cfg(test)]
mod tests;
mod view;

pub use invariants::{Invariants, KEPT_HASHES};
pub use plan::BUDGET_BYTES;
pub use probe::{Probe, probe_rows};
pub use sketch::{MAX_SIDE, Sketch};
pub use stats::{DISTINCT_CAP, RUN_LENGTHS, Stats};
pub use view::View;

use crate::weights::{Checkpoint, Dtype, TensorInfo, WeightsError};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// Version of the fingerprint's meaning. A fingerprint never changes meaning without a new version.
pub const FINGERPRINT_VERSION: u16 = 1;

/// How much of the weights was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Headers only: names, dtypes, shapes.
    Metadata,
    /// Every byte.
    Full,
}

/// Fingerprint of one model at one revision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fingerprint {
    pub version: u16,
    pub level: Level,
    /// Number of stored elements, summed over tensors.
    pub parameters: u64,
    /// Bytes of tensor data.
    pub bytes: u64,
    /// How the weights lie in files. Everything else here is independent of it.
    pub layout: Layout,
    /// Hex SHA-256 over the sorted multiset of tensor digests: independent of names. `None` at level metadata.
    pub model_digest: Option<String>,
    /// Hex SHA-256 over sorted (name, tensor digest). `None` at level metadata.
    pub named_digest: Option<String>,
    /// Hex SHA-256 (first 16 bytes) over the sorted multiset of shapes: equal for same-architecture models.
    pub architecture: String,
    /// In name order.
    pub tensors: Vec<TensorFingerprint>,
}

/// The files that the tensors came in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layout {
    /// Extension of the first file, in lower case: `safetensors`, `gguf`, ...
    pub container: String,
    pub files: u32,
}

impl Layout {
    fn of(checkpoint: &Checkpoint) -> Self {
        let first = checkpoint.files.first().map_or("", |file| file.name.as_str());
        let (_, extension) = first.rsplit_once('.').unwrap_or_default();
        Self {
            container: extension.to_ascii_lowercase(),
            files: u32::try_from(checkpoint.files.len()).unwrap_or(u32::MAX),
        }
    }
}

/// Fingerprint of one tensor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TensorFingerprint {
    pub name: String,
    pub dtype: Dtype,
    pub shape: Vec<u64>,
    /// Hex SHA-256 of dtype, shape and canonical bytes. `None` at level metadata.
    pub digest: Option<String>,
    /// Hex SHA-256 (first 12 bytes) of shape and values as f32 bits: equal after a lossless cast. `None` at level metadata.
    pub value_digest: Option<String>,
    pub stats: Option<Stats>,
    pub invariants: Option<Invariants>,
    pub sketch: Option<Sketch>,
    pub probe: Option<Probe>,
}

/// Reads every tensor of `checkpoint` once (all cores). `progress` is told the bytes done since its last call.
pub fn fingerprint(
    checkpoint: &Checkpoint,
    level: Level,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Fingerprint, WeightsError> {
    let tensors = match level {
        Level::Metadata => checkpoint
            .tensors
            .iter()
            .map(TensorFingerprint::of_header)
            .collect(),
        Level::Full => scan_all(checkpoint, progress)?,
    };
    Ok(Fingerprint::of_tensors(
        level,
        checkpoint.bytes(),
        Layout::of(checkpoint),
        tensors,
    ))
}

fn scan_all(
    checkpoint: &Checkpoint,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Vec<TensorFingerprint>, WeightsError> {
    let planned: Vec<plan::Planned<'_>> = checkpoint
        .tensors
        .iter()
        .map(|tensor| plan::Planned {
            name: &tensor.name,
            dtype: tensor.dtype,
            view: View::of(&tensor.shape),
        })
        .collect();
    checkpoint
        .tensors
        .par_iter()
        .zip(plan::plan(&planned))
        .map(|(tensor, sizes)| scan::scan_tensor(checkpoint, tensor, sizes, progress))
        .collect()
}

impl TensorFingerprint {
    fn of_header(tensor: &TensorInfo) -> Self {
        Self {
            name: tensor.name.clone(),
            dtype: tensor.dtype,
            shape: tensor.shape.clone(),
            digest: None,
            value_digest: None,
            stats: None,
            invariants: None,
            sketch: None,
            probe: None,
        }
    }

    /// Number of elements; saturates on shapes no tensor can have.
    pub fn elements(&self) -> u64 {
        self.shape
            .iter()
            .fold(1u64, |product, side| product.saturating_mul(*side))
    }
}

impl Fingerprint {
    /// Puts tensors (in name order) together and derives what follows from them.
    fn of_tensors(level: Level, bytes: u64, layout: Layout, tensors: Vec<TensorFingerprint>) -> Self {
        Self {
            version: FINGERPRINT_VERSION,
            level,
            parameters: tensors
                .iter()
                .fold(0, |sum, tensor| tensor.elements().saturating_add(sum)),
            bytes,
            layout,
            model_digest: digest::model_digest(&tensors),
            named_digest: digest::named_digest(&tensors),
            architecture: digest::architecture(&tensors),
            tensors,
        }
    }

    /// The tensor called `name`.
    pub fn tensor(&self, name: &str) -> Option<&TensorFingerprint> {
        let found = self
            .tensors
            .binary_search_by(|tensor| tensor.name.as_str().cmp(name));
        found.ok().map(|index| &self.tensors[index])
    }
}

/// Why stored fingerprint bytes cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum FingerprintError {
    #[error("fingerprint version {found} is not {FINGERPRINT_VERSION}; fingerprint the revision again")]
    Version { found: u16 },
    #[error("damaged fingerprint: {0}")]
    Damaged(String),
}
