//! What the kernel leaves behind, as the core counts it.

use crate::batch::{Batch, Run};
use heirloom_core::delta::{DiffError, Exponents, Sums, Total, Work, looked_at};

/// Words that the kernel leaves of a segment, and of a histogram.
pub(crate) const RESULT_WORDS: usize = 12;
pub(crate) const HISTOGRAM_WORDS: usize = 256;

/// The total of each run of `batch`. Segments that the kernel gave up are added up by the CPU.
pub(crate) fn totals(
    work: &Work<'_>,
    batch: &Batch,
    results: &[u8],
    histograms: &[u8],
) -> Result<Vec<Total>, DiffError> {
    let mut results = results.as_chunks::<{ 4 * RESULT_WORDS }>().0.iter();
    let histograms = histograms.as_chunks::<{ 4 * HISTOGRAM_WORDS }>().0.iter();
    batch
        .runs
        .iter()
        .zip(histograms)
        .map(|(run, histogram)| total(work, run, &mut results, histogram))
        .collect()
}

fn total<'a>(
    work: &Work<'_>,
    run: &Run,
    results: &mut impl Iterator<Item = &'a [u8; 4 * RESULT_WORDS]>,
    histogram: &[u8; 4 * HISTOGRAM_WORDS],
) -> Result<Total, DiffError> {
    let mut total = Total::default();
    for ((first, count), result) in run.segments().zip(results) {
        let result = Segment::read(result);
        if !result.is_ordinary {
            total.add(&work.sum_run(run.pair, first, count)?);
            continue;
        }
        total.sums.add(&result.sums(count));
        total.seen += looked_at(count, run.all);
        if result.differs {
            total.exponents.get_or_insert_default();
        }
    }
    if let Some(exponents) = &mut total.exponents {
        add_histogram(exponents, histogram);
    }
    Ok(total)
}

fn add_histogram(exponents: &mut Exponents, words: &[u8; 4 * HISTOGRAM_WORDS]) {
    for (count, word) in exponents.0.iter_mut().zip(words.as_chunks().0) {
        *count += u64::from(u32::from_le_bytes(*word));
    }
}

/// What the kernel found in one segment.
struct Segment {
    /// No value is NaN, infinite, huge or tiny.
    is_ordinary: bool,
    /// The bytes of both sides do.
    differs: bool,
    words: [u32; RESULT_WORDS],
}

impl Segment {
    fn read(bytes: &[u8; 4 * RESULT_WORDS]) -> Self {
        let mut words = [0; RESULT_WORDS];
        for (word, bytes) in words.iter_mut().zip(bytes.as_chunks().0) {
            *word = u32::from_le_bytes(*bytes);
        }
        Self {
            is_ordinary: words[3] & 2 != 0,
            differs: words[3] & 1 != 0,
            words,
        }
    }

    fn sums(&self, elements: u64) -> Sums {
        let real = |place: usize| f64::from(f32::from_bits(self.words[place]));
        Sums {
            elements,
            changed: u64::from(self.words[1]),
            non_finite: 0,
            differing_bits: u64::from(self.words[2]),
            max_abs: real(0),
            delta: real(4),
            abs: real(5),
            delta_squared: real(6),
            a_squared: real(7),
            b_squared: real(8),
            dot: real(9),
        }
    }
}
