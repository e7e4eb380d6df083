//! Reads checkpoints: what tensors there are, and their values.
//!
//! Enters: bytes of weight files, handed over through [`ReadAt`] (a memory map, a buffer, a hub read by Range).
//! Leaves: a [`Checkpoint`] (tensors by name across all shards) and decoded `f32` values.
//! Knows nothing of hubs, Postgres or what the tensors mean.

use serde::{Deserialize, Serialize};

/// Random access to the bytes of one file. The only way this module touches the world.
pub trait ReadAt: Send + Sync {
    /// Length of the file in bytes.
    fn len(&self) -> u64;
    /// Fills `buffer` from `offset`. Fails when the file is shorter than `offset + buffer.len()`.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> std::io::Result<()>;
    /// True for a file of no bytes.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Element type of a stored tensor.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
)]
#[allow(missing_docs)]
#[serde(rename_all = "UPPERCASE")]
pub enum Dtype {
    Bool,
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    U64,
    I64,
    F8E4M3,
    F8E5M2,
    F16,
    BF16,
    F32,
    F64,
}

/// One tensor of a checkpoint: where its bytes are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TensorInfo {
    /// Name as the file gives it.
    pub name: String,
    pub dtype: Dtype,
    /// Row-major; `[]` is a scalar.
    pub shape: Vec<u64>,
    /// Index into [`Checkpoint::files`].
    pub file: usize,
    /// Byte offset of the first element in that file.
    pub offset: u64,
    /// Length in bytes.
    pub bytes: u64,
}

/// A weight file and the name errors should call it by (its path in the package).
#[derive(Clone)]
pub struct WeightFile {
    pub name: String,
    pub bytes: std::sync::Arc<dyn ReadAt>,
}

/// All tensors of one model, across its shards, in name order.
pub struct Checkpoint {
    pub files: Vec<WeightFile>,
    pub tensors: Vec<TensorInfo>,
    /// `__metadata__` of the files, merged.
    pub metadata: std::collections::BTreeMap<String, String>,
}

/// A rule of the format that a file broke.
#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    #[error("{file}: {source}")]
    Read { file: String, source: std::io::Error },
}

impl Checkpoint {
    /// Reads the headers of `files` (format told by content) and checks every bound before allocating.
    pub fn open(files: Vec<WeightFile>) -> Result<Self, WeightsError> {
        let _ = files;
        unimplemented!()
    }
    /// The tensor called `name`.
    pub fn tensor(&self, name: &str) -> Option<&TensorInfo> {
        let _ = name;
        unimplemented!()
    }
    /// The stored bytes of one tensor (little-endian, row-major).
    pub fn read_bytes(&self, tensor: &TensorInfo) -> Result<Vec<u8>, WeightsError> {
        let _ = tensor;
        unimplemented!()
    }
    /// The values of one tensor, decoded to `f32`.
    pub fn read_values(&self, tensor: &TensorInfo) -> Result<Vec<f32>, WeightsError> {
        let _ = tensor;
        unimplemented!()
    }
}
