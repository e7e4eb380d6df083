//! Zip archives: what PyTorch and NumPy keep tensors in.
//!
//! Enters: a file. Leaves: its entries; stored ones as ranges of the file, deflated ones as streams that are inflated while
//! they are read, so that an entry that claims to be huge costs nothing until somebody reads it.

use super::section::Section;
use super::{ReadAt, WeightFile, WeightsError};
use flate2::read::DeflateDecoder;
use std::io::{BufReader, Error, ErrorKind, Read, Result};
use std::sync::{Mutex, PoisonError};
use zip::{CompressionMethod, ZipArchive};

pub(super) const MAGIC: &[u8] = b"PK\x03\x04";

/// Deflate cannot do better than 258 bytes in two bits; an entry that claims more lies.
const MAX_DEFLATE_RATIO: u64 = 1032;

/// One entry of an archive.
pub(super) struct Entry {
    pub name: String,
    /// The entry's content as a file of its own.
    pub content: Content,
    pub length: u64,
}

pub(super) enum Content {
    /// At this offset of the archive.
    Stored {
        offset: u64,
    },
    Deflated(WeightFile),
}

impl Entry {
    /// The whole content. For small entries: it is held in memory.
    pub fn read_all(&self, archive: &WeightFile, limit: u64) -> std::result::Result<Vec<u8>, WeightsError> {
        if self.length > limit {
            return Err(WeightsError::OverLimit {
                file: archive.name.clone(),
                what: "archive entry",
                claimed: self.length,
                limit,
            });
        }
        let mut bytes = vec![0; self.length as usize];
        self.read(archive, 0, &mut bytes)?;
        Ok(bytes)
    }

    /// Fills `buffer` from `offset` of the content.
    pub fn read(
        &self,
        archive: &WeightFile,
        offset: u64,
        buffer: &mut [u8],
    ) -> std::result::Result<(), WeightsError> {
        let inside = offset
            .checked_add(buffer.len() as u64)
            .is_some_and(|end| end <= self.length);
        if !inside {
            return Err(WeightsError::Truncated {
                file: archive.name.clone(),
                what: self.name.clone(),
                needed: offset.saturating_add(buffer.len() as u64),
                length: self.length,
            });
        }
        match &self.content {
            Content::Stored { offset: start } => archive.read(start + offset, buffer),
            Content::Deflated(file) => file.read(offset, buffer),
        }
    }
}

/// Every file in `archive`, in the order of its directory.
pub(super) fn entries(archive: &WeightFile) -> std::result::Result<Vec<Entry>, WeightsError> {
    let damaged = |reason: String| WeightsError::header(&archive.name, format!("zip archive: {reason}"));
    let reader = BufReader::new(Section::whole(archive));
    let mut zip = ZipArchive::new(reader).map_err(|error| damaged(error.to_string()))?;
    let mut entries = Vec::with_capacity(zip.len());
    for index in 0..zip.len() {
        let raw = zip
            .by_index_raw(index)
            .map_err(|error| damaged(error.to_string()))?;
        let name = raw
            .name()
            .map_err(|error| damaged(error.to_string()))?
            .into_owned();
        let (length, packed) = (raw.size(), raw.compressed_size());
        let offset = raw
            .data_start()
            .ok_or_else(|| damaged(format!("{name:?} has no data")))?;
        if raw.encrypted() {
            return Err(damaged(format!("{name:?} is encrypted")));
        }
        let inside = offset
            .checked_add(packed)
            .is_some_and(|end| end <= archive.bytes.len());
        if !inside {
            return Err(damaged(format!("{name:?} reaches beyond the end of the file")));
        }
        let content = match raw.compression() {
            CompressionMethod::Stored if length == packed => Content::Stored { offset },
            CompressionMethod::Deflated if length / MAX_DEFLATE_RATIO <= packed => {
                Content::Deflated(inflating(archive, &name, offset, packed, length))
            }
            _ => return Err(damaged(format!("{name:?} cannot be unpacked to {length} bytes"))),
        };
        entries.push(Entry {
            name,
            content,
            length,
        });
    }
    Ok(entries)
}

fn inflating(archive: &WeightFile, name: &str, offset: u64, packed: u64, length: u64) -> WeightFile {
    WeightFile::new(
        format!("{}!{name}", archive.name),
        Inflating {
            packed: Section::new(archive, offset, offset + packed),
            length,
            streams: Mutex::default(),
        },
    )
}

/// A deflated entry, inflated as far as it is read. Several streams are kept so that threads which each read forward do not
/// send one another back to the start.
struct Inflating {
    packed: Section,
    length: u64,
    streams: Mutex<Vec<Stream>>,
}

const MAX_STREAMS: usize = 8;

struct Stream {
    decoder: DeflateDecoder<BufReader<Section>>,
    position: u64,
}

impl Inflating {
    /// The stream that has the least way to go, or a new one.
    fn take_stream(&self, offset: u64) -> Stream {
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        let nearest = (0..streams.len())
            .filter(|index| streams[*index].position <= offset)
            .max_by_key(|index| streams[*index].position);
        match nearest {
            Some(index) => streams.swap_remove(index),
            None => Stream {
                decoder: DeflateDecoder::new(BufReader::new(self.packed.clone())),
                position: 0,
            },
        }
    }

    fn give_back(&self, stream: Stream) {
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        if streams.len() < MAX_STREAMS {
            streams.push(stream);
        }
    }
}

impl ReadAt for Inflating {
    fn len(&self) -> u64 {
        self.length
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let end = offset.checked_add(buffer.len() as u64);
        if end.is_none_or(|end| end > self.length) {
            return Err(Error::from(ErrorKind::UnexpectedEof));
        }
        let mut stream = self.take_stream(offset);
        let gap = offset - stream.position;
        let skipped = std::io::copy(&mut (&mut stream.decoder).take(gap), &mut std::io::sink())?;
        if skipped < gap {
            return Err(Error::from(ErrorKind::UnexpectedEof));
        }
        stream.decoder.read_exact(buffer)?;
        stream.position = offset + buffer.len() as u64;
        self.give_back(stream);
        Ok(())
    }
}
