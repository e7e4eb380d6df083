//! Exact identity: digests of a tensor, of a model, of an architecture.
//!
//! Enters: shapes and canonical bytes. Leaves: hex SHA-256. The preimages are in docs/fingerprint.md.

use super::TensorFingerprint;
use crate::weights::Dtype;
use sha2::{Digest, Sha256};

/// Hashes one tensor's bytes as stored, and its values as `f32`.
pub(super) struct TensorDigest {
    dtype: Dtype,
    stored: Sha256,
    /// `None` for F32, whose stored bytes are its values: then one pass serves both.
    values: Option<Sha256>,
}

impl TensorDigest {
    pub(super) fn new(dtype: Dtype, shape: &[u64]) -> Self {
        let mut stored = Sha256::new();
        stored.update(b"heirloom tensor 1\n");
        update_shape(&mut stored, shape);
        let values = (dtype != Dtype::F32).then(|| stored.clone());
        Self {
            dtype,
            stored,
            values,
        }
    }

    pub(super) fn update(&mut self, bytes: &[u8], values: &[f32]) {
        self.stored.update(bytes);
        let Some(hasher) = &mut self.values else { return };
        let mut buffer = [0u8; 4096];
        for chunk in values.chunks(buffer.len() / 4) {
            for (slot, value) in buffer.chunks_exact_mut(4).zip(chunk) {
                slot.copy_from_slice(&value.to_le_bytes());
            }
            hasher.update(&buffer[..chunk.len() * 4]);
        }
    }

    /// The digest (full) and the value digest (first 12 bytes), in hex.
    pub(super) fn finish(self) -> (String, String) {
        let mut values = self.values.unwrap_or_else(|| self.stored.clone());
        let mut stored = self.stored;
        stored.update(self.dtype.name().as_bytes());
        values.update(b"values");
        (
            hex::encode(stored.finalize()),
            hex::encode(&values.finalize()[..12]),
        )
    }
}

fn update_shape(hasher: &mut Sha256, shape: &[u64]) {
    hasher.update((shape.len() as u64).to_le_bytes());
    for side in shape {
        hasher.update(side.to_le_bytes());
    }
}

/// Digest over the sorted multiset of tensor digests. `None` unless every tensor has one.
pub(super) fn model_digest(tensors: &[TensorFingerprint]) -> Option<String> {
    let mut digests = tensors
        .iter()
        .map(|tensor| tensor.digest.as_deref())
        .collect::<Option<Vec<_>>>()?;
    digests.sort_unstable();
    let mut hasher = Sha256::new();
    hasher.update(b"heirloom model 1\n");
    for digest in digests {
        hasher.update(digest.as_bytes());
        hasher.update(b"\n");
    }
    Some(hex::encode(hasher.finalize()))
}

/// Digest over (name, tensor digest) in name order. `None` unless every tensor has a digest.
pub(super) fn named_digest(tensors: &[TensorFingerprint]) -> Option<String> {
    let mut hasher = Sha256::new();
    hasher.update(b"heirloom named 1\n");
    for tensor in tensors {
        hasher.update((tensor.name.len() as u64).to_le_bytes());
        hasher.update(tensor.name.as_bytes());
        hasher.update(tensor.digest.as_deref()?.as_bytes());
    }
    Some(hex::encode(hasher.finalize()))
}

/// First 16 bytes of the digest over the sorted multiset of shapes.
pub(super) fn architecture(tensors: &[TensorFingerprint]) -> String {
    let mut shapes: Vec<&[u64]> = tensors.iter().map(|tensor| tensor.shape.as_slice()).collect();
    shapes.sort_unstable();
    let mut hasher = Sha256::new();
    hasher.update(b"heirloom architecture 1\n");
    for shape in shapes {
        update_shape(&mut hasher, shape);
    }
    hex::encode(&hasher.finalize()[..16])
}
