//! Comparing two checkpoints against what it cannot do without: on the CPU against reading as many bytes of memory on all cores; on each
//! GPU against a copy within the card (weights that are there already) and against its bus (weights from this machine's page cache).
//!
//! `cargo bench --bench diff`: pairs of 128 MiB, 2 GiB with HEIRLOOM_BENCH_SCALE=full. A card that software plays shows that the benchmark
//! works, and no more: its rows have no goal. What numpy and torch take for the same numbers: benches/diff_baseline.py.
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot run should say where")]

use heirloom::delta::{Cpu, Device, DiffOptions, diff_on};
use heirloom::weights::{Checkpoint, ReadAt, WeightFile};
use heirloom_gpu::{Gpu, Rates, rates};
use rayon::prelude::*;
use std::fs::File;
use std::hint::black_box;
use std::io::{BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

const SIDE: usize = 2048;
const ROUNDS: usize = 5;
const TYPES: [(&str, usize); 3] = [("BF16", 2), ("F16", 2), ("F32", 4)];

fn main() {
    let bytes: usize = match std::env::var("HEIRLOOM_BENCH_SCALE").as_deref() {
        Ok("full") => 1 << 30,
        _ => 64 << 20,
    };
    let folder = tempfile::tempdir().unwrap();
    let memory = memory_reads(2 * bytes);
    let pairs: Vec<(&str, [PathBuf; 2])> = TYPES
        .iter()
        .map(|(dtype, size)| {
            let paths =
                ["before", "after"].map(|side| folder.path().join(format!("{side}.{dtype}.safetensors")));
            write_pair(&paths, dtype, *size, bytes / (SIDE * SIDE * size));
            (*dtype, paths)
        })
        .collect();
    let cores = rayon::current_num_threads();
    for (dtype, paths) in &pairs {
        let what = format!("diff of {dtype} from the page cache on {cores} cores, against reading memory");
        row(&what, best_diff(&Cpu, paths), memory, "≥ 0.8");
    }
    match Gpu::open(true) {
        Ok(gpu) => on_gpus(&gpu, &pairs),
        Err(error) => eprintln!("no GPU is measured: {error}"),
    }
}

fn on_gpus(gpu: &Gpu, pairs: &[(&str, [PathBuf; 2])]) {
    let rates = rates(gpu).unwrap();
    for rates in &rates {
        let goal = goal(rates, "≥ 0.8");
        for (dtype, rate) in &rates.kernel {
            let what = format!(
                "diff of resident {dtype:?} on {}, against a copy within it",
                rates.card
            );
            row(&what, *rate, rates.copy, goal);
        }
    }
    let bus = rates.iter().map(|rates| rates.bus).sum();
    for (dtype, paths) in pairs {
        let what = format!(
            "diff of {dtype} from the page cache on {}, against its bus",
            gpu.name()
        );
        row(&what, best_diff(gpu, paths), bus, goal(&rates[0], "≥ 0.9"));
    }
}

fn goal(rates: &Rates, goal: &'static str) -> &'static str {
    if rates.card.is_software {
        "none: software"
    } else {
        goal
    }
}

fn row(what: &str, measured: f64, baseline: f64, goal: &str) {
    let ratio = measured / baseline;
    println!(
        "| {what} | {:.2} GB/s | {:.2} GB/s | {ratio:.2} | {goal} |",
        measured / 1e9,
        baseline / 1e9
    );
}

/// Bytes a second, of both sides together.
fn best_diff(device: &dyn Device, paths: &[PathBuf; 2]) -> f64 {
    let [a, b] = paths.each_ref().map(|path| open(path));
    let bytes = (a.bytes() + b.bytes()) as f64;
    best(bytes, || {
        black_box(diff_on(device, &a, &b, DiffOptions::default(), &|_| {}).unwrap());
    })
}

/// Bytes a second that all cores read from memory, a cache's worth apart.
fn memory_reads(bytes: usize) -> f64 {
    let words: Vec<u64> = (0..bytes as u64 / 8).collect();
    best(bytes as f64, || {
        let sum = words
            .par_chunks(1 << 17)
            .map(|words| words.iter().fold(0u64, |sum, word| sum.wrapping_add(*word)))
            .reduce(|| 0, u64::wrapping_add);
        black_box(sum);
    })
}

fn best(bytes: f64, mut work: impl FnMut()) -> f64 {
    (0..ROUNDS)
        .map(|_| {
            let started = Instant::now();
            work();
            bytes / started.elapsed().as_secs_f64()
        })
        .fold(0.0, f64::max)
}

struct OnDisk(File);

impl ReadAt for OnDisk {
    fn len(&self) -> u64 {
        self.0.metadata().unwrap().len()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> std::io::Result<()> {
        self.0.read_exact_at(buffer, offset)
    }
}

fn open(path: &Path) -> Checkpoint {
    let file = OnDisk(File::open(path).unwrap());
    Checkpoint::open(vec![WeightFile::new(path.display().to_string(), file)]).unwrap()
}

/// Random weights with exponents as weights have them, and a fine-tune: low bits of most of them differ.
fn write_pair(paths: &[PathBuf; 2], dtype: &str, size: usize, tensors: usize) {
    let length = SIDE * SIDE * size;
    let entries: Vec<String> = (0..tensors)
        .map(|index| {
            let (start, end) = (index * length, (index + 1) * length);
            format!(
                r#""layers.{index}.weight":{{"dtype":"{dtype}","shape":[{SIDE},{SIDE}],"data_offsets":[{start},{end}]}}"#
            )
        })
        .collect();
    let header = format!("{{{}}}", entries.join(","));
    let mut files = paths
        .each_ref()
        .map(|path| BufWriter::new(File::create(path).unwrap()));
    for file in &mut files {
        file.write_all(&(header.len() as u64).to_le_bytes()).unwrap();
        file.write_all(header.as_bytes()).unwrap();
    }
    let mut state = 1u64;
    for _ in 0..tensors * SIDE * SIDE {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let pattern = plain_bits(dtype, state);
        for (file, change) in files.iter_mut().zip([0, state as u32 & 3]) {
            file.write_all(&(pattern ^ change).to_le_bytes()[..size]).unwrap();
        }
    }
}

/// A weight between 2^-9 and 2^-3, as it is stored.
fn plain_bits(dtype: &str, random: u64) -> u32 {
    let exponent = random.trailing_zeros().min(6);
    let bits = (random >> 32) as u32;
    match dtype {
        "F32" => bits & 0x807f_ffff | (118 + exponent) << 23,
        "BF16" => bits & 0x807f | (118 + exponent) << 7,
        _ => bits & 0x83ff | (6 + exponent) << 10,
    }
}
