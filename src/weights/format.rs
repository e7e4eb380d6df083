//! The formats: one line each in [`FORMATS`], one file each beside this one.
//!
//! Enters: a weight file. Leaves: its [`Header`], read by whichever format its first bytes betray.

use super::{TensorInfo, WeightFile, WeightsError, safetensors};
use std::collections::BTreeMap;

/// What a format's reader finds in one file. Tensors carry no file index yet.
#[derive(Debug, Default)]
pub(super) struct Header {
    pub tensors: Vec<TensorInfo>,
    pub metadata: BTreeMap<String, String>,
}

/// One weight format.
pub(super) struct Format {
    /// File extensions, as a package lists them. Only a hint for choosing files: content decides how they are read.
    pub extensions: &'static [&'static str],
    /// Whether a file that begins with these bytes (up to [`PREFIX_BYTES`]) is of this format.
    recognises: fn(&[u8]) -> bool,
    read: fn(&WeightFile) -> Result<Header, WeightsError>,
}

/// In order of preference where a package holds the same model several times.
pub(super) const FORMATS: &[Format] = &[Format {
    extensions: &["safetensors"],
    recognises: safetensors::recognises,
    read: safetensors::read,
}];

/// The formats by name, for the error that none of them fits.
pub(super) const NAMES: &str = "safetensors";

const PREFIX_BYTES: u64 = 16;

const LFS_POINTER: &[u8] = b"version https://";

pub(super) fn read_header(file: &WeightFile) -> Result<Header, WeightsError> {
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
        Some(format) => (format.read)(file),
        None => Err(WeightsError::UnknownFormat {
            file: file.name.clone(),
        }),
    }
}
