//! Delta archives against zstd -3 of the same bytes: what is left of a fine-tune, and how fast, on all cores.
//!
//! `cargo bench --bench archive`: fine-tunes of 64 MiB, 1 GiB with HEIRLOOM_BENCH_SCALE=full. They are synthetic: random weights, of
//! which training moved most by a little. Real ones and other programs: benches/archive_baseline.py.
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot run should say where")]

use half::{bf16, f16};
use heirloom::delta::{NamedCheckpoint, pack};
use heirloom::weights::{Checkpoint, WeightFile};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use safetensors::tensor::{Dtype, TensorView, serialize};
use std::time::Instant;

const SIDE: usize = 2048;
const ROUNDS: usize = 3;
/// Each core's share at a time: zstd runs on one.
const PIECE: usize = 4 << 20;

fn main() {
    let bytes: usize = match std::env::var("HEIRLOOM_BENCH_SCALE").as_deref() {
        Ok("full") => 1 << 30,
        _ => 64 << 20,
    };
    for (dtype, size) in [(Dtype::BF16, 2), (Dtype::F16, 2), (Dtype::F32, 4)] {
        let tensors = bytes / (SIDE * SIDE * size);
        let (base, child) = fine_tune(dtype, tensors);
        let (packed, pack_rate) = packed(&base, &child);
        let (zstd, zstd_rate) = zstandard(&child);
        let share = |left: usize| format!("{:.1} % left", 100.0 * left as f64 / child.len() as f64);
        let ratio = packed as f64 / zstd as f64;
        let what = format!(
            "pack of a {dtype:?} fine-tune, {} MiB, against zstd -3",
            bytes >> 20
        );
        println!(
            "| {what}: size | {} | {} | {ratio:.2} | < 1 |",
            share(packed),
            share(zstd)
        );
        println!(
            "| {what}: speed | {:.2} GB/s | {:.2} GB/s | {:.2} | ≥ 1 |",
            pack_rate / 1e9,
            zstd_rate / 1e9,
            pack_rate / zstd_rate
        );
    }
}

fn packed(base: &[u8], child: &[u8]) -> (usize, f64) {
    let open = |bytes: &[u8]| {
        Checkpoint::open_stored(vec![WeightFile::new("model.safetensors", bytes.to_vec())]).unwrap()
    };
    let (base, child_checkpoint) = (open(base), open(child));
    let named = |name: &str, checkpoint| NamedCheckpoint {
        name: name.to_owned(),
        checkpoint,
    };
    let base = named("base", &base);
    let children = [named("child", &child_checkpoint)];
    best(child.len(), || {
        let mut archive = Vec::new();
        pack(&children, &base, &mut archive, &|_| {}).unwrap();
        archive.len()
    })
}

fn zstandard(child: &[u8]) -> (usize, f64) {
    best(child.len(), || {
        child
            .par_chunks(PIECE)
            .map(|piece| zstd::bulk::compress(piece, 3).unwrap().len())
            .sum()
    })
}

/// What is left, and the bytes a second of the fastest round.
fn best(bytes: usize, mut work: impl FnMut() -> usize) -> (usize, f64) {
    let mut best = (0, 0.0f64);
    for _ in 0..ROUNDS {
        let started = Instant::now();
        best.0 = work();
        best.1 = best.1.max(bytes as f64 / started.elapsed().as_secs_f64());
    }
    best
}

/// Two models as files.
fn fine_tune(dtype: Dtype, tensors: usize) -> (Vec<u8>, Vec<u8>) {
    let mut random = ChaCha8Rng::seed_from_u64(8);
    let mut sides = [Vec::new(), Vec::new()];
    for _ in 0..tensors * SIDE * SIDE {
        // Two uniform numbers added up fall off towards the ends, as weights do.
        let weight = 0.02 * (random.random::<f32>() + random.random::<f32>() - 1.0);
        let change = 1e-4 * (random.random::<f32>() - 0.5);
        for (side, value) in sides.iter_mut().zip([weight, weight + change]) {
            match dtype {
                Dtype::F32 => side.extend(value.to_le_bytes()),
                Dtype::F16 => side.extend(f16::from_f32(value).to_le_bytes()),
                _ => side.extend(bf16::from_f32(value).to_le_bytes()),
            }
        }
    }
    let [base, child] = sides.map(|bytes| {
        let length = bytes.len() / tensors;
        let names: Vec<String> = (0..tensors)
            .map(|place| format!("layers.{place}.weight"))
            .collect();
        let views = names.iter().zip(bytes.chunks(length)).map(|(name, bytes)| {
            (
                name.as_str(),
                TensorView::new(dtype, vec![SIDE, SIDE], bytes).unwrap(),
            )
        });
        serialize(views, None).unwrap()
    });
    (base, child)
}
