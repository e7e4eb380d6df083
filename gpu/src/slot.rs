//! A slot: the buffers of one batch in flight. While one is on the bus or in the kernel, another is filled.

use crate::batch::{BATCH_BYTES, BATCH_SEGMENTS, Batch, Run, UNIT};
use crate::card::{Card, HISTOGRAM_BYTES, Operands, RESULT_BYTES, TABLE_BYTES};
use crate::tally::{HISTOGRAM_WORDS, RESULT_WORDS, totals};
use heirloom_core::delta::{DiffError, Total, Work};
use heirloom_core::weights::{Checkpoint, TensorInfo, WINDOW_ELEMENTS, WindowReader};
use rayon::prelude::*;
use wgpu::BufferUsages as Usage;

pub(crate) struct Slot<'a> {
    card: &'a Card,
    /// In memory that the bus reads from, and in the card's.
    staging: [wgpu::Buffer; 2],
    sides: [wgpu::Buffer; 2],
    table: wgpu::Buffer,
    results: wgpu::Buffer,
    histograms: wgpu::Buffer,
    /// Results, then histograms, in memory that this side can read.
    answer: wgpu::Buffer,
    operands: wgpu::BindGroup,
    in_flight: Option<(wgpu::SubmissionIndex, u64)>,
}

impl<'a> Slot<'a> {
    pub fn new(card: &'a Card) -> Self {
        let both = |usage, is_mapped| [(); 2].map(|()| card.buffer(BATCH_BYTES, usage, is_mapped));
        let staging = both(Usage::MAP_WRITE | Usage::COPY_SRC, true);
        let sides = both(Usage::STORAGE | Usage::COPY_DST, false);
        let table = card.buffer(TABLE_BYTES, Usage::STORAGE | Usage::COPY_DST, false);
        let output = Usage::STORAGE | Usage::COPY_SRC | Usage::COPY_DST;
        let results = card.buffer(RESULT_BYTES, output, false);
        let histograms = card.buffer(HISTOGRAM_BYTES, output, false);
        let answer = card.buffer(
            RESULT_BYTES + HISTOGRAM_BYTES,
            Usage::MAP_READ | Usage::COPY_DST,
            false,
        );
        let operands = card.bind(&Operands {
            sides: [&sides[0], &sides[1]],
            segments: &table,
            results: &results,
            histograms: &histograms,
        });
        Self {
            card,
            staging,
            sides,
            table,
            results,
            histograms,
            answer,
            operands,
            in_flight: None,
        }
    }

    /// Reads `batch` into the slot and sends it off.
    pub fn send(&mut self, work: &Work<'_>, batch: &Batch) -> Result<(), DiffError> {
        self.fill(work, batch)?;
        self.staging.iter().for_each(wgpu::Buffer::unmap);
        let rows: Vec<u8> = (0..)
            .zip(&batch.runs)
            .flat_map(|(place, run)| run.table(place))
            .flatten()
            .flat_map(u32::to_le_bytes)
            .collect();
        let segments = rows.len() as u64 / 16;
        debug_assert!(segments <= BATCH_SEGMENTS);
        self.card.queue.write_buffer(&self.table, 0, &rows);
        let result_bytes = segments * 4 * RESULT_WORDS as u64;
        let histogram_bytes = (batch.runs.len() * 4 * HISTOGRAM_WORDS) as u64;
        let mut encoder = self.card.device.create_command_encoder(&Default::default());
        for (staging, side) in self.staging.iter().zip(&self.sides) {
            encoder.copy_buffer_to_buffer(staging, 0, side, 0, batch.bytes);
        }
        encoder.clear_buffer(&self.histograms, 0, Some(histogram_bytes));
        self.card.dispatch(&mut encoder, &self.operands, segments as u32);
        encoder.copy_buffer_to_buffer(&self.results, 0, &self.answer, 0, result_bytes);
        encoder.copy_buffer_to_buffer(&self.histograms, 0, &self.answer, result_bytes, histogram_bytes);
        let submission = self.card.queue.submit([encoder.finish()]);
        // Whether a buffer could be mapped shows when it is read.
        self.answer.map_async(wgpu::MapMode::Read, .., |_| {});
        for staging in &self.staging {
            staging.map_async(wgpu::MapMode::Write, .., |_| {});
        }
        self.in_flight = Some((submission, result_bytes));
        Ok(())
    }

    /// The totals of the runs of `batch`, which was sent last.
    pub fn receive(&mut self, work: &Work<'_>, batch: &Batch) -> Result<Vec<Total>, DiffError> {
        let Some((submission, result_bytes)) = self.in_flight.take() else {
            return Err(self.card.failure("nothing was sent to it".to_owned()));
        };
        self.card.wait(submission)?;
        let totals = {
            let answer = self
                .answer
                .get_mapped_range(..)
                .map_err(|error| self.card.failure(error.to_string()))?;
            let (results, histograms) = answer.split_at(result_bytes as usize);
            totals(work, batch, results, histograms)
        };
        self.answer.unmap();
        totals
    }

    /// On all cores, a window at a time: each is read into a core's cache and written from there.
    fn fill(&self, work: &Work<'_>, batch: &Batch) -> Result<(), DiffError> {
        let windows: Vec<(&Run, u64, u64)> = batch.runs.iter().flat_map(windows).collect();
        windows
            .par_iter()
            .try_for_each_init(WindowReader::default, |reader, (run, first, count)| {
                let pair = &work.pairs[run.pair];
                for (side, checkpoint, tensor) in [(0, work.a, pair.a), (1, work.b, pair.b)] {
                    self.fill_window(side, reader, (checkpoint, tensor), (run, *first, *count))?;
                }
                (work.progress)(2 * count * run.width());
                Ok(())
            })
    }

    fn fill_window(
        &self,
        side: usize,
        reader: &mut WindowReader,
        (checkpoint, tensor): (&Checkpoint, &TensorInfo),
        (run, first, count): (&Run, u64, u64),
    ) -> Result<(), DiffError> {
        let bytes = reader.read_stored(checkpoint, tensor, first, count)?;
        let start = run.at + (first - run.first) * run.width();
        let end = start + (bytes.len() as u64).next_multiple_of(UNIT);
        let mut target = self.staging[side]
            .get_mapped_range_mut(start..end)
            .map_err(|error| self.card.failure(error.to_string()))?;
        target.slice(..bytes.len()).copy_from_slice(bytes);
        // Zeros on both sides add nothing to any sum.
        target.slice(bytes.len()..).fill(0);
        Ok(())
    }
}

fn windows(run: &Run) -> impl Iterator<Item = (&Run, u64, u64)> {
    let end = run.first + run.count;
    (run.first..end)
        .step_by(WINDOW_ELEMENTS as usize)
        .map(move |first| (run, first, WINDOW_ELEMENTS.min(end - first)))
}
