//! Reads checkpoints: what tensors there are, and their values.
//!
//! Enters: bytes of weight files, handed over through [`ReadAt`] (a file, a buffer, a hub read by Range).
//! Leaves: a [`Checkpoint`] (tensors by name across all shards) and decoded `f32` values.
//! Knows nothing of hubs, Postgres or what the tensors mean. Files are hostile: limits come before allocation, nothing in them
//! is executed, and a broken rule is a [`WeightsError`] that names the file and the offence.

mod archive;
mod checkpoint;
mod computed;
mod decode;
mod dtype;
mod error;
mod finding;
mod flax;
mod format;
mod gguf;
mod h5;
mod names;
mod npz;
mod onnx;
mod packing;
mod protobuf;
mod quantized;
mod read_at;
mod safetensors;
mod section;
mod select;
mod strided;
mod torch;
mod window;

pub use checkpoint::{Checkpoint, TensorInfo, WeightFile};
pub use dtype::Dtype;
pub use error::WeightsError;
pub use finding::{Finding, Severity};
pub use names::canonical_name;
pub use packing::{PackedLayout, Packing};
pub use read_at::ReadAt;
pub use select::{is_weight_file, select_weight_files};
pub use torch::PickleFault;
pub use window::{WINDOW_ELEMENTS, Window, WindowReader, windows};
