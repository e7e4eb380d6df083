//! Models put together from whole blocks of several others: stacks that no single parent explains.
//!
//! Enters: members. Leaves: which of them, together, hold every matrix of a child whose layout is its own.

use super::{Edge, Feature, Member, Relation};
use crate::fingerprint::{Fingerprint, View};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// Share of the child's matrices that must be found.
const FOUND: f64 = 0.9;
/// Matrices that each parent must add.
const FEWEST: usize = 2;
/// Most parents.
const MOST_PARENTS: usize = 4;

/// A child and the members its blocks are from, the one with most of them first.
pub(super) struct Patchwork {
    pub child: usize,
    pub parents: Vec<usize>,
    found: f64,
    has_experts: bool,
}

/// Children whose layout differs from each of their parents'.
pub(super) fn patchworks(members: &[&Member<'_>]) -> Vec<Patchwork> {
    let mut holders: HashMap<&str, Vec<usize>> = HashMap::new();
    for (index, member) in members.iter().enumerate() {
        // experts are copies of one block: a holder of many is one holder
        for digest in matrices(member.fingerprint).collect::<BTreeSet<_>>() {
            holders.entry(digest).or_default().push(index);
        }
    }
    let architecture = |member: usize| members[member].fingerprint.architecture.as_str();
    let sizes: Vec<usize> = members
        .iter()
        .map(|member| matrices(member.fingerprint).count())
        .collect();
    (0..members.len())
        .filter_map(|child| {
            let wanted: BTreeSet<&str> = matrices(members[child].fingerprint).collect();
            let others = |digest: &str| -> Vec<usize> {
                let of_digest = holders.get(digest).into_iter().flatten().copied();
                of_digest
                    .filter(|member| architecture(*member) != architecture(child))
                    .collect()
            };
            let parents = cover(&wanted, others, &sizes)?;
            let found = wanted.iter().filter(|digest| !others(digest).is_empty()).count();
            let fits = |parent: &usize| is_stack_of(members[child].fingerprint, members[*parent].fingerprint);
            parents.iter().all(fits).then(|| Patchwork {
                child,
                found: found as f64 / wanted.len() as f64,
                has_experts: members[child]
                    .fingerprint
                    .tensors
                    .iter()
                    .any(|tensor| tensor.name.contains("expert")),
                parents,
            })
        })
        .collect()
}

fn matrices(fingerprint: &Fingerprint) -> impl Iterator<Item = &str> {
    let matrices = fingerprint
        .tensors
        .iter()
        .filter(|tensor| !View::of(&tensor.shape).is_vector());
    matrices.filter_map(|tensor| tensor.value_digest.as_deref())
}

/// The fewest members, taken greedily, that hold enough of what is wanted; nothing where one is enough.
///
/// Of members that hold as much, the smaller: what grew out of it holds the same, and more.
fn cover(
    wanted: &BTreeSet<&str>,
    holders: impl Fn(&str) -> Vec<usize>,
    sizes: &[usize],
) -> Option<Vec<usize>> {
    let mut left: HashSet<&str> = wanted.iter().copied().collect();
    let mut chosen = Vec::new();
    while chosen.len() < MOST_PARENTS {
        let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
        for digest in &left {
            holders(digest)
                .into_iter()
                .for_each(|member| *counts.entry(member).or_default() += 1);
        }
        let Some((member, count)) = counts
            .into_iter()
            .max_by_key(|(member, count)| (*count, Reverse((sizes[*member], *member))))
        else {
            break;
        };
        if count < FEWEST {
            break;
        }
        left.retain(|digest| !holders(digest).contains(&member));
        chosen.push(member);
    }
    let found = wanted.len() - left.len();
    (chosen.len() > 1 && found as f64 >= FOUND * wanted.len() as f64).then_some(chosen)
}

/// The child's tensors, their numbers aside, go by names of the parent's: it is no composite of different models.
fn is_stack_of(child: &Fingerprint, parent: &Fingerprint) -> bool {
    let role = |name: &str| name.chars().filter(|c| !c.is_ascii_digit()).collect::<String>();
    let roles: HashSet<String> = parent.tensors.iter().map(|tensor| role(&tensor.name)).collect();
    let known = child
        .tensors
        .iter()
        .filter(|tensor| roles.contains(&role(&tensor.name)))
        .count();
    known * 2 > child.tensors.len()
}

impl Patchwork {
    pub fn edge(&self, members: &[&Member<'_>]) -> Edge {
        let (relation, technique) = if self.has_experts {
            (Relation::Expanded, "moe")
        } else {
            (Relation::Merge, "passthrough")
        };
        Edge {
            child: members[self.child].id,
            parents: self.parents.iter().map(|parent| members[*parent].id).collect(),
            relation,
            technique: technique.to_owned(),
            params: BTreeMap::new(),
            confidence: 0.93,
            explanation: format!(
                "Merge of {} models: whole blocks stacked. Of its matrices {:.0} % are those of one of the parents, and no parent has them all.",
                self.parents.len(),
                100.0 * self.found
            ),
            evidence: vec![Feature::new(
                "matrices_found",
                self.found,
                "matrices that are equal to one of a parent, as a share",
            )],
        }
    }
}
