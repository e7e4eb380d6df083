//! Independent weights of the same shapes: what a hard negative is made of.

use crate::model::Model;
use rand::Rng;
use rand_distr::{Distribution, StandardNormal};

/// Draws every tensor that `selects` picks anew, with the mean and standard deviation of the original: nothing but the statistics
/// is shared. Tensors of one element are redrawn around it.
pub fn reinitialise(base: &Model, selects: impl Fn(&str) -> bool, rng: &mut impl Rng) -> Model {
    let mut fresh = base.clone();
    for (name, tensor) in &mut fresh.tensors {
        let Some(values) = tensor.floats_mut() else {
            continue;
        };
        if !selects(name) {
            continue;
        }
        let (mean, deviation) = moments(values);
        for value in values {
            let step: f64 = StandardNormal.sample(rng);
            *value = (mean + deviation * step) as f32;
        }
    }
    fresh
}

fn moments(values: &[f32]) -> (f64, f64) {
    let count = values.len().max(1) as f64;
    let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / count;
    let variance = values.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / count;
    let deviation = if values.len() == 1 {
        mean.abs() / 2.0
    } else {
        variance.sqrt()
    };
    (mean, deviation)
}
