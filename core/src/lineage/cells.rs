//! Models as vectors: sketch cells of all tensors, scaled so that tensors count by their size.
//!
//! Enters: fingerprints with the same tensor names and shapes. Leaves: one vector each. Distances and inner products of whole models
//! are then sums over a few thousand numbers.

use super::evidence::is_float;
use crate::fingerprint::{Fingerprint, Level, TensorFingerprint};
use rayon::prelude::*;
use std::collections::BTreeMap;

/// Largest side of a sketch that enters a vector.
const SIDE: u16 = 16;

/// Members (by place) that share names and shapes, and their vectors.
#[derive(Debug)]
pub(crate) struct Group {
    pub members: Vec<usize>,
    pub cells: Vec<Vec<f32>>,
    /// Where each tensor's cells lie in a vector.
    pub tensors: Vec<std::ops::Range<usize>>,
    /// Members whose every matrix a 16-bit type holds exactly: casts of others, or in that type from the start.
    pub rounded: Vec<bool>,
    /// Squared distances between members.
    pub distances: Vec<Vec<f64>>,
}

impl Group {
    fn new(members: Vec<usize>, fingerprints: &[&Fingerprint]) -> Self {
        let group: Vec<&Fingerprint> = members.iter().map(|index| fingerprints[*index]).collect();
        let (cells, tensors) = vectors(&group);
        let rounded = group.iter().map(|fingerprint| is_rounded(fingerprint)).collect();
        let distances = (0..members.len())
            .into_par_iter()
            .map(|a| {
                (0..members.len())
                    .map(|b| squared_distance(&cells[a], &cells[b]))
                    .collect()
            })
            .collect();
        Self {
            members,
            cells,
            tensors,
            rounded,
            distances,
        }
    }

    /// Sum of the squared distances from one place to all: small for those that many derive from.
    pub fn remoteness(&self, place: usize) -> f64 {
        self.distances[place].iter().sum()
    }

    /// Log-odds, from what else is in the family, that `parent` is the parent of `child` and not the other way round. Each of the nearest
    /// others shows the change between the two, in whole or in part, or does not: those that do not derive from the parent's side.
    pub fn centrality(&self, parent: usize, child: usize) -> f64 {
        let mut others: Vec<usize> = (0..self.members.len())
            .filter(|other| *other != parent && *other != child)
            .collect();
        others.sort_by(|a, b| self.distances[parent][*a].total_cmp(&self.distances[parent][*b]));
        let votes = others
            .iter()
            .take(WITNESSES)
            .map(|other| self.witness(parent, child, *other));
        votes.sum::<f64>().clamp(-MOST_ODDS, MOST_ODDS)
    }

    /// What one other member says.
    fn witness(&self, parent: usize, child: usize, other: usize) -> f64 {
        let [parent, child, other] = [parent, child, other].map(|place| self.cells[place].as_slice());
        let (mut product, mut square, mut chance) = (0.0, 0.0, 0.0);
        for ((parent, child), other) in parent.iter().zip(child).zip(other) {
            let (step, way) = (f64::from(child - parent), f64::from(other - parent));
            product += step * way;
            square += step * step;
            chance += (step * way).powi(2);
        }
        if square == 0.0 {
            return 0.0;
        }
        let shown = product / square;
        let precision = square * square / (chance + 1e-3 * square * square);
        ((0.5 - shown) * precision).clamp(-VOTE, VOTE)
    }
}

/// Others that are asked about a pair, and bounds of what one and all of them can say.
const WITNESSES: usize = 12;
const VOTE: f64 = 1.5;
const MOST_ODDS: f64 = 5.0;

/// Groups fully fingerprinted models by names and shapes.
pub(crate) fn group(fingerprints: &[&Fingerprint]) -> Vec<Group> {
    let mut by_layout: BTreeMap<Vec<(&str, &[u64])>, Vec<usize>> = BTreeMap::new();
    for (index, fingerprint) in fingerprints.iter().enumerate() {
        if fingerprint.level == Level::Full {
            let layout = fingerprint
                .tensors
                .iter()
                .map(|tensor| (tensor.name.as_str(), tensor.shape.as_slice()))
                .collect();
            by_layout.entry(layout).or_default().push(index);
        }
    }
    by_layout
        .into_values()
        .map(|members| Group::new(members, fingerprints))
        .collect()
}

fn is_rounded(fingerprint: &Fingerprint) -> bool {
    let stats = || {
        fingerprint
            .tensors
            .iter()
            .filter_map(|tensor| tensor.stats.as_ref())
    };
    stats().all(|stats| stats.bf16_exact > 0.999) || stats().all(|stats| stats.f16_exact > 0.999)
}

fn vectors(group: &[&Fingerprint]) -> (Vec<Vec<f32>>, Vec<std::ops::Range<usize>>) {
    let mut vectors = vec![Vec::new(); group.len()];
    let mut ranges = Vec::new();
    let tensors = group.first().map_or(0, |first| first.tensors.len());
    for place in 0..tensors {
        let column: Vec<&TensorFingerprint> = group
            .iter()
            .map(|fingerprint| &fingerprint.tensors[place])
            .collect();
        let start = vectors.first().map_or(0, Vec::len);
        append(&column, &mut vectors);
        ranges.push(start..vectors.first().map_or(0, Vec::len));
    }
    (vectors, ranges)
}

/// Appends one tensor's cells to each member's vector, divided by the first member's root mean square.
fn append(column: &[&TensorFingerprint], vectors: &mut [Vec<f32>]) {
    if !column.iter().all(|tensor| is_float(tensor.dtype)) {
        return;
    }
    let Some(sketches) = column
        .iter()
        .map(|tensor| tensor.sketch.as_ref())
        .collect::<Option<Vec<_>>>()
    else {
        return;
    };
    let squares: f64 = column
        .iter()
        .filter_map(|tensor| Some(tensor.stats.as_ref()?.l2.powi(2)))
        .sum();
    let scale = (squares / column.len() as f64 / column[0].elements() as f64).sqrt();
    if scale == 0.0 {
        return;
    }
    let rows = sketches.iter().map(|sketch| sketch.rows).fold(SIDE, u16::min);
    let cols = sketches.iter().map(|sketch| sketch.cols).fold(SIDE, u16::min);
    for (sketch, vector) in sketches.iter().zip(vectors) {
        vector.extend(
            sketch
                .fold(rows, cols)
                .cells
                .iter()
                .map(|cell| cell / scale as f32),
        );
    }
}

/// Squared distance of two vectors.
pub(super) fn squared_distance(a: &[f32], b: &[f32]) -> f64 {
    // f32 lanes: the sums are of a few thousand comparable terms
    let mut lanes = [0.0f32; 8];
    let (a_chunks, b_chunks) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    for (a, b) in a_chunks.0.iter().zip(b_chunks.0) {
        for lane in 0..8 {
            lanes[lane] += (a[lane] - b[lane]) * (a[lane] - b[lane]);
        }
    }
    let rest: f32 = a_chunks
        .1
        .iter()
        .zip(b_chunks.1)
        .map(|(a, b)| (a - b) * (a - b))
        .sum();
    f64::from(lanes.iter().sum::<f32>() + rest)
}

pub(crate) fn squared_norm(a: &[f32]) -> f64 {
    a.iter().map(|cell| f64::from(*cell).powi(2)).sum()
}
