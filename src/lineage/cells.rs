//! Models as vectors: sketch cells of all tensors, scaled so that tensors count by their size.
//!
//! Enters: fingerprints with the same tensor names and shapes. Leaves: one vector each. Distances and inner products of whole models
//! are then sums over a few thousand numbers.

use super::evidence::is_float;
use crate::fingerprint::{Fingerprint, Level, TensorFingerprint};
use std::collections::BTreeMap;

/// Largest side of a sketch that enters a vector.
const SIDE: u16 = 16;

/// Members (by place) that share names and shapes, and their vectors.
#[derive(Debug)]
pub(super) struct Group {
    pub members: Vec<usize>,
    pub cells: Vec<Vec<f32>>,
}

/// Groups fully fingerprinted models by names and shapes.
pub(super) fn group(fingerprints: &[&Fingerprint]) -> Vec<Group> {
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
        .map(|members| {
            let group: Vec<&Fingerprint> = members.iter().map(|index| fingerprints[*index]).collect();
            Group {
                cells: vectors(&group),
                members,
            }
        })
        .collect()
}

fn vectors(group: &[&Fingerprint]) -> Vec<Vec<f32>> {
    let mut vectors = vec![Vec::new(); group.len()];
    let tensors = group.first().map_or(0, |first| first.tensors.len());
    for place in 0..tensors {
        let column: Vec<&TensorFingerprint> = group
            .iter()
            .map(|fingerprint| &fingerprint.tensors[place])
            .collect();
        append(&column, &mut vectors);
    }
    vectors
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

pub(super) fn squared_norm(a: &[f32]) -> f64 {
    a.iter().map(|cell| f64::from(*cell).powi(2)).sum()
}
