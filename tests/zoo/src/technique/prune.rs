//! Weights set to zero by magnitude, shapes kept.

use crate::model::Model;

/// Zeroes the share `sparsity` of each selected matrix's elements that are smallest in magnitude.
pub fn unstructured(base: &Model, sparsity: f64, selects: impl Fn(&str) -> bool) -> Model {
    let mut child = base.clone();
    for (name, tensor) in &mut child.tensors {
        if !tensor.is_matrix() || !selects(name) {
            continue;
        }
        let Some(values) = tensor.floats_mut() else {
            continue;
        };
        let mut order: Vec<usize> = (0..values.len()).collect();
        order.sort_by(|&a, &b| values[a].abs().total_cmp(&values[b].abs()));
        let count = (sparsity * values.len() as f64).round() as usize;
        for &index in &order[..count] {
            values[index] = 0.0;
        }
    }
    child
}

/// Keeps the `keep` largest of every `group` consecutive elements of a row, in each selected matrix whose rows divide into groups.
pub fn n_of_m(base: &Model, keep: usize, group: usize, selects: impl Fn(&str) -> bool) -> Model {
    let mut child = base.clone();
    for (name, tensor) in &mut child.tensors {
        if !tensor.is_matrix() || !selects(name) || tensor.columns() % group != 0 {
            continue;
        }
        let Some(values) = tensor.floats_mut() else {
            continue;
        };
        for chunk in values.chunks_exact_mut(group) {
            let mut order: Vec<usize> = (0..group).collect();
            order.sort_by(|&a, &b| chunk[b].abs().total_cmp(&chunk[a].abs()));
            for &index in &order[keep..] {
                chunk[index] = 0.0;
            }
        }
    }
    child
}
