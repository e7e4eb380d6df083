//! Which pairs of a family deserve a full comparison.
//!
//! Enters: fingerprints and their groups. Leaves: pairs. Within a group the nearest by whole-model distance; across groups, models
//! that share tensors or many shapes. A family of a thousand costs thousands of comparisons, not a million.

use super::align::cosine;
use super::cells::{Group, squared_norm};
use super::decide::{adapter_fit, adapter_kind, packing_of};
use crate::fingerprint::{Fingerprint, View};
use rayon::prelude::*;
use std::collections::{BTreeSet, HashMap, HashSet};

/// Nearest relatives compared in full.
const NEAREST: usize = 8;
/// Squared distance over mean squared norm from which two models are no relatives: it is 2 for independent ones.
const RELATED: f64 = 1.7;
/// Share of the smaller model's matrix elements whose shapes both have, for groups to be compared.
const SHAPE_OVERLAP: f64 = 0.25;
/// Comparisons across two groups, for each member of the one.
const ACROSS: usize = 256;

/// Pairs (lower place first), and for each member its relatives within its group, nearest first.
pub(super) struct Candidates {
    pub pairs: Vec<(usize, usize)>,
    pub nearest: HashMap<usize, Vec<usize>>,
}

pub(super) fn candidates(fingerprints: &[&Fingerprint], groups: &[Group]) -> Candidates {
    let mut pairs: BTreeSet<(usize, usize)> = BTreeSet::new();
    let mut nearest = HashMap::new();
    pairs.extend(same_values_elsewhere(fingerprints));
    for group in groups {
        for (member, relatives) in within(group) {
            let near = relatives.iter().take(NEAREST);
            pairs.extend(near.map(|relative| (member.min(*relative), member.max(*relative))));
            nearest.insert(member, relatives);
        }
    }
    for (index, a) in groups.iter().enumerate() {
        for b in &groups[index + 1..] {
            if overlap(fingerprints[a.members[0]], fingerprints[b.members[0]]) {
                pairs.extend(across(fingerprints, a, b));
            }
        }
    }
    Candidates {
        pairs: pairs.into_iter().collect(),
        nearest,
    }
}

fn within(group: &Group) -> Vec<(usize, Vec<usize>)> {
    let norms: Vec<f64> = group.cells.iter().map(|cells| squared_norm(cells)).collect();
    (0..group.members.len())
        .into_par_iter()
        .map(|member| {
            let mut relatives: Vec<(f64, usize)> = (0..group.members.len())
                .filter(|other| *other != member)
                .map(|other| (group.distances[member][other], other))
                .filter(|(distance, other)| *distance < RELATED * 0.5 * (norms[member] + norms[*other]))
                .collect();
            relatives.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            relatives.truncate(8 * NEAREST);
            let places = relatives
                .into_iter()
                .map(|(_, other)| group.members[other])
                .collect();
            (group.members[member], places)
        })
        .collect()
}

/// For each member of the smaller group those of the other that are most like it; all, up to a bound, where likeness cannot be told.
fn across<'g>(
    fingerprints: &'g [&Fingerprint],
    a: &'g Group,
    b: &'g Group,
) -> impl Iterator<Item = (usize, usize)> + 'g {
    let (few, many) = if a.members.len() <= b.members.len() {
        (a, b)
    } else {
        (b, a)
    };
    few.members.iter().flat_map(move |first| {
        let mut likely: Vec<(f64, usize)> = many
            .members
            .iter()
            .map(|second| (likeness(fingerprints[*first], fingerprints[*second]), *second))
            .collect();
        likely.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let told = likely.iter().filter(|(likeness, _)| *likeness > LIKE).count();
        likely.truncate(if told > 0 { told.min(LIKELY) } else { ACROSS });
        likely
            .into_iter()
            .map(move |(_, second)| (*first.min(&second), *first.max(&second)))
    })
}

/// Cosine of the largest tensors of one name and shape; 1 for equal ones.
fn likeness(a: &Fingerprint, b: &Fingerprint) -> f64 {
    let mut common: Vec<_> = a
        .tensors
        .iter()
        .filter(|tensor| !View::of(&tensor.shape).is_vector())
        .filter_map(|tensor| {
            Some((
                tensor,
                b.tensor(&tensor.name)
                    .filter(|other| other.shape == tensor.shape)?,
            ))
        })
        .collect();
    common.sort_by_key(|(tensor, _)| std::cmp::Reverse(tensor.elements()));
    let likenesses = common
        .iter()
        .take(3)
        .filter_map(|(tensor, other)| cosine(tensor, other));
    likenesses.fold(0.0, f64::max)
}

/// Likeness from which models are of one family, and how many of those are compared.
const LIKE: f64 = 0.3;
const LIKELY: usize = 48;

/// Pairs whose largest matrices hold the same multiset of values: neurons in another order are far apart by distance.
fn same_values_elsewhere(fingerprints: &[&Fingerprint]) -> Vec<(usize, usize)> {
    let mut by_values: HashMap<u64, Vec<usize>> = HashMap::new();
    for (index, fingerprint) in fingerprints.iter().enumerate() {
        let mut largest: Vec<_> = matrices(fingerprint).collect();
        largest.sort_by_key(|(_, elements)| std::cmp::Reverse(*elements));
        for (tensor, _) in largest.iter().take(3) {
            if let Some(invariants) = &tensor.invariants {
                by_values.entry(invariants.values).or_default().push(index);
            }
        }
    }
    by_values
        .values()
        .flat_map(|members| {
            let near = members.iter().take(NEAREST);
            near.flat_map(|a| {
                members
                    .iter()
                    .take(ACROSS)
                    .filter(move |b| a < b)
                    .map(|b| (*a, *b))
            })
        })
        .collect()
}

/// Whether two architectures have enough in common: a tensor's very values, or many shapes, or names.
fn overlap(a: &Fingerprint, b: &Fingerprint) -> bool {
    if adapter_kind(a).is_some() || adapter_kind(b).is_some() {
        return adapter_fit(a, b).is_some() || adapter_fit(b, a).is_some();
    }
    if packing_of(a) != packing_of(b) {
        return share_names(a, b);
    }
    let digests: HashSet<&str> = matrices(a)
        .filter_map(|(tensor, _)| tensor.value_digest.as_deref())
        .collect();
    if matrices(b).any(|(tensor, _)| {
        tensor
            .value_digest
            .as_deref()
            .is_some_and(|digest| digests.contains(digest))
    }) {
        return true;
    }
    let names: HashSet<&str> = matrices(a).map(|(tensor, _)| tensor.name.as_str()).collect();
    let same_names = matrices(b)
        .filter(|(tensor, _)| names.contains(tensor.name.as_str()))
        .count();
    if same_names > 0 && same_names * 2 >= names.len().min(matrices(b).count()) {
        return true;
    }
    let mut shapes: HashMap<&[u64], i64> = HashMap::new();
    for (tensor, _) in matrices(a) {
        *shapes.entry(&tensor.shape).or_default() += 1;
    }
    let mut shared = 0;
    for (tensor, elements) in matrices(b) {
        if let Some(count) = shapes
            .get_mut(tensor.shape.as_slice())
            .filter(|count| **count > 0)
        {
            *count -= 1;
            shared += elements;
        }
    }
    let total = |fingerprint| matrices(fingerprint).map(|(_, elements)| elements).sum::<u64>();
    shared > 0 && shared as f64 >= SHAPE_OVERLAP * total(a).min(total(b)) as f64
}

fn matrices(
    fingerprint: &Fingerprint,
) -> impl Iterator<Item = (&crate::fingerprint::TensorFingerprint, u64)> {
    fingerprint.tensors.iter().filter_map(|tensor| {
        let view = View::of(&tensor.shape);
        (!view.is_vector()).then(|| (tensor, view.elements()))
    })
}

/// A quarter of the smaller model's tensors go by the same names.
fn share_names(a: &Fingerprint, b: &Fingerprint) -> bool {
    let names: HashSet<&str> = a.tensors.iter().map(|tensor| tensor.name.as_str()).collect();
    let same = b
        .tensors
        .iter()
        .filter(|tensor| names.contains(tensor.name.as_str()))
        .count();
    same * 4 >= names.len().min(b.tensors.len()).max(1)
}
