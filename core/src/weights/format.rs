//! The formats: one line each in [`FORMATS`], one file each beside this one.
//!
//! Enters: a weight file. Leaves: its [`Header`], read by whichever format its first bytes betray.

use super::{
    Finding, TensorInfo, WeightFile, WeightsError, archive, flax, gguf, h5, npz, onnx, safetensors, torch,
};
use std::collections::BTreeMap;

/// What a format's reader finds in one file.
#[derive(Default)]
pub(super) struct Header {
    /// `file` 0 is the file read, 1 the first of `derived`, and so on.
    pub tensors: Vec<TensorInfo>,
    /// Bytes that do not lie in the file as they are: inflated, gathered, decoded.
    pub derived: Vec<WeightFile>,
    pub metadata: BTreeMap<String, String>,
    pub findings: Vec<Finding>,
}

impl Header {
    /// Adds a derived file and returns the index that its tensors use.
    pub fn add_file(&mut self, file: WeightFile) -> usize {
        self.derived.push(file);
        self.derived.len()
    }
}

/// One weight format.
pub(super) struct Format {
    /// File extensions, as a package lists them. Only a hint for choosing files: content decides how they are read.
    pub extensions: &'static [&'static str],
    /// Whether a file that begins with these bytes (up to [`PREFIX_BYTES`]) is of this format.
    recognises: fn(&[u8]) -> bool,
    read: fn(&WeightFile, Siblings<'_>) -> Result<Header, WeightsError>,
}

/// In order of preference where a package holds the same model several times.
pub(super) const FORMATS: &[Format] = &[
    Format {
        extensions: &["safetensors"],
        recognises: safetensors::recognises,
        read: |file, _| safetensors::read(file),
    },
    Format {
        extensions: &["bin", "pt", "pth", "ckpt", "jit"],
        recognises: |prefix| prefix.starts_with(archive::MAGIC),
        read: |file, _| read_archive(file),
    },
    Format {
        extensions: &[],
        recognises: torch::recognises_legacy,
        read: |file, _| torch::read_legacy(file),
    },
    Format {
        extensions: &["gguf"],
        recognises: |prefix| prefix.starts_with(gguf::MAGIC),
        read: |file, _| gguf::read(file),
    },
    Format {
        extensions: &["onnx"],
        recognises: onnx::recognises,
        read: onnx::read,
    },
    Format {
        extensions: &["npz"],
        recognises: |_| false,
        read: |file, _| Err(unknown(file)),
    },
    Format {
        extensions: &["h5", "hdf5"],
        recognises: |prefix| prefix.starts_with(h5::MAGIC),
        read: |file, _| h5::read(file),
    },
    Format {
        extensions: &["msgpack"],
        recognises: flax::recognises,
        read: |file, _| flax::read(file),
    },
];

/// The formats by name, for the error that none of them fits.
pub(super) const NAMES: &str = "safetensors, PyTorch, GGUF, ONNX, npz, HDF5, Flax";

const PREFIX_BYTES: u64 = 16;

const LFS_POINTER: &[u8] = b"version https://";

/// The other files opened with one, for formats that keep their data beside the header.
#[derive(Clone, Copy)]
pub(super) struct Siblings<'a>(pub &'a [WeightFile]);

impl<'a> Siblings<'a> {
    /// The file that `from` calls `location`: a path relative to its own folder, never out of it.
    pub fn find(self, from: &str, location: &str) -> Option<&'a WeightFile> {
        let location = location.strip_prefix("./").unwrap_or(location);
        if location.split('/').any(|part| matches!(part, "" | "." | "..")) {
            return None;
        }
        let path = match from.rsplit_once('/') {
            Some((folder, _)) => format!("{folder}/{location}"),
            None => location.to_owned(),
        };
        self.0.iter().find(|file| file.name == path)
    }
}

pub(super) fn read_header(file: &WeightFile, siblings: Siblings<'_>) -> Result<Header, WeightsError> {
    if file.bytes.is_empty() {
        return Err(WeightsError::Empty {
            file: file.name.clone(),
        });
    }
    let mut prefix = vec![0; file.bytes.len().min(PREFIX_BYTES) as usize];
    file.read(0, &mut prefix)?;
    if prefix.starts_with(LFS_POINTER) {
        return Err(WeightsError::LfsPointer {
            file: file.name.clone(),
        });
    }
    match FORMATS.iter().find(|format| (format.recognises)(&prefix)) {
        Some(format) => (format.read)(file, siblings),
        // Too short for any format's header: what the commonest format says of it helps most.
        None if prefix.len() < 9 => safetensors::read(file),
        None => Err(unknown(file)),
    }
}

/// Zip archives are told apart by what is in them.
fn read_archive(file: &WeightFile) -> Result<Header, WeightsError> {
    let entries = archive::entries(file)?;
    if torch::is_torch_archive(&entries) {
        return torch::read(file, &entries);
    }
    if npz::is_npz(&entries) {
        return npz::read(file, &entries);
    }
    Err(unknown(file))
}

fn unknown(file: &WeightFile) -> WeightsError {
    WeightsError::UnknownFormat {
        file: file.name.clone(),
    }
}
