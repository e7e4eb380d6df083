//! The objects of a `.git` folder, loose and packed, each checked against its id.

use super::pack::{Found, Pack, apply_all, damaged};
use flate2::read::ZlibDecoder;
use sha1::{Digest as _, Sha1};
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// Weights belong into LFS; an object larger than this is not read.
pub const MAX_OBJECT_BYTES: u64 = 1 << 30;
/// `commit 123\0` and the like.
const MAX_LOOSE_HEADER_BYTES: u64 = 64;
const MAX_PACKS: usize = 10_000;
/// Deltas of one pack may rest on objects of another.
const MAX_PACKS_OF_ONE_OBJECT: usize = 16;

/// Name of an object: its SHA-1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(pub [u8; 20]);

impl Id {
    pub fn from_hex(text: &str) -> Option<Self> {
        let mut bytes = [0; 20];
        hex::decode_to_slice(text, &mut bytes).ok()?;
        Some(Self(bytes))
    }
}

impl fmt::Display for Id {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Commit,
    Tree,
    Blob,
    Tag,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Commit => "commit",
            Self::Tree => "tree",
            Self::Blob => "blob",
            Self::Tag => "tag",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        [Self::Commit, Self::Tree, Self::Blob, Self::Tag]
            .into_iter()
            .find(|kind| kind.name() == name)
    }
}

#[derive(Debug, Clone)]
pub struct Object {
    pub kind: Kind,
    pub content: Vec<u8>,
}

/// See the module's text.
#[derive(Debug)]
pub struct Objects {
    folder: PathBuf,
    packs: Vec<Pack>,
}

impl Objects {
    /// `folder` is `.git/objects`.
    pub fn open(folder: &Path) -> io::Result<Self> {
        let mut packs = Vec::new();
        let pack_folder = folder.join("pack");
        if pack_folder.is_dir() {
            for entry in std::fs::read_dir(pack_folder)? {
                let path = entry?.path();
                if path.extension().is_some_and(|extension| extension == "idx") {
                    packs.push(Pack::open(&path)?);
                }
                if packs.len() > MAX_PACKS {
                    return Err(damaged("it has too many packs; run `git gc`"));
                }
            }
        }
        Ok(Self {
            folder: folder.to_owned(),
            packs,
        })
    }

    /// The object, or `None` where it is not here.
    pub fn read(&self, id: &Id) -> io::Result<Option<Object>> {
        let Some(object) = self.read_unchecked(id, 0)? else {
            return Ok(None);
        };
        let mut digest = Sha1::new();
        digest.update(format!("{} {}\0", object.kind.name(), object.content.len()).as_bytes());
        digest.update(&object.content);
        if digest.finalize().as_slice() != id.0 {
            return Err(damaged("an object is not what its id says"));
        }
        Ok(Some(object))
    }

    /// How long the object's content is.
    pub fn size(&self, id: &Id) -> io::Result<Option<u64>> {
        if let Some(file) = self.open_loose(id)? {
            return loose_header(&mut BufReader::new(ZlibDecoder::new(file))).map(|(_, size)| Some(size));
        }
        for pack in &self.packs {
            if let Some(offset) = pack.find(id)? {
                return pack.size(offset).map(Some);
            }
        }
        Ok(None)
    }

    fn read_unchecked(&self, id: &Id, packs_so_far: usize) -> io::Result<Option<Object>> {
        if packs_so_far > MAX_PACKS_OF_ONE_OBJECT {
            return Err(damaged("a chain of deltas has no end"));
        }
        if let Some(file) = self.open_loose(id)? {
            return read_loose(file).map(Some);
        }
        for pack in &self.packs {
            let Some(offset) = pack.find(id)? else { continue };
            return match pack.read(offset)? {
                Found::Object(object) => Ok(Some(object)),
                Found::Rest { base, deltas } => {
                    let base = self.read_unchecked(&base, packs_so_far + 1)?;
                    let base = base.ok_or_else(|| damaged("the base of a delta is missing"))?;
                    apply_all(base, &deltas).map(Some)
                }
            };
        }
        Ok(None)
    }

    fn open_loose(&self, id: &Id) -> io::Result<Option<File>> {
        let name = id.to_string();
        match File::open(self.folder.join(&name[..2]).join(&name[2..])) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn read_loose(file: File) -> io::Result<Object> {
    let mut inflated = BufReader::new(ZlibDecoder::new(file));
    let (kind, size) = loose_header(&mut inflated)?;
    let content = read_exactly(inflated, size)?;
    Ok(Object { kind, content })
}

fn loose_header(inflated: &mut impl BufRead) -> io::Result<(Kind, u64)> {
    let mut header = Vec::new();
    inflated
        .by_ref()
        .take(MAX_LOOSE_HEADER_BYTES)
        .read_until(0, &mut header)?;
    let text = header
        .strip_suffix(&[0])
        .and_then(|text| std::str::from_utf8(text).ok());
    let (kind, size) = text
        .and_then(|text| text.split_once(' '))
        .ok_or_else(|| damaged("an object has no header"))?;
    let kind = Kind::parse(kind).ok_or_else(|| damaged("an object is of no known type"))?;
    let size = size
        .parse()
        .map_err(|_| damaged("an object's size is no number"))?;
    Ok((kind, size))
}

/// Inflates exactly `size` bytes.
pub fn inflate(compressed: impl Read, size: u64) -> io::Result<Vec<u8>> {
    read_exactly(ZlibDecoder::new(compressed), size)
}

fn read_exactly(inflated: impl Read, size: u64) -> io::Result<Vec<u8>> {
    if size > MAX_OBJECT_BYTES {
        return Err(damaged("an object is too large"));
    }
    let mut content = Vec::new();
    inflated.take(size + 1).read_to_end(&mut content)?;
    if content.len() as u64 != size {
        return Err(damaged("an object is not as long as it says"));
    }
    Ok(content)
}
