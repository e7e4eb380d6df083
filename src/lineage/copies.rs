//! Members with the very same tensors: one stands for all, so that what derives from them has one parent.
//!
//! Enters: members. Leaves: the originals, and copies with their original.

use super::decide::decide;
use super::evidence::Evidence;
use super::pair::features;
use super::{Edge, Member, Relation};
use std::collections::BTreeMap;

/// Confidence that the original is the original, where dates or declarations say so, and where only the layout hints at it.
const TOLD: f64 = 0.98;
const HINTED: f64 = 0.75;

/// Members without their copies, and (original, copy).
pub(super) struct Copies<'m, 'a> {
    pub originals: Vec<&'m Member<'a>>,
    pub copies: Vec<(&'m Member<'a>, &'m Member<'a>)>,
}

pub(super) fn set_copies_apart<'m, 'a>(members: &'m [Member<'a>]) -> Copies<'m, 'a> {
    let mut by_digest: BTreeMap<&str, Vec<&Member<'_>>> = BTreeMap::new();
    for member in members {
        if let Some(digest) = &member.fingerprint.model_digest {
            by_digest.entry(digest).or_default().push(member);
        }
    }
    let mut copies = Vec::new();
    for same in by_digest.values() {
        if let Some(original) = same.iter().min_by_key(|member| originality(member, same)) {
            copies.extend(
                same.iter()
                    .filter(|member| member.id != original.id)
                    .map(|copy| (*original, *copy)),
            );
        }
    }
    let is_copy = |member: &Member<'_>| copies.iter().any(|(_, copy)| copy.id == member.id);
    Copies {
        originals: members.iter().filter(|member| !is_copy(member)).collect(),
        copies,
    }
}

/// Sorts the likeliest original first: it declares none of the others, came first, and has the plainest files and names.
fn originality(member: &Member<'_>, same: &[&Member<'_>]) -> (bool, i128, u32, usize, i64) {
    let declares_one = same.iter().any(|other| member.declared.contains(&other.id));
    let date = member.date.map_or(i128::MAX, |date| date.unix_timestamp_nanos());
    let letters = member
        .fingerprint
        .tensors
        .iter()
        .map(|tensor| tensor.name.len())
        .sum();
    (
        declares_one,
        date,
        member.fingerprint.layout.files,
        letters,
        member.id,
    )
}

pub(super) fn copy_edge(original: &Member<'_>, copy: &Member<'_>) -> Option<Edge> {
    let evidence = Evidence::of(original.fingerprint, copy.fingerprint);
    let decision = decide(&evidence);
    if decision.relation == Relation::Unrelated {
        return None;
    }
    let told = copy.declared.contains(&original.id)
        || matches!((original.date, copy.date), (Some(original), Some(copy)) if original < copy);
    Some(Edge {
        child: copy.id,
        parents: vec![original.id],
        relation: decision.relation,
        technique: decision.technique.to_owned(),
        params: decision.params.clone(),
        confidence: if told { TOLD } else { HINTED },
        explanation: decision.explain(original.fingerprint.level),
        evidence: features(&evidence, &decision),
    })
}
