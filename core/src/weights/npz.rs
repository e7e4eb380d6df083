//! NumPy: `.npz` archives, an `.npy` array each entry.
//!
//! Format: numpy's `lib/format.py`. Arrays of Python objects hold pickles and are left out, unread.

use super::archive::{Content, Entry};
use super::format::Header;
use super::strided::{View, place_view};
use super::{Dtype, WeightFile, WeightsError};

const MAGIC: &[u8] = b"\x93NUMPY";
/// What numpy's own reader allows by default.
const MAX_HEADER_BYTES: u64 = 10_000;

pub(super) fn is_npz(entries: &[Entry]) -> bool {
    entries.iter().any(|entry| entry.name.ends_with(".npy"))
}

pub(super) fn read(archive: &WeightFile, entries: &[Entry]) -> Result<Header, WeightsError> {
    let mut header = Header::default();
    for entry in entries {
        if let Some(name) = entry.name.strip_suffix(".npy") {
            read_array(archive, entry, name, &mut header)?;
        }
    }
    Ok(header)
}

fn read_array(
    archive: &WeightFile,
    entry: &Entry,
    name: &str,
    header: &mut Header,
) -> Result<(), WeightsError> {
    let damaged = |reason: &str| WeightsError::header(&archive.name, format!("array {name:?}: {reason}"));
    let mut start = [0; 12];
    entry.read(archive, 0, &mut start)?;
    if !start.starts_with(MAGIC) {
        return Err(damaged("does not begin as a NumPy array"));
    }
    let (fixed, length) = match start[6] {
        1 => (10, u64::from(u16::from_le_bytes([start[8], start[9]]))),
        2 | 3 => (
            12,
            u64::from(u32::from_le_bytes([start[8], start[9], start[10], start[11]])),
        ),
        _ => return Err(damaged("has an unknown version")),
    };
    let data_start = fixed + length;
    if length > MAX_HEADER_BYTES || data_start > entry.length {
        return Err(damaged("has a header longer than itself"));
    }
    let mut text = vec![0; length as usize];
    entry.read(archive, fixed, &mut text)?;
    let text = String::from_utf8_lossy(&text);
    let description = Description::parse(&text).ok_or_else(|| damaged("has a header that cannot be read"))?;
    if description.dtype.contains('O') {
        return Ok(());
    }
    let Some(dtype) = dtype(description.dtype) else {
        return Err(WeightsError::UnknownDtype {
            file: archive.name.clone(),
            tensor: name.to_owned(),
            dtype: description.dtype.to_owned(),
        });
    };
    let (file, offset) = match &entry.content {
        Content::Stored { offset } => (0, *offset),
        Content::Deflated(inflating) => (header.add_file(inflating.clone()), 0),
    };
    let view = View {
        name: name.to_owned(),
        dtype,
        strides: description
            .strides()
            .ok_or_else(|| damaged("has more elements than can be counted"))?,
        shape: description.shape,
        first: 0,
        storage_start: offset + data_start,
        storage_bytes: entry.length - data_start,
    };
    place_view(header, archive, file, view)
}

/// `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`
struct Description<'a> {
    dtype: &'a str,
    columns_first: bool,
    shape: Vec<u64>,
}

impl<'a> Description<'a> {
    /// `None` for structured arrays and whatever else is no plain array.
    fn parse(text: &'a str) -> Option<Self> {
        let after = |key: &str| Some(text.split_once(key)?.1.trim_start_matches([':', ' ']));
        let dtype = after("'descr'")?.strip_prefix('\'')?.split_once('\'')?.0;
        let shape = after("'shape'")?.strip_prefix('(')?.split_once(')')?.0;
        let lengths = shape
            .split(',')
            .map(str::trim)
            .filter(|length| !length.is_empty());
        Some(Self {
            dtype,
            columns_first: after("'fortran_order'")?.starts_with("True"),
            shape: lengths.map(|length| length.parse().ok()).collect::<Option<_>>()?,
        })
    }

    fn strides(&self) -> Option<Vec<u64>> {
        let mut strides = vec![0; self.shape.len()];
        let mut stride: u64 = 1;
        let mut set = |axis: usize| {
            strides[axis] = stride;
            stride = stride.checked_mul(self.shape[axis].max(1))?;
            Some(())
        };
        if self.columns_first {
            (0..self.shape.len()).try_for_each(&mut set)?;
        } else {
            (0..self.shape.len()).rev().try_for_each(&mut set)?;
        }
        Some(strides)
    }
}

fn dtype(text: &str) -> Option<Dtype> {
    Some(match text.trim_start_matches(['<', '|', '=']) {
        "b1" => Dtype::Bool,
        "u1" => Dtype::U8,
        "i1" => Dtype::I8,
        "u2" => Dtype::U16,
        "i2" => Dtype::I16,
        "u4" => Dtype::U32,
        "i4" => Dtype::I32,
        "u8" => Dtype::U64,
        "i8" => Dtype::I64,
        "f2" => Dtype::F16,
        "f4" => Dtype::F32,
        "f8" => Dtype::F64,
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
