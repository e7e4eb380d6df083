//! One pair: evidence, decision, and the words for them.

use super::decide::{Decision, decide};
use super::evidence::{Evidence, share};
use super::identity::{relation_noun, technique_words};
use super::{Feature, PairOutcome, Relation};
use crate::fingerprint::{Fingerprint, Level};

/// Compares one pair without deciding direction over a family: `parent` is taken as the parent.
pub fn compare_pair(parent: &Fingerprint, child: &Fingerprint) -> PairOutcome {
    let evidence = Evidence::of(parent, child);
    let decision = decide(&evidence);
    let evidence = features(&evidence, &decision);
    PairOutcome {
        relation: decision.relation,
        technique: decision.technique.to_owned(),
        explanation: decision.explain(parent.level.min(child.level)),
        confidence: decision.confidence,
        params: decision.params,
        evidence,
    }
}

impl Feature {
    pub(super) fn new(name: &str, value: f64, meaning: &str) -> Self {
        Self {
            name: name.to_owned(),
            value,
            meaning: meaning.to_owned(),
        }
    }
}

impl Decision {
    /// Two sentences: what, and why.
    pub(super) fn explain(&self, level: Level) -> String {
        if level == Level::Metadata {
            return "The weights of one side were not read. Only names and shapes could be compared."
                .to_owned();
        }
        let technique = technique_words(self.technique);
        let what = match self.relation {
            Relation::Unrelated => "The weights are independent.".to_owned(),
            relation => format!("{} of the parent: {technique}.", relation_noun(relation)),
        };
        format!("{what} {}", self.because)
    }
}

/// The numbers every pair has, then those of its decision.
pub(super) fn features(evidence: &Evidence<'_>, decision: &Decision) -> Vec<Feature> {
    let identical = evidence
        .tensors
        .iter()
        .filter(|tensor| tensor.same_values)
        .count() as f64;
    let aligned = evidence.tensors.len() as f64;
    let elements = evidence.changed_elements();
    let mut features = vec![
        Feature::new(
            "tensors_identical",
            share(identical, aligned),
            "aligned tensors with equal values, as a share",
        ),
        Feature::new(
            "relative_delta_norm",
            evidence.relative_delta(),
            "norm of the difference over the norm of the parent",
        ),
        Feature::new(
            "matrices_related",
            evidence.related_share(),
            "matrices that point the same way, as a share",
        ),
        Feature::new(
            "child_covered",
            evidence.child_covered(),
            "share of the child's elements with a counterpart in the parent",
        ),
        Feature::new(
            "parent_covered",
            evidence.parent_covered(),
            "share of the parent's elements with a counterpart in the child",
        ),
    ];
    if elements.compared > 0.0 {
        let unchanged = elements.unchanged / elements.compared;
        features.push(Feature::new(
            "elements_unchanged",
            unchanged,
            "probed elements of changed tensors that are equal",
        ));
        features.push(Feature::new(
            "bit_distance",
            elements.bits / elements.compared,
            "mean differing bits of probed elements of changed tensors",
        ));
    }
    features.extend(decision.features.iter().cloned());
    features
}
