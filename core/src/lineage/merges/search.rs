//! Looks for the parents of one child among its group.
//!
//! Enters: a child and its relatives. Leaves: hypotheses. Sums of whole models come first, then of whole tensors, then of some elements.

use super::*;

/// One child, and those of its group that it may be a merge of, nearest first; by their places.
pub(super) struct Search<'s, 'm> {
    pub members: &'s [&'s Member<'m>],
    pub group: &'s Group,
    pub child: usize,
    pub near: &'s [usize],
    /// How common the tensors of each are.
    pub common: &'s [f64],
}

/// Relatives whose probes are looked at.
const MOST_SAMPLED: usize = 32;

impl Search<'_, '_> {
    fn vector(&self, place: usize) -> &[f32] {
        self.group.cells[place].as_slice()
    }

    fn print(&self, place: usize) -> &Fingerprint {
        self.members[self.group.members[place]].fingerprint
    }

    /// Sums of whole models first, then of whole tensors, then of some elements.
    pub(super) fn whole(&self) -> Vec<Merge> {
        let relatives = spread(self.group, self.child, self.near);
        let vectors: Vec<&[f32]> = relatives.iter().map(|place| self.vector(*place)).collect();
        let straight = explain(self.vector(self.child), &vectors, |combination| {
            let (relatives, combination) = self.nearer_twins(&relatives, combination);
            let vectors: Vec<&[f32]> = relatives.iter().map(|place| self.vector(*place)).collect();
            let ids: Vec<usize> = relatives.iter().map(|place| self.group.members[*place]).collect();
            Merge::of(self.group.members[self.child], &ids, &vectors, combination)
        });
        if !straight.is_empty() {
            return straight;
        }
        let ids: Vec<usize> = relatives.iter().map(|place| self.group.members[*place]).collect();
        let by_tensor = tensor_by_tensor(self.group, self.child, &ids, &vectors);
        by_tensor.or_else(|| self.dropped()).into_iter().collect()
    }

    /// Each parent stood for those close to it: takes the one that leaves least.
    fn nearer_twins(&self, relatives: &[usize], combination: Combination) -> (Vec<usize>, Combination) {
        let mut places = relatives.to_vec();
        let mut best = combination;
        for slot in 0..best.weights.len() {
            let (index, _) = best.weights[slot];
            let current = places[index];
            let reach = SAME_PLACE * self.group.distances[self.child][current];
            for &twin in self.near {
                if places.contains(&twin) || self.group.distances[current][twin] >= reach {
                    continue;
                }
                let mut tried = places.clone();
                tried[index] = twin;
                let vectors: Vec<&[f32]> = tried.iter().map(|place| self.vector(*place)).collect();
                let active: Vec<usize> = best.weights.iter().map(|(index, _)| *index).collect();
                let found = remainder(self.vector(self.child), &vectors, &active);
                let better = |found: &Combination| {
                    let as_common = self.common[twin] > self.common[places[index]];
                    found.remainder < CLEARLY_LESS * best.remainder
                        || as_common && found.remainder * CLEARLY_LESS < best.remainder
                };
                if let Some(found) = found.filter(better) {
                    (places, best) = (tried, found);
                }
            }
        }
        (places, best)
    }

    fn dropped(&self) -> Option<Merge> {
        let near = &self.near[..self.near.len().min(MOST_SAMPLED)];
        let prints: Vec<&Fingerprint> = near.iter().map(|place| self.print(*place)).collect();
        let common: Vec<f64> = near.iter().map(|place| self.common[*place]).collect();
        let found = dropped(self.print(self.child), &prints, &common)?;
        let id = |index: &usize| self.group.members[near[*index]];
        let parents = std::iter::once(&found.base).chain(&found.tuned);
        Some(Merge {
            child: self.group.members[self.child],
            parents: parents.map(|index| (id(index), 1.0)).collect(),
            has_base: true,
            slant: 0.0,
            remainder: 1.0 - found.masked.explained,
            masked: Some(found.masked),
            by_tensor: None,
            then: None,
        })
    }

    /// A merge of two that lost elements afterwards.
    pub(super) fn pruned(&self) -> Option<Merge> {
        let prints: Vec<&Fingerprint> = self.near.iter().map(|place| self.print(*place)).collect();
        let found = mixed_then_pruned(self.print(self.child), &prints)?;
        let evidence = Evidence::of(prints[found[0].0], self.print(self.child));
        let then = decide(&evidence);
        (then.relation == Relation::Pruned).then(|| Merge {
            child: self.group.members[self.child],
            parents: found
                .iter()
                .map(|(index, weight)| (self.group.members[self.near[*index]], *weight))
                .collect(),
            has_base: false,
            slant: 0.0,
            remainder: 0.0,
            masked: None,
            by_tensor: None,
            then: Some(then),
        })
    }
}

/// Mean logarithm of how many members hold each of a model's tensors: high for those that others were tuned from in parts.
pub(super) fn commonness(fingerprint: &Fingerprint, holders: &HashMap<&str, usize>) -> f64 {
    let digests = fingerprint
        .tensors
        .iter()
        .filter_map(|tensor| tensor.value_digest.as_deref());
    let logarithms = digests.map(|digest| (holders.get(digest).copied().unwrap_or(1) as f64).ln());
    logarithms.sum::<f64>() / fingerprint.tensors.len().max(1) as f64
}

/// A twin that leaves less than this share of the remainder is the parent.
const CLEARLY_LESS: f64 = 0.8;

/// Squared distance that may remain when each tensor has its own weight, over that to the nearest relative.
const REST_BY_TENSOR: f64 = 0.02;
/// Mean squared difference of two tensors, over that of the most different ones, below which they hardly differ.
const HARDLY: f64 = 1e-3;

/// Two relatives between which each tensor lies somewhere of its own.
fn tensor_by_tensor(group: &Group, child: usize, relatives: &[usize], vectors: &[&[f32]]) -> Option<Merge> {
    let target = group.cells[child].as_slice();
    let mut best: Option<Merge> = None;
    for (index, first) in vectors.iter().enumerate() {
        for (other, second) in vectors.iter().enumerate().skip(index + 1) {
            let mut weights: Vec<(f64, f64)> = Vec::new();
            let (mut rest, mut to_first, mut to_second) = (0.0, 0.0, 0.0);
            for range in &group.tensors {
                let (mut product, mut square, mut way) = (0.0, 0.0, 0.0);
                for cell in range.clone() {
                    let step = f64::from(second[cell] - first[cell]);
                    let moved = f64::from(target[cell] - first[cell]);
                    product += step * moved;
                    square += step * step;
                    way += moved * moved;
                    to_second += f64::from(target[cell] - second[cell]).powi(2);
                }
                to_first += way;
                let weight = if square > 0.0 { product / square } else { 0.0 };
                rest += (way - weight * product).max(0.0);
                if square > 0.0 {
                    weights.push((weight, square / range.len() as f64));
                }
            }
            let nearest = to_first.min(to_second);
            // partial fine-tunes have tensors of the one or of the other: that is no merge
            let largest = weights.iter().map(|(_, square)| *square).fold(0.0, f64::max);
            // where the two hardly differ, rounding decides the weight
            weights.retain(|(_, square)| *square > HARDLY * largest);
            let count = |low: f64, high: f64| {
                let found = weights.iter().filter(|(weight, _)| (low..=high).contains(weight));
                found.count() as f64 / weights.len().max(1) as f64
            };
            let between = weights.len() > 2 && count(-0.05, 1.05) > 0.95 && count(0.03, 0.97) > 0.5;
            let remainder = rest / nearest.max(f64::MIN_POSITIVE);
            if nearest == 0.0
                || !between
                || remainder > REST_BY_TENSOR
                || best.as_ref().is_some_and(|best| best.remainder <= remainder)
            {
                continue;
            }
            let mean = weights.iter().map(|(weight, _)| weight).sum::<f64>() / weights.len().max(1) as f64;
            best = Some(Merge {
                child: group.members[child],
                parents: vec![(relatives[index], 1.0 - mean), (relatives[other], mean)],
                has_base: false,
                slant: 0.0,
                remainder,
                masked: None,
                by_tensor: Some("per-block"),
                then: None,
            });
        }
    }
    best
}

/// Relatives that are far enough apart to be told apart: of those close together, the one nearest to everyone.
fn spread(group: &Group, child: usize, near: &[usize]) -> Vec<usize> {
    let originality = |place: usize| (group.rounded[place], group.remoteness(place));
    let mut chosen: Vec<usize> = Vec::new();
    for &candidate in near {
        let twin = chosen.iter().position(|other| {
            let apart = group.distances[candidate][*other];
            apart < SAME_PLACE * group.distances[child][candidate].min(group.distances[child][*other])
        });
        match twin {
            Some(twin) if originality(candidate) < originality(chosen[twin]) => chosen[twin] = candidate,
            None if chosen.len() < MOST_RELATIVES => chosen.push(candidate),
            _ => {}
        }
    }
    chosen.dedup();
    chosen
}
