//! Members of equal values: one stands for all, so that what derives from them has one parent.
//!
//! Enters: members. Leaves: the originals, and copies with their original. Names, files, containers and lossless casts do not matter
//! to be a copy; they do to tell the original, which is the one whose layout the rest of the family has.

use super::align::cosine;
use super::decide::decide;
use super::evidence::Evidence;
use super::pair::features;
use super::{Edge, Member, Relation};
use crate::fingerprint::{Fingerprint, TensorFingerprint, View};
use crate::weights::Dtype;
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, HashSet};

/// Confidence that the original is the original, where dates or declarations say so, and where only the layout hints at it.
const TOLD: f64 = 0.98;
const HINTED: f64 = 0.97;

/// Members without their copies, and (original, copy).
pub(super) struct Copies<'m, 'a> {
    pub originals: Vec<&'m Member<'a>>,
    pub copies: Vec<(&'m Member<'a>, &'m Member<'a>)>,
    /// Probability that an original with copies is the original, by its id.
    pub certainty: HashMap<i64, f64>,
}

pub(super) fn set_copies_apart<'m, 'a>(members: &'m [Member<'a>]) -> Copies<'m, 'a> {
    let mut by_values: BTreeMap<Vec<&str>, Vec<&Member<'_>>> = BTreeMap::new();
    for member in members {
        if let Some(values) = values_of(member.fingerprint) {
            by_values.entry(values).or_default().push(member);
        }
    }
    by_values.retain(|_, same| same.len() > 1);
    let mut copies = Vec::new();
    let mut certainty = HashMap::new();
    for same in by_values.values() {
        let kinship = Kinship::of(same, members);
        if let Some(original) = same
            .iter()
            .min_by_key(|member| (kinship.originality(member, same), member.id))
        {
            certainty.insert(original.id, kinship.certainty(original, same));
            let others = same.iter().filter(|member| member.id != original.id);
            copies.extend(others.map(|copy| (*original, *copy)));
        }
    }
    let copied: HashSet<i64> = copies.iter().map(|(_, copy)| copy.id).collect();
    Copies {
        originals: members
            .iter()
            .filter(|member| !copied.contains(&member.id))
            .collect(),
        copies,
        certainty,
    }
}

/// The value digests of all tensors, sorted: equal for models of equal values.
fn values_of(fingerprint: &Fingerprint) -> Option<Vec<&str>> {
    let digests = fingerprint.tensors.iter();
    let mut values: Vec<&str> = digests
        .map(|tensor| tensor.value_digest.as_deref())
        .collect::<Option<_>>()?;
    values.sort_unstable();
    (!values.is_empty()).then_some(values)
}

/// Tensor names, and with their element types.
type Names<'f> = Vec<&'f str>;
type TypedNames<'f> = Vec<(&'f str, Dtype)>;

/// How many relatives of a set of copies have each layout.
struct Kinship<'f> {
    by_names: HashMap<Names<'f>, usize>,
    by_types: HashMap<TypedNames<'f>, usize>,
}

impl<'f> Kinship<'f> {
    fn of(same: &[&Member<'f>], members: &[Member<'f>]) -> Self {
        let mut kinship = Self {
            by_names: HashMap::new(),
            by_types: HashMap::new(),
        };
        let Some(first) = same.first() else { return kinship };
        let largest = largest_matrices(first.fingerprint);
        for member in members {
            let is_copy = same.iter().any(|copy| copy.id == member.id);
            if !is_copy && is_kin(&largest, member.fingerprint) {
                *kinship.by_names.entry(names_of(member.fingerprint)).or_default() += 1;
                *kinship.by_types.entry(types_of(member.fingerprint)).or_default() += 1;
            }
        }
        kinship
    }

    /// How sure it is that `original` was first: by dates and declarations, by hints of layout, or by lot.
    fn certainty(&self, original: &Member<'f>, same: &[&Member<'f>]) -> f64 {
        let own = self.originality(original, same);
        let others = || same.iter().filter(|member| member.id != original.id);
        let told = others().all(|member| is_told(original, member));
        let alike = others()
            .filter(|member| self.originality(member, same) == own)
            .count();
        match (told, alike) {
            (true, _) => TOLD,
            (false, 0) => HINTED,
            (false, alike) => 1.0 / (1 + alike) as f64,
        }
    }

    /// Sorts the likeliest original first: it declares none of the others, came first, has the names and the element types that most
    /// others have, the narrowest types, and the plainest files and names.
    fn originality(&self, member: &Member<'f>, same: &[&Member<'f>]) -> impl Ord + use<> {
        let print = member.fingerprint;
        let declares_one = same.iter().any(|other| member.declared.contains(&other.id));
        let date = member.date.map_or(i128::MAX, |date| date.unix_timestamp_nanos());
        let letters: usize = print.tensors.iter().map(|tensor| tensor.name.len()).sum();
        let names = self.by_names.get(&names_of(print)).copied();
        let types = self.by_types.get(&types_of(print)).copied();
        (
            (declares_one, date),
            Reverse(names),
            Reverse(types),
            (print.bytes, print.layout.files, letters),
        )
    }
}

/// Matrices looked at to tell relatives.
const LOOKED_AT: usize = 3;
/// Cosine from which they point the same way.
const SAME_WAY: f64 = 0.45;

fn largest_matrices(fingerprint: &Fingerprint) -> Vec<&TensorFingerprint> {
    let matrices = fingerprint.tensors.iter();
    let mut matrices: Vec<_> = matrices
        .filter(|tensor| !View::of(&tensor.shape).is_vector())
        .collect();
    matrices.sort_by_key(|tensor| Reverse(tensor.elements()));
    matrices.truncate(LOOKED_AT);
    matrices
}

/// Most of the matrices have one in `other` that points the same way.
fn is_kin(matrices: &[&TensorFingerprint], other: &Fingerprint) -> bool {
    let has_like = |matrix: &TensorFingerprint| {
        let mut same_shape = other.tensors.iter().filter(|tensor| tensor.shape == matrix.shape);
        same_shape.any(|tensor| cosine(matrix, tensor).is_some_and(|cosine| cosine > SAME_WAY))
    };
    let like = matrices.iter().filter(|matrix| has_like(matrix)).count();
    like * 2 > matrices.len()
}

fn names_of(fingerprint: &Fingerprint) -> Names<'_> {
    let tensors = fingerprint.tensors.iter();
    tensors.map(|tensor| tensor.name.as_str()).collect()
}

fn types_of(fingerprint: &Fingerprint) -> TypedNames<'_> {
    let tensors = fingerprint.tensors.iter();
    tensors
        .map(|tensor| (tensor.name.as_str(), tensor.dtype))
        .collect()
}

/// A date or a declaration says which of two copies was first.
fn is_told(original: &Member<'_>, copy: &Member<'_>) -> bool {
    copy.declared.contains(&original.id)
        || matches!((original.date, copy.date), (Some(original), Some(copy)) if original < copy)
}

pub(super) fn copy_edge(original: &Member<'_>, copy: &Member<'_>) -> Option<Edge> {
    let evidence = Evidence::of(original.fingerprint, copy.fingerprint);
    let decision = decide(&evidence);
    if decision.relation == Relation::Unrelated {
        return None;
    }
    Some(Edge {
        child: copy.id,
        parents: vec![original.id],
        relation: decision.relation,
        technique: decision.technique.to_owned(),
        params: decision.params.clone(),
        confidence: decision.confidence,
        explanation: decision.explain(original.fingerprint.level),
        evidence: features(&evidence, &decision),
    })
}
