//! safetensors: eight bytes of header length, a JSON header, the data.
//!
//! The `safetensors` crate reads the same format (the tests hold us to it), but wants the whole file in memory and names
//! neither the tensor nor the numbers when a rule is broken. Format: <https://github.com/huggingface/safetensors>.

use super::format::Header;
use super::{Dtype, TensorInfo, WeightFile, WeightsError};
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// The format's own limit.
const MAX_HEADER_BYTES: u64 = 100_000_000;
const LENGTH_BYTES: u64 = 8;

/// A header length, then the JSON object.
pub(super) fn recognises(prefix: &[u8]) -> bool {
    prefix.get(8) == Some(&b'{')
}

pub(super) fn read(file: &WeightFile) -> Result<Header, WeightsError> {
    let json = read_json(file)?;
    let data_start = LENGTH_BYTES + json.len() as u64;
    let parsed = parse(&file.name, &json)?;
    let mut tensors = Vec::with_capacity(parsed.tensors.len());
    for (name, entry) in parsed.tensors {
        tensors.push(tensor_info(file, name, entry, data_start)?);
    }
    refuse_gaps(file, &mut tensors, data_start)?;
    Ok(Header {
        tensors,
        metadata: parsed.metadata,
        ..Header::default()
    })
}

fn read_json(file: &WeightFile) -> Result<Vec<u8>, WeightsError> {
    let length = file.bytes.len();
    let truncated = |what: &str, needed| WeightsError::Truncated {
        file: file.name.clone(),
        what: what.to_owned(),
        needed,
        length,
    };
    if length < LENGTH_BYTES {
        return Err(truncated("the header length", LENGTH_BYTES));
    }
    let mut length_field = [0; 8];
    file.read(0, &mut length_field)?;
    let claimed = u64::from_le_bytes(length_field);
    if claimed > MAX_HEADER_BYTES {
        return Err(WeightsError::OverLimit {
            file: file.name.clone(),
            what: "header length",
            claimed,
            limit: MAX_HEADER_BYTES,
        });
    }
    if claimed > length - LENGTH_BYTES {
        return Err(truncated("the header", LENGTH_BYTES + claimed));
    }
    let mut json = vec![0; claimed as usize];
    file.read(LENGTH_BYTES, &mut json)?;
    Ok(json)
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct HeaderEntry {
    dtype: String,
    shape: Vec<u64>,
    data_offsets: (u64, u64),
}

#[derive(Debug, Default)]
struct ParsedHeader {
    tensors: BTreeMap<String, HeaderEntry>,
    metadata: BTreeMap<String, String>,
}

/// Why the JSON was refused, where serde's message alone would lose the tensor's name.
#[derive(Default)]
struct HeaderVisitor {
    duplicate: Option<String>,
}

fn parse(file: &str, json: &[u8]) -> Result<ParsedHeader, WeightsError> {
    let mut visitor = HeaderVisitor::default();
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let parsed = deserializer
        .deserialize_map(&mut visitor)
        .and_then(|parsed| deserializer.end().map(|()| parsed));
    match (parsed, visitor.duplicate) {
        (_, Some(tensor)) => Err(WeightsError::DuplicateTensor {
            file: file.to_owned(),
            tensor,
        }),
        (Ok(parsed), None) => Ok(parsed),
        (Err(error), None) => Err(WeightsError::header(file, error.to_string())),
    }
}

impl<'de> Visitor<'de> for &mut HeaderVisitor {
    type Value = ParsedHeader;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("an object of tensors by name")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ParsedHeader, A::Error> {
        let mut header = ParsedHeader::default();
        while let Some(name) = map.next_key::<String>()? {
            if name == "__metadata__" {
                // Some writers put `null` there.
                header.metadata = map
                    .next_value::<Option<BTreeMap<String, String>>>()?
                    .unwrap_or_default();
                continue;
            }
            let entry = map
                .next_value()
                .map_err(|error| A::Error::custom(format!("tensor {name:?}: {error}")))?;
            match header.tensors.entry(name) {
                Entry::Vacant(vacant) => vacant.insert(entry),
                Entry::Occupied(occupied) => {
                    self.duplicate = Some(occupied.key().clone());
                    return Err(A::Error::custom("duplicate tensor"));
                }
            };
        }
        Ok(header)
    }
}

fn tensor_info(
    file: &WeightFile,
    name: String,
    entry: HeaderEntry,
    data_start: u64,
) -> Result<TensorInfo, WeightsError> {
    let data_length = file.bytes.len() - data_start;
    let (start, end) = entry.data_offsets;
    if start > end || end > data_length {
        return Err(WeightsError::OutOfRange {
            file: file.name.clone(),
            tensor: name,
            start,
            end,
            length: data_length,
        });
    }
    let Some((dtype, shape)) = dtype_and_shape(&entry.dtype, entry.shape) else {
        return Err(WeightsError::UnknownDtype {
            file: file.name.clone(),
            tensor: name,
            dtype: entry.dtype,
        });
    };
    let tensor = TensorInfo {
        name,
        dtype,
        shape,
        file: 0,
        offset: data_start + start,
        bytes: end - start,
        packing: None,
    };
    tensor.refuse_wrong_size(&file.name)?;
    Ok(tensor)
}

/// `None` for a type that this version does not know. Complex numbers become a last axis of two, as `torch.view_as_real` does.
fn dtype_and_shape(name: &str, mut shape: Vec<u64>) -> Option<(Dtype, Vec<u64>)> {
    let dtype = match name {
        "BOOL" => Dtype::Bool,
        "U8" => Dtype::U8,
        "I8" => Dtype::I8,
        "U16" => Dtype::U16,
        "I16" => Dtype::I16,
        "U32" => Dtype::U32,
        "I32" => Dtype::I32,
        "U64" => Dtype::U64,
        "I64" => Dtype::I64,
        "F8_E4M3" => Dtype::F8E4M3,
        "F8_E5M2" => Dtype::F8E5M2,
        "F8_E8M0" => Dtype::F8E8M0,
        "F8_E4M3FNUZ" => Dtype::F8E4M3FNUZ,
        "F8_E5M2FNUZ" => Dtype::F8E5M2FNUZ,
        "F4" => Dtype::F4,
        "F16" => Dtype::F16,
        "BF16" => Dtype::BF16,
        "F32" => Dtype::F32,
        "F64" => Dtype::F64,
        "C64" => {
            shape.push(2);
            Dtype::F32
        }
        _ => return None,
    };
    Some((dtype, shape))
}

/// The format wants the data covered whole, and once.
fn refuse_gaps(file: &WeightFile, tensors: &mut [TensorInfo], data_start: u64) -> Result<(), WeightsError> {
    tensors.sort_by_key(|tensor| (tensor.offset, tensor.bytes));
    let mut covered = data_start;
    let mut previous = "";
    for tensor in tensors.iter() {
        if tensor.offset < covered {
            return Err(WeightsError::Overlap {
                file: file.name.clone(),
                first: previous.to_owned(),
                second: tensor.name.clone(),
            });
        }
        refuse_hole(file, covered, tensor.offset, || {
            format!("tensor {:?}", tensor.name)
        })?;
        covered = tensor.offset + tensor.bytes;
        previous = &tensor.name;
    }
    refuse_hole(file, covered, file.bytes.len(), || "the end".to_owned())
}

fn refuse_hole(
    file: &WeightFile,
    covered: u64,
    next: u64,
    before: impl Fn() -> String,
) -> Result<(), WeightsError> {
    if covered == next {
        return Ok(());
    }
    Err(WeightsError::Hole {
        file: file.name.clone(),
        before: before(),
        bytes: next - covered,
    })
}

#[cfg(test)]
mod tests;
