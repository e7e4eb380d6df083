//! A family at once: candidates, merges, and the arborescence of single parents.
//!
//! Enters: members. Leaves: at most one [`Edge`] for each, no cycles. Cheap distances come first; only near pairs are compared in full.

use super::arborescence::{Arc, best_parents};
use super::candidates::{Candidates, candidates};
use super::cells::{Group, group};
use super::confidence;
use super::copies::{Copies, copy_edge, set_copies_apart};
use super::decide::{Decision, decide, magnitude_distance, packing_of};
use super::direction::direction;
use super::evidence::Evidence;
use super::merges::{Merge, merges, plain_members};
use super::pair::features;
use super::patchwork::patchworks;
use super::{Edge, Feature, Member, Relation};
use crate::fingerprint::{Fingerprint, TensorFingerprint};
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
/// Weight, and bound, of what the holders of tensors say about direction.
const BY_HOLDERS: f64 = 2.0;
const MOST_BY_HOLDERS: f64 = 5.0;
/// Standard deviations from which an inherited change is no chance.
const SIGNIFICANT: f64 = 3.0;

/// Infers the edges of one family at once: at most one edge per child, no cycles, no edge rather than a wrong one.
pub fn infer_edges(members: &[Member<'_>]) -> Vec<Edge> {
    let Copies {
        originals,
        copies,
        certainty,
    } = set_copies_apart(members);
    let fingerprints: Vec<&Fingerprint> = originals.iter().map(|member| member.fingerprint).collect();
    let groups = group(&fingerprints);
    let Candidates { pairs, nearest } = candidates(&fingerprints, &groups);
    let family = Family::new(&originals, &groups);
    let mut links: Vec<Link> = pairs
        .par_iter()
        .flat_map_iter(|(a, b)| family.judge_both_ways(*a, *b))
        .collect();
    let composites = set_composites_apart(&originals, &mut links);
    let stacked = patchworks(&originals);
    let is_stacked: HashSet<usize> = stacked.iter().map(|patchwork| patchwork.child).collect();
    links.retain(|link| !is_stacked.contains(&link.child) && !is_stacked.contains(&link.parent));
    let merged = merges(&originals, &groups, &nearest, &family.holders);
    let mut parents = parents_without_cycles(originals.len(), &links, &merged);
    family.look_past_siblings(&mut links, &mut parents);
    let rivals = prefer_roots_of_adapters(&links, &mut parents);
    let by_ends: HashMap<(usize, usize), &Link> = links
        .iter()
        .map(|link| ((link.parent, link.child), link))
        .collect();
    let single = parents.iter().enumerate().filter_map(|(child, parent)| {
        let link = by_ends.get(&((*parent)?, child))?;
        let mut edge = link.edge(&originals);
        edge.confidence /= rivals.get(&child).copied().unwrap_or(1) as f64;
        Some(edge)
    });
    let mut edges: Vec<Edge> = merged.iter().map(|merge| merge.edge(&originals)).collect();
    edges.extend(single);
    edges.extend(stacked.iter().map(|patchwork| patchwork.edge(&originals)));
    edges.retain(|edge| composites.iter().all(|composite| composite.child != edge.child));
    edges.extend(composites);
    edges.extend(
        copies
            .iter()
            .flat_map(|(original, copy)| copy_edge(original, copy)),
    );
    edges
        .iter_mut()
        .for_each(|edge| confidence::settle(edge, &certainty));
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
    /// Share of the parent's elements that have a counterpart.
    covered: f64,
}

/// The members, and where each stands in its group.
struct Family<'f, 'a> {
    members: &'f [&'f Member<'a>],
    groups: &'f [Group],
    place: HashMap<usize, (usize, usize)>,
    /// Members that were pruned, quantized or cast, as the rest of their group go.
    lossy: Vec<bool>,
    /// How many members hold each tensor's values.
    holders: HashMap<&'a str, usize>,
}

impl<'f, 'a> Family<'f, 'a> {
    fn new(members: &'f [&'f Member<'a>], groups: &'f [Group]) -> Self {
        let mut place = HashMap::new();
        for (index, group) in groups.iter().enumerate() {
            let places = group.members.iter().enumerate();
            place.extend(places.map(|(place, member)| (*member, (index, place))));
        }
        let mut lossy = vec![false; members.len()];
        for group in groups {
            let narrow = group.rounded.iter().filter(|rounded| **rounded).count() * 2 < group.members.len();
            for (member, plain) in plain_members(members, group) {
                let (_, at) = place[&member];
                lossy[member] = !plain || narrow && group.rounded[at];
            }
        }
        let tensors = members.iter().flat_map(|member| &member.fingerprint.tensors);
        let mut holders: HashMap<&str, usize> = HashMap::new();
        for digest in tensors.filter_map(|tensor| tensor.value_digest.as_deref()) {
            *holders.entry(digest).or_default() += 1;
        }
        Self {
            members,
            groups,
            place,
            lossy,
            holders,
        }
    }

    /// Log-odds from tensors that both have and that differ: those of the parent have more holders in the family, because children
    /// keep what they do not train.
    fn kept_by_others(&self, evidence: &Evidence<'_>) -> f64 {
        let holders = |tensor: &TensorFingerprint| {
            let digest = tensor.value_digest.as_deref();
            digest
                .and_then(|digest| self.holders.get(digest))
                .copied()
                .unwrap_or(1) as f64
        };
        let (mut odds, mut count) = (0.0, 0.0);
        for tensor in evidence.changed() {
            odds += (holders(tensor.pair.parent) / holders(tensor.pair.child)).ln();
            count += 1.0;
        }
        if count > 0.0 {
            (BY_HOLDERS * odds / count).clamp(-MOST_BY_HOLDERS, MOST_BY_HOLDERS)
        } else {
            0.0
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
        let kinship = centrality + self.kept_by_others(&forward);
        let odds = direction(&forward, &ahead, &back, members[a], members[b], kinship);
        let link = |parent, child, evidence: &Evidence<'_>, decision: Decision, odds: f64| Link {
            parent,
            child,
            cost: cost(evidence, &decision, odds) + self.lossy_cost(parent, &decision),
            features: features(evidence, &decision),
            decision,
            direction: odds,
            covered: evidence.parent_covered(),
        };
        [
            link(a, b, &forward, ahead, odds),
            link(b, a, &backward, back, -odds),
        ]
        .into_iter()
        .filter(|link| link.decision.relation != Relation::Unrelated && link.direction > WRONG_WAY)
        .collect()
    }

    /// Little derives from models that lost information; what is rounded or cut from them anew is told by its values.
    fn lossy_cost(&self, parent: usize, decision: &Decision) -> f64 {
        let is_lossy = self.lossy[parent] && !decision.is_exact();
        f64::from(u8::from(is_lossy)) * LOSSY_COST
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
        // one step from above explains all, and no more is asked of a parent
        let is_exact = |links: &[Link], parent, child| {
            links
                .iter()
                .any(|link| (link.parent, link.child) == (parent, child) && link.decision.is_exact())
        };
        let is_known = |links: &[Link], parent, child| {
            links
                .iter()
                .any(|link| (link.parent, link.child) == (parent, child))
        };
        for child in 0..parents.len() {
            while let Some(between) = parents[child] {
                let Some(above) = parents[between] else { break };
                if !is_known(links, above, child) {
                    let judged = self.judge_both_ways(above, child);
                    links.extend(judged.into_iter().filter(|link| link.child == child));
                }
                if !is_known(links, above, child) {
                    break;
                }
                let exact = [above, between].map(|parent| is_exact(links, parent, child));
                let stays = match exact {
                    [true, _] => false,
                    [false, true] => true,
                    [false, false] => self.inherits(above, between, child, links),
                };
                if stays {
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

/// Share of a composite's elements beyond its part that a child must show to be the composite's child and not the part's.
const BEYOND_PART: f64 = 1.05;

/// Models that hold others whole, with all that they hold. What derives from a part of such a model derives from the part: links from
/// a composite to what shows no more than a part of it are taken out.
fn set_composites_apart(members: &[&Member<'_>], links: &mut Vec<Link>) -> Vec<Edge> {
    let mut parts: HashMap<usize, Vec<usize>> = HashMap::new();
    for link in links
        .iter()
        .filter(|link| link.decision.relation == Relation::Component)
    {
        parts.entry(link.child).or_default().push(link.parent);
    }
    let size = |member: usize| members[member].fingerprint.parameters as f64;
    let by_ends: HashSet<(usize, usize)> = links.iter().map(|link| (link.parent, link.child)).collect();
    let largest = |composite: usize| {
        parts[&composite]
            .iter()
            .map(|part| size(*part))
            .fold(0.0, f64::max)
    };
    links.retain(|link| {
        let Some(held) = parts.get(&link.parent) else {
            return true;
        };
        if link.decision.relation == Relation::Adapter {
            return !held.iter().any(|part| by_ends.contains(&(*part, link.child)));
        }
        link.covered * size(link.parent) > BEYOND_PART * largest(link.parent)
    });
    let mut composites: Vec<usize> = parts.into_keys().collect();
    composites.sort_unstable();
    let edges: Vec<Edge> = composites
        .into_iter()
        .filter_map(|composite| {
            let mut of_child: Vec<&Link> = links.iter().filter(|link| link.child == composite).collect();
            of_child.sort_by(|a, b| a.cost.total_cmp(&b.cost).then(a.parent.cmp(&b.parent)));
            // a copy, a fine-tune or the like of another composite
            let nearest = of_child.first()?;
            if nearest.decision.relation != Relation::Component {
                return None;
            }
            let of_parts: Vec<&Link> = of_child
                .into_iter()
                .filter(|link| link.decision.relation == Relation::Component)
                .collect();
            let chosen = disjoint(members, &of_parts);
            let mut edge = chosen.first()?.edge(members);
            edge.parents = chosen.iter().map(|link| members[link.parent].id).collect();
            Some(edge)
        })
        .collect();
    // a bridge between families would make the one hang from the other
    links.retain(|link| link.decision.relation != Relation::Component);
    edges
}

/// The cheapest of the parts that lie in places of their own.
fn disjoint<'l>(members: &[&Member<'_>], of_parts: &[&'l Link]) -> Vec<&'l Link> {
    let mut chosen: Vec<&Link> = Vec::new();
    let mut taken: HashSet<&str> = HashSet::new();
    for link in of_parts {
        let evidence = Evidence::of(members[link.parent].fingerprint, members[link.child].fingerprint);
        let places: Vec<&str> = evidence
            .tensors
            .iter()
            .map(|tensor| tensor.pair.child.name.as_str())
            .collect();
        if places.iter().filter(|place| taken.contains(*place)).count() * 10 <= places.len() {
            taken.extend(places);
            chosen.push(link);
        }
    }
    chosen
}

/// Nearer is cheaper, the wrong way round is dearer, and so is a parent of which little is left, or whose values are not those that
/// the technique would have started from.
fn cost(evidence: &Evidence<'_>, decision: &Decision, direction: f64) -> f64 {
    let wrong_way = (-direction).exp().ln_1p();
    let unused = 1.0 - evidence.parent_covered().min(1.0);
    let unknown = 1.0 - evidence.child_covered().min(1.0);
    let (distance, unfit) = match decision.relation {
        Relation::Adapter => (
            magnitude_distance(evidence.parent, evidence.child).unwrap_or(1.0),
            0.0,
        ),
        Relation::Quantized if packing_of(evidence.child).is_some() => (evidence.matched_delta(), unknown),
        Relation::Duplicate if decision.is_exact() => (0.0, 0.0),
        Relation::Pruned => (evidence.matched_delta(), 0.1 * unused + unknown),
        _ => (evidence.matched_delta(), unused + unknown),
    };
    let misfit = decision
        .misfit
        .map_or(1.0, |misfit| misfit.min(1.0) + LEAST_MISFIT);
    let restructured = evidence.child.architecture != evidence.parent.architecture;
    let structure = f64::from(u8::from(restructured)) * STRUCTURE_COST;
    (distance * misfit + LEAST_DISTANCE).ln() + UNFIT_COST * unfit + structure + wrong_way
}

/// Cost of a parent that was pruned, quantized or cast.
const LOSSY_COST: f64 = 1.5;
/// Cost of a change of structure: fewer explain more.
const STRUCTURE_COST: f64 = 3.0;

/// Squared distances below this are none.
const LEAST_DISTANCE: f64 = 1e-9;
/// Cost of a parent none of which is left, or of a child none of which was there.
const UNFIT_COST: f64 = 20.0;
/// A misfit below this is none: probes are samples.
const LEAST_MISFIT: f64 = 0.002;

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

/// Costs of adapters that differ by less tell nothing: magnitudes are trained, and a base's descendants have nearly its own.
const NO_TELLING: f64 = 0.7;
/// Nor does what lies below this: magnitudes within half a hundredth of the base's.
const NO_TELLING_COST: f64 = -5.3;

/// An adapter that fits several models equally is told to be of the one that most others derive from.
///
/// Leaves, for each adapter, how many trees hold a model that it fits: one of them is right.
fn prefer_roots_of_adapters(links: &[Link], parents: &mut [Option<usize>]) -> HashMap<usize, usize> {
    let mut descendants = vec![0usize; parents.len()];
    let mut root = vec![0usize; parents.len()];
    for (start, root) in root.iter_mut().enumerate() {
        let mut node = start;
        while let Some(parent) = parents[node] {
            descendants[parent] += 1;
            node = parent;
        }
        *root = node;
    }
    let mut rivals = HashMap::new();
    for (child, parent) in parents.iter_mut().enumerate() {
        let fitting = links
            .iter()
            .filter(|link| link.child == child && link.decision.relation == Relation::Adapter);
        let cheapest = fitting
            .clone()
            .map(|link| link.cost)
            .fold(f64::INFINITY, f64::min);
        let equal = fitting.filter(|link| link.cost <= cheapest.max(NO_TELLING_COST) + NO_TELLING);
        let trees: HashSet<usize> = equal.clone().map(|link| root[link.parent]).collect();
        rivals.insert(child, trees.len().max(1));
        if let Some(best) =
            equal.max_by_key(|link| (descendants[link.parent], std::cmp::Reverse(link.parent)))
        {
            *parent = Some(best.parent);
        }
    }
    rivals
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
