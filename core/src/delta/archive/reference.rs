//! The bytes of the base that a chunk is kept as a difference from.

use super::index::{BaseRun, BaseTensor};
use crate::weights::{Checkpoint, Dtype, TensorInfo, WeightFile, WeightsError};
use half::{bf16, f16};
use std::collections::HashMap;

/// The base's tensors that chunks refer to, numbered as they come.
pub(super) struct References<'a> {
    pub base: &'a Checkpoint,
    tensors: Vec<&'a TensorInfo>,
    numbers: HashMap<&'a str, usize>,
}

impl<'a> References<'a> {
    pub fn new(base: &'a Checkpoint) -> Self {
        Self {
            base,
            tensors: Vec::new(),
            numbers: HashMap::new(),
        }
    }

    pub fn number_of(&mut self, tensor: &'a TensorInfo) -> usize {
        let next = self.tensors.len();
        let number = *self.numbers.entry(&tensor.name).or_insert(next);
        if number == next {
            self.tensors.push(tensor);
        }
        number
    }

    pub fn read(&self, run: BaseRun, bytes: u64) -> Result<Vec<u8>, WeightsError> {
        read_base(self.base, self.tensors[run.tensor], run, bytes)
    }

    /// What the index says of them.
    pub fn rows(&self) -> Vec<BaseTensor> {
        let row = |tensor: &&TensorInfo| BaseTensor {
            name: tensor.name.clone(),
            dtype: tensor.dtype,
            bytes: tensor.bytes,
        };
        self.tensors.iter().map(row).collect()
    }
}

/// `bytes` bytes of the child's kind that the base's `tensor` has for `run`.
pub(super) fn read_base(
    base: &Checkpoint,
    tensor: &TensorInfo,
    run: BaseRun,
    bytes: u64,
) -> Result<Vec<u8>, WeightsError> {
    let file = &base.files[tensor.file];
    if tensor.dtype == run.dtype {
        return read(file, tensor.offset + run.offset, bytes);
    }
    let (from, to) = (tensor.dtype.block().1, run.dtype.block().1);
    let original = read(file, tensor.offset + run.offset / to * from, bytes / to * from)?;
    Ok(cast(&original, tensor.dtype, run.dtype))
}

pub(super) fn read(file: &WeightFile, offset: u64, bytes: u64) -> Result<Vec<u8>, WeightsError> {
    let mut buffer = vec![0; bytes as usize];
    file.read(offset, &mut buffer)?;
    Ok(buffer)
}

/// Rounds to nearest, ties to even. A NaN becomes zero: its payload is the processor's choice.
fn cast(bytes: &[u8], from: Dtype, to: Dtype) -> Vec<u8> {
    let values: Vec<f32> = match from {
        Dtype::F32 => bytes
            .as_chunks()
            .0
            .iter()
            .map(|bytes| f32::from_le_bytes(*bytes))
            .collect(),
        Dtype::F16 => bytes
            .as_chunks()
            .0
            .iter()
            .map(|bytes| f16::from_le_bytes(*bytes).to_f32())
            .collect(),
        _ => bytes
            .as_chunks()
            .0
            .iter()
            .map(|bytes| bf16::from_le_bytes(*bytes).to_f32())
            .collect(),
    };
    let values = values
        .into_iter()
        .map(|value| if value.is_nan() { 0.0 } else { value });
    match to {
        Dtype::F32 => values.flat_map(f32::to_le_bytes).collect(),
        Dtype::F16 => values
            .flat_map(|value| f16::from_f32(value).to_le_bytes())
            .collect(),
        _ => values
            .flat_map(|value| bf16::from_f32(value).to_le_bytes())
            .collect(),
    }
}
