//! Several parents combined, element by element.

use crate::model::Model;

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
