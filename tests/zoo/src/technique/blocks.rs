//! Whole blocks of a stacked model: dropped, repeated, taken from several parents; and layers grown or replaced.

use crate::model::{Model, Tensor};
use rand::Rng;
use rand_distr::{Distribution, StandardNormal};
use safetensors::tensor::Dtype;

/// Splits `model.layers.3.mlp.weight` into (`model.layers.`, 3, `.mlp.weight`).
fn block_of(name: &str) -> Option<(&str, usize, &str)> {
    let start = ["layers.", "layer."]
        .iter()
        .find_map(|word| Some(name.find(word)? + word.len()))?;
    let end = start + name[start..].find('.')?;
    Some((&name[..start], name[start..end].parse().ok()?, &name[end..]))
}

/// Number of blocks.
pub fn count(model: &Model) -> usize {
    model
        .tensors
        .keys()
        .filter_map(|name| Some(block_of(name)?.1 + 1))
        .max()
        .unwrap_or(0)
}

/// A stack whose block `i` is block `plan[i].1` of parent `plan[i].0`; what is outside the stack comes from the first parent.
/// Depth pruning, depth growth and pass-through merges are all plans.
pub fn restack(parents: &[&Model], plan: &[(usize, usize)]) -> Model {
    let outside = parents[0]
        .tensors
        .iter()
        .filter(|(name, _)| block_of(name).is_none());
    let mut child = Model {
        tensors: outside
            .map(|(name, tensor)| (name.clone(), tensor.clone()))
            .collect(),
    };
    for (to, (parent, from)) in plan.iter().enumerate() {
        for (name, tensor) in &parents[*parent].tensors {
            if let Some((before, index, after)) = block_of(name)
                && index == *from
            {
                child
                    .tensors
                    .insert(format!("{before}{to}{after}"), tensor.clone());
            }
        }
    }
    child
}

/// Appends `extra` rows, drawn around the mean row, to each tensor that has one row a token.
pub fn extend_vocabulary(base: &Model, tables: &[&str], extra: usize, rng: &mut impl Rng) -> Model {
    let mut child = base.clone();
    for name in tables {
        let Some(tensor) = child.tensors.get_mut(*name) else {
            continue;
        };
        let (rows, columns) = (tensor.rows(), tensor.columns());
        let Some(values) = tensor.floats_mut() else {
            continue;
        };
        let mean: Vec<f32> = (0..columns)
            .map(|column| values.iter().skip(column).step_by(columns).sum::<f32>() / rows as f32)
            .collect();
        for _ in 0..extra {
            values.extend(mean.iter().map(|value| value + 0.02 * sample(rng)));
        }
        tensor.shape[0] += extra;
    }
    child
}

/// Turns the feed-forward layers of each block into `experts` copies under `moe.experts.N.` with a fresh router, as sparse upcycling does.
/// Expert `N` is taken from `parents[N % parents.len()]`.
pub fn upcycle(parents: &[&Model], experts: usize, rng: &mut impl Rng) -> Model {
    let mut child = Model::default();
    for (name, tensor) in &parents[0].tensors {
        let Some((block, layer)) = feed_forward(name) else {
            child.tensors.insert(name.clone(), tensor.clone());
            continue;
        };
        for expert in 0..experts {
            let source = &parents[expert % parents.len()].tensors[name];
            child
                .tensors
                .insert(format!("{block}.moe.experts.{expert}.{layer}"), source.clone());
        }
        if layer == "intermediate.dense.weight" {
            let width = tensor.columns();
            let router = (0..experts * width).map(|_| 0.02 * sample(rng)).collect();
            let router = Tensor {
                dtype: tensor.dtype,
                ..Tensor::float(vec![experts, width], router)
            };
            child.tensors.insert(format!("{block}.moe.gate.weight"), router);
        }
    }
    child
}

/// Splits `bert.encoder.layer.3.intermediate.dense.weight` before the feed-forward layer.
fn feed_forward(name: &str) -> Option<(&str, &str)> {
    let (before, _, _) = block_of(name)?;
    let block_end = before.len() + name[before.len()..].find('.')?;
    let (block, layer) = (&name[..block_end], &name[block_end + 1..]);
    (layer.starts_with("intermediate.dense") || layer.starts_with("output.dense")).then_some((block, layer))
}

/// Everything of each part under its own prefix, and a fresh projection between them: a multimodal model.
pub fn compose(parts: &[(&str, &Model)], projection: (usize, usize), rng: &mut impl Rng) -> Model {
    let mut child = Model::default();
    for (prefix, part) in parts {
        child.tensors.extend(
            part.tensors
                .iter()
                .map(|(name, tensor)| (format!("{prefix}.{name}"), tensor.clone())),
        );
    }
    let (rows, columns) = projection;
    let values = (0..rows * columns).map(|_| 0.05 * sample(rng)).collect();
    let projector = Tensor {
        dtype: Dtype::F32,
        ..Tensor::float(vec![rows, columns], values)
    };
    child.tensors.insert("projector.weight".to_owned(), projector);
    child
}

/// Drops each tensor that `selects` picks and puts a normalised, differently named replacement beside its weights, as converting to
/// B-cos networks does: the kept weights stay, the layer type changes.
pub fn replace_layers(base: &Model, selects: impl Fn(&str) -> bool) -> Model {
    let mut child = Model::default();
    for (name, tensor) in &base.tensors {
        if selects(name) && name.ends_with("bias") {
            continue;
        }
        if selects(name) && tensor.is_matrix() {
            let scale = Tensor {
                dtype: tensor.dtype,
                ..Tensor::float(vec![tensor.rows()], vec![1.0; tensor.rows()])
            };
            child.tensors.insert(name.replace("weight", "bcos_scale"), scale);
        }
        child.tensors.insert(name.clone(), tensor.clone());
    }
    child
}

fn sample(rng: &mut impl Rng) -> f32 {
    StandardNormal.sample(rng)
}
