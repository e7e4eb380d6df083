//! Which of two related models came first.
//!
//! Enters: evidence of a pair, taken one way and decided both ways, and dates where known. Leaves: log-odds that the parent is the parent.

use super::decide::Decision;
use super::evidence::Evidence;
use super::{Member, Relation};
use std::cmp::Ordering;

/// Log-odds of what cannot be undone: precision lost, values zeroed.
const IRREVERSIBLE: f64 = 6.0;
/// Bounds of softer evidence.
const SOFT: f64 = 3.0;
const BY_DATE: f64 = 3.0;
const BY_DECLARATION: f64 = 1.5;
/// Variance of the norm gain that training itself (weight decay, clipping) adds to chance.
const TRAINING_VARIANCE: f64 = 0.15;

/// Log-odds that the evidence's parent is the parent.
pub(super) fn direction(
    evidence: &Evidence<'_>,
    forward: &Decision,
    backward: &Decision,
    parent: &Member<'_>,
    child: &Member<'_>,
    centrality: f64,
) -> f64 {
    // what holds copies of another's layers came after it, though it looks like pruning the other way round
    let loses = |decision: &Decision, other: &Decision| loses_information(decision) && !repeats_layers(other);
    let irreversible = f64::from(i8::from(loses(forward, backward)) - i8::from(loses(backward, forward)));
    let dates = match (parent.date, child.date) {
        (Some(parent), Some(child)) => match parent.cmp(&child) {
            Ordering::Less => BY_DATE,
            Ordering::Greater => -BY_DATE,
            Ordering::Equal => 0.0,
        },
        _ => 0.0,
    };
    let declared =
        |member: &Member<'_>, base: &Member<'_>| f64::from(u8::from(member.declared.contains(&base.id)));
    let declaration = declared(child, parent) - declared(parent, child);
    irreversible * IRREVERSIBLE
        + precision(evidence)
        + norm_gain(evidence)
        + centrality
        + dates
        + declaration * BY_DECLARATION
}

fn loses_information(decision: &Decision) -> bool {
    let is_wider = (decision.relation, decision.technique) == (Relation::Expanded, "width");
    matches!(
        decision.relation,
        Relation::Quantized | Relation::Pruned | Relation::Adapter | Relation::Component | Relation::Expanded
    ) && !is_wider
        || decision.technique == "cast" && !decision.params.contains_key("lossless")
}

/// The child has layers or experts that are copies of the parent's.
fn repeats_layers(decision: &Decision) -> bool {
    decision.relation == Relation::Expanded && matches!(decision.technique, "depth" | "moe")
}

/// Values that a narrower type holds exactly were in that type once: going on from there makes others.
fn precision(evidence: &Evidence<'_>) -> f64 {
    let exact = |parent: bool| {
        let mut exact = [true; 2];
        for tensor in evidence.tensors.iter().filter(|tensor| tensor.is_matrix()) {
            let side = if parent {
                tensor.pair.parent
            } else {
                tensor.pair.child
            };
            if let Some(stats) = &side.stats {
                exact[0] &= stats.bf16_exact > 0.999;
                exact[1] &= stats.f16_exact > 0.999;
            }
        }
        exact
    };
    let (parent, child) = (exact(true), exact(false));
    let narrow = |exact: [bool; 2]| exact[0] || exact[1];
    match (narrow(parent), narrow(child)) {
        (false, true) => 2.5,
        (true, false) => -2.5,
        _ => 0.0,
    }
}

/// What training adds is near orthogonal to what was there: squared norms grow by the squared norm of the delta. The other way
/// round they would shrink by it, and between siblings they stay.
fn norm_gain(evidence: &Evidence<'_>) -> f64 {
    let (mut gain, mut weight) = (0.0, 0.0);
    for tensor in evidence.changed() {
        if tensor.delta_square <= 0.0 || tensor.parent_square <= 0.0 {
            continue;
        }
        let one = (tensor.child_square - tensor.parent_square) / tensor.delta_square;
        let chance = 4.0 * tensor.parent_square / (tensor.delta_square * tensor.view.elements() as f64);
        let precision = 1.0 / (chance + TRAINING_VARIANCE);
        gain += one.clamp(-3.0, 3.0) * precision;
        weight += precision;
    }
    if weight == 0.0 {
        return 0.0;
    }
    // tensors of one model are tuned alike: their gains are not independent witnesses
    let variance = 1.0 / weight + TRAINING_VARIANCE;
    (2.0 * (gain / weight).clamp(-1.0, 1.0) / variance).clamp(-SOFT, SOFT)
}
