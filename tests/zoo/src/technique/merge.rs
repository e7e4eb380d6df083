//! Several parents combined, element by element.

use super::finetune::norm;
use crate::model::Model;
use rand::Rng;

/// Weighted sum of the parents; the weights usually add up to one.
pub fn linear(parents: &[(&Model, f64)]) -> Model {
    let (models, weights): (Vec<_>, Vec<_>) = parents.iter().copied().unzip();
    combine(&models, |values| {
        values
            .iter()
            .zip(&weights)
            .map(|(value, weight)| value * weight)
            .sum()
    })
}

/// `base + Σ coefficient · (fine-tune − base)`.
pub fn task_arithmetic(base: &Model, tuned: &[(&Model, f64)]) -> Model {
    let models: Vec<_> = std::iter::once(base)
        .chain(tuned.iter().map(|(model, _)| *model))
        .collect();
    combine(&models, |values| {
        let task_vectors = values[1..]
            .iter()
            .zip(tuned)
            .map(|(value, (_, coefficient))| coefficient * (value - values[0]));
        values[0] + task_vectors.sum::<f64>()
    })
}

/// The layout of the first parent, every float `mix`ed from the floats at the same place of all parents.
fn combine(parents: &[&Model], mix: impl Fn(&[f64]) -> f64) -> Model {
    let mut child = parents[0].clone();
    for (name, tensor) in &mut child.tensors {
        let Some(out) = tensor.floats_mut() else { continue };
        let sources: Vec<&[f32]> = parents.iter().map(|parent| parent.values(name)).collect();
        let mut column = vec![0.0; sources.len()];
        for (index, value) in out.iter_mut().enumerate() {
            for (cell, source) in column.iter_mut().zip(&sources) {
                *cell = f64::from(source[index]);
            }
            *value = mix(&column) as f32;
        }
    }
    child
}

/// Spherical interpolation of each tensor from `a` to `b`; near-parallel tensors are interpolated linearly (mergekit's rule).
pub fn slerp(a: &Model, b: &Model, t: f64) -> Model {
    let mut child = a.clone();
    for (name, tensor) in &mut child.tensors {
        let Some(out) = tensor.floats_mut() else { continue };
        let other = b.values(name);
        let dot: f64 = out
            .iter()
            .zip(other)
            .map(|(&x, &y)| f64::from(x) * f64::from(y))
            .sum();
        let cosine = (dot / (norm(out) * norm(other)).max(f64::MIN_POSITIVE)).clamp(-1.0, 1.0);
        let angle = cosine.acos();
        let (left, right) = if cosine.abs() > 0.9995 {
            (1.0 - t, t)
        } else {
            (
                ((1.0 - t) * angle).sin() / angle.sin(),
                (t * angle).sin() / angle.sin(),
            )
        };
        for (value, &y) in out.iter_mut().zip(other) {
            *value = (left * f64::from(*value) + right * f64::from(y)) as f32;
        }
    }
    child
}

/// TIES: keep the `density` largest elements of each task vector, elect a sign per element, average those that agree.
pub fn ties(base: &Model, tuned: &[(&Model, f64)], density: f64) -> Model {
    sparse_tasks(
        base,
        tuned,
        |vector| keep_by_magnitude(vector, 0.0, density),
        |steps| {
            let elected: f64 = steps.iter().map(|(step, weight)| step * weight).sum();
            let agreeing = steps.iter().filter(|(step, _)| step * elected > 0.0);
            let weight: f64 = agreeing.clone().map(|(_, weight)| weight).sum();
            if weight == 0.0 {
                0.0
            } else {
                agreeing.map(|(step, w)| step * w).sum::<f64>() / weight
            }
        },
    )
}

/// DARE: drop each element of each task vector with probability `drop`, scale the rest up, add them.
pub fn dare(base: &Model, tuned: &[(&Model, f64)], drop: f64, rng: &mut impl Rng) -> Model {
    sparse_tasks(
        base,
        tuned,
        |vector| {
            vector.iter_mut().for_each(|step| {
                *step = if rng.random_bool(drop) {
                    0.0
                } else {
                    *step / (1.0 - drop)
                }
            })
        },
        |steps| steps.iter().map(|(step, weight)| step * weight).sum(),
    )
}

/// Model breadcrumbs: drop the smallest elements and the outliers `gamma` of each task vector, keep `density`, add them.
pub fn breadcrumbs(base: &Model, tuned: &[(&Model, f64)], density: f64, gamma: f64) -> Model {
    sparse_tasks(
        base,
        tuned,
        |vector| keep_by_magnitude(vector, gamma, density),
        |steps| steps.iter().map(|(step, weight)| step * weight).sum(),
    )
}

/// Linear interpolation of two fine-tunes with one coefficient a tensor.
pub fn per_block(a: &Model, b: &Model, share_of_b: impl Fn(&str) -> f64) -> Model {
    let mut child = a.clone();
    for (name, tensor) in &mut child.tensors {
        let t = share_of_b(name);
        let Some(out) = tensor.floats_mut() else { continue };
        for (value, &y) in out.iter_mut().zip(b.values(name)) {
            *value = ((1.0 - t) * f64::from(*value) + t * f64::from(y)) as f32;
        }
    }
    child
}

/// Zeroes the `outliers` share that is largest and all but the `density` share below it.
fn keep_by_magnitude(vector: &mut [f64], outliers: f64, density: f64) {
    let mut order: Vec<usize> = (0..vector.len()).collect();
    order.sort_by(|&a, &b| vector[b].abs().total_cmp(&vector[a].abs()));
    let share = |part: f64| (part * vector.len() as f64).round() as usize;
    let (from, to) = (share(outliers), share(outliers + density).min(vector.len()));
    order[..from]
        .iter()
        .chain(&order[to..])
        .for_each(|&index| vector[index] = 0.0);
}

fn sparse_tasks(
    base: &Model,
    tuned: &[(&Model, f64)],
    mut sparsify: impl FnMut(&mut [f64]),
    mix: impl Fn(&[(f64, f64)]) -> f64,
) -> Model {
    let mut child = base.clone();
    for (name, tensor) in &mut child.tensors {
        let Some(out) = tensor.floats_mut() else { continue };
        let vectors: Vec<Vec<f64>> = tuned
            .iter()
            .map(|(model, _)| {
                let steps = model.values(name).iter().zip(out.iter());
                let mut vector: Vec<f64> = steps
                    .map(|(&after, &before)| f64::from(after) - f64::from(before))
                    .collect();
                sparsify(&mut vector);
                vector
            })
            .collect();
        for (index, value) in out.iter_mut().enumerate() {
            let steps: Vec<(f64, f64)> = vectors
                .iter()
                .zip(tuned)
                .map(|(vector, (_, weight))| (vector[index], *weight))
                .collect();
            *value = (f64::from(*value) + mix(&steps)) as f32;
        }
    }
    child
}
