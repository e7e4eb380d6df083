//! From evidence to a decision: which relation, which technique, with which parameters.
//!
//! Enters: [`Evidence`](super::evidence::Evidence) of one pair. Leaves: a [`Decision`]. Each rule recognises one relation; the first
//! that does decides. Thresholds stand beside the rule that uses them.

mod adapter;
mod decision;
mod duplicate;
mod finetune;
mod packed;
mod pruned;
mod quantized;
mod structure;

pub(super) use adapter::{adapter_kind, fit as adapter_fit, magnitude_distance};
pub(super) use decision::Decision;
pub(super) use packed::packing_of;

use super::Relation;
use super::evidence::Evidence;
use crate::fingerprint::View;
use crate::weights::Dtype;

/// The least share of matrices that must be related for a pair to be related at all.
pub(super) const RELATED_SHARE: f64 = 0.5;

/// The least share of the smaller model's elements that must have a counterpart.
const MATCHED_SHARE: f64 = 0.3;

type Rule = fn(&Evidence<'_>) -> Option<Decision>;

/// In the order they are asked: what leaves values alone, what destroys information, what changes values.
const RULES: [Rule; 4] = [
    quantized::recognise,
    pruned::recognise,
    structure::recognise,
    finetune::recognise,
];

/// Decides what made the child out of the parent.
pub(super) fn decide(evidence: &Evidence<'_>) -> Decision {
    if adapter_kind(evidence.child).is_some() {
        return adapter::recognise(evidence).unwrap_or_else(|| Decision::unrelated(evidence));
    }
    let (from, to) = (packing_of(evidence.parent), packing_of(evidence.child));
    if from != to {
        let packed = if from.is_none() {
            packed::recognise(evidence)
        } else {
            None
        };
        return packed.unwrap_or_else(|| Decision::unrelated(evidence));
    }
    // reordering and rescaling leave nothing that points the same way
    if let Some(decision) = duplicate::recognise(evidence) {
        return decision;
    }
    if !is_related(evidence) {
        return Decision::unrelated(evidence);
    }
    let decided = RULES.iter().find_map(|rule| rule(evidence));
    let decision = decided.unwrap_or_else(|| Decision::unrelated(evidence));
    match narrowed(evidence) {
        Some(dtype) if decision.relation == Relation::Finetune => cast_after(decision, dtype),
        _ => decision,
    }
}

/// The 16-bit type that the child's matrices are stored in, where the parent's are wider or of the other.
fn narrowed(evidence: &Evidence<'_>) -> Option<Dtype> {
    let is_narrow = |dtype: Dtype| matches!(dtype, Dtype::F16 | Dtype::BF16);
    let mut matrices = evidence.tensors.iter().filter(|tensor| tensor.is_matrix());
    let first = matrices.clone().next()?.pair.child.dtype;
    matrices
        .all(|tensor| {
            let before = tensor.pair.parent.dtype;
            tensor.pair.child.dtype == first
                && is_narrow(first)
                && (before == Dtype::F32 || is_narrow(before))
                && before != first
        })
        .then_some(first)
}

/// Two steps in one: tuned, then stored in a narrower type. The last step names the relation.
fn cast_after(tuned: Decision, dtype: Dtype) -> Decision {
    let dtype = duplicate::dtype_name(dtype);
    let because = format!(
        "Stored as {dtype} after a fine-tune ({}). {}",
        tuned.technique, tuned.because
    );
    let mut decision = Decision {
        relation: Relation::Duplicate,
        technique: "cast",
        because,
        ..tuned
    };
    decision.params.insert("dtype".to_owned(), dtype.into());
    decision
        .params
        .insert("steps".to_owned(), vec!["finetune", "duplicate"].into());
    decision
}

/// Most matrices of one shape point the same way, or those that changed shape share whole rows or columns.
fn is_related(evidence: &Evidence<'_>) -> bool {
    let matrices = evidence
        .tensors
        .iter()
        .filter(|tensor| tensor.is_matrix())
        .count();
    if matrices > 0 && evidence.related_share() >= RELATED_SHARE && evidence.matched_share() >= MATCHED_SHARE
    {
        return true;
    }
    let reshaped: Vec<_> = evidence
        .reshaped
        .iter()
        .filter(|pair| !View::of(&pair.child.shape).is_vector())
        .collect();
    let kept = reshaped
        .iter()
        .filter(|pair| structure::shares_lines(pair))
        .count();
    kept > 0 && kept * 4 >= reshaped.len() && reshaped.len() * 2 >= matrices
}
