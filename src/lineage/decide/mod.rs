//! From evidence to a decision: which relation, which technique, with which parameters.
//!
//! Enters: [`Evidence`](super::evidence::Evidence) of one pair. Leaves: a [`Decision`]. Each rule recognises one relation; the first
//! that does decides. Thresholds stand beside the rule that uses them.

mod decision;
mod duplicate;
mod finetune;
mod pruned;
mod quantized;

pub(super) use decision::Decision;

use super::evidence::Evidence;

/// The least share of matrices that must be related for a pair to be related at all.
pub(super) const RELATED_SHARE: f64 = 0.5;

type Rule = fn(&Evidence<'_>) -> Option<Decision>;

/// In the order they are asked: what leaves values alone, what destroys information, what changes values.
const RULES: [Rule; 4] = [
    duplicate::recognise,
    quantized::recognise,
    pruned::recognise,
    finetune::recognise,
];

/// Decides what made the child out of the parent.
pub(super) fn decide(evidence: &Evidence<'_>) -> Decision {
    if evidence.tensors.is_empty() || evidence.related_share() < RELATED_SHARE {
        return Decision::unrelated(evidence);
    }
    RULES
        .iter()
        .find_map(|rule| rule(evidence))
        .unwrap_or_else(|| Decision::unrelated(evidence))
}
