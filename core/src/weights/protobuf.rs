//! Walks protobuf messages in place: field numbers and where their contents lie, nothing copied.
//!
//! A message of gigabytes is walked by reading its keys and lengths and seeking over the rest, which is why this is not a
//! generated decoder. Wire format: <https://protobuf.dev/programming-guides/encoding/>.

use super::section::Section;
use super::{WeightFile, WeightsError};
use std::io::{BufReader, Read};

/// Names and other texts are short.
const MAX_TEXT_BYTES: u64 = 1 << 16;

/// A message, or the content of a length-delimited field: bytes `start` to `end` of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Range {
    pub start: u64,
    pub end: u64,
}

impl Range {
    pub fn length(&self) -> u64 {
        self.end - self.start
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Varint(u64),
    /// Eight bytes at this range.
    Fixed64(Range),
    /// Four bytes at this range.
    Fixed32(Range),
    Delimited(Range),
}

/// Hands each field of `message` to `visit`: its number and its content.
pub(super) fn for_each_field(
    file: &WeightFile,
    message: Range,
    mut visit: impl FnMut(u64, Field) -> Result<(), WeightsError>,
) -> Result<(), WeightsError> {
    let mut walker = Walker::new(file, message);
    while walker.position < message.end {
        let key = walker.varint()?;
        let field = walker.field(key & 7)?;
        visit(key >> 3, field)?;
    }
    Ok(())
}

/// The varints that fill `range`.
pub(super) fn packed_varints(
    file: &WeightFile,
    range: Range,
    mut visit: impl FnMut(u64),
) -> Result<(), WeightsError> {
    let mut walker = Walker::new(file, range);
    while walker.position < range.end {
        visit(walker.varint()?);
    }
    Ok(())
}

pub(super) fn text(file: &WeightFile, range: Range) -> Result<String, WeightsError> {
    if range.length() > MAX_TEXT_BYTES {
        return Err(WeightsError::OverLimit {
            file: file.name.clone(),
            what: "name",
            claimed: range.length(),
            limit: MAX_TEXT_BYTES,
        });
    }
    let mut bytes = vec![0; range.length() as usize];
    file.read(range.start, &mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

struct Walker<'a> {
    file: &'a WeightFile,
    reader: BufReader<Section>,
    position: u64,
    end: u64,
}

impl<'a> Walker<'a> {
    fn new(file: &'a WeightFile, range: Range) -> Self {
        let section = Section::new(file, range.start, range.end);
        // Small messages are many; a large buffer for each would read the file several times.
        let capacity = range.length().clamp(1, 4096) as usize;
        Self {
            file,
            reader: BufReader::with_capacity(capacity, section),
            position: range.start,
            end: range.end,
        }
    }

    fn damaged(&self, what: &str) -> WeightsError {
        WeightsError::header(&self.file.name, format!("{what} at byte {}", self.position))
    }

    fn byte(&mut self) -> Result<u8, WeightsError> {
        if self.position >= self.end {
            return Err(self.damaged("a protobuf message ends early"));
        }
        let mut byte = [0];
        self.reader
            .read_exact(&mut byte)
            .map_err(|source| WeightsError::Read {
                file: self.file.name.clone(),
                source,
            })?;
        self.position += 1;
        Ok(byte[0])
    }

    fn varint(&mut self) -> Result<u64, WeightsError> {
        let mut number = 0;
        for shift in (0..70).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(self.damaged("a protobuf number has more than ten bytes"))
    }

    fn field(&mut self, wire_type: u64) -> Result<Field, WeightsError> {
        match wire_type {
            0 => Ok(Field::Varint(self.varint()?)),
            1 => Ok(Field::Fixed64(self.skip(8)?)),
            2 => {
                let length = self.varint()?;
                Ok(Field::Delimited(self.skip(length)?))
            }
            5 => Ok(Field::Fixed32(self.skip(4)?)),
            _ => Err(self.damaged("an unknown protobuf wire type")),
        }
    }

    fn skip(&mut self, length: u64) -> Result<Range, WeightsError> {
        if length > self.end - self.position {
            return Err(self.damaged("a protobuf field is longer than what is left of its message"));
        }
        let start = self.position;
        self.reader
            .seek_relative(length as i64)
            .map_err(|source| WeightsError::Read {
                file: self.file.name.clone(),
                source,
            })?;
        self.position += length;
        Ok(Range {
            start,
            end: self.position,
        })
    }
}
