//! How fast a card is beside what it could be: for `cargo bench --bench diff`.
//!
//! Enters: an opened [`Gpu`]. Leaves: bytes a second of the kernel on resident weights, of a copy within the card, and of the bus.

use crate::batch::{BATCH_BYTES, Run};
use crate::card::{Card, CardInfo, Operands};
use crate::device::Gpu;
use crate::tally::{HISTOGRAM_WORDS, RESULT_WORDS};
use heirloom_core::delta::DiffError;
use heirloom_core::weights::Dtype;
use std::time::Instant;
use wgpu::BufferUsages as Usage;

/// Bytes of each side: more than any cache has.
const BYTES: u64 = 256 << 20;
const SOFTWARE_BYTES: u64 = 32 << 20;
const ROUNDS: usize = 5;
/// Of the same work at once: what it costs to hand it in does not count.
const REPEATS: u64 = 8;

/// Bytes a second of one card.
#[derive(Debug, Clone)]
pub struct Rates {
    pub card: CardInfo,
    /// Both sides read by the kernel.
    pub kernel: Vec<(Dtype, f64)>,
    /// Read and written by a copy from one buffer of the card to another.
    pub copy: f64,
    /// From this machine's memory to the card's.
    pub bus: f64,
}

/// Measures every card of `gpu`, one after the other.
pub fn rates(gpu: &Gpu) -> Result<Vec<Rates>, DiffError> {
    gpu.cards().iter().map(of_card).collect()
}

fn of_card(card: &Card) -> Result<Rates, DiffError> {
    let binding = card.device.limits().max_storage_buffer_binding_size;
    let bytes = if card.info.is_software {
        SOFTWARE_BYTES
    } else {
        BYTES
    };
    let bytes = bytes.min(binding / BATCH_BYTES * BATCH_BYTES);
    let usage = Usage::STORAGE | Usage::COPY_DST | Usage::COPY_SRC;
    let sides = [0, 1].map(|seed| {
        let side = card.buffer(bytes, usage, false);
        let part = pattern(seed);
        (0..bytes / BATCH_BYTES).for_each(|place| card.queue.write_buffer(&side, place * BATCH_BYTES, &part));
        side
    });
    let kernel = [Dtype::BF16, Dtype::F16, Dtype::F32]
        .into_iter()
        .map(|dtype| Ok((dtype, kernel(card, &sides, dtype)?)))
        .collect::<Result<_, DiffError>>()?;
    let copy = best(card, 2 * bytes, |encoder| {
        encoder.copy_buffer_to_buffer(&sides[0], 0, &sides[1], 0, bytes);
    })?;
    let staging = card.buffer(BATCH_BYTES, Usage::MAP_WRITE | Usage::COPY_SRC, true);
    staging.unmap();
    let bus = best(card, BATCH_BYTES, |encoder| {
        encoder.copy_buffer_to_buffer(&staging, 0, &sides[0], 0, BATCH_BYTES);
    })?;
    Ok(Rates {
        card: card.info.clone(),
        kernel,
        copy,
        bus,
    })
}

fn kernel(card: &Card, sides: &[wgpu::Buffer; 2], dtype: Dtype) -> Result<f64, DiffError> {
    let bytes = sides[0].size();
    let mut run = Run {
        pair: 0,
        first: 0,
        count: 0,
        dtype,
        all: false,
        at: 0,
    };
    run.count = bytes / run.width();
    let table: Vec<u8> = run.table(0).flatten().flat_map(u32::to_le_bytes).collect();
    let segments = table.len() as u64 / 16;
    let rows = card.buffer(table.len() as u64, Usage::STORAGE | Usage::COPY_DST, false);
    card.queue.write_buffer(&rows, 0, &table);
    let operands = card.bind(&Operands {
        sides: [&sides[0], &sides[1]],
        segments: &rows,
        results: &card.buffer(segments * 4 * RESULT_WORDS as u64, Usage::STORAGE, false),
        histograms: &card.buffer(4 * HISTOGRAM_WORDS as u64, Usage::STORAGE, false),
    });
    best(card, 2 * bytes, |encoder| {
        card.dispatch(encoder, &operands, segments as u32);
    })
}

/// Bytes a second of the fastest round of `work`, which moves `bytes`.
fn best(card: &Card, bytes: u64, work: impl Fn(&mut wgpu::CommandEncoder)) -> Result<f64, DiffError> {
    let mut seconds = f64::INFINITY;
    for _ in 0..ROUNDS {
        let mut encoder = card.device.create_command_encoder(&Default::default());
        (0..REPEATS).for_each(|_| work(&mut encoder));
        let commands = encoder.finish();
        let started = Instant::now();
        card.wait(card.queue.submit([commands]))?;
        seconds = seconds.min(started.elapsed().as_secs_f64());
    }
    Ok((bytes * REPEATS) as f64 / seconds)
}

/// Weights of ordinary size in any of the types, one side a little off the other.
fn pattern(seed: u32) -> Vec<u8> {
    let mut state = 1u32;
    let mut bytes = Vec::with_capacity(BATCH_BYTES as usize);
    for _ in 0..BATCH_BYTES / 4 {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        let word = (state & 0x83ff_83ff | 0x3800_3800) ^ (seed & state.count_ones());
        bytes.extend(word.to_le_bytes());
    }
    bytes
}
