//! What stands at the end of an archive, as JSON: everything but the packed bytes.

use super::planes::Transform;
use super::{ArchiveError, CHUNK_BYTES, MAGIC};
use crate::weights::{Dtype, WeightFile};
use serde::{Deserialize, Serialize};

/// An archive's table of contents.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Index {
    /// What the base was called when the archive was made.
    pub base: String,
    pub models: Vec<ModelRow>,
    /// The base's tensors that chunks refer to.
    pub base_tensors: Vec<BaseTensor>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ModelRow {
    pub name: String,
    pub files: Vec<FileRow>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct FileRow {
    pub path: String,
    pub bytes: u64,
    pub sha256: String,
    pub chunks: Vec<Chunk>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct BaseTensor {
    pub name: String,
    pub dtype: Dtype,
    pub bytes: u64,
}

/// A run of a file's bytes, and how to get at them.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Chunk {
    /// Length in the file.
    pub bytes: u64,
    /// Length in the archive; 0 for [`Content::Base`] and [`Content::Earlier`].
    pub packed: u64,
    /// CRC-32 of the file's bytes.
    pub crc32: u32,
    pub content: Content,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Content {
    /// Planes of the bytes themselves.
    Stored { width: usize },
    /// Planes of the difference from a run of the base.
    Delta { transform: Transform, run: BaseRun },
    /// A run of the base as it is.
    Base { run: BaseRun },
    /// What an earlier chunk holds: its number, counted through the archive. That chunk is no [`Content::Earlier`].
    Earlier { chunk: usize },
}

/// A run of one of the base's tensors, cast to `dtype` where that is another than the tensor's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct BaseRun {
    /// Index into [`Index::base_tensors`].
    pub tensor: usize,
    /// First byte, counted in the child's tensor.
    pub offset: u64,
    /// The child's type.
    pub dtype: Dtype,
    /// CRC-32 of the run: tells another base from a damaged archive.
    pub crc32: u32,
}

impl Index {
    pub fn chunks(&self) -> impl Iterator<Item = &Chunk> {
        let files = self.models.iter().flat_map(|model| &model.files);
        files.flat_map(|file| &file.chunks)
    }

    /// The index comes from outside: everything it says is checked before it is used. The chunks fill what lies before it.
    pub fn refuse_nonsense(&self, file: &WeightFile, index_start: u64) -> Result<(), ArchiveError> {
        let mut position = MAGIC.len() as u64;
        let chunks: Vec<&Chunk> = self.chunks().collect();
        for (number, chunk) in chunks.iter().enumerate() {
            position = position.saturating_add(chunk.packed);
            self.refuse_chunk(number, chunk, &chunks)
                .map_err(|reason| damaged(file, format!("chunk {number} {reason}")))?;
        }
        if position != index_start {
            return Err(damaged(file, "its chunks do not fill it"));
        }
        for row in self.models.iter().flat_map(|model| &model.files) {
            let bytes = row
                .chunks
                .iter()
                .fold(0u64, |sum, chunk| sum.saturating_add(chunk.bytes));
            if bytes != row.bytes {
                let reason = format!("the chunks of {:?} do not add up to it", row.path);
                return Err(damaged(file, reason));
            }
        }
        Ok(())
    }

    fn refuse_chunk(&self, number: usize, chunk: &Chunk, chunks: &[&Chunk]) -> Result<(), &'static str> {
        if chunk.bytes == 0 || chunk.bytes > CHUNK_BYTES || chunk.packed > 2 * CHUNK_BYTES {
            return Err("has an impossible size");
        }
        match chunk.content {
            Content::Stored { width } => refuse_width(width, chunk),
            Content::Delta { run, .. } => {
                refuse_width(run.width(), chunk)?;
                self.refuse_run(run, chunk)
            }
            Content::Base { .. } | Content::Earlier { .. } if chunk.packed > 0 => {
                Err("has bytes that it has no use for")
            }
            Content::Base { run } => self.refuse_run(run, chunk),
            Content::Earlier { chunk: earlier } => {
                let target = chunks[..number].get(earlier).ok_or("refers to a later one")?;
                let sound = target.bytes == chunk.bytes && !matches!(target.content, Content::Earlier { .. });
                sound.then_some(()).ok_or("refers to one unlike itself")
            }
        }
    }

    /// The run lies inside its tensor, in whole elements of both types.
    fn refuse_run(&self, run: BaseRun, chunk: &Chunk) -> Result<(), &'static str> {
        const OUTSIDE: &str = "refers to no part of the base";
        let tensor = self.base_tensors.get(run.tensor).ok_or(OUTSIDE)?;
        let end = run.offset.checked_add(chunk.bytes).ok_or(OUTSIDE)?;
        let inside = match run.dtype == tensor.dtype {
            true => Some(end),
            false if castable(tensor.dtype, run.dtype) => run
                .offset
                .is_multiple_of(run.dtype.block().1)
                .then(|| tensor.dtype.bytes_for(end / run.dtype.block().1))
                .flatten(),
            false => None,
        };
        inside
            .filter(|end| *end <= tensor.bytes)
            .map(|_| ())
            .ok_or(OUTSIDE)
    }
}

impl BaseRun {
    /// Bytes of an element: the number of planes.
    pub fn width(self) -> usize {
        self.dtype.block().1 as usize
    }
}

fn refuse_width(width: usize, chunk: &Chunk) -> Result<(), &'static str> {
    let whole = width > 0 && width <= 256 && chunk.bytes.is_multiple_of(width as u64);
    whole.then_some(()).ok_or("is not made of whole elements")
}

/// Types whose values are cast to one another: a child in half precision of a base in single.
pub(super) fn castable(from: Dtype, to: Dtype) -> bool {
    let float = |dtype| matches!(dtype, Dtype::F16 | Dtype::BF16 | Dtype::F32);
    float(from) && float(to)
}

pub(super) fn damaged(file: &WeightFile, reason: impl ToString) -> ArchiveError {
    ArchiveError::Damaged {
        file: file.name.clone(),
        reason: reason.to_string(),
    }
}
