//! Flax: MessagePack maps inside maps, an extension each array.
//!
//! Format: `flax/serialization.py`: extension 1 is an array and holds its shape, the name of its type and its bytes; 3 is a scalar
//! of the same form. Arrays larger than a gibibyte are split there; those are refused.

use super::format::Header;
use super::section::Section;
use super::{Dtype, TensorInfo, WeightFile, WeightsError};
use rmp::Marker;
use rmp::decode::{self, RmpRead};
use std::io::{BufRead, BufReader, Read};

const ARRAY: i8 = 1;
const SCALAR: i8 = 3;
/// The key that a split array has first.
const SPLIT: &str = "__msgpack_chunked_array__";

const MAX_NAME_BYTES: u32 = 4096;
const MAX_DEPTH: usize = 64;
const MAX_AXES: u32 = 64;

/// A map that is not empty, and a text as its first key.
pub(super) fn recognises(prefix: &[u8]) -> bool {
    let is_text = |byte: &u8| matches!(byte, 0xa1..=0xbf | 0xd9);
    match prefix {
        [0x81..=0x8f, key, ..] => is_text(key),
        [0xde, _, _, key, ..] => is_text(key),
        _ => false,
    }
}

pub(super) fn read(file: &WeightFile) -> Result<Header, WeightsError> {
    let mut stream = Stream {
        reader: BufReader::new(Section::whole(file)),
        position: 0,
        length: file.bytes.len(),
    };
    let mut tensors = Vec::new();
    let found = stream.arrays(&mut tensors);
    found.map_err(|reason| {
        WeightsError::header(&file.name, format!("{reason} at byte {}", stream.position))
    })?;
    for tensor in &tensors {
        tensor.refuse_wrong_size(&file.name)?;
    }
    Ok(Header {
        tensors,
        ..Header::default()
    })
}

/// Why the bytes cannot be followed.
type Reason = String;

struct Stream {
    reader: BufReader<Section>,
    position: u64,
    length: u64,
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.position += count as u64;
        Ok(count)
    }
}

fn damaged(error: impl std::fmt::Display) -> Reason {
    format!("the MessagePack is not valid: {error}")
}

impl Stream {
    fn arrays(&mut self, tensors: &mut Vec<TensorInfo>) -> Result<(), Reason> {
        let mut open = vec![(self.count()?, String::new())];
        while let Some((left, path)) = open.last_mut() {
            let Some(rest) = left.checked_sub(1) else {
                open.pop();
                continue;
            };
            *left = rest;
            let key = self.text()?;
            if key == SPLIT {
                return Err(format!("array {path:?} is split into chunks, which are not read"));
            }
            let name = if path.is_empty() {
                key
            } else {
                format!("{path}.{key}")
            };
            match self.next_marker()? {
                Marker::FixMap(_) | Marker::Map16 | Marker::Map32 if open.len() < MAX_DEPTH => {
                    let count = self.count()?;
                    open.push((count, name));
                }
                Marker::FixMap(_) | Marker::Map16 | Marker::Map32 => {
                    return Err("maps are nested too deeply".to_owned());
                }
                Marker::FixExt1
                | Marker::FixExt2
                | Marker::FixExt4
                | Marker::FixExt8
                | Marker::FixExt16
                | Marker::Ext8
                | Marker::Ext16
                | Marker::Ext32 => self.extension(name, tensors)?,
                _ => self.skip_value()?,
            }
        }
        Ok(())
    }

    /// What the next value is; it is not taken.
    fn next_marker(&mut self) -> Result<Marker, Reason> {
        let buffer = self.reader.fill_buf().map_err(damaged)?;
        let byte = buffer.first().ok_or_else(|| damaged("it ends early"))?;
        Ok(Marker::from_u8(*byte))
    }

    /// The pairs of a map: each takes two bytes at least.
    fn count(&mut self) -> Result<u64, Reason> {
        let count = u64::from(decode::read_map_len(self).map_err(damaged)?);
        if count > (self.length - self.position) / 2 {
            return Err(format!("a map claims {count} entries, more than can follow"));
        }
        Ok(count)
    }

    fn text(&mut self) -> Result<String, Reason> {
        let length = decode::read_str_len(self).map_err(damaged)?;
        if length > MAX_NAME_BYTES {
            return Err(format!(
                "a name claims {length} bytes, more than the limit of {MAX_NAME_BYTES}"
            ));
        }
        let mut bytes = vec![0; length as usize];
        self.read_exact_buf(&mut bytes).map_err(damaged)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn skip(&mut self, length: u64) -> Result<(), Reason> {
        if length > self.length - self.position {
            return Err(format!("{length} bytes are claimed, more than can follow"));
        }
        self.reader.seek_relative(length as i64).map_err(damaged)?;
        self.position += length;
        Ok(())
    }

    fn extension(&mut self, name: String, tensors: &mut Vec<TensorInfo>) -> Result<(), Reason> {
        let meta = decode::read_ext_meta(self).map_err(damaged)?;
        let end = self.position + u64::from(meta.size);
        if ![ARRAY, SCALAR].contains(&meta.typeid) {
            return self.skip(meta.size.into());
        }
        if decode::read_array_len(self).map_err(damaged)? != 3 {
            return Err(format!("array {name:?} has no shape, type and bytes"));
        }
        let axes = decode::read_array_len(self).map_err(damaged)?;
        if axes > MAX_AXES {
            return Err(format!(
                "array {name:?} claims {axes} axes, more than the limit of {MAX_AXES}"
            ));
        }
        let shape: Result<Vec<u64>, Reason> = (0..axes)
            .map(|_| decode::read_int(self).map_err(damaged))
            .collect();
        let shape = shape?;
        let kind = self.text()?;
        let bytes = u64::from(decode::read_bin_len(self).map_err(damaged)?);
        let offset = self.position;
        self.skip(bytes)?;
        if self.position != end {
            return Err(format!("array {name:?} is longer or shorter than it says"));
        }
        let dtype =
            dtype(&kind).ok_or_else(|| format!("array {name:?} has the unknown element type {kind:?}"))?;
        tensors.push(TensorInfo {
            name,
            dtype,
            shape,
            file: 0,
            offset,
            bytes,
            packing: None,
        });
        Ok(())
    }

    /// Steps over a value that is no map and no array of numbers.
    fn skip_value(&mut self) -> Result<(), Reason> {
        let mut left = 1u64;
        while left > 0 {
            left -= 1;
            let marker = self.next_marker()?;
            match marker {
                Marker::FixArray(_) | Marker::Array16 | Marker::Array32 => {
                    left += u64::from(decode::read_array_len(self).map_err(damaged)?);
                }
                Marker::FixMap(_) | Marker::Map16 | Marker::Map32 => left += 2 * self.count()?,
                Marker::FixStr(_) | Marker::Str8 | Marker::Str16 | Marker::Str32 => {
                    let length = decode::read_str_len(self).map_err(damaged)?;
                    self.skip(length.into())?;
                }
                Marker::Bin8 | Marker::Bin16 | Marker::Bin32 => {
                    let length = decode::read_bin_len(self).map_err(damaged)?;
                    self.skip(length.into())?;
                }
                Marker::U8 | Marker::I8 => self.skip(2)?,
                Marker::U16 | Marker::I16 => self.skip(3)?,
                Marker::U32 | Marker::I32 | Marker::F32 => self.skip(5)?,
                Marker::U64 | Marker::I64 | Marker::F64 => self.skip(9)?,
                Marker::FixPos(_) | Marker::FixNeg(_) | Marker::Null | Marker::True | Marker::False => {
                    self.skip(1)?
                }
                Marker::Reserved => return Err(damaged("a marker is never used")),
                _ => {
                    let meta = decode::read_ext_meta(self).map_err(damaged)?;
                    self.skip(meta.size.into())?;
                }
            }
        }
        Ok(())
    }
}

fn dtype(name: &str) -> Option<Dtype> {
    Some(match name {
        "bool" => Dtype::Bool,
        "uint8" => Dtype::U8,
        "int8" => Dtype::I8,
        "uint16" => Dtype::U16,
        "int16" => Dtype::I16,
        "uint32" => Dtype::U32,
        "int32" => Dtype::I32,
        "uint64" => Dtype::U64,
        "int64" => Dtype::I64,
        "float16" => Dtype::F16,
        "bfloat16" => Dtype::BF16,
        "float32" => Dtype::F32,
        "float64" => Dtype::F64,
        "float8_e4m3fn" => Dtype::F8E4M3,
        "float8_e5m2" => Dtype::F8E5M2,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::weights::{Checkpoint, Dtype, WeightFile, WeightsError};
    use proptest::prelude::*;

    /// Written with the msgpack package as `flax.serialization.msgpack_serialize` does: arrays of three types, a scalar, a number.
    const FIXTURE: &[u8] = include_bytes!("flax/params.msgpack");

    fn open(bytes: &[u8]) -> Result<Checkpoint, WeightsError> {
        Checkpoint::open(vec![WeightFile::new("flax_model.msgpack", bytes.to_vec())])
    }

    #[test]
    fn arrays_of_nested_maps_are_read() {
        let checkpoint = open(FIXTURE).unwrap();
        let names: Vec<&str> = checkpoint
            .tensors
            .iter()
            .map(|tensor| tensor.name.as_str())
            .collect();
        assert_eq!(
            names,
            [
                "params.dense.bias",
                "params.dense.kernel",
                "params.scale",
                "steps"
            ]
        );
        let values = |name: &str| checkpoint.read_values(checkpoint.tensor(name).unwrap()).unwrap();
        assert_eq!(values("params.dense.kernel"), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_eq!(values("params.dense.bias"), [0.5, -1.5]);
        assert_eq!(values("params.scale"), [2.0]);
        assert_eq!(values("steps"), [7.0]);
        assert_eq!(checkpoint.tensor("params.dense.bias").unwrap().dtype, Dtype::F16);
        assert_eq!(checkpoint.tensor("params.dense.kernel").unwrap().shape, [2, 3]);
    }

    #[test]
    fn what_cannot_be_followed_is_explained() {
        let check = |bytes: &[u8], expect: &str| {
            let error = open(bytes).map(|_| ()).unwrap_err().to_string();
            assert!(error.contains(expect), "{error}");
        };
        check(
            &[0xde, 0xff, 0xff, 0xa1, b'a', 0xc0],
            "a map claims 65535 entries, more than can follow at byte 3",
        );
        check(&FIXTURE[..FIXTURE.len() - 3], "at byte");
        let deep: Vec<u8> = [0x81, 0xa1, b'a'].repeat(100);
        check(&deep, "maps are nested too deeply");
        let split = [&[0x81, 0xb9], &b"__msgpack_chunked_array__"[..], &[0xc3]].concat();
        check(&split, "is split into chunks");
    }

    proptest! {
        #[test]
        fn mutated_files_get_an_answer(edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)) {
            let mut bytes = FIXTURE.to_vec();
            for (place, byte) in edits {
                let place = place.index(bytes.len());
                bytes[place] = byte;
            }
            if let Ok(checkpoint) = open(&bytes) {
                for tensor in &checkpoint.tensors {
                    let _ = checkpoint.read_values(tensor);
                }
            }
        }
    }
}
