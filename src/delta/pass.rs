//! The pass: every pair of tensors cut into chunks of a fixed size, chunks spread over the cores, results added up in order.

use super::kernel::{Sums, compare, compare_wide, unchanged};
use super::pairing::{Pair, Pairing, pair_up};
use super::rank::{Rank, delta_rank};
use super::report::{DiffOptions, DiffReport, TensorDiff, ratio};
use crate::weights::{Checkpoint, WINDOW_ELEMENTS, WeightsError, WindowReader};
use rayon::prelude::*;

/// Elements one core takes at a time. Fixed, so that the order of additions does not depend on the machine.
const CHUNK_ELEMENTS: u64 = 16 * WINDOW_ELEMENTS;

/// Compares `a` (before) with `b` (after). `progress` is told the bytes read since its last call.
pub fn diff(
    a: &Checkpoint,
    b: &Checkpoint,
    options: DiffOptions,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<DiffReport, WeightsError> {
    let pairing = pair_up(a, b);
    let sums = sum_pairs(a, b, &pairing.pairs, progress)?;
    let tensors = pairing
        .pairs
        .par_iter()
        .zip(&sums)
        .map(|(pair, sums)| {
            let mut tensor = TensorDiff::new(pair, sums);
            if let Some(max_rank) = options.max_rank {
                match delta_rank(a, b, pair, sums, max_rank)? {
                    Rank::Unknown => {}
                    Rank::Exactly(rank) => tensor.rank = Some(rank),
                    Rank::Above(bound) => tensor.rank_above = Some(bound),
                }
            }
            Ok(tensor)
        })
        .collect::<Result<Vec<_>, WeightsError>>()?;
    Ok(report(tensors, &sums, pairing))
}

fn report(tensors: Vec<TensorDiff>, sums: &[Sums], pairing: Pairing<'_>) -> DiffReport {
    let mut total = Sums::default();
    for sums in sums {
        total.add(sums);
    }
    let changed_tensors = tensors.iter().filter(|tensor| tensor.changed > 0).count() as u64;
    DiffReport {
        identical_tensors: tensors.len() as u64 - changed_tensors,
        changed_tensors,
        tensors,
        removed: pairing.removed,
        added: pairing.added,
        reshaped: pairing.reshaped,
        elements: total.elements,
        changed_elements: total.changed,
        non_finite: total.non_finite,
        l2: total.delta_squared.sqrt(),
        relative_l2: ratio(total.delta_squared.sqrt(), total.a_squared.sqrt()),
    }
}

/// A run of one pair's elements.
struct Chunk {
    pair: usize,
    first: u64,
    count: u64,
}

fn sum_pairs(
    a: &Checkpoint,
    b: &Checkpoint,
    pairs: &[Pair<'_>],
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Vec<Sums>, WeightsError> {
    let chunks = chunks_of(pairs);
    let partial: Vec<Sums> = chunks
        .par_iter()
        .map_init(Readers::default, |readers, chunk| {
            readers.sum_chunk(a, b, &pairs[chunk.pair], chunk, progress)
        })
        .collect::<Result<_, _>>()?;
    let mut sums = vec![Sums::default(); pairs.len()];
    for (chunk, partial) in chunks.iter().zip(&partial) {
        sums[chunk.pair].add(partial);
    }
    Ok(sums)
}

fn chunks_of(pairs: &[Pair<'_>]) -> Vec<Chunk> {
    let mut chunks = Vec::new();
    for (pair, tensors) in pairs.iter().enumerate() {
        let elements = tensors.a.elements();
        let mut first = 0;
        while first < elements {
            let count = CHUNK_ELEMENTS.min(elements - first);
            chunks.push(Chunk { pair, first, count });
            first += count;
        }
    }
    chunks
}

/// One core's buffers for both sides.
#[derive(Default)]
struct Readers {
    a: WindowReader,
    b: WindowReader,
}

impl Readers {
    fn sum_chunk(
        &mut self,
        a: &Checkpoint,
        b: &Checkpoint,
        pair: &Pair<'_>,
        chunk: &Chunk,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<Sums, WeightsError> {
        let mut sums = Sums::default();
        let end = chunk.first + chunk.count;
        let mut first = chunk.first;
        while first < end {
            let count = WINDOW_ELEMENTS.min(end - first);
            let (window, bytes) = self.sum_window(a, b, pair, first, count)?;
            sums.add(&window);
            progress(bytes);
            first += count;
        }
        Ok(sums)
    }

    /// The sums of one window, and the bytes it took.
    fn sum_window(
        &mut self,
        a: &Checkpoint,
        b: &Checkpoint,
        pair: &Pair<'_>,
        first: u64,
        count: u64,
    ) -> Result<(Sums, u64), WeightsError> {
        if !(pair.a.dtype.fits_f32() && pair.b.dtype.fits_f32()) {
            return self.sum_wide_window(a, b, pair, first, count);
        }
        let before = self.a.read(a, pair.a, first, count)?;
        let after = self.b.read(b, pair.b, first, count)?;
        let bytes = (before.bytes.len() + after.bytes.len()) as u64;
        if pair.a.dtype == pair.b.dtype && before.bytes == after.bytes {
            return Ok((unchanged(before.values), bytes));
        }
        Ok((compare(before.values, after.values), bytes))
    }

    fn sum_wide_window(
        &mut self,
        a: &Checkpoint,
        b: &Checkpoint,
        pair: &Pair<'_>,
        first: u64,
        count: u64,
    ) -> Result<(Sums, u64), WeightsError> {
        let (before, before_values) = self.a.read_wide(a, pair.a, first, count)?;
        let (after, after_values) = self.b.read_wide(b, pair.b, first, count)?;
        let mut sums = compare_wide(before_values, after_values);
        if pair.a.dtype == pair.b.dtype && pair.a.dtype.is_integer() {
            // Beyond 2^53 unequal integers are equal as f64.
            let (_, size) = pair.a.dtype.block();
            let before = before.chunks(size as usize);
            let unequal = before.zip(after.chunks(size as usize)).filter(|(x, y)| x != y);
            sums.changed = unequal.count() as u64;
        }
        Ok((sums, (before.len() + after.len()) as u64))
    }
}
