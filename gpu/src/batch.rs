//! What goes over the bus at once: pairs of tensors cut into batches of a fixed size, whatever the device, so that sums are added up in
//! one order.

use heirloom_core::delta::{Pair, Work};
use heirloom_core::weights::Dtype;

/// Elements that one workgroup adds up. Few enough for `f32`: no sum is the result of more than 28 additions in a row.
pub(crate) const SEGMENT: u64 = 1 << 14;
/// Bytes of each side in a batch. Two batches of two sides are in flight for each device.
pub(crate) const BATCH_BYTES: u64 = 16 << 20;
/// Runs in a batch, each with a histogram.
pub(crate) const BATCH_RUNS: usize = 256;
/// The kernel's unit: runs start at multiples of it.
pub(crate) const UNIT: u64 = 16;
/// A run has one segment more than its bytes have room for, at most; the narrowest elements take two bytes.
pub(crate) const BATCH_SEGMENTS: u64 = BATCH_BYTES / (2 * SEGMENT) + BATCH_RUNS as u64;

/// Elements of one pair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Run {
    pub pair: usize,
    pub first: u64,
    pub count: u64,
    pub dtype: Dtype,
    /// Every difference goes into the histogram.
    pub all: bool,
    /// Where it starts in the batch, in bytes.
    pub at: u64,
}

impl Run {
    pub fn width(&self) -> u64 {
        width(self.dtype)
    }

    /// First element and length of each segment, within the tensor.
    pub fn segments(&self) -> impl Iterator<Item = (u64, u64)> {
        let end = self.first + self.count;
        (self.first..end)
            .step_by(SEGMENT as usize)
            .map(move |first| (first, SEGMENT.min(end - first)))
    }

    /// What the kernel is told of each segment; see `kernel.wgsl`.
    pub fn table(&self, histogram: u32) -> impl Iterator<Item = [u32; 4]> {
        let kind = match self.dtype {
            Dtype::F32 => 0,
            Dtype::F16 => 1,
            _ => 2,
        };
        let kind = kind | u32::from(self.all) << 2;
        self.segments().map(move |(first, count)| {
            let start = (self.at + (first - self.first) * self.width()) / UNIT;
            let units = (count * self.width()).div_ceil(UNIT);
            [start as u32, units as u32, kind, histogram]
        })
    }
}

/// Runs side by side.
#[derive(Debug, Clone, Default)]
pub(crate) struct Batch {
    pub runs: Vec<Run>,
    /// Of one side, up to a whole unit.
    pub bytes: u64,
}

/// The kernel takes pairs of the three types that weights are nearly always kept in.
pub(crate) fn is_taken(pair: &Pair<'_>) -> bool {
    pair.a.dtype == pair.b.dtype && matches!(pair.a.dtype, Dtype::F32 | Dtype::F16 | Dtype::BF16)
}

fn width(dtype: Dtype) -> u64 {
    match dtype {
        Dtype::F32 => 4,
        _ => 2,
    }
}

/// Cuts the pairs that the kernel takes.
pub(crate) fn batches(work: &Work<'_>) -> Vec<Batch> {
    let mut batches = vec![Batch::default()];
    for (place, pair) in work.pairs.iter().enumerate() {
        let (elements, width) = (pair.a.elements(), width(pair.a.dtype));
        let mut first = 0;
        while is_taken(pair) && first < elements {
            let last = batches.len() - 1;
            let batch = &mut batches[last];
            let room = (BATCH_BYTES - batch.bytes) / width;
            let count = match elements - first {
                left if left <= room => left,
                // A run ends where a segment does, unless its tensor does.
                _ => room / SEGMENT * SEGMENT,
            };
            if count == 0 || batch.runs.len() == BATCH_RUNS {
                batches.push(Batch::default());
                continue;
            }
            batch.runs.push(Run {
                pair: place,
                first,
                count,
                dtype: pair.a.dtype,
                all: pair.is_small(),
                at: batch.bytes,
            });
            batch.bytes += (count * width).next_multiple_of(UNIT);
            first += count;
        }
    }
    batches.retain(|batch| !batch.runs.is_empty());
    batches
}
