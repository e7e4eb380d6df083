//! Which members of a family are merges, of which others, with which weights.
//!
//! Enters: groups with their vectors, and relatives. Leaves: [`Merge`]s without cycles among them. If M is a merge of A and B, then A is
//! also a combination of M and B: the hypothesis with weights between 0 and 1 wins, then the one whose task vectors are closest to orthogonal.

use super::cells::Group;
use super::decide::{Decision, decide};
use super::evidence::Evidence;
use super::grid::grid_of;
use super::masked::Masked;
use super::merge::{Combination, MOST_RELATIVES, explain, remainder};
use super::sampled::{dropped, mixed_then_pruned};
use super::{Edge, Feature, Member, Relation};
use crate::fingerprint::{Fingerprint, View};
use rayon::prelude::*;
use std::collections::{BTreeMap, HashMap, HashSet};

/// Largest cosine of task vectors for their common end to be their base.
const ORTHOGONAL: f64 = 0.3;
/// Relatives this near to each other, against the child's squared distance, stand for one.
const SAME_PLACE: f64 = 0.1;
/// How much stranger one more parent is.
const MORE_PARENTS: f64 = 0.3;

/// A merge: its parents with their weights, the base first where there is one.
#[derive(Debug, Clone)]
pub(super) struct Merge {
    pub child: usize,
    pub parents: Vec<(usize, f64)>,
    /// The first parent is the base to which task vectors were added.
    has_base: bool,
    /// Mean absolute cosine of the task vectors, where there is a base.
    slant: f64,
    remainder: f64,
    /// Elements were dropped on the way.
    masked: Option<Masked>,
    /// Each tensor has a weight of its own.
    by_tensor: Option<&'static str>,
    /// What was done to the merge afterwards.
    then: Option<Decision>,
}

pub(super) fn merges(
    members: &[&Member<'_>],
    groups: &[Group],
    nearest: &HashMap<usize, Vec<usize>>,
    holders: &HashMap<&str, usize>,
) -> Vec<Merge> {
    groups
        .iter()
        .filter(|group| group.members.len() >= 3)
        .flat_map(|group| of_group(members, group, nearest, holders))
        .collect()
}

fn of_group(
    members: &[&Member<'_>],
    group: &Group,
    nearest: &HashMap<usize, Vec<usize>>,
    holders: &HashMap<&str, usize>,
) -> Vec<Merge> {
    let place: HashMap<usize, usize> = group
        .members
        .iter()
        .enumerate()
        .map(|(place, member)| (*member, place))
        .collect();
    let plain = plain_members(members, group);
    let narrow = group.rounded.iter().filter(|rounded| **rounded).count() * 2 < group.members.len();
    let can_be_parent = |member: usize| plain[&member] && !(narrow && group.rounded[place[&member]]);
    let common: Vec<f64> = group
        .members
        .iter()
        .map(|member| commonness(members[*member].fingerprint, holders))
        .collect();
    let find = |child: &usize, without: &HashSet<usize>| -> Vec<Merge> {
        let near = nearest
            .get(child)
            .into_iter()
            .flatten()
            .filter(|relative| !without.contains(relative) && can_be_parent(**relative));
        let places: Vec<usize> = near.map(|relative| place[relative]).collect();
        let search = Search {
            members,
            group,
            child: place[child],
            near: &places,
            common: &common,
        };
        if plain[child] {
            search.whole()
        } else {
            search.pruned().into_iter().collect()
        }
    };
    let first: Vec<Merge> = group
        .members
        .par_iter()
        .flat_map_iter(|child| find(child, &HashSet::new()))
        .collect();
    // a merge of two models is also a combination of one of them and another merge of both: look again without merges
    let merged: HashSet<usize> = accept(first.clone()).iter().map(|merge| merge.child).collect();
    let mut again = first;
    for child in &merged {
        let others: HashSet<usize> = merged.iter().copied().filter(|member| member != child).collect();
        let without_merges = find(child, &others);
        if !without_merges.is_empty() {
            again.retain(|merge| merge.child != *child);
            again.extend(without_merges);
        }
    }
    accept(again)
}

/// One child, and those of its group that it may be a merge of, nearest first; by their places.
struct Search<'s, 'm> {
    members: &'s [&'s Member<'m>],
    group: &'s Group,
    child: usize,
    near: &'s [usize],
    /// How common the tensors of each are.
    common: &'s [f64],
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
    fn whole(&self) -> Vec<Merge> {
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
    fn pruned(&self) -> Option<Merge> {
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
fn commonness(fingerprint: &Fingerprint, holders: &HashMap<&str, usize>) -> f64 {
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

impl Merge {
    fn of(child: usize, relatives: &[usize], vectors: &[&[f32]], combination: Combination) -> Option<Self> {
        let weights = &combination.weights;
        let is_convex = weights.iter().all(|(_, weight)| (0.0..=1.0).contains(weight));
        let base = weights
            .iter()
            .filter(|(base, _)| {
                let others = weights.iter().filter(|(other, _)| other != base);
                weights.len() >= 3 && others.clone().all(|(_, weight)| (0.0..=2.0).contains(weight))
            })
            .map(|(base, _)| (slant(vectors, *base, weights), *base))
            .min_by(|a, b| a.0.total_cmp(&b.0));
        let base = base.filter(|(slant, _)| *slant < ORTHOGONAL);
        if !is_convex && base.is_none() {
            return None;
        }
        let mut parents: Vec<(usize, f64)> =
            weights.iter().map(|(index, weight)| (*index, *weight)).collect();
        // the heaviest first, but the base before all
        parents.sort_by(|a, b| b.1.total_cmp(&a.1));
        if let Some((_, base)) = base {
            parents.sort_by_key(|(index, _)| *index != base);
        }
        Some(Self {
            child,
            parents: parents
                .into_iter()
                .map(|(index, weight)| (relatives[index], weight))
                .collect(),
            has_base: base.is_some(),
            slant: base.map_or(0.0, |(slant, _)| slant),
            remainder: combination.remainder,
            masked: None,
            by_tensor: None,
            then: None,
        })
    }

    /// The less likely hypotheses come later.
    fn strangeness(&self) -> f64 {
        let outside: f64 = self
            .parents
            .iter()
            .map(|(_, weight)| (weight - 1.0).max(-weight).max(0.0))
            .sum();
        let unexplained = 0.1 * (self.remainder + 1e-9).log10();
        outside + self.slant + unexplained + MORE_PARENTS * self.parents.len() as f64
    }

    fn params(&self, coefficients: Vec<f64>) -> BTreeMap<String, serde_json::Value> {
        let hundredth = |value: f64| (value * 100.0).round() / 100.0;
        match &self.masked {
            Some(masked) if masked.technique == "dare" => {
                [("drop_rate".to_owned(), hundredth(1.0 - masked.density).into())].into()
            }
            Some(masked) => [("density".to_owned(), hundredth(masked.density).into())].into(),
            None if self.by_tensor.is_some() => BTreeMap::new(),
            None => [("coefficients".to_owned(), coefficients.into())].into(),
        }
    }

    pub fn edge(&self, members: &[&Member<'_>]) -> Edge {
        let counted = if self.has_base {
            &self.parents[1..]
        } else {
            &self.parents[..]
        };
        let coefficients: Vec<f64> = counted
            .iter()
            .map(|(_, weight)| (weight * 1e3).round() / 1e3)
            .collect();
        let (technique, what) = if let Some(masked) = &self.masked {
            (masked.technique, "task vectors of which elements were dropped")
        } else if let Some(technique) = self.by_tensor {
            (technique, "each tensor with a weight of its own")
        } else if self.is_spherical(members) {
            ("slerp", "spherical interpolation, which keeps the norm")
        } else if self.has_base {
            ("task-arithmetic", "task vectors added to a base")
        } else {
            ("linear", "weighted mean")
        };
        if let Some(then) = &self.then {
            return self.edge_of_two_steps(members, then);
        }
        let share = (1.0 - self.remainder) * 100.0;
        Edge {
            child: members[self.child].id,
            parents: self
                .parents
                .iter()
                .map(|(parent, _)| members[*parent].id)
                .collect(),
            relation: Relation::Merge,
            technique: technique.to_owned(),
            params: self.params(coefficients),
            confidence: if self.masked.is_some() {
                0.9
            } else {
                0.97 - self.remainder.min(0.3)
            },
            explanation: format!(
                "Merge of {} models: {what}. The combination explains {share:.1} % of the squared distance to the nearest of them.",
                self.parents.len()
            ),
            evidence: vec![
                Feature::new(
                    "merge_remainder",
                    self.remainder,
                    "squared distance to the combination over that to the nearest parent",
                ),
                Feature::new(
                    "task_vector_cosine",
                    self.slant,
                    "mean absolute cosine of the parents' differences from the base",
                ),
            ],
        }
    }
}

impl Merge {
    fn edge_of_two_steps(&self, members: &[&Member<'_>], then: &Decision) -> Edge {
        let mut params = then.params.clone();
        params.insert("steps".to_owned(), vec!["merge", "pruned"].into());
        Edge {
            child: members[self.child].id,
            parents: self
                .parents
                .iter()
                .map(|(parent, _)| members[*parent].id)
                .collect(),
            relation: then.relation,
            technique: then.technique.to_owned(),
            params,
            confidence: 0.9,
            explanation: format!(
                "Merge of {} models, pruned afterwards. What is left of each matrix is their weighted mean, {:.2} and {:.2}.",
                self.parents.len(),
                self.parents[0].1,
                self.parents[1].1
            ),
            evidence: then.features.clone(),
        }
    }
}

/// Relative distance of two tensors from which spherical and straight interpolation differ: tools switch at a cosine of 0.9995.
const CURVED: f64 = 0.035;

impl Merge {
    /// A straight mean of two tensors is shorter than they are by a share of their squared distance; a spherical one is not.
    fn is_spherical(&self, members: &[&Member<'_>]) -> bool {
        let [(a, weight), (b, other)] = self.parents[..] else {
            return false;
        };
        let [first, second, child] = [a, b, self.child].map(|member| &members[member].fingerprint.tensors);
        let mut bends: Vec<f64> = Vec::new();
        for ((first, second), child) in first.iter().zip(second).zip(child) {
            let (Some(x), Some(y), Some(z)) = (&first.stats, &second.stats, &child.stats) else {
                continue;
            };
            let (Some(p), Some(q)) = (&first.sketch, &second.sketch) else {
                continue;
            };
            let apart = p.minus(q).norm_squared();
            if apart > (CURVED * x.l2).powi(2) && first.elements() > 64 {
                let straight = weight * x.l2.powi(2) + other * y.l2.powi(2);
                bends.push((z.l2.powi(2) - straight) / (weight * other * apart));
            }
        }
        bends.sort_by(f64::total_cmp);
        bends.get(bends.len() / 2).is_some_and(|median| *median > -0.5)
    }
}

/// Mean absolute cosine of the differences from `base`.
fn slant(vectors: &[&[f32]], base: usize, weights: &[(usize, f64)]) -> f64 {
    let task = |index: usize| -> Vec<f64> {
        vectors[index]
            .iter()
            .zip(vectors[base])
            .map(|(a, b)| f64::from(a - b))
            .collect()
    };
    let tasks: Vec<Vec<f64>> = weights
        .iter()
        .filter(|(index, _)| *index != base)
        .map(|(index, _)| task(*index))
        .collect();
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let mut cosines = Vec::new();
    for (index, first) in tasks.iter().enumerate() {
        for second in &tasks[index + 1..] {
            let norms = (dot(first, first) * dot(second, second)).sqrt();
            cosines.push(if norms > 0.0 {
                (dot(first, second) / norms).abs()
            } else {
                1.0
            });
        }
    }
    cosines.iter().sum::<f64>() / cosines.len().max(1) as f64
}

/// Takes the likeliest first: one for each child, and none that would make a model its own ancestor.
fn accept(mut hypotheses: Vec<Merge>) -> Vec<Merge> {
    hypotheses.sort_by(|a, b| {
        a.strangeness()
            .total_cmp(&b.strangeness())
            .then(a.child.cmp(&b.child))
    });
    let mut accepted: Vec<Merge> = Vec::new();
    for hypothesis in hypotheses {
        let is_new = accepted.iter().all(|merge| merge.child != hypothesis.child);
        if is_new
            && !hypothesis
                .parents
                .iter()
                .any(|(parent, _)| descends(&accepted, *parent, hypothesis.child))
        {
            accepted.push(hypothesis);
        }
    }
    accepted
}

fn descends(accepted: &[Merge], member: usize, ancestor: usize) -> bool {
    member == ancestor
        || accepted
            .iter()
            .filter(|merge| merge.child == member)
            .any(|merge| {
                merge
                    .parents
                    .iter()
                    .any(|(parent, _)| descends(accepted, *parent, ancestor))
            })
}

/// Matrices looked at to tell plain members.
const LOOKED_AT: usize = 3;
/// Share of zeros beyond what the family has, from which a model was pruned.
const GAINED_ZEROS: f64 = 0.02;

/// Whether each member is neither pruned nor quantized, as the rest of its group go: what could be merged, or be a merge.
pub(super) fn plain_members(members: &[&Member<'_>], group: &Group) -> HashMap<usize, bool> {
    let prints: Vec<&Fingerprint> = group
        .members
        .iter()
        .map(|member| members[*member].fingerprint)
        .collect();
    let Some(first) = prints.first() else {
        return HashMap::new();
    };
    let varies = |place: &usize| {
        let digests: HashSet<_> = prints
            .iter()
            .map(|print| &print.tensors[*place].value_digest)
            .collect();
        digests.len() * 2 > prints.len()
    };
    let mut places: Vec<usize> = (0..first.tensors.len())
        .filter(|place| !View::of(&first.tensors[*place].shape).is_vector())
        .collect();
    places.sort_by_key(|place| std::cmp::Reverse(first.tensors[*place].elements()));
    let (varying, constant): (Vec<usize>, Vec<usize>) = places.into_iter().partition(varies);
    let looked_at: Vec<usize> = varying.into_iter().chain(constant).take(LOOKED_AT).collect();
    let zeros = |print: &Fingerprint, place: usize| {
        print.tensors[place].stats.as_ref().map_or(0, |stats| stats.zeros)
    };
    let usual: Vec<u64> = looked_at
        .iter()
        .map(|place| {
            let mut all: Vec<u64> = prints.iter().map(|print| zeros(print, *place)).collect();
            all.sort_unstable();
            all[all.len() / 4]
        })
        .collect();
    let is_plain = |print: &&Fingerprint| {
        let marked = looked_at.iter().zip(&usual).filter(|(place, usual)| {
            let tensor = &print.tensors[**place];
            let gained = zeros(print, **place).saturating_sub(**usual) as f64;
            gained > GAINED_ZEROS * tensor.elements() as f64 || grid_of(tensor).is_some()
        });
        marked.count() * 2 <= looked_at.len()
    };
    let plain: Vec<bool> = prints.par_iter().map(is_plain).collect();
    group.members.iter().copied().zip(plain).collect()
}
