//! A checkpoint: all tensors of one model across its files.
//!
//! Enters: the model's weight files. Leaves: tensors by name, their bytes and values. What each format's header looks like is
//! its own file's business ([`super::format`]).

use super::format::{Header, Siblings, read_header};
use super::packing::{Packing, unpack};
use super::select::{is_companion, shard_of};
use super::window::WindowReader;
use super::{Dtype, Finding, ReadAt, WeightsError};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

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
    /// How its values are stored as codes; `None` where they are stored themselves. The bytes are then the decoded values'.
    pub packing: Option<Packing>,
}

impl TensorInfo {
    /// Number of elements. Cannot overflow: [`Checkpoint::open`] refuses such shapes.
    pub fn elements(&self) -> u64 {
        self.shape.iter().product()
    }

    /// The number of elements, where it can be counted.
    pub(super) fn checked_elements(&self, file: &str) -> Result<u64, WeightsError> {
        let elements = self
            .shape
            .iter()
            .try_fold(1u64, |product, length| product.checked_mul(*length));
        elements.ok_or_else(|| WeightsError::ShapeOverflow {
            file: file.to_owned(),
            tensor: self.name.clone(),
            shape: self.shape.clone(),
        })
    }

    /// A shape whose elements can be counted and, in `dtype`, fill `bytes` exactly.
    pub(super) fn refuse_wrong_size(&self, file: &str) -> Result<(), WeightsError> {
        let elements = self.checked_elements(file)?;
        if self.dtype.bytes_for(elements) == Some(self.bytes) {
            return Ok(());
        }
        Err(WeightsError::SizeMismatch {
            file: file.to_owned(),
            tensor: self.name.clone(),
            dtype: self.dtype,
            shape: self.shape.clone(),
            bytes: self.bytes,
        })
    }
}

/// A weight file and the name errors should call it by (its path in the package).
#[derive(Clone)]
pub struct WeightFile {
    pub name: String,
    pub bytes: Arc<dyn ReadAt>,
}

impl WeightFile {
    pub fn new(name: impl Into<String>, bytes: impl ReadAt + 'static) -> Self {
        Self {
            name: name.into(),
            bytes: Arc::new(bytes),
        }
    }

    /// Fills `buffer` from `offset`; an error names the file.
    pub fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<(), WeightsError> {
        self.bytes
            .read_at(offset, buffer)
            .map_err(|source| WeightsError::Read {
                file: self.name.clone(),
                source,
            })
    }
}

/// All tensors of one model, across its shards, in name order.
pub struct Checkpoint {
    /// The files opened, then files derived from them (inflated, gathered).
    pub files: Vec<WeightFile>,
    pub tensors: Vec<TensorInfo>,
    /// `__metadata__` of the files, merged.
    pub metadata: BTreeMap<String, String>,
    opened: usize,
    /// Bytes of tensor data as stored, packed or not.
    stored_bytes: u64,
    /// What loading the files with the usual tools would do beyond reading tensors.
    pub findings: Vec<Finding>,
}

impl Checkpoint {
    /// Reads the headers of `files` (format told by content) and checks every bound before allocating. Files of several
    /// folders (a diffusers package) have their folder put before their tensors' names: `unet/conv_in.weight`.
    pub fn open(files: Vec<WeightFile>) -> Result<Self, WeightsError> {
        Self::open_with_config(files, &|| None)
    }

    /// As [`Checkpoint::open`]. `read_config` reads the model's config.json, which says what some packed layouts leave open.
    pub fn open_with_config(
        files: Vec<WeightFile>,
        read_config: &dyn Fn() -> Option<String>,
    ) -> Result<Self, WeightsError> {
        let mut checkpoint = Self::open_stored(files)?;
        unpack(&mut checkpoint.files, &mut checkpoint.tensors, read_config);
        Ok(checkpoint)
    }

    /// As [`Checkpoint::open`], packed layouts left as they are stored: for readers that put the same bytes back.
    pub fn open_stored(files: Vec<WeightFile>) -> Result<Self, WeightsError> {
        if files.is_empty() {
            return Err(WeightsError::NoFiles);
        }
        refuse_missing_shards(&files)?;
        let several_folders = files
            .iter()
            .any(|file| folder(&file.name) != folder(&files[0].name));
        let count = files.len();
        let mut checkpoint = Self {
            files,
            opened: count,
            stored_bytes: 0,
            tensors: Vec::new(),
            metadata: BTreeMap::new(),
            findings: Vec::new(),
        };
        for index in 0..count {
            if is_companion(&checkpoint.files[index].name) {
                continue;
            }
            let header = read_header(&checkpoint.files[index], Siblings(&checkpoint.files[..count]))?;
            let prefix = match folder(&checkpoint.files[index].name) {
                path if several_folders && !path.is_empty() => format!("{path}/"),
                _ => String::new(),
            };
            checkpoint.add(index, header, &prefix);
        }
        checkpoint.sort_and_refuse_duplicates()?;
        checkpoint.stored_bytes = checkpoint.tensors.iter().map(|tensor| tensor.bytes).sum();
        Ok(checkpoint)
    }

    /// Takes over what was read from file `index`.
    fn add(&mut self, index: usize, header: Header, prefix: &str) {
        let first_derived = self.files.len();
        self.files.extend(header.derived);
        self.metadata.extend(header.metadata);
        self.findings.extend(header.findings);
        self.tensors
            .extend(header.tensors.into_iter().map(|tensor| TensorInfo {
                name: format!("{prefix}{}", tensor.name),
                file: match tensor.file {
                    0 => index,
                    derived => first_derived + derived - 1,
                },
                ..tensor
            }));
    }

    fn sort_and_refuse_duplicates(&mut self) -> Result<(), WeightsError> {
        self.tensors.sort_by(|a, b| a.name.cmp(&b.name));
        let twin = self.tensors.array_windows().find(|[a, b]| a.name == b.name);
        match twin {
            None => Ok(()),
            Some([a, b]) if a.file == b.file => Err(WeightsError::DuplicateTensor {
                file: self.file_name(a).to_owned(),
                tensor: a.name.clone(),
            }),
            Some([a, b]) => Err(WeightsError::DuplicateAcrossFiles {
                tensor: a.name.clone(),
                first: self.file_name(a).to_owned(),
                second: self.file_name(b).to_owned(),
            }),
        }
    }

    /// The files it was opened from, without those derived from them.
    pub fn opened_files(&self) -> &[WeightFile] {
        &self.files[..self.opened]
    }

    /// The tensor called `name`.
    pub fn tensor(&self, name: &str) -> Option<&TensorInfo> {
        let index = self
            .tensors
            .binary_search_by(|tensor| tensor.name.as_str().cmp(name));
        index.ok().map(|index| &self.tensors[index])
    }

    /// The stored bytes of one tensor (little-endian, row-major). For large tensors prefer [`Checkpoint::for_each_window`].
    pub fn read_bytes(&self, tensor: &TensorInfo) -> Result<Vec<u8>, WeightsError> {
        let mut bytes = vec![0; tensor.bytes as usize];
        self.read_file(tensor.file, tensor.offset, &mut bytes)?;
        Ok(bytes)
    }

    /// The values of one tensor, decoded to `f32`. For large tensors prefer [`Checkpoint::for_each_window`].
    pub fn read_values(&self, tensor: &TensorInfo) -> Result<Vec<f32>, WeightsError> {
        let mut values = Vec::with_capacity(tensor.elements() as usize);
        self.for_each_window(tensor, |window| values.extend_from_slice(window.values))?;
        Ok(values)
    }

    /// Elements `first` to `first + count` of one tensor, decoded to `f32`; alignment as in [`WindowReader::read`].
    pub fn read_window(&self, tensor: &TensorInfo, first: u64, count: u64) -> Result<Vec<f32>, WeightsError> {
        let mut reader = WindowReader::default();
        Ok(reader.read(self, tensor, first, count)?.values.to_vec())
    }

    /// Number of stored elements, summed over tensors.
    pub fn parameters(&self) -> u64 {
        self.tensors
            .iter()
            .fold(0u64, |sum, tensor| sum.saturating_add(tensor.elements()))
    }

    /// Bytes of tensor data in the files: of codes and scales where values are packed.
    pub fn bytes(&self) -> u64 {
        self.stored_bytes
    }

    /// The file that holds `tensor`, as errors call it.
    pub fn file_name(&self, tensor: &TensorInfo) -> &str {
        &self.files[tensor.file].name
    }

    pub(super) fn read_file(&self, file: usize, offset: u64, buffer: &mut [u8]) -> Result<(), WeightsError> {
        self.files[file].read(offset, buffer)
    }
}

fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// `model-00001-of-00003.safetensors` promises two more.
fn refuse_missing_shards(files: &[WeightFile]) -> Result<(), WeightsError> {
    let mut sets: HashMap<(String, u32), (BTreeSet<u32>, &str)> = HashMap::new();
    for file in files {
        if let Some(shard) = shard_of(&file.name) {
            let set = sets
                .entry((shard.set, shard.total))
                .or_insert_with(|| (BTreeSet::new(), &file.name));
            set.0.insert(shard.number);
        }
    }
    for ((_, total), (numbers, name)) in sets {
        let first = numbers.first().copied().unwrap_or(1).min(1);
        if let Some(missing) = (first..first + total).find(|number| !numbers.contains(number)) {
            return Err(WeightsError::MissingShard {
                file: name.to_owned(),
                missing,
                total,
            });
        }
    }
    Ok(())
}
