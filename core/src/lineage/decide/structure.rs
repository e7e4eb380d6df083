//! Changes of structure: layers, vocabulary, neurons or experts dropped or added, and models that contain others.

use super::super::Relation;
use super::super::align::{Pair, split_layer};
use super::super::evidence::{Evidence, common_rows, share};
use super::Decision;
use crate::fingerprint::{TensorFingerprint, View};
use std::collections::BTreeSet;

/// Share of one side's elements that must have a counterpart for the other to be the larger or smaller whole.
const COVERED: f64 = 0.9;
/// Cosine of probed rows for a taller tensor to begin with the shorter one's rows.
const SAME_ROWS: f64 = 0.5;

pub(super) fn recognise(evidence: &Evidence<'_>) -> Option<Decision> {
    let rules: [fn(&Evidence<'_>) -> Option<Decision>; 6] =
        [vocabulary, experts, depth, component, width, replaced];
    rules.iter().find_map(|rule| rule(evidence))
}

fn decision(relation: Relation, technique: &'static str, confidence: f64, because: String) -> Decision {
    Decision::new(relation, technique, confidence, because)
}

/// Tensors that grew along axis 0 and begin with the old rows, or shrank to the first of them.
fn vocabulary(evidence: &Evidence<'_>) -> Option<Decision> {
    let taller: Vec<_> = evidence
        .reshaped
        .iter()
        .filter(|pair| grew(pair) && keeps_rows(pair))
        .collect();
    let complete = evidence.alignment.parent_only.is_empty() && evidence.alignment.child_only.is_empty();
    let matrices = |pair: &&Pair<'_>| !View::of(&pair.child.shape).is_vector();
    let unexplained = evidence.reshaped.iter().filter(matrices).count()
        > taller.iter().filter(|pair| matrices(pair)).count();
    if taller.is_empty() || !complete || unexplained {
        return None;
    }
    let largest = taller.iter().max_by_key(|pair| pair.child.elements())?;
    let (before, after) = (largest.parent.shape[0], largest.child.shape[0]);
    let because = format!(
        "{} has {after} rows instead of {before}, and begins with the parent's.",
        largest.child.name
    );
    Some(
        decision(Relation::Expanded, "vocabulary", 0.93, because)
            .with("added", after - before)
            .with("rows", after),
    )
}

fn grew(pair: &Pair<'_>) -> bool {
    match (pair.parent.shape.as_slice(), pair.child.shape.as_slice()) {
        ([before, old @ ..], [after, new @ ..]) => after > before && old == new,
        _ => false,
    }
}

/// The rows both have point the same way.
fn keeps_rows(pair: &Pair<'_>) -> bool {
    let (Some(parent), Some(child)) = (&pair.parent.probe, &pair.child.probe) else {
        return false;
    };
    let (parent_view, child_view) = (View::of(&pair.parent.shape), View::of(&pair.child.shape));
    if pair.child.shape.len() == 1 {
        let shared = parent.values.len().min(child.values.len());
        return cosine(&parent.values[..shared], &child.values[..shared]) > SAME_ROWS;
    }
    let rows = common_rows(parent, child, parent_view.rows, child_view.rows);
    let (mut parent_values, mut child_values) = (Vec::new(), Vec::new());
    for (parent, child) in rows {
        parent_values.extend_from_slice(parent);
        child_values.extend_from_slice(child);
    }
    cosine(&parent_values, &child_values) > SAME_ROWS
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| {
        a.iter()
            .zip(b)
            .map(|(a, b)| f64::from(*a) * f64::from(*b))
            .sum::<f64>()
    };
    share(dot(a, b), (dot(a, a) * dot(b, b)).sqrt())
}

/// Several child tensors are copies of one: a dense block became experts.
fn experts(evidence: &Evidence<'_>) -> Option<Decision> {
    let copied: Vec<&Pair<'_>> = evidence.alignment.copies.iter().collect();
    let named = copied.iter().filter(|pair| is_expert(&pair.child.name)).count();
    if copied.is_empty() || named * 2 < copied.len() {
        return None;
    }
    let experts: BTreeSet<u64> = evidence
        .child
        .tensors
        .iter()
        .filter_map(|tensor| expert_number(&tensor.name))
        .collect();
    let because = format!(
        "{} tensors of {} experts are copies of the parent's dense layers.",
        copied.len(),
        experts.len()
    );
    Some(decision(Relation::Expanded, "moe", 0.92, because).with("experts", experts.len()))
}

fn is_expert(name: &str) -> bool {
    name.contains("expert")
}

/// The number after `experts.`.
fn expert_number(name: &str) -> Option<u64> {
    let (_, rest) = name.split_once("expert")?;
    let digits: String = rest
        .chars()
        .skip_while(|c| !c.is_ascii_digit())
        .take_while(char::is_ascii_digit)
        .collect();
    digits.parse().ok()
}

/// The numbered layers of a list of tensors.
fn layers<'t>(tensors: impl Iterator<Item = &'t TensorFingerprint>) -> BTreeSet<&'t str> {
    tensors
        .filter_map(|tensor| Some(split_layer(&tensor.name)?.0))
        .collect()
}

/// Whole numbered layers dropped or added, the rest kept.
fn depth(evidence: &Evidence<'_>) -> Option<Decision> {
    if !evidence.reshaped.is_empty() {
        return None;
    }
    let alignment = &evidence.alignment;
    let only_layers =
        |tensors: &[&TensorFingerprint]| tensors.iter().all(|tensor| split_layer(&tensor.name).is_some());
    let depth = |tensors: &[TensorFingerprint]| layers(tensors.iter()).len();
    let (before, after) = (depth(&evidence.parent.tensors), depth(&evidence.child.tensors));
    if alignment.child_only.is_empty()
        && !alignment.parent_only.is_empty()
        && only_layers(&alignment.parent_only)
        && after < before
    {
        let dropped: Vec<u64> = layers(alignment.parent_only.iter().copied())
            .into_iter()
            .filter_map(layer_number)
            .collect();
        let because = format!("{after} of the parent's {before} layers are kept, in order.");
        return Some(
            decision(Relation::Pruned, "depth", 0.95, because)
                .with("layers_dropped", dropped)
                .with("layers", after),
        );
    }
    let grown = !alignment.copies.is_empty();
    if alignment.parent_only.is_empty()
        && grown
        && only_layers(&alignment.child_only)
        && after > before
        && before > 0
    {
        let because = format!("All {before} layers of the parent are there, among {after}.");
        return Some(
            decision(Relation::Expanded, "depth", 0.9, because)
                .with("layers", after)
                .with("added", after - before),
        );
    }
    None
}

/// The number that ends a layer prefix: `model.layers.3.`.
fn layer_number(layer: &str) -> Option<u64> {
    layer
        .trim_end_matches(['.', '/'])
        .rsplit(['.', '/'])
        .next()?
        .parse()
        .ok()
}

/// The child holds all of the parent, and as much again of something else.
fn component(evidence: &Evidence<'_>) -> Option<Decision> {
    let more = evidence.child.parameters as f64 / evidence.parent.parameters.max(1) as f64;
    let enough =
        evidence.parent_covered() >= COVERED && evidence.alignment.child_only.len() >= 2 && more >= 1.15;
    if !enough || is_deeper(evidence) {
        return None;
    }
    let tuned = evidence.changed().count() > 0;
    let because = format!(
        "All of the parent is there, {}, as {:.0} % of a larger model.",
        if tuned { "tuned further" } else { "unchanged" },
        100.0 / more
    );
    Some(decision(Relation::Component, "component", 0.92, because).with("tuned", tuned))
}

/// Some layers gave way to others in their place, or to differently named ones; the rest are as they were.
fn replaced(evidence: &Evidence<'_>) -> Option<Decision> {
    let alignment = &evidence.alignment;
    let (gone, new) = (&alignment.parent_only, &alignment.child_only);
    let kept = evidence
        .tensors
        .iter()
        .filter(|tensor| tensor.same_values)
        .count();
    if kept * 2 < evidence.tensors.len() || !evidence.reshaped.is_empty() {
        return None;
    }
    // a replacement may hold the old weights, normalised, under its own name
    let renamed = evidence
        .changed_matrices()
        .filter(|tensor| tensor.pair.parent.name != tensor.pair.child.name)
        .count();
    let matrices = new.iter().filter(|tensor| !View::of(&tensor.shape).is_vector());
    let by_name = gone.len() + 2 * renamed >= 2 && matrices.count().max(usize::from(alignment.renamed)) > 0;
    if !by_name && !in_place(evidence) {
        return None;
    }
    let because = format!(
        "{} tensors gave way to {} of other names; {kept} are as they were.",
        gone.len() + renamed,
        new.len() + renamed
    );
    Some(decision(Relation::Transformed, "layer-replaced", 0.8, because))
}

/// All that the child has beyond the parent are further blocks of the parent's kind: the parent lost them.
fn is_deeper(evidence: &Evidence<'_>) -> bool {
    let role = |name: &str| split_layer(name).map(|(_, rest)| rest.to_owned());
    let roles: BTreeSet<String> = evidence
        .parent
        .tensors
        .iter()
        .filter_map(|tensor| role(&tensor.name))
        .collect();
    let mut new = evidence.alignment.child_only.iter();
    new.all(|tensor| role(&tensor.name).is_some_and(|role| roles.contains(&role)))
}

/// Modules of the parent that lost tensors or gained others than the parent has anywhere: another type of layer.
fn in_place(evidence: &Evidence<'_>) -> bool {
    let module = |name: &str| name.rsplit_once(['.', '/']).map(|(module, _)| module.to_owned());
    let new = &evidence.alignment.child_only;
    let modules: BTreeSet<String> = evidence
        .parent
        .tensors
        .iter()
        .filter_map(|tensor| module(&tensor.name))
        .collect();
    !new.is_empty()
        && new
            .iter()
            .all(|tensor| module(&tensor.name).is_some_and(|name| modules.contains(&name)))
}

/// Matrices lost rows or columns and what is left was in the parent.
fn width(evidence: &Evidence<'_>) -> Option<Decision> {
    let matrices: Vec<&Pair<'_>> = evidence
        .reshaped
        .iter()
        .filter(|pair| View::of(&pair.child.shape).rows > 1)
        .collect();
    let narrower = matrices.iter().filter(|pair| shrank(pair)).count();
    let wider = matrices
        .iter()
        .filter(|pair| {
            shrank(&Pair {
                parent: pair.child,
                child: pair.parent,
            })
        })
        .count();
    let kept = matrices.iter().filter(|pair| shares_lines(pair)).count();
    let complete = evidence.alignment.child_only.is_empty();
    let trimmed = matrices.iter().all(|pair| {
        keeps_rows(pair)
            && grew(&Pair {
                parent: pair.child,
                child: pair.parent,
            })
    });
    if matrices.len() < 2 && !is_large(evidence, &matrices) || !complete || kept == 0 || trimmed {
        return None;
    }
    if narrower == matrices.len() {
        let left = evidence.child.parameters as f64 / evidence.parent.parameters.max(1) as f64;
        let because = format!(
            "{narrower} matrices are narrower and share whole rows or columns with the parent's; {:.0} % of the parameters are left.",
            left * 100.0
        );
        return Some(
            decision(Relation::Pruned, "width", 0.9, because).with("kept", (left * 1e3).round() / 1e3),
        );
    }
    if wider == matrices.len() {
        let because =
            format!("{wider} matrices are wider and share whole rows or columns with the parent's.");
        return Some(decision(Relation::Expanded, "width", 0.85, because));
    }
    None
}

/// The reshaped matrices are much of the model: another head is not.
fn is_large(evidence: &Evidence<'_>, matrices: &[&Pair<'_>]) -> bool {
    let elements: u64 = matrices.iter().map(|pair| pair.parent.elements()).sum();
    elements * 10 > evidence.parent.parameters * 3
}

fn shrank(pair: &Pair<'_>) -> bool {
    pair.parent.shape.len() == pair.child.shape.len()
        && pair
            .parent
            .shape
            .iter()
            .zip(&pair.child.shape)
            .all(|(before, after)| after <= before)
}

/// Some kept row, or column, has the hash of one of the other's; or the whole tensors point the same way where they overlap.
pub(in super::super) fn shares_lines(pair: &Pair<'_>) -> bool {
    let (Some(parent), Some(child)) = (&pair.parent.invariants, &pair.child.invariants) else {
        return false;
    };
    let shared = |a: &[u32], b: &[u32]| a.iter().any(|hash| b.contains(hash));
    shared(&parent.rows, &child.rows) || shared(&parent.columns, &child.columns)
}
