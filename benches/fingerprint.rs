//! Fingerprinting against what it cannot do without: a full fingerprint against SHA-256 of the same tensors on all cores, headers
//! alone against the `safetensors` crate, what level `sample` reads, and the memory it all takes.
//!
//! `cargo bench --bench fingerprint`: 128 MiB of weights; 4 GiB with HEIRLOOM_BENCH_SCALE=full.
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot run should say where")]

use heirloom::fingerprint::{Fingerprint, Level, fingerprint};
use heirloom::weights::{Checkpoint, ReadAt, WeightFile};
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::hint::black_box;
use std::io::{BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const SIDE: usize = 2048;
const ROUNDS: usize = 3;

fn main() {
    let bytes: usize = match std::env::var("HEIRLOOM_BENCH_SCALE").as_deref() {
        Ok("full") => 4 << 30,
        _ => 128 << 20,
    };
    let folder = tempfile::tempdir().unwrap();
    for (dtype, size) in [("BF16", 2), ("F32", 4)] {
        let path = folder.path().join(format!("{dtype}.safetensors"));
        write_model(&path, dtype, size, bytes / (SIDE * SIDE * size));
        full_against_sha256(&path, dtype, bytes);
    }
    let path = folder.path().join("BF16.safetensors");
    sample_reads_little(&path);
    headers(&path);
    memory();
}

/// Random weights: normal-looking exponents, mantissas without pattern.
fn write_model(path: &Path, dtype: &str, size: usize, tensors: usize) {
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
    let mut file = BufWriter::new(File::create(path).unwrap());
    file.write_all(&(header.len() as u64).to_le_bytes()).unwrap();
    file.write_all(header.as_bytes()).unwrap();
    let mut state = 1u64;
    for _ in 0..tensors * SIDE * SIDE {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let exponent = 118 + state.trailing_zeros().min(6);
        let pattern = (state >> 32) as u32 & 0x807F_FFFF | exponent << 23;
        file.write_all(&pattern.to_le_bytes()[4 - size..]).unwrap();
    }
    file.flush().unwrap();
}

struct Counted {
    file: File,
    length: u64,
    read: AtomicU64,
}

impl ReadAt for Counted {
    fn len(&self) -> u64 {
        self.length
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> std::io::Result<()> {
        self.read.fetch_add(buffer.len() as u64, Ordering::Relaxed);
        self.file.read_exact_at(buffer, offset)
    }
}

fn open(path: &Path) -> (Checkpoint, Arc<Counted>) {
    let file = File::open(path).unwrap();
    let counted = Arc::new(Counted {
        length: file.metadata().unwrap().len(),
        file,
        read: AtomicU64::new(0),
    });
    let file = WeightFile {
        name: path.display().to_string(),
        bytes: counted.clone(),
    };
    (Checkpoint::open(vec![file]).unwrap(), counted)
}

/// The better of some rounds, the two taken in turn so that both meet the same machine.
fn in_turn(mut first: impl FnMut(), mut second: impl FnMut()) -> (Duration, Duration) {
    let mut best = (Duration::MAX, Duration::MAX);
    for _ in 0..ROUNDS {
        let started = Instant::now();
        first();
        best.0 = best.0.min(started.elapsed());
        let started = Instant::now();
        second();
        best.1 = best.1.min(started.elapsed());
    }
    best
}

fn full_fingerprint(path: &Path) -> Fingerprint {
    fingerprint(&open(path).0, Level::Full, &|_| {}).unwrap()
}

fn full_against_sha256(path: &Path, dtype: &str, bytes: usize) {
    let hash = || {
        let (checkpoint, _) = open(path);
        let digests: Vec<_> = checkpoint
            .tensors
            .par_iter()
            .map(|tensor| {
                let mut hasher = Sha256::new();
                let mut buffer = vec![0; 1 << 18];
                let file = &checkpoint.files[tensor.file];
                let mut offset = tensor.offset;
                while offset < tensor.offset + tensor.bytes {
                    let length = buffer.len().min((tensor.offset + tensor.bytes - offset) as usize);
                    file.read(offset, &mut buffer[..length]).unwrap();
                    hasher.update(&buffer[..length]);
                    offset += length as u64;
                }
                hasher.finalize()
            })
            .collect();
        black_box(digests);
    };
    let (full, sha) = in_turn(
        || {
            black_box(full_fingerprint(path));
        },
        hash,
    );
    let what = format!(
        "full fingerprint, {} MiB of {dtype}, against SHA-256 of its tensors",
        bytes >> 20
    );
    compare(&what, full, sha, "≤ 1.25");
}

fn compare(what: &str, measured: Duration, baseline: Duration, goal: &str) {
    let ratio = measured.as_secs_f64() / baseline.as_secs_f64();
    println!("| {what} | {measured:.1?} | {baseline:.1?} | {ratio:.2} | {goal} |");
}

fn sample_reads_little(path: &Path) {
    let (checkpoint, counted) = open(path);
    black_box(fingerprint(&checkpoint, Level::Sample, &|_| {}).unwrap());
    let read = counted.read.load(Ordering::Relaxed);
    let share = 100.0 * read as f64 / counted.length as f64;
    println!(
        "| bytes read at level sample | {read} | {} in the file | {share:.3} % | ≤ 1 % |",
        counted.length
    );
}

fn headers(path: &Path) {
    const TIMES: usize = 200;
    let ours = || {
        for _ in 0..TIMES {
            black_box(fingerprint(&open(path).0, Level::Metadata, &|_| {}).unwrap());
        }
    };
    let theirs = || {
        for _ in 0..TIMES {
            let file = File::open(path).unwrap();
            let mut length = [0; 8];
            file.read_exact_at(&mut length, 0).unwrap();
            let mut header = vec![0; u64::from_le_bytes(length) as usize];
            file.read_exact_at(&mut header, 8).unwrap();
            // What its reader of whole files parses the header with.
            black_box(serde_json::from_slice::<safetensors::tensor::Metadata>(&header).unwrap());
        }
    };
    let (ours, theirs) = in_turn(ours, theirs);
    let each = |total: Duration| total / TIMES as u32;
    compare(
        "fingerprint of headers alone, against the safetensors crate",
        each(ours),
        each(theirs),
        "",
    );
}

fn memory() {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes: u64 = peak
        .and_then(|text| text.trim().trim_end_matches(" kB").parse().ok())
        .unwrap_or(0);
    println!(
        "| peak resident memory of all of this | {} MiB | | | ≤ 512 MiB |",
        kibibytes >> 10
    );
}
