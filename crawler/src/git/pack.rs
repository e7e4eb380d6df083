//! A pack and its index (version 2): where an object lies, what it says, deltas applied.
//!
//! Format: git's Documentation/gitformat-pack. The index is searched where it is and not loaded.

use super::objects::{Id, Kind, MAX_OBJECT_BYTES, Object, inflate};
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;

const INDEX_START: [u8; 8] = [0xff, b't', b'O', b'c', 0, 0, 0, 2];
const FANOUT_BYTES: u64 = 256 * 4;
const ID_BYTES: u64 = 20;
/// git makes chains of at most 4095.
const MAX_CHAIN: usize = 4096;
/// Type, size, and the base's offset or id.
const MAX_ENTRY_HEADER_BYTES: usize = 64;

/// See the module's text.
#[derive(Debug)]
pub struct Pack {
    index: File,
    pack: File,
    /// Objects whose first byte is at most the position.
    fanout: Vec<u32>,
}

/// An object as the pack holds it.
struct Entry {
    stored: Stored,
    /// Bytes after inflation.
    size: u64,
    /// Where the compressed bytes start.
    data: u64,
}

enum Stored {
    Whole(Kind),
    DeltaAt(u64),
    DeltaOf(Id),
}

/// What an object rests on: another object, perhaps of another pack.
pub enum Found {
    Object(Object),
    /// Deltas, the outermost first, over an object this pack does not hold.
    Rest {
        base: Id,
        deltas: Vec<Vec<u8>>,
    },
}

impl Pack {
    /// `path` is the index; the pack lies beside it.
    pub fn open(path: &Path) -> io::Result<Self> {
        let index = File::open(path)?;
        let mut start = [0; 8];
        index.read_exact_at(&mut start, 0)?;
        if start != INDEX_START {
            return Err(damaged("it is no index of version 2"));
        }
        let mut fanout = vec![0; FANOUT_BYTES as usize];
        index.read_exact_at(&mut fanout, 8)?;
        let fanout: Vec<u32> = fanout.chunks_exact(4).map(be32).collect();
        if !fanout.is_sorted() {
            return Err(damaged("its fan-out table is not in order"));
        }
        let pack = File::open(path.with_extension("pack"))?;
        Ok(Self { index, pack, fanout })
    }

    /// Where the object's entry starts; `None` where this pack does not hold it.
    pub fn find(&self, id: &Id) -> io::Result<Option<u64>> {
        let first = usize::from(id.0[0]);
        let mut low = if first == 0 { 0 } else { self.fanout[first - 1] };
        let mut high = self.fanout[first];
        while low < high {
            let middle = low + (high - low) / 2;
            let mut name = [0; ID_BYTES as usize];
            self.index
                .read_exact_at(&mut name, 8 + FANOUT_BYTES + u64::from(middle) * ID_BYTES)?;
            match name.cmp(&id.0) {
                std::cmp::Ordering::Equal => return self.offset(middle).map(Some),
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        Ok(None)
    }

    fn offset(&self, position: u32) -> io::Result<u64> {
        let count = u64::from(self.fanout[255]);
        // Names, then checksums, then offsets; those with the highest bit set point into a table of long ones.
        let short_table = 8 + FANOUT_BYTES + count * (ID_BYTES + 4);
        let mut short = [0; 4];
        self.index
            .read_exact_at(&mut short, short_table + u64::from(position) * 4)?;
        let short = u32::from_be_bytes(short);
        if short & 0x8000_0000 == 0 {
            return Ok(u64::from(short));
        }
        let mut long = [0; 8];
        let place = u64::from(short & 0x7fff_ffff) * 8;
        self.index
            .read_exact_at(&mut long, short_table + count * 4 + place)?;
        Ok(u64::from_be_bytes(long))
    }

    /// The object whose entry starts at `offset`.
    pub fn read(&self, offset: u64) -> io::Result<Found> {
        let mut deltas = Vec::new();
        let mut offset = offset;
        loop {
            let entry = self.entry(offset)?;
            let content = self.inflate(&entry)?;
            match entry.stored {
                Stored::Whole(kind) => {
                    let object = Object { kind, content };
                    return apply_all(object, &deltas).map(Found::Object);
                }
                Stored::DeltaAt(base) => {
                    deltas.push(content);
                    offset = base;
                }
                Stored::DeltaOf(base) => {
                    deltas.push(content);
                    match self.find(&base)? {
                        Some(found) => offset = found,
                        None => return Ok(Found::Rest { base, deltas }),
                    }
                }
            }
            if deltas.len() > MAX_CHAIN {
                return Err(damaged("a chain of deltas has no end"));
            }
        }
    }

    /// Size of the object at `offset`, without reading it where it is stored whole or its delta says so.
    pub fn size(&self, offset: u64) -> io::Result<u64> {
        let entry = self.entry(offset)?;
        if matches!(entry.stored, Stored::Whole(_)) {
            return Ok(entry.size);
        }
        let delta = self.inflate(&entry)?;
        let mut rest = delta.as_slice();
        let _base_size = length(&mut rest)?;
        length(&mut rest)
    }

    fn entry(&self, offset: u64) -> io::Result<Entry> {
        let mut header = [0; MAX_ENTRY_HEADER_BYTES];
        let read = read_some_at(&self.pack, &mut header, offset)?;
        let mut rest = &header[..read];
        let first = byte(&mut rest)?;
        let kind = (first >> 4) & 7;
        let mut size = u64::from(first & 15);
        let (mut shift, mut more) = (4, first & 0x80 != 0);
        while more {
            let next = byte(&mut rest)?;
            if shift > 57 {
                return Err(damaged("a size has no end"));
            }
            size |= u64::from(next & 0x7f) << shift;
            shift += 7;
            more = next & 0x80 != 0;
        }
        let stored = match kind {
            1 => Stored::Whole(Kind::Commit),
            2 => Stored::Whole(Kind::Tree),
            3 => Stored::Whole(Kind::Blob),
            4 => Stored::Whole(Kind::Tag),
            6 => {
                let back = distance(&mut rest)?;
                let base = offset.checked_sub(back).filter(|base| *base < offset);
                Stored::DeltaAt(base.ok_or_else(|| damaged("a delta's base lies before the pack"))?)
            }
            7 => {
                let (id, after) = rest
                    .split_first_chunk()
                    .ok_or_else(|| damaged("a delta has no base"))?;
                rest = after;
                Stored::DeltaOf(Id(*id))
            }
            _ => return Err(damaged("an entry is of no known type")),
        };
        let data = offset + (read - rest.len()) as u64;
        Ok(Entry { stored, size, data })
    }

    fn inflate(&self, entry: &Entry) -> io::Result<Vec<u8>> {
        let from = ReadFrom {
            file: &self.pack,
            position: entry.data,
        };
        inflate(BufReader::new(from), entry.size)
    }
}

struct ReadFrom<'a> {
    file: &'a File,
    position: u64,
}

impl Read for ReadFrom<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.position)?;
        self.position += read as u64;
        Ok(read)
    }
}

fn read_some_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut reader = ReadFrom {
        file,
        position: offset,
    };
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..])? {
            0 => break,
            read => filled += read,
        }
    }
    Ok(filled)
}

/// Deltas are the outermost first, so the last one is applied first.
pub fn apply_all(object: Object, deltas: &[Vec<u8>]) -> io::Result<Object> {
    let mut content = object.content;
    for delta in deltas.iter().rev() {
        content = apply(&content, delta)?;
    }
    Ok(Object {
        kind: object.kind,
        content,
    })
}

/// A delta is the sizes of base and result, then copies out of the base and insertions.
fn apply(base: &[u8], delta: &[u8]) -> io::Result<Vec<u8>> {
    let mut rest = delta;
    if length(&mut rest)? != base.len() as u64 {
        return Err(damaged("a delta is of another base"));
    }
    let size = length(&mut rest)?;
    if size > MAX_OBJECT_BYTES {
        return Err(damaged("an object is too large"));
    }
    let mut result = Vec::new();
    while !rest.is_empty() {
        let command = byte(&mut rest)?;
        let piece = match command {
            0 => return Err(damaged("a delta holds an unknown command")),
            1..=0x7f => {
                let (piece, after) = rest
                    .split_at_checked(usize::from(command))
                    .ok_or_else(|| damaged("a delta ends early"))?;
                rest = after;
                piece
            }
            _ => {
                let start = copy_number(command & 0x0f, 4, &mut rest)?;
                let length = match copy_number((command >> 4) & 7, 3, &mut rest)? {
                    0 => 0x10000,
                    length => length,
                };
                base.get(start..start + length)
                    .ok_or_else(|| damaged("a delta copies from outside its base"))?
            }
        };
        if (result.len() + piece.len()) as u64 > size {
            return Err(damaged("a delta gives more than it says"));
        }
        result.extend_from_slice(piece);
    }
    if result.len() as u64 != size {
        return Err(damaged("a delta gives less than it says"));
    }
    Ok(result)
}

/// Bytes of a little-endian number, of which `mask` says which are there.
fn copy_number(mask: u8, bytes: u32, rest: &mut &[u8]) -> io::Result<usize> {
    let mut number = 0;
    for position in 0..bytes {
        if mask & (1 << position) != 0 {
            number |= usize::from(byte(rest)?) << (8 * position);
        }
    }
    Ok(number)
}

/// Seven bits a byte, the lowest first.
fn length(rest: &mut &[u8]) -> io::Result<u64> {
    let mut number = 0;
    for shift in (0..63).step_by(7) {
        let next = byte(rest)?;
        number |= u64::from(next & 0x7f) << shift;
        if next & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(damaged("a length has no end"))
}

/// Seven bits a byte, the highest first, each continuation one more.
fn distance(rest: &mut &[u8]) -> io::Result<u64> {
    let mut next = byte(rest)?;
    let mut number = u64::from(next & 0x7f);
    while next & 0x80 != 0 {
        if number > u64::MAX >> 8 {
            return Err(damaged("a distance has no end"));
        }
        next = byte(rest)?;
        number = ((number + 1) << 7) | u64::from(next & 0x7f);
    }
    Ok(number)
}

fn byte(rest: &mut &[u8]) -> io::Result<u8> {
    let (first, after) = rest.split_first().ok_or_else(|| damaged("an entry ends early"))?;
    *rest = after;
    Ok(*first)
}

fn be32(bytes: &[u8]) -> u32 {
    bytes
        .iter()
        .fold(0, |number, byte| (number << 8) | u32::from(*byte))
}

pub fn damaged(reason: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}
