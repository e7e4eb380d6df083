//! What a rule decided.

use super::super::evidence::Evidence;
use super::super::{Feature, Relation};
use serde_json::Value;
use std::collections::BTreeMap;

/// Share of misfitting elements below which a parent explains its child without a remainder.
const EXACT: f64 = 0.001;

/// Relation, technique, parameters, and why.
#[derive(Debug, Clone)]
pub(in super::super) struct Decision {
    pub relation: Relation,
    pub technique: &'static str,
    pub params: BTreeMap<String, Value>,
    pub confidence: f64,
    /// One sentence with the number that decided.
    pub because: String,
    /// Numbers beyond those every pair has.
    pub features: Vec<Feature>,
    /// Share of the probed elements that are not what the technique makes of this parent's: near 0 for the true parent of a model that
    /// was cast, rounded or pruned. `None` where any parent would do.
    pub misfit: Option<f64>,
}

impl Decision {
    pub fn new(relation: Relation, technique: &'static str, confidence: f64, because: String) -> Self {
        Self {
            relation,
            technique,
            params: BTreeMap::new(),
            confidence,
            because,
            features: Vec::new(),
            misfit: None,
        }
    }

    pub fn with_misfit(mut self, misfit: f64) -> Self {
        self.misfit = Some(misfit);
        self
    }

    /// Every probed element is what the technique makes of the parent's.
    pub fn is_exact(&self) -> bool {
        self.misfit.is_some_and(|misfit| misfit < EXACT)
    }

    pub fn with(mut self, param: &str, value: impl Into<Value>) -> Self {
        self.params.insert(param.to_owned(), value.into());
        self
    }

    pub fn with_feature(mut self, name: &str, value: f64, meaning: &str) -> Self {
        self.features.push(Feature::new(name, value, meaning));
        self
    }

    pub fn unrelated(evidence: &Evidence<'_>) -> Self {
        let share = evidence.related_share();
        let because = if evidence.tensors.is_empty() {
            "No tensor of one has a counterpart in the other that could be compared.".to_owned()
        } else {
            format!("Only {:.0} % of the matrices point the same way.", share * 100.0)
        };
        Self::new(
            Relation::Unrelated,
            "unrelated",
            0.5 + 0.5 * (1.0 - share),
            because,
        )
    }
}

/// Rounds to the nearest multiple of a hundredth where that is within a third of one, else to four digits: what people choose.
pub(super) fn as_chosen(value: f64) -> f64 {
    let hundredth = (value * 100.0).round() / 100.0;
    if (value - hundredth).abs() < 0.0034 {
        hundredth
    } else {
        (value * 1e4).round() / 1e4
    }
}
