//! HDF5, as Keras and TensorFlow write weights: groups inside groups, a dataset each tensor.
//!
//! `hdf5-reader` takes the format apart; values are read a few rows at a time.

use super::computed::{PIECE_BYTES, Pieces, computed_file};
use super::format::Header;
use super::{Dtype, TensorInfo, WeightFile, WeightsError};
use hdf5_reader::error::Error as H5Error;
use hdf5_reader::group::Group;
use hdf5_reader::{
    Dataset, Datatype, H5Type, Hdf5File, OpenOptions, SliceInfo, SliceInfoElem, Storage, StorageBuffer,
};
use std::collections::HashSet;
use std::io::{Error, Result};
use std::ops::Range;
use std::sync::Arc;

pub(super) const MAGIC: &[u8] = b"\x89HDF\r\n\x1a\n";

/// What training leaves beside the weights.
const NOT_WEIGHTS: &[&str] = &["optimizer_weights"];
/// Where whole models keep their weights; files of weights alone have their layers at the root.
const WEIGHTS_GROUP: &str = "model_weights/";

const MAX_GROUPS: usize = 1 << 16;
const MAX_DEPTH: usize = 32;
const MAX_CHUNK_BYTES: usize = 64 << 20;
const CHUNK_CACHE_BYTES: usize = 8 << 20;
/// As deflate: a dataset that claims more of its file lies, or is filled with one value.
const MAX_RATIO: u64 = 1032;

pub(super) fn read(file: &WeightFile) -> std::result::Result<Header, WeightsError> {
    let damaged = |error: H5Error| WeightsError::header(&file.name, format!("HDF5: {error}"));
    let options = OpenOptions {
        chunk_cache_bytes: CHUNK_CACHE_BYTES,
        max_chunk_bytes: MAX_CHUNK_BYTES,
        ..OpenOptions::default()
    };
    let hdf5 =
        Hdf5File::from_storage_with_options(Arc::new(Bytes(file.clone())), options).map_err(damaged)?;
    let mut header = Header::default();
    let mut seen = HashSet::new();
    let mut pending: Vec<(Group, String, usize)> =
        vec![(hdf5.root_group().map_err(damaged)?, String::new(), 0)];
    while let Some((group, path, depth)) = pending.pop() {
        // Links may lead back up.
        if !seen.insert(group.address()) {
            continue;
        }
        if seen.len() > MAX_GROUPS || depth > MAX_DEPTH {
            return Err(WeightsError::header(&file.name, "HDF5: groups without end"));
        }
        let (groups, datasets) = group.members().map_err(damaged)?;
        for group in groups {
            let path = format!("{path}{}", last_part(group.name()));
            if !NOT_WEIGHTS.contains(&path.as_str()) {
                pending.push((group, format!("{path}/"), depth + 1));
            }
        }
        for dataset in datasets {
            let name = format!("{path}{}", last_part(dataset.name()));
            let name = name.strip_prefix(WEIGHTS_GROUP).unwrap_or(&name).to_owned();
            place(file, &mut header, name, dataset)?;
        }
    }
    Ok(header)
}

fn last_part(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn place(
    file: &WeightFile,
    header: &mut Header,
    name: String,
    dataset: Dataset,
) -> std::result::Result<(), WeightsError> {
    let dtype = match (dtype(dataset.dtype()), dataset.dtype()) {
        (Some(dtype), _) => dtype,
        (None, Datatype::FloatingPoint { size, .. }) => {
            return Err(WeightsError::UnknownDtype {
                file: file.name.clone(),
                tensor: name,
                dtype: format!("HDF5 float of {size} bytes"),
            });
        }
        // Texts are no weights.
        _ => return Ok(()),
    };
    let mut tensor = TensorInfo {
        name,
        dtype,
        shape: dataset.shape().to_vec(),
        file: 0,
        offset: 0,
        bytes: 0,
        packing: None,
    };
    let elements = tensor.checked_elements(&file.name)?;
    let bytes = dtype
        .bytes_for(elements)
        .filter(|bytes| bytes / MAX_RATIO <= file.bytes.len());
    let Some(bytes) = bytes else {
        return Err(WeightsError::ShapeOverflow {
            file: file.name.clone(),
            tensor: tensor.name,
            shape: tensor.shape,
        });
    };
    tensor.bytes = bytes;
    let name = format!("{} ({})", file.name, tensor.name);
    tensor.file = header.add_file(computed_file(
        name,
        Rows {
            dataset,
            dtype,
            bytes,
        },
    ));
    header.tensors.push(tensor);
    Ok(())
}

fn dtype(datatype: &Datatype) -> Option<Dtype> {
    Some(match datatype {
        Datatype::FloatingPoint { size: 4, .. } => Dtype::F32,
        Datatype::FloatingPoint { size: 8, .. } => Dtype::F64,
        Datatype::FixedPoint { size, signed, .. } => match (size, signed) {
            (1, true) => Dtype::I8,
            (1, false) => Dtype::U8,
            (2, true) => Dtype::I16,
            (2, false) => Dtype::U16,
            (4, true) => Dtype::I32,
            (4, false) => Dtype::U32,
            (8, true) => Dtype::I64,
            (8, false) => Dtype::U64,
            _ => return None,
        },
        _ => return None,
    })
}

struct Bytes(WeightFile);

impl Storage for Bytes {
    fn len(&self) -> u64 {
        self.0.bytes.len()
    }

    fn read_range(&self, offset: u64, length: usize) -> std::result::Result<StorageBuffer, H5Error> {
        let end = offset.checked_add(length as u64);
        if end.is_none_or(|end| end > self.len()) {
            return Err(H5Error::UnexpectedEof {
                offset,
                needed: length as u64,
                available: self.len().saturating_sub(offset),
            });
        }
        let mut bytes = vec![0; length];
        self.0.bytes.read_at(offset, &mut bytes)?;
        Ok(StorageBuffer::from_vec(bytes))
    }
}

/// A dataset, rows of its first axis at a time.
struct Rows {
    dataset: Dataset,
    dtype: Dtype,
    bytes: u64,
}

impl Rows {
    fn row_bytes(&self) -> u64 {
        match self.dataset.shape().first() {
            Some(rows) if *rows > 0 => self.bytes / rows,
            _ => self.bytes.max(1),
        }
    }

    fn read<T: H5Type, const N: usize>(
        &self,
        rows: Range<u64>,
        to_bytes: impl Fn(T) -> [u8; N],
    ) -> Result<Vec<u8>> {
        let whole = self.dataset.shape().iter().map(|length| 0..*length);
        let selections = whole.enumerate().map(|(axis, whole)| {
            let Range { start, end } = if axis == 0 { rows.clone() } else { whole };
            SliceInfoElem::Slice { start, end, step: 1 }
        });
        let selections: Vec<SliceInfoElem> = selections.collect();
        let array = match selections.is_empty() {
            true => self.dataset.read_array::<T>(),
            false => self.dataset.read_slice::<T>(&SliceInfo { selections }),
        };
        Ok(array
            .map_err(Error::other)?
            .iter()
            .flat_map(|value| to_bytes(value.clone()))
            .collect())
    }
}

impl Pieces for Rows {
    fn len(&self) -> u64 {
        self.bytes
    }

    fn piece_bytes(&self) -> u64 {
        (PIECE_BYTES / self.row_bytes()).max(1) * self.row_bytes()
    }

    fn compute(&self, range: Range<u64>) -> Result<Vec<u8>> {
        let rows = range.start / self.row_bytes()..range.end / self.row_bytes();
        match self.dtype {
            Dtype::F32 => self.read(rows, f32::to_le_bytes),
            Dtype::F64 => self.read(rows, f64::to_le_bytes),
            Dtype::I8 => self.read(rows, i8::to_le_bytes),
            Dtype::U8 => self.read(rows, u8::to_le_bytes),
            Dtype::I16 => self.read(rows, i16::to_le_bytes),
            Dtype::U16 => self.read(rows, u16::to_le_bytes),
            Dtype::I32 => self.read(rows, i32::to_le_bytes),
            Dtype::U32 => self.read(rows, u32::to_le_bytes),
            Dtype::I64 => self.read(rows, i64::to_le_bytes),
            _ => self.read(rows, u64::to_le_bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::weights::{Checkpoint, Dtype, WeightFile};

    /// Written by h5py in the arrangement of Keras: plain, chunked and deflated, of whole numbers, a text, training state.
    const FIXTURE: &[u8] = include_bytes!("h5/keras.h5");

    #[test]
    fn datasets_of_groups_are_read_plain_and_deflated() {
        let checkpoint = Checkpoint::open(vec![WeightFile::new("model.h5", FIXTURE.to_vec())]).unwrap();
        let names: Vec<&str> = checkpoint
            .tensors
            .iter()
            .map(|tensor| tensor.name.as_str())
            .collect();
        assert_eq!(names, ["dense/bias", "dense/kernel", "embedding/steps", "scale"]);
        let kernel = checkpoint.tensor("dense/kernel").unwrap();
        assert_eq!(
            (kernel.dtype, kernel.shape.as_slice()),
            (Dtype::F32, [300, 7].as_slice())
        );
        let values: Vec<f32> = (0..2100).map(|place| place as f32 / 8.0).collect();
        assert_eq!(checkpoint.read_values(kernel).unwrap(), values);
        assert_eq!(
            checkpoint.read_window(kernel, 1000, 9).unwrap(),
            values[1000..1009]
        );
        let bias = checkpoint.tensor("dense/bias").unwrap();
        assert_eq!(
            (bias.dtype, checkpoint.read_values(bias).unwrap()),
            (Dtype::F64, vec![-0.5, 0.0, 2.5])
        );
        let steps = checkpoint.tensor("embedding/steps").unwrap();
        assert_eq!(checkpoint.read_values(steps).unwrap(), [-3.0, 4.0]);
        let scale = checkpoint.tensor("scale").unwrap();
        assert_eq!(
            (scale.shape.len(), checkpoint.read_values(scale).unwrap()),
            (0, vec![1.5])
        );
    }

    #[test]
    fn mutated_files_get_an_answer() {
        for place in (0..FIXTURE.len()).step_by(7) {
            let mut bytes = FIXTURE.to_vec();
            bytes[place] ^= 0xA5;
            if let Ok(checkpoint) = Checkpoint::open(vec![WeightFile::new("model.h5", bytes)]) {
                for tensor in checkpoint.tensors.iter().filter(|tensor| tensor.bytes < 1 << 20) {
                    let _ = checkpoint.read_values(tensor);
                }
            }
        }
    }
}
