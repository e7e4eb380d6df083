//! The same weights again: cast, re-sharded, renamed.

use crate::model::{Model, Values};
use safetensors::tensor::Dtype;

/// Every float tensor in another float dtype.
pub fn cast(base: &Model, dtype: Dtype) -> Model {
    let mut child = base.clone();
    for tensor in child.tensors.values_mut() {
        if matches!(tensor.values, Values::Float(_)) {
            tensor.dtype = dtype;
        }
    }
    child
}

/// The tensors in `shards` files of about equal size, cut in name order.
pub fn reshard(base: &Model, shards: usize) -> Vec<Model> {
    let mut parts = vec![Model::default(); shards];
    let total = base.parameters().max(1);
    let mut seen = 0;
    for (name, tensor) in &base.tensors {
        let part = (seen * shards / total).min(shards - 1);
        parts[part].tensors.insert(name.clone(), tensor.clone());
        seen += tensor.shape.iter().product::<usize>();
    }
    parts.retain(|part| !part.tensors.is_empty());
    parts
}

/// Every tensor under another name.
pub fn rename(base: &Model, name: impl Fn(&str) -> String) -> Model {
    let tensors = base
        .tensors
        .iter()
        .map(|(old, tensor)| (name(old), tensor.clone()))
        .collect();
    Model { tensors }
}
