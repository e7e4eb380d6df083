//! Names a second, on one core, beside a baseline of the same run: cutting the same names at their separators and nothing more.
//!
//! `cargo bench --bench names [FILE]` reads a name a line; without a file it takes names of its own (HEIRLOOM_BENCH_SCALE=full: a
//! million). It prints one row of a table: measured, baseline, their ratio. Time is the thread's own
//! processor time, so that a busy machine changes the figures little; what counts is the ratio.

use heirloom::versioning::parse_name;
use std::hint::black_box;

const ROUNDS: usize = 7;

fn main() {
    let file = std::env::args()
        .skip(1)
        .find(|argument| !argument.starts_with('-'));
    let text = match &file {
        Some(path) => {
            std::fs::read_to_string(path).unwrap_or_else(|error| panic!("cannot read {path}: {error}"))
        }
        None => built_in(),
    };
    let names: Vec<&str> = text.lines().collect();
    let baseline = best_of(|| {
        for name in &names {
            black_box(split(black_box(name)));
        }
    });
    let grammar = best_of(|| {
        for name in &names {
            black_box(parse_name(black_box(name)));
        }
    });
    let rate = |seconds: f64| names.len() as f64 / seconds;
    eprintln!(
        "{} names; the baseline cuts them at their separators and nothing more",
        names.len()
    );
    println!(
        "| names cut into segments, one core | {:.0} names/s | {:.0} names/s | {:.3} | 200,000 names/s |",
        rate(grammar),
        rate(baseline),
        baseline / grammar
    );
}

/// The baseline: lower case, cut at separators, one string a part.
fn split(name: &str) -> Vec<String> {
    let lower = name.to_ascii_lowercase();
    let parts = lower.split(|c: char| c.is_ascii_punctuation() && c != '.');
    parts.map(str::to_owned).collect()
}

fn best_of(run: impl Fn()) -> f64 {
    let times = (0..ROUNDS).map(|_| {
        let start = thread_seconds();
        run();
        thread_seconds() - start
    });
    times.fold(f64::INFINITY, f64::min)
}

/// Processor time of this thread.
fn thread_seconds() -> f64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the clock exists on every system that Heirloom builds on, and `time` outlives the call.
    let status = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    assert_eq!(status, 0, "the system has no clock of the thread's own time");
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// Names in the usual patterns: 20,000, or a million.
fn built_in() -> String {
    const BASES: [&str; 5] = [
        "Llama-2-7b",
        "bert-base-uncased",
        "Mixtral-8x7B",
        "Qwen2.5-14B",
        "my-own-model",
    ];
    const ENDINGS: [&str; 5] = [
        "-chat-hf",
        "-finetuned-emotion",
        "-Instruct-v0.1-GGUF",
        "_lr2e-05_seed42",
        "-2024-03-01",
    ];
    let full = std::env::var("HEIRLOOM_BENCH_SCALE").is_ok_and(|scale| scale == "full");
    let number = if full { 1_000_000 } else { 20_000 };
    let names = (0..number).map(|n| format!("owner{n}/{}{}", BASES[n % 5], ENDINGS[n / 5 % 5]));
    names.collect::<Vec<_>>().join("\n")
}
