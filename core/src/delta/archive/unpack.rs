//! Reading an archive: its index first, then each file, chunks unpacked on all cores, every checksum looked at.

use super::entropy::unpack_planes;
use super::index::{BaseRun, BaseTensor, Chunk, Content, Index, damaged};
use super::planes::{join, join_difference};
use super::reference::{read, read_base};
use super::{ArchiveError, BATCH, MAGIC};
use crate::weights::{Checkpoint, TensorInfo, WeightFile};
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use std::io::Write;

/// The index's digest, its length, its packed length, the magic again.
const FOOTER_BYTES: u64 = 32 + 8 + 8 + 8;
const MAX_INDEX_BYTES: u64 = 256 << 20;

/// An opened archive.
pub struct Archive {
    file: WeightFile,
    index: Index,
    /// All chunks, and where each one's packed bytes begin.
    chunks: Vec<(Chunk, u64)>,
}

/// A file that an archive holds. Its path and its model's name are as hostile as any: refuse those that leave the target folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArchivedFile<'a> {
    pub model: &'a str,
    pub path: &'a str,
    pub bytes: u64,
}

impl Archive {
    /// Reads and checks the index.
    pub fn open(file: WeightFile) -> Result<Self, ArchiveError> {
        let (index, start) = read_index(&file)?;
        index.refuse_nonsense(&file, start)?;
        let mut position = MAGIC.len() as u64;
        let chunks = index
            .chunks()
            .map(|chunk| {
                position += chunk.packed;
                (*chunk, position - chunk.packed)
            })
            .collect();
        Ok(Self { file, index, chunks })
    }

    /// What the base was called when the archive was made.
    pub fn base(&self) -> &str {
        &self.index.base
    }

    /// Names of the models, in the order they were packed.
    pub fn models(&self) -> impl Iterator<Item = &str> {
        self.index.models.iter().map(|model| model.name.as_str())
    }

    /// The files, in order.
    pub fn files(&self) -> impl Iterator<Item = ArchivedFile<'_>> {
        self.index.models.iter().flat_map(|model| {
            model.files.iter().map(|file| ArchivedFile {
                model: &model.name,
                path: &file.path,
                bytes: file.bytes,
            })
        })
    }

    /// Refuses a base without a tensor that the archive refers to. Its values are checked chunk by chunk.
    pub fn check_base(&self, base: &Checkpoint) -> Result<(), ArchiveError> {
        self.index
            .base_tensors
            .iter()
            .try_for_each(|wanted| self.find(base, wanted).map(|_| ()))
    }

    fn find<'a>(&self, base: &'a Checkpoint, wanted: &BaseTensor) -> Result<&'a TensorInfo, ArchiveError> {
        let difference = match base.tensor(&wanted.name) {
            Some(found) if found.dtype == wanted.dtype && found.bytes == wanted.bytes => return Ok(found),
            Some(found) => format!(
                "its tensor {:?} is {} bytes of {}, not {} bytes of {}",
                wanted.name, found.bytes, found.dtype, wanted.bytes, wanted.dtype
            ),
            None => format!("it has no tensor {:?}", wanted.name),
        };
        Err(self.other_base(difference))
    }

    /// Writes the `number`th of [`Archive::files`] to `out`. After an error, what was written is not the child's.
    pub fn unpack(
        &self,
        number: usize,
        base: &Checkpoint,
        out: &mut impl Write,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<(), ArchiveError> {
        let mut files = self.index.models.iter().flat_map(|model| &model.files);
        let before = files
            .by_ref()
            .take(number)
            .map(|file| file.chunks.len())
            .sum::<usize>();
        let Some(row) = files.next() else {
            return Err(damaged(&self.file, format!("it has no file number {number}")));
        };
        let numbers: Vec<usize> = (before..before + row.chunks.len()).collect();
        let mut digest = Sha256::new();
        for batch in numbers.chunks(BATCH) {
            let bytes = batch
                .par_iter()
                .map(|number| self.unpack_chunk(*number, base))
                .collect::<Result<Vec<_>, _>>()?;
            for bytes in bytes {
                digest.update(&bytes);
                out.write_all(&bytes).map_err(ArchiveError::Write)?;
                progress(bytes.len() as u64);
            }
        }
        if hex::encode(digest.finalize()) == row.sha256 {
            return Ok(());
        }
        Err(ArchiveError::WrongDigest {
            path: row.path.clone(),
        })
    }

    fn unpack_chunk(&self, number: usize, base: &Checkpoint) -> Result<Vec<u8>, ArchiveError> {
        let (chunk, _) = &self.chunks[number];
        let bytes = match chunk.content {
            Content::Earlier { chunk: earlier } => return self.unpack_chunk(earlier, base),
            Content::Stored { width } => join(&self.planes(number, width)?, width),
            Content::Base { run } => self.reference(run, chunk, base)?,
            Content::Delta { transform, run } => {
                let planes = self.planes(number, run.width())?;
                join_difference(
                    &planes,
                    &self.reference(run, chunk, base)?,
                    run.width(),
                    transform,
                )
            }
        };
        if crc32fast::hash(&bytes) == chunk.crc32 {
            return Ok(bytes);
        }
        Err(damaged(
            &self.file,
            format!("chunk {number} does not have the checksum it should"),
        ))
    }

    fn planes(&self, number: usize, width: usize) -> Result<Vec<u8>, ArchiveError> {
        let (chunk, position) = &self.chunks[number];
        let packed = read(&self.file, *position, chunk.packed)?;
        unpack_planes(&packed, width, chunk.bytes as usize)
            .ok_or_else(|| damaged(&self.file, format!("chunk {number} cannot be decompressed")))
    }

    fn reference(&self, run: BaseRun, chunk: &Chunk, base: &Checkpoint) -> Result<Vec<u8>, ArchiveError> {
        let tensor = &self.index.base_tensors[run.tensor];
        let bytes = read_base(base, self.find(base, tensor)?, run, chunk.bytes)?;
        if crc32fast::hash(&bytes) == run.crc32 {
            return Ok(bytes);
        }
        Err(self.other_base(format!("its tensor {:?} holds other values", tensor.name)))
    }

    fn other_base(&self, difference: String) -> ArchiveError {
        ArchiveError::OtherBase {
            base: self.index.base.clone(),
            difference,
        }
    }
}

/// The index, and where it begins.
fn read_index(file: &WeightFile) -> Result<(Index, u64), ArchiveError> {
    let length = file.bytes.len();
    let not_an_archive = || ArchiveError::NotAnArchive {
        file: file.name.clone(),
    };
    let least = MAGIC.len() as u64 + FOOTER_BYTES;
    if length < least {
        return Err(not_an_archive());
    }
    let (mut magic, mut footer) = ([0; MAGIC.len()], [0; FOOTER_BYTES as usize]);
    file.read(0, &mut magic)?;
    file.read(length - FOOTER_BYTES, &mut footer)?;
    if &magic != MAGIC {
        return Err(not_an_archive());
    }
    if !footer.ends_with(MAGIC) {
        return Err(damaged(file, "its end is missing"));
    }
    let number = |at: usize| {
        footer[at..at + 8]
            .iter()
            .rev()
            .fold(0u64, |sum, byte| sum << 8 | u64::from(*byte))
    };
    let (bytes, packed) = (number(32), number(40));
    if packed > length - least || bytes > MAX_INDEX_BYTES {
        return Err(damaged(file, "its index is longer than can be"));
    }
    let start = length - FOOTER_BYTES - packed;
    let mut index = vec![0; packed as usize];
    file.read(start, &mut index)?;
    if Sha256::digest(&index).as_slice() != &footer[..32] {
        return Err(damaged(file, "its index does not have the digest it should"));
    }
    let json = zstd::bulk::decompress(&index, bytes as usize).map_err(|error| damaged(file, error))?;
    let index = serde_json::from_slice(&json).map_err(|error| damaged(file, error))?;
    Ok((index, start))
}

impl std::fmt::Debug for Archive {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Archive")
            .field("index", &self.index)
            .finish_non_exhaustive()
    }
}
