//! Which tensor of `a` is compared with which of `b`: by name, where the shapes agree.

use crate::weights::{Checkpoint, TensorInfo};

/// One tensor on both sides.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pair<'a> {
    pub a: &'a TensorInfo,
    pub b: &'a TensorInfo,
}

/// The tensors of two checkpoints, sorted into what can be compared and what cannot. Each list is in name order.
#[derive(Debug, Default)]
pub(super) struct Pairing<'a> {
    pub pairs: Vec<Pair<'a>>,
    pub removed: Vec<String>,
    pub added: Vec<String>,
    pub reshaped: Vec<String>,
}

pub(super) fn pair_up<'a>(a: &'a Checkpoint, b: &'a Checkpoint) -> Pairing<'a> {
    let mut pairing = Pairing::default();
    for before in &a.tensors {
        match b.tensor(&before.name) {
            None => pairing.removed.push(before.name.clone()),
            Some(after) if after.shape != before.shape => pairing.reshaped.push(before.name.clone()),
            Some(after) => pairing.pairs.push(Pair { a: before, b: after }),
        }
    }
    let added = b.tensors.iter().filter(|tensor| a.tensor(&tensor.name).is_none());
    pairing.added = added.map(|tensor| tensor.name.clone()).collect();
    pairing
}
