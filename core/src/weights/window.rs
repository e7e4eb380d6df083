//! Windows: a tensor read piece by piece, so that memory is bounded whatever its size.

use super::decode::{decode_f32, decode_f64};
use super::{Checkpoint, Dtype, TensorInfo, WeightsError};

/// Elements in a window: small enough that bytes and values stay in a core's cache, and whole blocks of every [`super::Dtype`].
pub const WINDOW_ELEMENTS: u64 = 1 << 16;

/// A run of one tensor's elements, as stored and as numbers.
#[derive(Debug, Clone, Copy)]
pub struct Window<'a> {
    /// Index of its first element in the tensor, row-major.
    pub first: u64,
    pub bytes: &'a [u8],
    pub values: &'a [f32],
}

/// Reads windows of any tensor, reusing its memory. One for each thread.
#[derive(Debug, Default)]
pub struct WindowReader {
    bytes: Vec<u8>,
    values: Vec<f32>,
    wide: Vec<f64>,
}

impl WindowReader {
    /// Elements `first` to `first + count` of `tensor`. `first` must begin a block of the dtype, and `count` must be whole
    /// blocks or reach the tensor's end: multiples of 256 always are.
    pub fn read(
        &mut self,
        checkpoint: &Checkpoint,
        tensor: &TensorInfo,
        first: u64,
        count: u64,
    ) -> Result<Window<'_>, WeightsError> {
        self.read_stored(checkpoint, tensor, first, count)?;
        self.values.resize(count as usize, 0.0);
        decode_f32(tensor.dtype, &self.bytes, &mut self.values);
        Ok(Window {
            first,
            bytes: &self.bytes,
            values: &self.values,
        })
    }

    /// The `count` elements last read by [`WindowReader::read_stored`], as numbers.
    pub fn decode(&mut self, dtype: Dtype, count: u64) -> &[f32] {
        self.values.resize(count as usize, 0.0);
        decode_f32(dtype, &self.bytes, &mut self.values);
        &self.values
    }

    /// As [`WindowReader::read`], in double precision: for types that `f32` cannot hold.
    pub fn read_wide(
        &mut self,
        checkpoint: &Checkpoint,
        tensor: &TensorInfo,
        first: u64,
        count: u64,
    ) -> Result<(&[u8], &[f64]), WeightsError> {
        self.read_stored(checkpoint, tensor, first, count)?;
        self.wide.resize(count as usize, 0.0);
        decode_f64(tensor.dtype, &self.bytes, &mut self.wide);
        Ok((&self.bytes, &self.wide))
    }

    /// As [`WindowReader::read`], the stored bytes only.
    pub fn read_stored(
        &mut self,
        checkpoint: &Checkpoint,
        tensor: &TensorInfo,
        first: u64,
        count: u64,
    ) -> Result<&[u8], WeightsError> {
        let (offset, length) = stored_range(checkpoint, tensor, first, count)?;
        self.bytes.resize(length as usize, 0);
        checkpoint.read_file(tensor.file, offset, &mut self.bytes)?;
        Ok(&self.bytes)
    }
}

/// Where in its file a run of elements lies: offset and length in bytes.
fn stored_range(
    checkpoint: &Checkpoint,
    tensor: &TensorInfo,
    first: u64,
    count: u64,
) -> Result<(u64, u64), WeightsError> {
    let elements = tensor.elements();
    let (block_elements, block_bytes) = tensor.dtype.block();
    let range = first
        .checked_add(count)
        .filter(|end| *end <= elements && first.is_multiple_of(block_elements))
        .and_then(|_| tensor.dtype.bytes_for(count));
    let Some(length) = range else {
        return Err(WeightsError::Window {
            file: checkpoint.file_name(tensor).to_owned(),
            tensor: tensor.name.clone(),
            elements,
            first,
            end: first.saturating_add(count),
        });
    };
    Ok((tensor.offset + first / block_elements * block_bytes, length))
}

impl Checkpoint {
    /// Hands every window of `tensor` to `visit`, first to last: one pass over its bytes, in bounded memory.
    pub fn for_each_window(
        &self,
        tensor: &TensorInfo,
        mut visit: impl FnMut(Window<'_>),
    ) -> Result<(), WeightsError> {
        let mut reader = WindowReader::default();
        for (first, count) in windows(tensor.elements()) {
            visit(reader.read(self, tensor, first, count)?);
        }
        Ok(())
    }
}

/// First element and length of each window of a tensor of `elements` elements.
pub fn windows(elements: u64) -> impl Iterator<Item = (u64, u64)> {
    (0..elements.div_ceil(WINDOW_ELEMENTS)).map(move |index| {
        let first = index * WINDOW_ELEMENTS;
        (first, WINDOW_ELEMENTS.min(elements - first))
    })
}
