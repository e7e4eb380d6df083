//! Changes to some or all trained tensors, with the shapes kept.

use crate::model::Model;
use rand::Rng;
use rand_distr::{Distribution, StandardNormal};

/// Adds noise to every tensor that `selects` picks. Each tensor's delta norm is `strength` times its own norm, give or take a half:
/// training moves layers unevenly.
pub fn perturb(base: &Model, strength: f64, selects: impl Fn(&str) -> bool, rng: &mut impl Rng) -> Model {
    let mut child = base.clone();
    for (name, tensor) in &mut child.tensors {
        let Some(values) = tensor.floats_mut() else {
            continue;
        };
        if !selects(name) {
            continue;
        }
        let size = strength * rng.random_range(0.5..1.5) * norm(values) / (values.len() as f64).sqrt();
        for value in values {
            let step: f64 = StandardNormal.sample(rng);
            *value += (size * step) as f32;
        }
    }
    child
}

/// Adds a product of two factors of `rank` to every matrix that `selects` picks, as merging a trained low-rank adapter does. Kernels
/// count as matrices of axis 0 by the rest. Each delta's norm is `strength` times the matrix's.
pub fn add_low_rank(
    base: &Model,
    rank: usize,
    strength: f64,
    selects: impl Fn(&str) -> bool,
    rng: &mut impl Rng,
) -> Model {
    let mut child = base.clone();
    for (name, tensor) in &mut child.tensors {
        let (rows, columns) = (tensor.rows(), tensor.columns());
        if !tensor.is_matrix() || !selects(name) || rank >= rows.min(columns) {
            continue;
        }
        let Some(values) = tensor.floats_mut() else {
            continue;
        };
        let delta = low_rank_product(rows, columns, rank, rng);
        let scale = strength * norm(values) / norm(&delta);
        for (value, step) in values.iter_mut().zip(&delta) {
            *value += (scale * f64::from(*step)) as f32;
        }
    }
    child
}

fn low_rank_product(rows: usize, columns: usize, rank: usize, rng: &mut impl Rng) -> Vec<f32> {
    let mut normal = |count: usize| -> Vec<f32> { (0..count).map(|_| StandardNormal.sample(rng)).collect() };
    let (left, right) = (normal(rows * rank), normal(rank * columns));
    let mut product = vec![0.0; rows * columns];
    for (row, out) in product.chunks_exact_mut(columns).enumerate() {
        for (factor, right_row) in left[row * rank..][..rank].iter().zip(right.chunks_exact(columns)) {
            for (cell, value) in out.iter_mut().zip(right_row) {
                *cell += factor * value;
            }
        }
    }
    product
}

/// Euclidean norm.
pub fn norm(values: &[f32]) -> f64 {
    values
        .iter()
        .map(|&v| f64::from(v) * f64::from(v))
        .sum::<f64>()
        .sqrt()
}
