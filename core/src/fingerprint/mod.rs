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
mod sample;
mod scan;
mod signature;
mod sketch;
mod stats;
#[cfg(test)]
mod tests;
mod view;

pub use invariants::{Invariants, KEPT_HASHES};
pub use plan::BUDGET_BYTES;
pub use probe::{Probe, probe_rows};
pub use signature::{SIGNATURE_LENGTH, Signature};
pub use sketch::{MAX_SIDE, Sketch};
pub use stats::{DISTINCT_CAP, RUN_LENGTHS, Stats};
pub use view::View;

use crate::weights::{Checkpoint, Dtype, Finding, Packing, TensorInfo, WeightsError, canonical_name};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// Version of the fingerprint's meaning. A fingerprint never changes meaning without a new version.
pub const FINGERPRINT_VERSION: u16 = 2;

/// How much of the weights was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Headers only: names, dtypes, shapes.
    Metadata,
    /// Headers, and a few values at a fixed place of each tensor.
    Sample,
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
    /// Hex SHA-256 over the sorted multiset of tensor digests: independent of names. `None` below level full.
    pub model_digest: Option<String>,
    /// Hex SHA-256 over sorted (name, tensor digest). `None` below level full.
    pub named_digest: Option<String>,
    /// Hex SHA-256 (first 16 bytes) over the sorted multiset of shapes: equal for same-architecture models.
    pub architecture: String,
    /// In name order.
    pub tensors: Vec<TensorFingerprint>,
    /// What loading the files with the usual tools would do beyond reading tensors. No part of any digest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
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
        let files = checkpoint.opened_files();
        let first = files.first().map_or("", |file| file.name.as_str());
        let (_, extension) = first.rsplit_once('.').unwrap_or_default();
        Self {
            container: extension.to_ascii_lowercase(),
            files: u32::try_from(files.len()).unwrap_or(u32::MAX),
        }
    }
}

/// Fingerprint of one tensor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TensorFingerprint {
    pub name: String,
    pub dtype: Dtype,
    pub shape: Vec<u64>,
    /// How its values are stored as codes; `None` where they are stored themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packing: Option<Packing>,
    /// Hex SHA-256 of dtype, shape and canonical bytes. `None` below level full.
    pub digest: Option<String>,
    /// Hex SHA-256 (first 12 bytes) of shape and values as f32 bits: equal after a lossless cast. `None` below level full.
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
        Level::Sample => checkpoint
            .tensors
            .par_iter()
            .map(|tensor| sample::sample_tensor(checkpoint, tensor))
            .collect::<Result<_, _>>()?,
        Level::Full => scan_all(checkpoint, progress)?,
    };
    Ok(Fingerprint {
        findings: checkpoint.findings.clone(),
        ..Fingerprint::of_tensors(level, checkpoint.bytes(), Layout::of(checkpoint), tensors)
    })
}

fn scan_all(
    checkpoint: &Checkpoint,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Vec<TensorFingerprint>, WeightsError> {
    let roles: Vec<String> = checkpoint
        .tensors
        .iter()
        .map(|tensor| canonical_name(&tensor.name))
        .collect();
    let planned: Vec<plan::Planned<'_>> = checkpoint
        .tensors
        .iter()
        .zip(&roles)
        .map(|(tensor, role)| plan::Planned {
            name: role,
            dtype: tensor.dtype,
            view: View::of(&tensor.shape),
        })
        .collect();
    // Windows of packed tensors are longer than what is stored of them.
    let decoded: u64 = checkpoint.tensors.iter().map(|tensor| tensor.bytes).sum();
    let stored_share = checkpoint.bytes() as f64 / decoded.max(1) as f64;
    let progress = |bytes: u64| progress((bytes as f64 * stored_share).round() as u64);
    checkpoint
        .tensors
        .par_iter()
        .zip(plan::plan(&planned))
        .map(|(tensor, sizes)| scan::scan_tensor(checkpoint, tensor, sizes, &progress))
        .collect()
}

impl TensorFingerprint {
    fn of_header(tensor: &TensorInfo) -> Self {
        Self {
            name: tensor.name.clone(),
            dtype: tensor.dtype,
            shape: tensor.shape.clone(),
            packing: tensor.packing,
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
            findings: Vec::new(),
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
