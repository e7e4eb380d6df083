//! Which tensor of `a` is compared with which of `b`: by name, then by role, where the shapes agree.

use crate::weights::{Checkpoint, TensorInfo, WINDOW_ELEMENTS, canonical_name};
use std::collections::HashMap;

/// One tensor on both sides.
#[derive(Debug, Clone, Copy)]
pub struct Pair<'a> {
    pub a: &'a TensorInfo,
    pub b: &'a TensorInfo,
}

impl Pair<'_> {
    /// Small enough for a histogram of every difference.
    pub fn is_small(&self) -> bool {
        self.a.elements() <= WINDOW_ELEMENTS
    }
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
    let left = |one: &'a Checkpoint, other: &Checkpoint| -> Vec<&'a TensorInfo> {
        one.tensors
            .iter()
            .filter(|tensor| other.tensor(&tensor.name).is_none())
            .collect()
    };
    let (left_a, left_b) = (left(a, b), left(b, a));
    let (roles_a, roles_b) = (by_role(&left_a), by_role(&left_b));
    for before in &a.tensors {
        let role = canonical_name(&before.name);
        let unique = roles_a.get(&role).copied().flatten().is_some();
        let by_role = || roles_b.get(&role).copied().flatten().filter(|_| unique);
        match b.tensor(&before.name).or_else(by_role) {
            None => pairing.removed.push(before.name.clone()),
            Some(after) if after.shape != before.shape => pairing.reshaped.push(before.name.clone()),
            Some(after) => pairing.pairs.push(Pair { a: before, b: after }),
        }
    }
    for after in left_b {
        let role = canonical_name(&after.name);
        let met = [&roles_a, &roles_b]
            .iter()
            .all(|roles| roles.get(&role).copied().flatten().is_some());
        if !met {
            pairing.added.push(after.name.clone());
        }
    }
    pairing.pairs.sort_by(|x, y| x.b.name.cmp(&y.b.name));
    pairing
}

/// Tensors by canonical name; `None` where two share one, which tells nothing.
fn by_role<'a>(tensors: &[&'a TensorInfo]) -> HashMap<String, Option<&'a TensorInfo>> {
    let mut roles = HashMap::new();
    for tensor in tensors {
        roles
            .entry(canonical_name(&tensor.name))
            .and_modify(|known| *known = None)
            .or_insert(Some(*tensor));
    }
    roles
}
