//! Pairs the tensors of two fingerprints: by name, through a common prefix, or by digest where they were renamed.

use crate::fingerprint::{Fingerprint, TensorFingerprint};
use std::collections::{BTreeMap, HashMap};

type Tensors<'a> = BTreeMap<&'a str, &'a TensorFingerprint>;

/// How the tensors of two fingerprints correspond.
#[derive(Default)]
pub(super) struct Aligned<'a> {
    /// Same name and shape.
    pub pairs: Vec<(&'a TensorFingerprint, &'a TensorFingerprint)>,
    /// Same name, unequal shapes.
    pub reshaped: Vec<(&'a TensorFingerprint, &'a TensorFingerprint)>,
    /// Another name, equal digest. Each is in `pairs` too.
    pub renamed: Vec<(&'a TensorFingerprint, &'a TensorFingerprint)>,
    pub removed: Vec<&'a TensorFingerprint>,
    pub added: Vec<&'a TensorFingerprint>,
    /// Came or went, and loaders do without: index buffers, and copies of a tensor that is still there (tied embeddings).
    pub implied: Vec<&'a TensorFingerprint>,
    /// The first name component that one side puts before every name.
    pub prefix: Option<String>,
}

/// Buffers that libraries stopped storing because they are computed from the config.
const REBUILT: [&str; 5] = [
    "position_ids",
    "inv_freq",
    "num_batches_tracked",
    "masked_bias",
    "attn.bias",
];

/// Aligns `a` (before) with `b` (after).
pub(super) fn align<'a>(a: &'a Fingerprint, b: &'a Fingerprint) -> Aligned<'a> {
    let (before, after) = (by_name(a), by_name(b));
    let direct = shared(&before, &after);
    let (bare_before, prefix_before) = without_prefix(&before);
    let (bare_after, prefix_after) = without_prefix(&after);
    let candidates = [
        (&bare_before, &after, prefix_before),
        (&before, &bare_after, prefix_after),
    ];
    let better = candidates
        .into_iter()
        .map(|(x, y, prefix)| (shared(x, y), x, y, prefix))
        .max_by_key(|candidate| candidate.0)
        .filter(|candidate| candidate.0 > direct);
    match better {
        Some((_, x, y, prefix)) => pair_up(x, y, prefix),
        None => pair_up(&before, &after, None),
    }
}

fn by_name(fingerprint: &Fingerprint) -> Tensors<'_> {
    fingerprint
        .tensors
        .iter()
        .map(|tensor| (tensor.name.as_str(), tensor))
        .collect()
}

fn shared(a: &Tensors<'_>, b: &Tensors<'_>) -> usize {
    a.keys().filter(|name| b.contains_key(*name)).count()
}

/// Drops the first component of every name when all names begin with it.
fn without_prefix<'a>(tensors: &Tensors<'a>) -> (Tensors<'a>, Option<String>) {
    let Some((prefix, _)) = tensors.keys().next().and_then(|name| name.split_once('.')) else {
        return (Tensors::new(), None);
    };
    let prefix = format!("{prefix}.");
    let bare = tensors
        .iter()
        .map(|(name, tensor)| name.strip_prefix(&prefix).map(|rest| (rest, *tensor)));
    match bare.collect::<Option<Tensors<'_>>>() {
        Some(bare) => (bare, Some(prefix)),
        None => (Tensors::new(), None),
    }
}

fn pair_up<'a>(before: &Tensors<'a>, after: &Tensors<'a>, prefix: Option<String>) -> Aligned<'a> {
    let mut aligned = Aligned {
        prefix,
        ..Aligned::default()
    };
    let mut only_before = Vec::new();
    for (name, tensor) in before {
        match after.get(name) {
            Some(other) if other.shape == tensor.shape => aligned.pairs.push((tensor, other)),
            Some(other) => aligned.reshaped.push((tensor, other)),
            None => only_before.push(*tensor),
        }
    }
    let only_after: Vec<_> = after
        .iter()
        .filter(|(name, _)| !before.contains_key(*name))
        .map(|(_, tensor)| *tensor)
        .collect();
    pair_renamed(&mut aligned, only_before, only_after);
    aligned.removed = split_implied(std::mem::take(&mut aligned.removed), after, &mut aligned.implied);
    aligned.added = split_implied(std::mem::take(&mut aligned.added), before, &mut aligned.implied);
    aligned
}

/// Pairs what is left over by digest; the rest was removed or added.
fn pair_renamed<'a>(
    aligned: &mut Aligned<'a>,
    only_before: Vec<&'a TensorFingerprint>,
    only_after: Vec<&'a TensorFingerprint>,
) {
    let mut waiting: HashMap<&str, Vec<&TensorFingerprint>> = HashMap::new();
    for tensor in only_after.iter().rev() {
        if let Some(digest) = value_of(tensor) {
            waiting.entry(digest).or_default().push(tensor);
        }
    }
    for tensor in only_before {
        match value_of(tensor).and_then(|digest| waiting.get_mut(digest)?.pop()) {
            Some(other) => aligned.renamed.push((tensor, other)),
            None => aligned.removed.push(tensor),
        }
    }
    aligned.pairs.extend(&aligned.renamed);
    let taken: Vec<&str> = aligned.renamed.iter().map(|(_, b)| b.name.as_str()).collect();
    let taken: std::collections::HashSet<&str> = taken.into_iter().collect();
    aligned.added = only_after
        .into_iter()
        .filter(|tensor| !taken.contains(tensor.name.as_str()))
        .collect();
}

fn value_of(tensor: &TensorFingerprint) -> Option<&str> {
    tensor.value_digest.as_deref().or(tensor.digest.as_deref())
}

/// Moves out of `tensors` what loaders do without: rebuilt buffers and copies of a tensor that the other side holds.
fn split_implied<'a>(
    tensors: Vec<&'a TensorFingerprint>,
    other_side: &Tensors<'a>,
    implied: &mut Vec<&'a TensorFingerprint>,
) -> Vec<&'a TensorFingerprint> {
    let held: std::collections::HashSet<&str> = other_side
        .values()
        .filter_map(|tensor| value_of(tensor))
        .collect();
    let (out, rest) = tensors.into_iter().partition(|tensor| {
        REBUILT.iter().any(|buffer| tensor.name.ends_with(buffer))
            || value_of(tensor).is_some_and(|digest| held.contains(digest))
    });
    implied.extend::<Vec<_>>(out);
    rest
}
