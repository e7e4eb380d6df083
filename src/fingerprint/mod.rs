//! What is stored about a revision's weights: digests, statistics, sketches.
//!
//! Enters: a [`Checkpoint`]. Leaves: a [`Fingerprint`], a value that answers lineage questions without the weights.
//! Knows nothing of relations (that is `lineage`) nor of where fingerprints are kept (that is `store`).

use crate::weights::{Checkpoint, Dtype, WeightsError};
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
    /// Hex SHA-256 over the sorted multiset of tensor digests: independent of names. `None` at level metadata.
    pub model_digest: Option<String>,
    /// Hex SHA-256 over sorted (name, tensor digest). `None` at level metadata.
    pub named_digest: Option<String>,
    /// Hex SHA-256 (first 16 bytes) over the sorted multiset of shapes: equal for same-architecture models.
    pub architecture: String,
    /// In name order.
    pub tensors: Vec<TensorFingerprint>,
}

/// Fingerprint of one tensor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TensorFingerprint {
    pub name: String,
    pub dtype: Dtype,
    pub shape: Vec<u64>,
    /// Hex SHA-256 of dtype, shape and canonical bytes. `None` at level metadata.
    pub digest: Option<String>,
    /// Hex SHA-256 of shape and values as f32 bits: equal after a lossless cast. `None` at level metadata.
    pub value_digest: Option<String>,
    pub stats: Option<Stats>,
    pub sketch: Option<Sketch>,
}

/// Statistics of one tensor's values, decoded to f32 and accumulated in f64. Non-finite values are counted, and skipped elsewhere.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stats {
    pub count: u64,
    pub mean: f64,
    pub std: f64,
    pub l2: f64,
    pub abs_max: f64,
    pub zeros: u64,
    pub non_finite: u64,
    /// Distinct values, counted up to [`DISTINCT_CAP`].
    pub distinct: u32,
    /// Most distinct values in any one row (axis 0), counted up to [`DISTINCT_CAP`]: at most 2^bits after row-wise quantization.
    pub row_distinct: u32,
    /// Share of groups of four consecutive elements with at least two zeros (2:4 sparsity when 1.0).
    pub two_of_four: f64,
    /// Row-norm quantiles: 0, 25, 50, 75, 100 %.
    pub row_norms: [f32; 5],
    /// Share of values that bf16 represents exactly, and f16 likewise: tells a cast from its source.
    pub bf16_exact: f64,
    pub f16_exact: f64,
}

/// Cap of the distinct-value counts.
pub const DISTINCT_CAP: u32 = 4096;

/// Two-sided CountSketch `S·W·T` of a tensor viewed as a matrix (axis 0 by the rest): linear in W, so sketches of one shape
/// subtract, and the rank of a low-rank delta survives up to `rows - 1`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sketch {
    pub rows: u16,
    pub cols: u16,
    /// Row-major, `rows * cols`.
    pub cells: Vec<f32>,
}

/// Reads every tensor of `checkpoint` once (all cores). `progress` is told the bytes done since its last call.
pub fn fingerprint(
    checkpoint: &Checkpoint,
    level: Level,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Fingerprint, WeightsError> {
    let _ = (checkpoint, level, progress);
    unimplemented!()
}

impl Fingerprint {
    /// Compact binary form (stored as `bytea`); the layout is in docs/fingerprint.md.
    pub fn to_bytes(&self) -> Vec<u8> {
        unimplemented!()
    }
    /// Reads [`Fingerprint::to_bytes`]; refuses other versions and damaged input.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, FingerprintError> {
        let _ = bytes;
        unimplemented!()
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
