//! Says in one line what a model is.
//!
//! Enters: its derivation, if one was found, and the verdict on what it declares. Leaves: a line such as
//! "Fine-tune (merged low rank, rank 8) of hf:a/b; declared base confirmed".

use super::{Relation, Verdict};
use serde_json::Value;
use std::collections::BTreeMap;

/// What is known of a model.
pub struct Identity<'a> {
    pub edge: Option<Derivation<'a>>,
    pub verdict: Option<Verdict>,
    /// Base models as its card declares them.
    pub declared: &'a [String],
    pub fingerprinted: bool,
    /// Why its weights could not be read.
    pub failure: Option<&'a str>,
}

/// How it derives from its parents.
pub struct Derivation<'a> {
    pub relation: Relation,
    /// Technique id of the design's section 7.
    pub technique: &'a str,
    pub params: &'a BTreeMap<String, Value>,
    pub parents: &'a [String],
}

/// One line, no full stop.
pub fn identity_line(identity: &Identity<'_>) -> String {
    let origin = match (&identity.edge, identity.failure) {
        (Some(edge), _) => derivation_phrase(edge),
        (None, Some(failure)) if !identity.fingerprinted => format!("Weights not read: {failure}"),
        (None, _) if identity.fingerprinted => "No parent among the crawled models".to_owned(),
        (None, _) => "Weights not fingerprinted yet".to_owned(),
    };
    match verdict_phrase(identity.verdict, identity.declared) {
        Some(verdict) => format!("{origin}; {verdict}"),
        None => origin,
    }
}

fn derivation_phrase(edge: &Derivation<'_>) -> String {
    let mut how = vec![technique_words(edge.technique).to_owned()];
    how.extend(
        edge.params
            .iter()
            .filter_map(|(name, value)| param_phrase(name, value)),
    );
    let how = how.join(", ");
    let parents = edge.parents.join(" and ");
    match edge.relation {
        Relation::Unrelated => format!("Unrelated to {parents}"),
        Relation::Component => format!("Contains {parents} ({how})"),
        relation => format!("{} ({how}) of {parents}", relation_noun(relation)),
    }
}

pub(super) fn relation_noun(relation: Relation) -> &'static str {
    match relation {
        Relation::Duplicate => "Duplicate",
        Relation::Finetune => "Fine-tune",
        Relation::Adapter => "Adapter",
        Relation::Quantized => "Quantization",
        Relation::Merge => "Merge",
        Relation::Pruned => "Pruning",
        Relation::Expanded => "Expansion",
        Relation::Transformed => "Transformation",
        Relation::Component => "Composite",
        Relation::Unrelated => "Unrelated model",
    }
}

/// A technique id in words; ids that are words already stay.
pub(super) fn technique_words(technique: &str) -> &str {
    match technique {
        "copy" => "byte copy",
        "reshard" => "other shards",
        "rename" => "tensors renamed",
        "container" => "other container",
        "cast" => "cast",
        "permuted" => "channels permuted",
        "rescaled" => "channels rescaled",
        "full" => "all weights",
        "layers" => "some layers",
        "head" => "head only",
        "bias" => "biases only",
        "lora-merged" => "merged low rank",
        "scale-shift" => "scale and shift",
        "sparse-lowrank" => "sparse and low rank",
        "shallow-patch" => "shallow layers",
        "neuron-edit" => "a few neurons",
        "rtn" => "round to nearest",
        "n:m" => "N:M sparsity",
        "width" => "fewer channels",
        "depth" => "other depth",
        "moe" => "mixture of experts",
        "passthrough" => "stacked layers",
        "layer-replaced" => "layers replaced",
        other => other,
    }
}

/// The parameters worth a place in one line.
fn param_phrase(name: &str, value: &Value) -> Option<String> {
    let number = value.as_f64();
    match name {
        "rank" => Some(format!("rank {}", number?)),
        "bits" => Some(format!("{} bits", number?)),
        "group_size" => Some(format!("groups of {}", number?)),
        "sparsity" => Some(format!("{:.0} % zeros", 100.0 * number?)),
        "dtype" | "to" => Some(format!("to {}", value.as_str()?)),
        "pattern" => Some(value.as_str()?.to_owned()),
        "coefficients" => {
            let shares: Option<Vec<String>> = value
                .as_array()?
                .iter()
                .map(|share| Some(format!("{:.2}", share.as_f64()?)))
                .collect();
            Some(shares?.join(" and "))
        }
        _ => None,
    }
}

fn verdict_phrase(verdict: Option<Verdict>, declared: &[String]) -> Option<String> {
    let declared = declared.join(" and ");
    match verdict? {
        Verdict::Confirmed => Some("declared base confirmed".to_owned()),
        Verdict::Contradicted => Some(format!("declared base {declared} contradicted by the weights")),
        Verdict::Undeclared => Some("its card declares no base".to_owned()),
        Verdict::Unverifiable => Some(format!("declared base {declared} cannot be checked")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn check(relation: Relation, technique: &str, params: Value, verdict: Option<Verdict>, expect: &str) {
        let params = serde_json::from_value(params).unwrap();
        let parents = match relation {
            Relation::Merge => vec!["hf:a/b".to_owned(), "hf:a/c".to_owned()],
            _ => vec!["hf:a/b".to_owned()],
        };
        let line = identity_line(&Identity {
            edge: Some(Derivation {
                relation,
                technique,
                params: &params,
                parents: &parents,
            }),
            verdict,
            declared: &["x/y".to_owned()],
            fingerprinted: true,
            failure: None,
        });
        assert_eq!(line, expect);
    }

    #[test]
    fn a_derivation_is_said_in_one_line() {
        use Relation::*;
        use Verdict::*;
        check(
            Finetune,
            "lora-merged",
            json!({"rank": 8, "layers": ["a", "b"]}),
            Some(Confirmed),
            "Fine-tune (merged low rank, rank 8) of hf:a/b; declared base confirmed",
        );
        check(
            Duplicate,
            "cast",
            json!({"dtype": "BF16"}),
            Some(Undeclared),
            "Duplicate (cast, to BF16) of hf:a/b; its card declares no base",
        );
        check(
            Quantized,
            "rtn",
            json!({"bits": 4, "group_size": 32}),
            Some(Contradicted),
            "Quantization (round to nearest, 4 bits, groups of 32) of hf:a/b; declared base x/y contradicted by the weights",
        );
        check(
            Merge,
            "linear",
            json!({"coefficients": [0.3, 0.7]}),
            None,
            "Merge (linear, 0.30 and 0.70) of hf:a/b and hf:a/c",
        );
        check(
            Pruned,
            "unstructured",
            json!({"sparsity": 0.5}),
            Some(Unverifiable),
            "Pruning (unstructured, 50 % zeros) of hf:a/b; declared base x/y cannot be checked",
        );
    }

    #[test]
    fn a_model_without_a_parent_says_why() {
        let check = |fingerprinted: bool, failure: Option<&str>, expect: &str| {
            let line = identity_line(&Identity {
                edge: None,
                verdict: None,
                declared: &[],
                fingerprinted,
                failure,
            });
            assert_eq!(line, expect);
        };
        check(true, None, "No parent among the crawled models");
        check(false, None, "Weights not fingerprinted yet");
        check(
            false,
            Some("model.safetensors: the header is cut off"),
            "Weights not read: model.safetensors: the header is cut off",
        );
    }
}
