//! A family at once: candidates, merges, and the arborescence of single parents.
//!
//! Enters: members. Leaves: at most one [`Edge`] for each, no cycles. Cheap distances come first; only near pairs are compared in full.

use super::arborescence::{Arc, best_parents};
use super::candidates::{Candidates, candidates};
use super::cells::group;
use super::copies::{Copies, copy_edge, set_copies_apart};
use super::decide::{Decision, decide};
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
const WRONG_WAY: f64 = -4.0;
/// Cost of a child's, or a parent's, elements without counterpart.
const UNCOVERED_COST: f64 = 2.0;

/// Infers the edges of one family at once: at most one edge per child, no cycles, no edge rather than a wrong one.
pub fn infer_edges(members: &[Member<'_>]) -> Vec<Edge> {
    let Copies { originals, copies } = set_copies_apart(members);
    let fingerprints: Vec<&Fingerprint> = originals.iter().map(|member| member.fingerprint).collect();
    let groups = group(&fingerprints);
    let Candidates { pairs, nearest } = candidates(&fingerprints, &groups);
    let links: Vec<Link> = pairs
        .par_iter()
        .flat_map_iter(|(a, b)| judge_both_ways(&originals, *a, *b))
        .collect();
    let merged = merges(&groups, &nearest);
    let parents = parents_without_cycles(originals.len(), &links, &merged);
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

fn judge_both_ways(members: &[&Member<'_>], a: usize, b: usize) -> Vec<Link> {
    let forward = Evidence::of(members[a].fingerprint, members[b].fingerprint);
    let backward = Evidence::of(members[b].fingerprint, members[a].fingerprint);
    let (ahead, back) = (decide(&forward), decide(&backward));
    let odds = direction(&forward, &ahead, &back, members[a], members[b]);
    let link = |parent, child, evidence: &Evidence<'_>, decision: Decision, odds: f64| Link {
        parent,
        child,
        cost: cost(evidence, odds),
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

/// Nearer is cheaper, the wrong way round is dearer.
fn cost(evidence: &Evidence<'_>, direction: f64) -> f64 {
    let uncovered = 2.0 - evidence.child_covered() - evidence.parent_covered();
    (evidence.balanced_delta() + 1e-12).ln() + (-direction).exp().ln_1p() + UNCOVERED_COST * uncovered
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
