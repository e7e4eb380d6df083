//! A family at once: candidates, merges, and the arborescence of single parents.
//!
//! Enters: members. Leaves: at most one [`Edge`] for each, no cycles. Cheap distances come first; only near pairs are compared in full.

use super::arborescence::{Arc, best_parents};
use super::candidates::{Candidates, candidates};
use super::cells::{Group, group};
use super::copies::{Copies, copy_edge, set_copies_apart};
use super::decide::{Decision, decide, magnitude_distance, packing_of};
use super::direction::direction;
use super::evidence::Evidence;
use super::merges::{Merge, merges};
use super::pair::features;
use super::{Edge, Feature, Member, Relation};
use crate::fingerprint::Fingerprint;
use rayon::prelude::*;
use std::collections::{HashMap, HashSet};

/// Cost of having no parent: above any related pair's.
const ROOT_COST: f64 = 60.0;
/// Log-odds of direction below which a pair is no candidate.
const WRONG_WAY: f64 = -6.0;
/// Cost by which the nearer of two generations must be nearer, where only costs tell.
const CLEARLY_NEARER: f64 = 0.7;
/// Most that the number of models of one layout says about direction.
const BY_LAYOUT: f64 = 3.0;
/// Standard deviations from which an inherited change is no chance.
const SIGNIFICANT: f64 = 3.0;
/// Squared distance that a parent's elements without counterpart count as.
const UNUSED_COST: f64 = 0.02;

/// Infers the edges of one family at once: at most one edge per child, no cycles, no edge rather than a wrong one.
pub fn infer_edges(members: &[Member<'_>]) -> Vec<Edge> {
    let Copies { originals, copies } = set_copies_apart(members);
    let fingerprints: Vec<&Fingerprint> = originals.iter().map(|member| member.fingerprint).collect();
    let groups = group(&fingerprints);
    let Candidates { pairs, nearest } = candidates(&fingerprints, &groups);
    let family = Family::new(&originals, &groups);
    let mut links: Vec<Link> = pairs
        .par_iter()
        .flat_map_iter(|(a, b)| family.judge_both_ways(*a, *b))
        .collect();
    let merged = merges(&originals, &groups, &nearest);
    let mut parents = parents_without_cycles(originals.len(), &links, &merged);
    family.look_past_siblings(&mut links, &mut parents);
    prefer_roots_of_adapters(&links, &mut parents);
    let by_ends: HashMap<(usize, usize), &Link> = links
        .iter()
        .map(|link| ((link.parent, link.child), link))
        .collect();
    let single = parents.iter().enumerate().filter_map(|(child, parent)| {
        let link = by_ends.get(&((*parent)?, child))?;
        Some(link.edge(&originals))
    });
    let mut edges: Vec<Edge> = merged.iter().map(|merge| merge.edge(&originals)).collect();
    edges.extend(single);
    edges.extend(
        copies
            .iter()
            .flat_map(|(original, copy)| copy_edge(original, copy)),
    );
    edges.sort_by_key(|edge| edge.child);
    edges
}

/// A pair that may be parent and child.
struct Link {
    parent: usize,
    child: usize,
    decision: Decision,
    features: Vec<Feature>,
    /// Log-odds that it is not the other way round.
    direction: f64,
    cost: f64,
}

/// The members, and where each stands in its group.
struct Family<'f, 'a> {
    members: &'f [&'f Member<'a>],
    groups: &'f [Group],
    place: HashMap<usize, (usize, usize)>,
}

impl<'f, 'a> Family<'f, 'a> {
    fn new(members: &'f [&'f Member<'a>], groups: &'f [Group]) -> Self {
        let mut place = HashMap::new();
        for (index, group) in groups.iter().enumerate() {
            let places = group.members.iter().enumerate();
            place.extend(places.map(|(place, member)| (*member, (index, place))));
        }
        Self {
            members,
            groups,
            place,
        }
    }

    /// The group that all of these members are in, and their places there.
    fn common_group<const N: usize>(&self, members: [usize; N]) -> Option<(&Group, [usize; N])> {
        let (group, _) = *self.place.get(members.first()?)?;
        let mut places = [0; N];
        for (place, member) in places.iter_mut().zip(members) {
            let (index, found) = *self.place.get(&member)?;
            if index != group {
                return None;
            }
            *place = found;
        }
        Some((&self.groups[group], places))
    }

    fn judge_both_ways(&self, a: usize, b: usize) -> Vec<Link> {
        let members = self.members;
        let centrality = match self.common_group([a, b]) {
            Some((group, [a, b])) => group.centrality(a, b),
            None => self.commonness(a, b),
        };
        let forward = Evidence::of(members[a].fingerprint, members[b].fingerprint);
        let backward = Evidence::of(members[b].fingerprint, members[a].fingerprint);
        let (ahead, back) = (decide(&forward), decide(&backward));
        let odds = direction(&forward, &ahead, &back, members[a], members[b], centrality);
        let link = |parent, child, evidence: &Evidence<'_>, decision: Decision, odds: f64| Link {
            parent,
            child,
            cost: cost(evidence, &decision, odds),
            features: features(evidence, &decision),
            decision,
            direction: odds,
        };
        [
            link(a, b, &forward, ahead, odds),
            link(b, a, &backward, back, -odds),
        ]
        .into_iter()
        .filter(|link| link.decision.relation != Relation::Unrelated && link.direction > WRONG_WAY)
        .collect()
    }

    /// Of two layouts, the one that more of the family have is the original.
    fn commonness(&self, parent: usize, child: usize) -> f64 {
        let size = |member: usize| {
            self.place
                .get(&member)
                .map_or(1.0, |(group, _)| self.groups[*group].members.len() as f64)
        };
        (size(parent) / size(child)).ln().clamp(-BY_LAYOUT, BY_LAYOUT)
    }

    /// Siblings that hardly differ from their parent look as near to a third model as the parent does. A grandparent is the parent
    /// unless the child shows what the parent in between had changed.
    fn look_past_siblings(&self, links: &mut Vec<Link>, parents: &mut [Option<usize>]) {
        let is_known = |links: &[Link], parent, child| {
            links
                .iter()
                .any(|link| (link.parent, link.child) == (parent, child))
        };
        for child in 0..parents.len() {
            while let Some(between) = parents[child] {
                let Some(above) = parents[between] else { break };
                if self.inherits(above, between, child, links) {
                    break;
                }
                if !is_known(links, above, child) {
                    let judged = self.judge_both_ways(above, child);
                    links.extend(judged.into_iter().filter(|link| link.child == child));
                }
                if !is_known(links, above, child) {
                    break;
                }
                parents[child] = Some(above);
            }
        }
    }

    /// Whether `child` shows the change from `above` to `between`.
    fn inherits(&self, above: usize, between: usize, child: usize, links: &[Link]) -> bool {
        let Some((group, places)) = self.common_group([above, between, child]) else {
            let cost = |parent| {
                let link = links
                    .iter()
                    .find(|link| (link.parent, link.child) == (parent, child));
                link.map(|link| link.cost)
            };
            return match (cost(between), cost(above)) {
                (Some(near), Some(far)) => far > near + CLEARLY_NEARER,
                _ => true,
            };
        };
        let [above, between, child] = places.map(|place| group.cells[place].as_slice());
        let (mut product, mut square, mut chance) = (0.0, 0.0, 0.0);
        for ((above, between), child) in above.iter().zip(between).zip(child) {
            let (step, way) = (f64::from(between - above), f64::from(child - above));
            product += step * way;
            square += step * step;
            chance += (step * way).powi(2);
        }
        product > 0.5 * square && product > SIGNIFICANT * chance.sqrt()
    }
}

/// Nearer is cheaper, the wrong way round is dearer, and so is a parent of which little is left.
fn cost(evidence: &Evidence<'_>, decision: &Decision, direction: f64) -> f64 {
    let wrong_way = (-direction).exp().ln_1p();
    let unused = 1.0 - evidence.parent_covered();
    let distance = match decision.relation {
        Relation::Adapter => magnitude_distance(evidence.parent, evidence.child).unwrap_or(1.0),
        Relation::Quantized if packing_of(evidence.child).is_some() => packed_distance(evidence),
        Relation::Pruned => evidence.balanced_delta() + UNUSED_COST * unused,
        _ => evidence.balanced_delta() + 5.0 * UNUSED_COST * unused,
    };
    (distance + 1e-12).ln() + wrong_way
}

/// Only tensors that were not packed, and directions, compare.
fn packed_distance(evidence: &Evidence<'_>) -> f64 {
    let moved: f64 = evidence
        .tensors
        .iter()
        .map(|tensor| tensor.relative_delta().powi(2))
        .sum();
    0.01 + moved / evidence.tensors.len().max(1) as f64
}

/// Single parents for those that no merge explains. Arcs that would close a cycle through a merge are taken out, and the rest solved anew.
fn parents_without_cycles(count: usize, links: &[Link], merged: &[Merge]) -> Vec<Option<usize>> {
    let is_merged: HashSet<usize> = merged.iter().map(|merge| merge.child).collect();
    let mut arcs: Vec<Arc> = links
        .iter()
        .filter(|link| !is_merged.contains(&link.child))
        .map(|link| Arc {
            parent: link.parent,
            child: link.child,
            cost: link.cost,
        })
        .collect();
    loop {
        let parents = best_parents(count, &arcs, ROOT_COST);
        let Some((parent, child)) = arc_under_its_merge(&parents, merged) else {
            return parents;
        };
        arcs.retain(|arc| (arc.parent, arc.child) != (parent, child));
    }
}

/// An arc from a merged model towards one of the models it was merged from.
fn arc_under_its_merge(parents: &[Option<usize>], merged: &[Merge]) -> Option<(usize, usize)> {
    let merge_of: HashMap<usize, &Merge> = merged.iter().map(|merge| (merge.child, merge)).collect();
    for merge in merged {
        let mut waiting: Vec<usize> = merge.parents.iter().map(|(parent, _)| *parent).collect();
        let mut seen: HashSet<usize> = HashSet::new();
        while let Some(node) = waiting.pop() {
            if !seen.insert(node) {
                continue;
            }
            if let Some(parent) = parents[node] {
                if parent == merge.child {
                    return Some((parent, node));
                }
                waiting.push(parent);
            }
            if let Some(above) = merge_of.get(&node) {
                waiting.extend(above.parents.iter().map(|(parent, _)| *parent));
            }
        }
    }
    None
}

/// An adapter that fits several models equally is told to be of the one that most others derive from.
fn prefer_roots_of_adapters(links: &[Link], parents: &mut [Option<usize>]) {
    let mut descendants = vec![0usize; parents.len()];
    for start in 0..parents.len() {
        let mut node = start;
        while let Some(parent) = parents[node] {
            descendants[parent] += 1;
            node = parent;
        }
    }
    for (child, parent) in parents.iter_mut().enumerate() {
        let fitting = links
            .iter()
            .filter(|link| link.child == child && link.decision.relation == Relation::Adapter);
        let cheapest = fitting
            .clone()
            .map(|link| link.cost)
            .fold(f64::INFINITY, f64::min);
        let equal = fitting.filter(|link| link.cost <= cheapest + 0.05);
        if let Some(best) =
            equal.max_by_key(|link| (descendants[link.parent], std::cmp::Reverse(link.parent)))
        {
            *parent = Some(best.parent);
        }
    }
}

impl Link {
    fn edge(&self, members: &[&Member<'_>]) -> Edge {
        let certainty = 1.0 / (1.0 + (-self.direction).exp());
        let direction = Feature::new(
            "direction",
            self.direction,
            "log-odds that the parent is the parent and not the child",
        );
        Edge {
            child: members[self.child].id,
            parents: vec![members[self.parent].id],
            relation: self.decision.relation,
            technique: self.decision.technique.to_owned(),
            params: self.decision.params.clone(),
            confidence: self.decision.confidence * (0.5 + 0.5 * certainty),
            explanation: self.decision.explain(members[self.parent].fingerprint.level),
            evidence: self.features.iter().cloned().chain([direction]).collect(),
        }
    }
}
