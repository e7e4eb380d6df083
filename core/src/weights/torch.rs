//! PyTorch: `.bin`, `.pt`, `.pth` (zip archives and the older bare pickles) and TorchScript archives.
//!
//! The pickle in them is a program for a stack machine. It is read as data ([`pickle`]): nothing is imported or called, and what
//! it would have imported beyond the needs of tensors becomes a [`Finding`](super::Finding). Formats: PyTorch's
//! `torch/serialization.py` and `torch/csrc/jit/docs/serialization.md`.

mod imports;
mod input;
mod legacy;
mod pickle;
mod tensors;
mod value;

pub use pickle::Fault as PickleFault;

use super::archive::{Content, Entry};
use super::format::Header;
use super::section::Section;
use super::strided::{View, place_view};
use super::{WeightFile, WeightsError};
use imports::Imports;
use input::Input;
use std::collections::HashMap;
use tensors::{FoundTensor, find_tensors};

pub(super) use legacy::{read as read_legacy, recognises as recognises_legacy};

/// True for the directory of a `torch.save` or TorchScript archive.
pub(super) fn is_torch_archive(entries: &[Entry]) -> bool {
    entries.iter().any(|entry| entry.name.ends_with("/data.pkl"))
}

/// Reads `archive`, whose directory is `entries`.
pub(super) fn read(archive: &WeightFile, entries: &[Entry]) -> Result<Header, WeightsError> {
    let root = entries
        .iter()
        .filter_map(|entry| entry.name.strip_suffix("/data.pkl"))
        .min_by_key(|root| root.len())
        .ok_or_else(|| WeightsError::header(&archive.name, "the archive has no data.pkl"))?;
    let by_name: HashMap<&str, &Entry> = entries.iter().map(|entry| (entry.name.as_str(), entry)).collect();
    refuse_big_endian(
        archive,
        by_name.get(format!("{root}/byteorder").as_str()).copied(),
    )?;
    let mut reading = Reading {
        archive,
        entries: by_name,
        imports: Imports::default(),
        header: Header::default(),
    };
    reading.pickle(&format!("{root}/data.pkl"), &format!("{root}/data"), "")?;
    // TorchScript keeps what it inlined there.
    let constants = format!("{root}/constants.pkl");
    if reading.entries.contains_key(constants.as_str()) {
        reading.pickle(&constants, &format!("{root}/constants"), "constants")?;
    }
    reading.header.findings = reading.imports.findings(&archive.name);
    Ok(reading.header)
}

fn refuse_big_endian(archive: &WeightFile, entry: Option<&Entry>) -> Result<(), WeightsError> {
    let Some(entry) = entry else { return Ok(()) };
    let order = entry.read_all(archive, 64)?;
    if order.trim_ascii() == b"little" {
        return Ok(());
    }
    Err(WeightsError::header(
        &archive.name,
        "the archive is big-endian, which is not supported",
    ))
}

struct Reading<'a> {
    archive: &'a WeightFile,
    entries: HashMap<&'a str, &'a Entry>,
    imports: Imports,
    header: Header,
}

impl Reading<'_> {
    /// Reads the pickle `name`, whose storages lie under `folder`.
    fn pickle(&mut self, name: &str, folder: &str, prefix: &str) -> Result<(), WeightsError> {
        let entry = self.entries[name];
        let section = match &entry.content {
            Content::Stored { offset } => Section::new(self.archive, *offset, offset + entry.length),
            Content::Deflated(file) => Section::whole(file),
        };
        let mut input = Input::new(section, entry.length);
        let loaded = pickle::load(&mut input, &mut self.imports);
        let loaded = loaded.map_err(|source| pickle_error(&self.archive.name, &input, source))?;
        let found = find_tensors(&loaded.heap, loaded.root, prefix)
            .ok_or_else(|| WeightsError::header(&self.archive.name, "the pickle's values have no end"))?;
        for tensor in found {
            self.place(tensor, folder)?;
        }
        Ok(())
    }

    fn place(&mut self, tensor: FoundTensor, folder: &str) -> Result<(), WeightsError> {
        let path = format!("{folder}/{}", tensor.storage);
        let Some(entry) = self.entries.get(path.as_str()) else {
            return Err(WeightsError::MissingData {
                file: self.archive.name.clone(),
                tensor: tensor.name,
                missing: path,
            });
        };
        let (file, start) = match &entry.content {
            Content::Stored { offset } => (0, *offset),
            Content::Deflated(inflating) => (self.header.add_file(inflating.clone()), 0),
        };
        let view = tensor.into_view(start, entry.length);
        place_view(&mut self.header, self.archive, file, view)
    }
}

impl FoundTensor {
    fn into_view(self, storage_start: u64, storage_bytes: u64) -> View {
        let (mut shape, mut strides) = (self.shape, self.strides);
        let mut offset = self.offset;
        if self.parts > 1 {
            for stride in &mut strides {
                *stride = stride.saturating_mul(self.parts);
            }
            offset = offset.saturating_mul(self.parts);
            shape.push(self.parts);
            strides.push(1);
        }
        View {
            name: self.name,
            dtype: self.dtype,
            shape,
            strides,
            first: offset,
            storage_start,
            storage_bytes,
        }
    }
}

fn pickle_error(file: &str, input: &Input, source: PickleFault) -> WeightsError {
    WeightsError::Pickle {
        file: file.to_owned(),
        position: input.position,
        source,
    }
}

#[cfg(test)]
mod tests;
