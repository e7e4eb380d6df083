//! Which members of a family are merges, of which others, with which weights.
//!
//! Enters: groups with their vectors, and relatives. Leaves: [`Merge`]s without cycles among them. If M is a merge of A and B, then A is
//! also a combination of M and B: the hypothesis with weights between 0 and 1 wins, then the one whose task vectors are closest to orthogonal.

mod search;

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
use search::{Search, commonness};
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
