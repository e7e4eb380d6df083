//! GGUF: counts, key-value pairs, tensor descriptions, then the data. Versions 2 and 3, little-endian.
//!
//! Format: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>.

mod heads;

use super::format::Header;
use super::section::Section;
use super::{Dtype, TensorInfo, WeightFile, WeightsError};
use std::io::{BufReader, Read};

pub(super) const MAGIC: &[u8] = b"GGUF";

/// Names and texts kept; longer texts (chat templates, say) are skipped.
const MAX_TEXT_BYTES: u64 = 1 << 16;
const MAX_AXES: u32 = 8;
const MAX_ARRAY_DEPTH: u32 = 4;
const DEFAULT_ALIGNMENT: u64 = 32;

/// The fewest bytes that a description and a pair take: what a file claims more of, it cannot hold.
const MIN_TENSOR_BYTES: u64 = 24;
const MIN_PAIR_BYTES: u64 = 13;

pub(super) fn read(file: &WeightFile) -> Result<Header, WeightsError> {
    let mut stream = Stream::new(file);
    stream.skip(MAGIC.len() as u64)?;
    let version = stream.u32()?;
    if !(2..=3).contains(&version) {
        let reason = format!("GGUF version {version} is not one of 2 and 3, little-endian");
        return Err(WeightsError::header(&file.name, reason));
    }
    let tensor_count = stream.count("number of tensors", MIN_TENSOR_BYTES)?;
    let pair_count = stream.count("number of metadata pairs", MIN_PAIR_BYTES)?;
    let mut header = Header::default();
    for _ in 0..pair_count {
        let key = stream.text()?;
        let kind = stream.u32()?;
        if let Some(value) = stream.value(kind, 0)? {
            header.metadata.insert(key, value);
        }
    }
    let alignment = alignment(file, &header)?;
    for _ in 0..tensor_count {
        let tensor = stream.tensor()?;
        header.tensors.push(tensor);
    }
    let data_start = stream.position.next_multiple_of(alignment);
    for tensor in &mut header.tensors {
        place(file, tensor, data_start)?;
    }
    heads::restore_row_order(file, &mut header);
    Ok(header)
}

fn alignment(file: &WeightFile, header: &Header) -> Result<u64, WeightsError> {
    let Some(text) = header.metadata.get("general.alignment") else {
        return Ok(DEFAULT_ALIGNMENT);
    };
    let alignment = text
        .parse()
        .ok()
        .filter(|alignment: &u64| alignment.is_power_of_two() && *alignment <= 1 << 20);
    alignment.ok_or_else(|| {
        WeightsError::header(
            &file.name,
            format!("alignment {text} is not a small power of two"),
        )
    })
}

/// Turns an offset into the data into one into the file, and checks that all of the tensor is there.
fn place(file: &WeightFile, tensor: &mut TensorInfo, data_start: u64) -> Result<(), WeightsError> {
    let elements = tensor.checked_elements(&file.name)?;
    let Some(bytes) = tensor.dtype.bytes_for(elements) else {
        return Err(WeightsError::SizeMismatch {
            file: file.name.clone(),
            tensor: tensor.name.clone(),
            dtype: tensor.dtype,
            shape: tensor.shape.clone(),
            bytes: 0,
        });
    };
    let start = data_start.checked_add(tensor.offset);
    let end = start.and_then(|start| start.checked_add(bytes));
    match (start, end) {
        (Some(start), Some(end)) if end <= file.bytes.len() => {
            tensor.offset = start;
            tensor.bytes = bytes;
            Ok(())
        }
        _ => Err(WeightsError::OutOfRange {
            file: file.name.clone(),
            tensor: tensor.name.clone(),
            start: tensor.offset,
            end: tensor.offset.saturating_add(bytes),
            length: file.bytes.len().saturating_sub(data_start),
        }),
    }
}

struct Stream<'a> {
    file: &'a WeightFile,
    reader: BufReader<Section>,
    position: u64,
}

impl<'a> Stream<'a> {
    fn new(file: &'a WeightFile) -> Self {
        Self {
            file,
            reader: BufReader::new(Section::whole(file)),
            position: 0,
        }
    }

    fn left(&self) -> u64 {
        self.file.bytes.len() - self.position
    }

    fn claim(&mut self, length: u64) -> Result<(), WeightsError> {
        if length > self.left() {
            return Err(WeightsError::Truncated {
                file: self.file.name.clone(),
                what: "the GGUF header".to_owned(),
                needed: self.position.saturating_add(length),
                length: self.file.bytes.len(),
            });
        }
        self.position += length;
        Ok(())
    }

    fn failed(&self, source: std::io::Error) -> WeightsError {
        WeightsError::Read {
            file: self.file.name.clone(),
            source,
        }
    }

    fn skip(&mut self, length: u64) -> Result<(), WeightsError> {
        self.claim(length)?;
        self.reader
            .seek_relative(length as i64)
            .map_err(|source| self.failed(source))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], WeightsError> {
        self.claim(N as u64)?;
        let mut bytes = [0; N];
        match self.reader.read_exact(&mut bytes) {
            Ok(()) => Ok(bytes),
            Err(source) => Err(self.failed(source)),
        }
    }

    fn u32(&mut self) -> Result<u32, WeightsError> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn u64(&mut self) -> Result<u64, WeightsError> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// A number of things that take at least `least_bytes` each.
    fn count(&mut self, what: &'static str, least_bytes: u64) -> Result<u64, WeightsError> {
        let claimed = self.u64()?;
        let limit = self.left() / least_bytes;
        if claimed <= limit {
            return Ok(claimed);
        }
        Err(WeightsError::OverLimit {
            file: self.file.name.clone(),
            what,
            claimed,
            limit,
        })
    }

    fn text(&mut self) -> Result<String, WeightsError> {
        let length = self.u64()?;
        if length > MAX_TEXT_BYTES {
            return Err(WeightsError::OverLimit {
                file: self.file.name.clone(),
                what: "length of a name",
                claimed: length,
                limit: MAX_TEXT_BYTES,
            });
        }
        self.claim(length)?;
        let mut bytes = vec![0; length as usize];
        match self.reader.read_exact(&mut bytes) {
            Ok(()) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
            Err(source) => Err(self.failed(source)),
        }
    }

    /// A metadata value as text; `None` for arrays and long texts, which are skipped.
    fn value(&mut self, kind: u32, depth: u32) -> Result<Option<String>, WeightsError> {
        let text = match kind {
            0 => u8::from_le_bytes(self.array()?).to_string(),
            1 => i8::from_le_bytes(self.array()?).to_string(),
            2 => u16::from_le_bytes(self.array()?).to_string(),
            3 => i16::from_le_bytes(self.array()?).to_string(),
            4 => self.u32()?.to_string(),
            5 => i32::from_le_bytes(self.array()?).to_string(),
            6 => f32::from_le_bytes(self.array()?).to_string(),
            7 => (self.array::<1>()? != [0]).to_string(),
            8 => return self.long_text(),
            9 => return self.skip_array(depth).map(|()| None),
            10 => self.u64()?.to_string(),
            11 => i64::from_le_bytes(self.array()?).to_string(),
            12 => f64::from_le_bytes(self.array()?).to_string(),
            _ => return Err(self.unknown_kind(kind)),
        };
        Ok(Some(text))
    }

    fn unknown_kind(&self, kind: u32) -> WeightsError {
        let reason = format!("metadata type {kind} is unknown at byte {}", self.position);
        WeightsError::header(&self.file.name, reason)
    }

    fn long_text(&mut self) -> Result<Option<String>, WeightsError> {
        let length = self.u64()?;
        if length > MAX_TEXT_BYTES {
            return self.skip(length).map(|()| None);
        }
        self.claim(length)?;
        let mut bytes = vec![0; length as usize];
        match self.reader.read_exact(&mut bytes) {
            Ok(()) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
            Err(source) => Err(self.failed(source)),
        }
    }

    fn skip_array(&mut self, depth: u32) -> Result<(), WeightsError> {
        let kind = self.u32()?;
        let size: u64 = match kind {
            0 | 1 | 7 => 1,
            2 | 3 => 2,
            4..=6 => 4,
            10..=12 => 8,
            8 | 9 if depth < MAX_ARRAY_DEPTH => 0,
            _ => return Err(self.unknown_kind(kind)),
        };
        if size > 0 {
            let count = self.count("length of an array", size)?;
            return self.skip(count * size);
        }
        for _ in 0..self.count("length of an array", 8)? {
            match kind {
                8 => {
                    let length = self.u64()?;
                    self.skip(length)?;
                }
                _ => self.skip_array(depth + 1)?,
            }
        }
        Ok(())
    }

    /// A description; the offset is still one into the data.
    fn tensor(&mut self) -> Result<TensorInfo, WeightsError> {
        let name = self.text()?;
        let axes = self.u32()?;
        if axes > MAX_AXES {
            return Err(WeightsError::OverLimit {
                file: self.file.name.clone(),
                what: "number of axes",
                claimed: u64::from(axes),
                limit: u64::from(MAX_AXES),
            });
        }
        let mut shape = Vec::new();
        for _ in 0..axes {
            shape.push(self.u64()?);
        }
        // The fastest axis comes first there.
        shape.reverse();
        let kind = self.u32()?;
        let Some(dtype) = dtype(kind) else {
            return Err(WeightsError::UnknownDtype {
                file: self.file.name.clone(),
                tensor: name,
                dtype: format!("ggml type {kind}"),
            });
        };
        Ok(TensorInfo {
            name,
            dtype,
            shape,
            file: 0,
            offset: self.u64()?,
            bytes: 0,
            packing: None,
        })
    }
}

/// `enum ggml_type`.
fn dtype(kind: u32) -> Option<Dtype> {
    Some(match kind {
        0 => Dtype::F32,
        1 => Dtype::F16,
        2 => Dtype::Q4_0,
        3 => Dtype::Q4_1,
        6 => Dtype::Q5_0,
        7 => Dtype::Q5_1,
        8 => Dtype::Q8_0,
        9 => Dtype::Q8_1,
        10 => Dtype::Q2K,
        11 => Dtype::Q3K,
        12 => Dtype::Q4K,
        13 => Dtype::Q5K,
        14 => Dtype::Q6K,
        15 => Dtype::Q8K,
        16 => Dtype::IQ2XXS,
        17 => Dtype::IQ2XS,
        18 => Dtype::IQ3XXS,
        19 => Dtype::IQ1S,
        20 => Dtype::IQ4NL,
        21 => Dtype::IQ3S,
        22 => Dtype::IQ2S,
        23 => Dtype::IQ4XS,
        24 => Dtype::I8,
        25 => Dtype::I16,
        26 => Dtype::I32,
        27 => Dtype::I64,
        28 => Dtype::F64,
        29 => Dtype::IQ1M,
        30 => Dtype::BF16,
        34 => Dtype::TQ1_0,
        35 => Dtype::TQ2_0,
        39 => Dtype::MXFP4,
        40 => Dtype::NVFP4,
        41 => Dtype::Q1_0,
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
