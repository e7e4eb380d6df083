//! Fine-tunes that touch chosen parts: biases, scales, a few elements, a few neurons, one tensor. And deltas modelled on real ones.

use super::finetune::norm;
use crate::model::{Model, Tensor};
use rand::Rng;
use rand::seq::SliceRandom;
use rand_distr::{Distribution, StandardNormal};

/// Per-channel scale and shift folded into each selected matrix and the bias beside it, as SSF and IA3 do when merged: every row of
/// the delta is a multiple of the base's row.
pub fn scale_rows(base: &Model, strength: f64, selects: impl Fn(&str) -> bool, rng: &mut impl Rng) -> Model {
    let mut child = base.clone();
    let names: Vec<String> = base
        .tensors
        .keys()
        .filter(|name| selects(name))
        .cloned()
        .collect();
    for name in names {
        let Some(tensor) = child.tensors.get_mut(&name).filter(|tensor| tensor.is_matrix()) else {
            continue;
        };
        let scales: Vec<f64> = (0..tensor.rows()).map(|_| 1.0 + strength * normal(rng)).collect();
        let columns = tensor.columns();
        let Some(values) = tensor.floats_mut() else {
            continue;
        };
        for (row, scale) in values.chunks_exact_mut(columns).zip(&scales) {
            row.iter_mut()
                .for_each(|value| *value = (f64::from(*value) * scale) as f32);
        }
        let bias = child
            .tensors
            .get_mut(&name.replace("weight", "bias"))
            .filter(|bias| bias.shape == [scales.len()]);
        if let Some(values) = bias.and_then(Tensor::floats_mut) {
            for (value, scale) in values.iter_mut().zip(&scales) {
                *value = (f64::from(*value) * scale + 0.1 * strength * normal(rng)) as f32;
            }
        }
    }
    child
}

/// Changes the share `density` of each selected matrix's elements, at random places.
pub fn sparse(
    base: &Model,
    density: f64,
    strength: f64,
    selects: impl Fn(&str) -> bool,
    rng: &mut impl Rng,
) -> Model {
    let mut child = base.clone();
    for (name, tensor) in &mut child.tensors {
        if !tensor.is_matrix() || !selects(name) {
            continue;
        }
        let Some(values) = tensor.floats_mut() else {
            continue;
        };
        let size = strength * norm(values) / (values.len() as f64 * density).sqrt();
        for value in values
            .iter_mut()
            .filter(|_| rng.random_bool(density))
            .collect::<Vec<_>>()
        {
            *value += (size * normal(rng)) as f32;
        }
    }
    child
}

/// Replaces `count` rows of one matrix, as editing or ablating neurons does; with `zero`, by zeros.
pub fn edit_neurons(base: &Model, name: &str, count: usize, zero: bool, rng: &mut impl Rng) -> Model {
    let mut child = base.clone();
    let Some(tensor) = child.tensors.get_mut(name) else {
        return child;
    };
    let (rows, columns) = (tensor.rows(), tensor.columns());
    let mut chosen: Vec<usize> = (0..rows).collect();
    chosen.shuffle(rng);
    let Some(values) = tensor.floats_mut() else {
        return child;
    };
    let size = norm(values) / (values.len() as f64).sqrt();
    for row in &chosen[..count.min(rows)] {
        for value in &mut values[row * columns..][..columns] {
            *value = if zero {
                0.0
            } else {
                (f64::from(*value) + size * normal(rng)) as f32
            };
        }
    }
    child
}

/// Flips the lowest bits of the first elements of one tensor: a watermark, a corrupted page or an attack. Floats stored in half
/// precision lose what is below their own last bit, so the change is one part in 64.
pub fn tamper(base: &Model, name: &str, count: usize) -> Model {
    let mut child = base.clone();
    if let Some(values) = child.tensors.get_mut(name).and_then(Tensor::floats_mut) {
        values
            .iter_mut()
            .take(count)
            .for_each(|value| *value *= 1.0 + 1.0 / 64.0);
    }
    child
}

/// `base + scale · (tuned − base)` with the rows and the columns of each matrix's delta shuffled: the spectrum, the heavy tails and the
/// size per layer of a real fine-tune, in a direction of its own.
pub fn like_real(base: &Model, origin: &Model, tuned: &Model, scale: f64, rng: &mut impl Rng) -> Model {
    let mut child = base.clone();
    for (name, tensor) in &mut child.tensors {
        let (rows, columns) = (tensor.rows(), tensor.columns());
        let sources = (
            origin.tensors.get(name).and_then(Tensor::floats),
            tuned.tensors.get(name).and_then(Tensor::floats),
        );
        let (Some(values), (Some(before), Some(after))) = (tensor.floats_mut(), sources) else {
            continue;
        };
        let (row_order, column_order) = (shuffled(rows, rng), shuffled(columns, rng));
        let sign = if rng.random_bool(0.5) { scale } else { -scale };
        for (row, &from_row) in row_order.iter().enumerate() {
            for (column, &from_column) in column_order.iter().enumerate() {
                let source = from_row * columns + from_column;
                values[row * columns + column] +=
                    (sign * (f64::from(after[source]) - f64::from(before[source]))) as f32;
            }
        }
    }
    child
}

fn shuffled(count: usize, rng: &mut impl Rng) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    order.shuffle(rng);
    order
}

fn normal(rng: &mut impl Rng) -> f64 {
    StandardNormal.sample(rng)
}
