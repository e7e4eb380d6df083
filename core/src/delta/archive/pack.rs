//! Writing an archive: the children's files cut into chunks, chunks packed on all cores, written in order.

use super::entropy::{estimate, pack_planes};
use super::index::{BaseRun, Chunk, Content, FileRow, Index, ModelRow, castable};
use super::planes::{Transform, split, split_difference};
use super::reference::{References, read};
use super::{ArchiveError, BATCH, CHUNK_BYTES, MAGIC};
use crate::delta::pairing::pair_up;
use crate::weights::{Checkpoint, Dtype, TensorInfo, WeightFile};
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::io::Write;

const INDEX_LEVEL: i32 = 3;
/// Of a chunk, looked at to choose its transform.
const SAMPLE_RUNS: usize = 8;
const SAMPLE_RUN_BYTES: usize = 8 << 10;

/// A model and what an archive calls it: a child's name is that of the folder it is unpacked to.
pub struct NamedCheckpoint<'a> {
    pub name: String,
    pub checkpoint: &'a Checkpoint,
}

/// What packing achieved. The bytes of the children's files are the sum of the four kinds.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct PackReport {
    pub models: usize,
    pub files: usize,
    pub bytes: u64,
    pub archive_bytes: u64,
    /// Equal to a tensor of the base.
    pub same_as_base: u64,
    /// Equal to what was packed before.
    pub same_as_earlier: u64,
    /// Kept as a difference from the base.
    pub differing: u64,
    /// Without a partner in the base.
    pub stored: u64,
}

/// Writes the files of `children` to `out`, as far as possible as differences from `base`. `progress` is told the bytes of the
/// children done since its last call.
pub fn pack<'a>(
    children: &'a [NamedCheckpoint<'a>],
    base: &'a NamedCheckpoint<'a>,
    out: &'a mut impl Write,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<PackReport, ArchiveError> {
    refuse_twins(children)?;
    let mut packer = Packer {
        references: References::new(base.checkpoint),
        out,
        written: 0,
        index: Index {
            base: base.name.clone(),
            ..Index::default()
        },
        packed: Packed::default(),
        report: PackReport::default(),
    };
    packer.write(MAGIC)?;
    for child in children {
        packer.model(child, progress)?;
    }
    packer.finish()
}

fn refuse_twins(children: &[NamedCheckpoint<'_>]) -> Result<(), ArchiveError> {
    for (index, child) in children.iter().enumerate() {
        if children[..index].iter().any(|earlier| earlier.name == child.name) {
            return Err(ArchiveError::SameName {
                name: child.name.clone(),
            });
        }
    }
    Ok(())
}

/// A range of a child's file that becomes one chunk.
struct Run {
    start: u64,
    bytes: u64,
    width: usize,
    base: Option<BaseRun>,
}

/// Where the bytes of the chunks written so far can be read again.
#[derive(Default)]
struct Packed {
    places: Vec<Place>,
    /// Chunks by length and checksum.
    by_checksum: HashMap<(u64, u32), Vec<usize>>,
}

struct Place {
    file: WeightFile,
    start: u64,
}

struct Packer<'a, W> {
    references: References<'a>,
    out: &'a mut W,
    written: u64,
    index: Index,
    packed: Packed,
    report: PackReport,
}

impl<'a, W: Write> Packer<'a, W> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), ArchiveError> {
        self.out.write_all(bytes).map_err(ArchiveError::Write)?;
        self.written += bytes.len() as u64;
        Ok(())
    }

    fn model(
        &mut self,
        child: &'a NamedCheckpoint<'a>,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<(), ArchiveError> {
        let pairing = pair_up(self.references.base, child.checkpoint);
        let partners: HashMap<&str, &'a TensorInfo> = pairing
            .pairs
            .iter()
            .filter(|pair| pair.a.dtype == pair.b.dtype || castable(pair.a.dtype, pair.b.dtype))
            .map(|pair| (pair.b.name.as_str(), pair.a))
            .collect();
        if partners.is_empty() {
            return Err(ArchiveError::NothingShared {
                child: child.name.clone(),
            });
        }
        let mut files = Vec::new();
        for (index, file) in child.checkpoint.opened_files().iter().enumerate() {
            let runs = self.runs_of(child.checkpoint, index, &partners);
            files.push(self.file(file, &runs, progress)?);
        }
        self.report.models += 1;
        self.report.files += files.len();
        self.index.models.push(ModelRow {
            name: child.name.clone(),
            files,
        });
        Ok(())
    }

    /// The whole of file `index`, cut where tensors begin and end, and into chunks.
    fn runs_of(
        &mut self,
        child: &Checkpoint,
        index: usize,
        partners: &HashMap<&str, &'a TensorInfo>,
    ) -> Vec<Run> {
        let mut tensors: Vec<&TensorInfo> = child
            .tensors
            .iter()
            .filter(|tensor| tensor.file == index)
            .collect();
        tensors.sort_by_key(|tensor| tensor.offset);
        let mut runs = Vec::new();
        let mut position = 0;
        for tensor in tensors {
            // Tied tensors share their bytes: the first one has them.
            if tensor.offset < position {
                continue;
            }
            cut(&mut runs, position..tensor.offset, 1, None);
            position = tensor.offset + tensor.bytes;
            let base = partners.get(tensor.name.as_str()).map(|partner| BaseRun {
                tensor: self.references.number_of(partner),
                offset: 0,
                dtype: tensor.dtype,
                crc32: 0,
            });
            cut(&mut runs, tensor.offset..position, width(tensor.dtype), base);
        }
        cut(&mut runs, position..child.files[index].bytes.len(), 1, None);
        runs
    }

    fn file(
        &mut self,
        file: &WeightFile,
        runs: &[Run],
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<FileRow, ArchiveError> {
        let mut digest = Sha256::new();
        let mut chunks = Vec::with_capacity(runs.len());

        for batch in runs.chunks(BATCH) {
            let originals = batch
                .par_iter()
                .map(|run| read(file, run.start, run.bytes))
                .collect::<Result<Vec<_>, _>>()?;
            let references = &self.references;
            let (packed, ()) = rayon::join(
                || {
                    let runs = batch.par_iter().zip(&originals);
                    runs.map(|(run, original)| pack_run(references, run, original))
                        .collect::<Result<Vec<_>, ArchiveError>>()
                },
                || originals.iter().for_each(|original| digest.update(original)),
            );
            for ((run, original), (chunk, bytes)) in batch.iter().zip(&originals).zip(packed?) {
                chunks.push(self.keep(file, run, original, chunk, &bytes)?);
                progress(run.bytes);
            }
        }
        Ok(FileRow {
            path: file.name.clone(),
            bytes: file.bytes.len(),
            sha256: hex::encode(digest.finalize()),
            chunks,
        })
    }

    /// Writes a chunk, or refers to an earlier one of the same bytes.
    fn keep(
        &mut self,
        file: &WeightFile,
        run: &Run,
        original: &[u8],
        mut chunk: Chunk,
        packed: &[u8],
    ) -> Result<Chunk, ArchiveError> {
        let number = self.packed.places.len();
        self.packed.places.push(Place {
            file: file.clone(),
            start: run.start,
        });
        match chunk.content {
            Content::Base { .. } => self.report.same_as_base += run.bytes,
            _ => {
                if let Some(earlier) = self.packed.find(original, chunk.crc32)? {
                    self.report.same_as_earlier += run.bytes;
                    chunk.content = Content::Earlier { chunk: earlier };
                    chunk.packed = 0;
                    return Ok(chunk);
                }
                let key = (run.bytes, chunk.crc32);
                self.packed.by_checksum.entry(key).or_default().push(number);
                self.write(packed)?;
                match chunk.content {
                    Content::Delta { .. } => self.report.differing += run.bytes,
                    _ => self.report.stored += run.bytes,
                }
            }
        }
        Ok(chunk)
    }

    /// The index, its digest and its lengths end the archive.
    fn finish(mut self) -> Result<PackReport, ArchiveError> {
        self.index.base_tensors = self.references.rows();
        let json = serde_json::to_vec(&self.index).map_err(|error| ArchiveError::Compress(error.into()))?;
        let packed = zstd::bulk::compress(&json, INDEX_LEVEL).map_err(ArchiveError::Compress)?;
        self.write(&packed)?;
        self.write(&Sha256::digest(&packed))?;
        self.write(&(json.len() as u64).to_le_bytes())?;
        self.write(&(packed.len() as u64).to_le_bytes())?;
        self.write(MAGIC)?;
        let files = self.index.models.iter().flat_map(|model| &model.files);
        self.report.bytes = files.map(|file| file.bytes).sum();
        self.report.archive_bytes = self.written;
        Ok(self.report)
    }
}

impl Packed {
    /// The number of an earlier chunk that holds just these bytes: checksums find it, the bytes themselves decide.
    fn find(&self, bytes: &[u8], crc32: u32) -> Result<Option<usize>, ArchiveError> {
        let candidates = self.by_checksum.get(&(bytes.len() as u64, crc32));
        for &candidate in candidates.into_iter().flatten() {
            let place = &self.places[candidate];
            if read(&place.file, place.start, bytes.len() as u64)? == bytes {
                return Ok(Some(candidate));
            }
        }
        Ok(None)
    }
}

/// A run's chunk and packed bytes, before anybody looked whether they are there already.
fn pack_run(
    references: &References<'_>,
    run: &Run,
    original: &[u8],
) -> Result<(Chunk, Vec<u8>), ArchiveError> {
    let (content, packed) = match run.base {
        None => (
            Content::Stored { width: run.width },
            pack_planes(&split(original, run.width), run.width).map_err(ArchiveError::Compress)?,
        ),
        Some(base) => pack_against(references, base, run, original)?,
    };
    let chunk = Chunk {
        bytes: run.bytes,
        packed: packed.len() as u64,
        crc32: crc32fast::hash(original),
        content,
    };
    Ok((chunk, packed))
}

fn pack_against(
    references: &References<'_>,
    base: BaseRun,
    run: &Run,
    original: &[u8],
) -> Result<(Content, Vec<u8>), ArchiveError> {
    let reference = references.read(base, run.bytes)?;
    let base = BaseRun {
        crc32: crc32fast::hash(&reference),
        ..base
    };
    if original == reference {
        return Ok((Content::Base { run: base }, Vec::new()));
    }
    let (content, planes) = match choose(original, &reference, run.width) {
        None => (Content::Stored { width: run.width }, split(original, run.width)),
        Some(transform) => (
            Content::Delta { transform, run: base },
            split_difference(original, &reference, run.width, transform),
        ),
    };
    let packed = pack_planes(&planes, run.width).map_err(ArchiveError::Compress)?;
    Ok((content, packed))
}

/// The transform under which a sample of the difference has the least entropy; `None` where the bytes themselves have less.
fn choose(original: &[u8], reference: &[u8], width: usize) -> Option<Transform> {
    let (original, reference) = (sample(original, width), sample(reference, width));
    let mut best = (estimate(&split(&original, width), width), None);
    for transform in Transform::of_width(width) {
        let planes = split_difference(&original, &reference, width, *transform);
        let cost = estimate(&planes, width);
        if cost < best.0 {
            best = (cost, Some(*transform));
        }
    }
    best.1
}

/// Whole elements from all over a chunk.
fn sample(bytes: &[u8], width: usize) -> Vec<u8> {
    let whole = SAMPLE_RUN_BYTES / width * width;
    if bytes.len() <= SAMPLE_RUNS * whole {
        return bytes.to_vec();
    }
    let stride = bytes.len() / SAMPLE_RUNS / width * width;
    let runs = bytes.chunks(stride).take(SAMPLE_RUNS);
    runs.flat_map(|run| &run[..whole.min(run.len())])
        .copied()
        .collect()
}

fn width(dtype: Dtype) -> usize {
    dtype.block().1 as usize
}

/// Adds `range` to `runs`, in chunks of whole elements.
fn cut(runs: &mut Vec<Run>, range: std::ops::Range<u64>, width: usize, base: Option<BaseRun>) {
    let step = CHUNK_BYTES / width as u64 * width as u64;
    let mut position = range.start;
    while position < range.end {
        let bytes = step.min(range.end - position);
        runs.push(Run {
            start: position,
            bytes,
            width,
            base: base.map(|base| BaseRun {
                offset: position - range.start,
                ..base
            }),
        });
        position += bytes;
    }
}
