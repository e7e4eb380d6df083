//! The pass: every pair of tensors cut into chunks of a fixed size, chunks spread over the cores, results added up in order.

use super::device::{Cpu, Device, DiffError, Total, Work};
use super::kernel::{Stored, Sums, compare, compare_wide, histogram, looked_at, unchanged};
use super::pairing::{Pair, Pairing, pair_up};
use super::rank::{Rank, delta_rank};
use super::report::{DiffOptions, DiffReport, Histogram, TensorDiff, ratio};
use super::rollup::roll_up;
use crate::weights::{Checkpoint, WINDOW_ELEMENTS, WeightsError, WindowReader};
use rayon::prelude::*;

/// Elements one core takes at a time. Fixed, so that the order of additions does not depend on the machine.
const CHUNK_ELEMENTS: u64 = 16 * WINDOW_ELEMENTS;

/// Compares `a` (before) with `b` (after) on the CPU. `progress` is told the bytes read since its last call.
pub fn diff(
    a: &Checkpoint,
    b: &Checkpoint,
    options: DiffOptions,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<DiffReport, DiffError> {
    diff_on(&Cpu, a, b, options, progress)
}

/// As [`diff`], the pairs added up by `device`. Ranks are looked for on the CPU.
pub fn diff_on(
    device: &dyn Device,
    a: &Checkpoint,
    b: &Checkpoint,
    options: DiffOptions,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<DiffReport, DiffError> {
    let pairing = pair_up(a, b);
    let pairs = pairing.pairs.clone();
    let totals = device.sum(&Work {
        a,
        b,
        pairs,
        progress,
    })?;
    let sums: Vec<Sums> = totals.iter().map(|total| total.sums).collect();
    let tensors = pairing
        .pairs
        .par_iter()
        .zip(&totals)
        .map(
            |(
                pair,
                Total {
                    sums,
                    exponents,
                    seen,
                },
            )| {
                let mut tensor = TensorDiff::new(pair, sums);
                tensor.histogram = exponents
                    .as_ref()
                    .map(|exponents| Histogram::new(exponents, *seen));
                if let Some(max_rank) = options.max_rank {
                    let (rank, singular_values) = delta_rank(a, b, pair, sums, max_rank)?;
                    tensor.singular_values = singular_values;
                    match rank {
                        Rank::Unknown => {}
                        Rank::Exactly(rank) => tensor.rank = Some(rank),
                        Rank::Above(bound) => tensor.rank_above = Some(bound),
                    }
                }
                Ok(tensor)
            },
        )
        .collect::<Result<Vec<_>, WeightsError>>()?;
    Ok(report(tensors, &sums, pairing))
}

fn report(tensors: Vec<TensorDiff>, sums: &[Sums], pairing: Pairing<'_>) -> DiffReport {
    let mut total = Sums::default();
    for sums in sums {
        total.add(sums);
    }
    let changed_tensors = tensors.iter().filter(|tensor| tensor.changed > 0).count() as u64;
    let (layers, blocks) = roll_up(&tensors, sums);
    DiffReport {
        layers,
        blocks,
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
    run: (u64, u64),
}

pub(super) fn sum_pairs(work: &Work<'_>) -> Result<Vec<Total>, WeightsError> {
    let chunks = chunks_of(&work.pairs);
    let partial: Vec<Total> = chunks
        .par_iter()
        .map_init(Readers::default, |readers, chunk| {
            readers.sum_run(work, &work.pairs[chunk.pair], chunk.run, work.progress)
        })
        .collect::<Result<_, _>>()?;
    let mut totals = vec![Total::default(); work.pairs.len()];
    for (chunk, partial) in chunks.iter().zip(&partial) {
        totals[chunk.pair].add(partial);
    }
    Ok(totals)
}

/// First element and count of a run; one thread.
pub(super) fn sum_run(
    work: &Work<'_>,
    pair: &Pair<'_>,
    run: (u64, u64),
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Total, WeightsError> {
    Readers::default().sum_run(work, pair, run, progress)
}

fn chunks_of(pairs: &[Pair<'_>]) -> Vec<Chunk> {
    let mut chunks = Vec::new();
    for (pair, tensors) in pairs.iter().enumerate() {
        let elements = tensors.a.elements();
        let mut first = 0;
        while first < elements {
            let count = CHUNK_ELEMENTS.min(elements - first);
            chunks.push(Chunk {
                pair,
                run: (first, count),
            });
            first += count;
        }
    }
    chunks
}

impl Total {
    /// Takes in a run of equal bytes.
    fn equal(&mut self, a: Stored<'_>, seen: u64) {
        self.sums.add(&unchanged(a));
        self.seen += seen;
    }

    /// Takes in a run that both sides have as numbers of one type.
    fn take(&mut self, a: Stored<'_>, b: Stored<'_>, all: bool) {
        self.sums.add(&compare(a, b));
        self.seen += histogram(a, b, all, self.exponents.get_or_insert_default());
    }
}

/// One core's buffers for both sides.
#[derive(Default)]
struct Readers {
    a: WindowReader,
    b: WindowReader,
}

impl Readers {
    fn sum_run(
        &mut self,
        work: &Work<'_>,
        pair: &Pair<'_>,
        (mut first, count): (u64, u64),
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<Total, WeightsError> {
        let mut total = Total::default();
        let end = first + count;
        while first < end {
            let count = WINDOW_ELEMENTS.min(end - first);
            progress(self.sum_window(work, pair, (first, count), &mut total)?);
            first += count;
        }
        Ok(total)
    }

    /// Adds up one window; returns the bytes it took.
    fn sum_window(
        &mut self,
        work: &Work<'_>,
        pair: &Pair<'_>,
        (first, count): (u64, u64),
        total: &mut Total,
    ) -> Result<u64, WeightsError> {
        let (a, b, all) = (work.a, work.b, pair.is_small());
        if !(pair.a.dtype.fits_f32() && pair.b.dtype.fits_f32()) {
            return self.sum_wide_window(work, pair, (first, count), total);
        }
        if pair.a.dtype != pair.b.dtype {
            let before = self.a.read(a, pair.a, first, count)?;
            let after = self.b.read(b, pair.b, first, count)?;
            total.take(Stored::Decoded(before.values), Stored::Decoded(after.values), all);
            return Ok((before.bytes.len() + after.bytes.len()) as u64);
        }
        let before = self.a.read_stored(a, pair.a, first, count)?;
        let after = self.b.read_stored(b, pair.b, first, count)?;
        let bytes = (before.len() + after.len()) as u64;
        let same = before == after;
        let as_stored = Stored::new(pair.a.dtype, before).zip(Stored::new(pair.b.dtype, after));
        let (before, after) = match as_stored {
            Some(both) => both,
            None => (
                Stored::Decoded(self.a.decode(pair.a.dtype, count)),
                Stored::Decoded(self.b.decode(pair.b.dtype, count)),
            ),
        };
        match same {
            true => total.equal(before, looked_at(count, all)),
            false => total.take(before, after, all),
        }
        Ok(bytes)
    }

    fn sum_wide_window(
        &mut self,
        work: &Work<'_>,
        pair: &Pair<'_>,
        (first, count): (u64, u64),
        total: &mut Total,
    ) -> Result<u64, WeightsError> {
        let (before, before_values) = self.a.read_wide(work.a, pair.a, first, count)?;
        let (after, after_values) = self.b.read_wide(work.b, pair.b, first, count)?;
        let mut sums = compare_wide(before_values, after_values);
        if pair.a.dtype == pair.b.dtype && pair.a.dtype.is_integer() {
            // Beyond 2^53 unequal integers are equal as f64.
            let (_, size) = pair.a.dtype.block();
            let before = before.chunks(size as usize);
            let unequal = before.zip(after.chunks(size as usize)).filter(|(x, y)| x != y);
            sums.changed = unequal.count() as u64;
        }
        total.sums.add(&sums);
        Ok((before.len() + after.len()) as u64)
    }
}
