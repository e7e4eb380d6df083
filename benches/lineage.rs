//! What lineage costs over stored fingerprints: pairs compared in full, and whole families, by their size.
//!
//! `cargo bench --bench lineage`: families of 100, 300 and 1,000 models, each a tree of fine-tunes three generations deep.
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot run should say where")]

use heirloom::fingerprint::{Fingerprint, Level, fingerprint};
use heirloom::lineage::{Member, compare_pair, infer_edges};
use heirloom::weights::{Checkpoint, WeightFile};
use rayon::prelude::*;
use std::hint::black_box;
use std::time::Instant;

const SIZES: [usize; 3] = [100, 300, 1000];
const PAIRS: usize = 10_000;
const SIDE: usize = 64;
const LAYERS: usize = 8;
/// Children of each model.
const CHILDREN: usize = 10;

fn main() {
    let largest = SIZES[SIZES.len() - 1];
    eprintln!("lineage: making a family of {largest}");
    let family = family(largest);
    let pair = pairs(&family);
    let mut before: Option<(usize, f64)> = None;
    for size in SIZES {
        eprintln!("lineage: family of {size}");
        before = Some(whole(&family[..size], pair, before));
    }
}

/// Seconds a pair, compared in full.
fn pairs(family: &[Fingerprint]) -> f64 {
    let ends = |index: usize| (index % family.len(), (index * 7 + 1) % family.len());
    let started = Instant::now();
    (0..PAIRS).into_par_iter().for_each(|index| {
        let (parent, child) = ends(index);
        black_box(compare_pair(&family[parent], &family[child]));
    });
    let seconds = started.elapsed().as_secs_f64();
    println!(
        "| lineage: {PAIRS} pairs of {} tensors compared in full | {seconds:.2} s, {:.0} pairs/s | | | seconds |",
        family[0].tensors.len(),
        PAIRS as f64 / seconds
    );
    seconds / PAIRS as f64
}

/// A family at once; the baseline is comparing each pair of it in full.
fn whole(family: &[Fingerprint], seconds_a_pair: f64, before: Option<(usize, f64)>) -> (usize, f64) {
    let size = family.len();
    let members: Vec<Member<'_>> = family
        .iter()
        .enumerate()
        .map(|(id, fingerprint)| Member {
            id: id as i64,
            name: "",
            fingerprint,
            date: None,
            declared: Vec::new(),
        })
        .collect();
    let started = Instant::now();
    let edges = infer_edges(&members);
    let seconds = started.elapsed().as_secs_f64();
    let right = edges
        .iter()
        .filter(|edge| edge.parents == [parent_of(edge.child)]);
    let pairs = size * (size - 1) / 2;
    let growth = before.map_or_else(String::new, |(smaller, faster)| {
        let power = (seconds / faster).ln() / (size as f64 / smaller as f64).ln();
        format!(", grows as size^{power:.1}")
    });
    let all_pairs = seconds_a_pair * pairs as f64;
    println!(
        "| lineage: family of {size}, {} of {} parents right | {seconds:.2} s, {:.0} pairs/s{growth} | all {pairs} pairs in full: {all_pairs:.2} s | {:.1}x | 1,000 in seconds |",
        right.count(),
        size - 1,
        pairs as f64 / seconds,
        all_pairs / seconds,
    );
    (size, seconds)
}

fn parent_of(child: i64) -> i64 {
    (child - 1) / CHILDREN as i64
}

/// The root is random; each child adds a change of its own to its parent.
fn family(size: usize) -> Vec<Fingerprint> {
    let mut weights: Vec<Vec<f32>> = vec![values(0, 1.0)];
    for model in 1..size {
        let parent = &weights[(model - 1) / CHILDREN];
        let change = values(model as u64, 0.05);
        let tuned = parent.iter().zip(change).map(|(weight, change)| weight + change);
        weights.push(tuned.collect());
    }
    weights.par_iter().map(|values| fingerprint_of(values)).collect()
}

/// Sums of four uniform numbers: near enough to normal.
fn values(seed: u64, scale: f32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1u64 << 24) as f32 - 0.5
    };
    (0..LAYERS * SIDE * SIDE)
        .map(|_| scale * (next() + next() + next() + next()))
        .collect()
}

fn fingerprint_of(values: &[f32]) -> Fingerprint {
    let length = SIDE * SIDE * 4;
    let entries: Vec<String> = (0..LAYERS)
        .map(|layer| {
            let (start, end) = (layer * length, (layer + 1) * length);
            format!(
                r#""layers.{layer}.weight":{{"dtype":"F32","shape":[{SIDE},{SIDE}],"data_offsets":[{start},{end}]}}"#
            )
        })
        .collect();
    let header = format!("{{{}}}", entries.join(","));
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header.as_bytes());
    file.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    let checkpoint = Checkpoint::open(vec![WeightFile::new("model.safetensors", file)]).unwrap();
    fingerprint(&checkpoint, Level::Full, &|_| {}).unwrap()
}
