//! Finds the tensors in what a pickle built, and what they are called.
//!
//! A state dict is a dictionary of tensors; a training checkpoint keeps it under a key such as `state_dict`; a pickled module
//! keeps it in `_parameters`, `_buffers` and `_modules`; TorchScript keeps it in the attributes of its objects.

use super::value::{Heap, Node, Value, storage_dtype};
use crate::weights::Dtype;
use std::collections::HashMap;

/// Keys that training scripts put a model under, in the order they are looked for.
const MODEL_KEYS: &[&str] = &[
    "state_dict",
    "model_state_dict",
    "model",
    "module",
    "net",
    "network",
    "generator",
    "params_ema",
    "params",
];

/// Names that say where a module keeps its tensors, not what they are called.
const TRANSPARENT_KEYS: &[&str] = &["_parameters", "_buffers", "_modules"];

const MAX_DEPTH: usize = 64;
const MAX_NAME_BYTES: usize = 4096;
/// Shared values are visited once for each name they have; hostile sharing has no end.
const MAX_VISITS: usize = 1 << 20;

/// A tensor as a pickle describes it. Sizes are not checked yet.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct FoundTensor {
    pub name: String,
    pub dtype: Dtype,
    /// Numbers in one element: 2 for complex ones.
    pub parts: u64,
    /// Key of the storage.
    pub storage: String,
    /// First element in the storage.
    pub offset: u64,
    pub shape: Vec<u64>,
    /// In elements.
    pub strides: Vec<u64>,
}

/// Every tensor below `root`, named by the way to it. `None` when the structure has no end.
pub(super) fn find_tensors(heap: &Heap, root: Value, prefix: &str) -> Option<Vec<FoundTensor>> {
    if let Some(items) = heap.dict(root) {
        for wanted in MODEL_KEYS {
            let model = items.iter().find(|(key, _)| heap.text(*key) == Some(wanted));
            if let Some((_, model)) = model {
                let found = walk(heap, *model, prefix)?;
                if !found.is_empty() {
                    return Some(found);
                }
            }
        }
    }
    walk(heap, root, prefix)
}

/// Not recursive: the depth of a pickle is the attacker's choice.
fn walk(heap: &Heap, root: Value, prefix: &str) -> Option<Vec<FoundTensor>> {
    let mut found = Vec::new();
    let mut pending = vec![(root, prefix.to_owned(), 0)];
    for _ in 0..MAX_VISITS {
        let Some((value, path, depth)) = pending.pop() else {
            return Some(found);
        };
        if let Some(tensor) = as_tensor(heap, value, &path) {
            found.push(tensor);
            continue;
        }
        if depth >= MAX_DEPTH || path.len() > MAX_NAME_BYTES {
            continue;
        }
        let mut enter = |value: Value, key: &str| {
            if matches!(value, Value::Node(_)) {
                pending.push((value, join(&path, key), depth + 1));
            }
        };
        match heap.get(value) {
            Some(Node::Dict(items)) => enter_items(heap, items, &mut enter),
            Some(Node::List(items) | Node::Tuple(items)) => {
                for (index, item) in items.iter().enumerate() {
                    enter(*item, &index.to_string());
                }
            }
            Some(Node::Call {
                state: Some(state), ..
            }) => enter(*state, ""),
            Some(Node::Call { arguments, .. }) => {
                // A wrapper: TorchScript's type tags and lists, a Parameter.
                if let Some([inner, ..]) = heap.sequence(*arguments) {
                    enter(*inner, "");
                }
            }
            _ => {}
        }
    }
    None
}

fn enter_items(heap: &Heap, items: &[(Value, Value)], enter: &mut impl FnMut(Value, &str)) {
    let is_module = items
        .iter()
        .any(|(key, _)| heap.text(*key) == Some("_parameters"));
    for (key, value) in items {
        match (*key, heap.text(*key)) {
            (_, Some(text)) if TRANSPARENT_KEYS.contains(&text) => enter(*value, ""),
            // What else a module remembers (hooks, gradients, training state) is not its weights.
            _ if is_module => {}
            (_, Some(text)) if text.starts_with("optimizer") || text.starts_with("lr_scheduler") => {}
            (_, Some(text)) => enter(*value, text),
            (Value::Int(number), None) => enter(*value, &number.to_string()),
            _ => {}
        }
    }
}

fn join(path: &str, key: &str) -> String {
    match (path.is_empty(), key.is_empty()) {
        (true, _) => key.to_owned(),
        (_, true) => path.to_owned(),
        _ => format!("{path}.{key}"),
    }
}

fn as_tensor(heap: &Heap, value: Value, name: &str) -> Option<FoundTensor> {
    let Node::Call {
        callable, arguments, ..
    } = heap.get(value)?
    else {
        return None;
    };
    let (module, function) = heap.global(*callable)?;
    let arguments = heap.sequence(*arguments)?;
    match (module, function) {
        ("torch._tensor", "_rebuild_from_type_v2") => {
            let (function, arguments) = (*arguments.first()?, *arguments.get(2)?);
            rebuilt(heap, heap.global(function)?.1, heap.sequence(arguments)?, name)
        }
        ("torch._utils", function) => rebuilt(heap, function, arguments, name),
        _ => None,
    }
}

fn rebuilt(heap: &Heap, function: &str, arguments: &[Value], name: &str) -> Option<FoundTensor> {
    match function {
        "_rebuild_parameter" | "_rebuild_parameter_with_state" => as_view(heap, *arguments.first()?, name),
        "_rebuild_tensor" | "_rebuild_tensor_v2" | "_rebuild_tensor_v3" | "_rebuild_qtensor" => {
            view(heap, function, arguments, name)
        }
        _ => None,
    }
}

/// The tensor inside a parameter. One level: parameters do not nest.
fn as_view(heap: &Heap, value: Value, name: &str) -> Option<FoundTensor> {
    let Node::Call {
        callable, arguments, ..
    } = heap.get(value)?
    else {
        return None;
    };
    let (_, function) = heap.global(*callable)?;
    view(heap, function, heap.sequence(*arguments)?, name)
}

/// `_rebuild_tensor_v2(storage, offset, size, stride, …)` and its kin.
fn view(heap: &Heap, function: &str, arguments: &[Value], name: &str) -> Option<FoundTensor> {
    let [storage, Value::Int(offset), shape, strides, ..] = arguments else {
        return None;
    };
    let Some(Node::Persistent(storage)) = heap.get(*storage) else {
        return None;
    };
    let storage = as_storage(heap, *storage)?;
    let (dtype, parts) = match storage.dtype {
        Some(dtype) => dtype,
        None if function == "_rebuild_tensor_v3" => storage_dtype(heap.global(*arguments.get(6)?)?.1)?,
        None => return None,
    };
    Some(FoundTensor {
        name: name.to_owned(),
        dtype,
        parts,
        storage: storage.key.to_owned(),
        offset: u64::try_from(*offset).ok()?,
        shape: heap.lengths(*shape)?,
        strides: heap.lengths(*strides)?,
    })
}

struct Storage<'a> {
    key: &'a str,
    /// `None` where the storage is untyped.
    dtype: Option<(Dtype, u64)>,
}

/// The persistent id of a storage: `("storage", type, key, location, elements)`.
fn as_storage(heap: &Heap, id: Value) -> Option<Storage<'_>> {
    let [_, storage_type, key, _, _, ..] = heap.sequence(id)? else {
        return None;
    };
    let (_, type_name) = heap.global(*storage_type)?;
    Some(Storage {
        key: heap.text(*key)?,
        dtype: storage_dtype(type_name),
    })
}

/// Bytes of one element of every storage the pickle mentions, by key.
pub(super) fn storage_element_bytes(heap: &Heap) -> HashMap<String, u64> {
    heap.nodes()
        .filter_map(|node| match node {
            Node::Persistent(id) => as_storage(heap, *id),
            _ => None,
        })
        .map(|storage| {
            let bytes = storage.dtype.map_or(1, |(dtype, parts)| dtype.block().1 * parts);
            (storage.key.to_owned(), bytes)
        })
        .collect()
}
