//! Our measures beside the study's published figures, with what keeps the two apart.
//!
//! Published: *Semantic versioning of pre-trained language model releases*, 52,227 models.

use super::{NamingMeasures, PackageMeasures, share};
use serde::Serialize;

/// One published figure and ours.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Comparison {
    pub measure: &'static str,
    pub published: &'static str,
    /// `None` when what was read does not tell.
    pub ours: Option<String>,
    /// Why the two are not one figure.
    pub caution: &'static str,
}

fn kind_share(names: &NamingMeasures, kind: &str) -> f64 {
    let found = names.kinds.iter().find(|count| count.label == kind);
    found.map_or(0.0, |count| count.share)
}

/// Sets every measure that has a published counterpart beside it.
pub fn compare(names: &NamingMeasures, packages: Option<&PackageMeasures>) -> Vec<Comparison> {
    let percent = |share: f64| format!("{:.1} %", share * 100.0);
    let of_packages = |count: fn(&PackageMeasures) -> usize| {
        packages.map(|measures| percent(share(count(measures), measures.packages)))
    };
    let row = |measure, published, ours, caution| Comparison {
        measure,
        published,
        ours,
        caution,
    };
    vec![
        row(
            "models",
            "52,227",
            Some(names.names.to_string()),
            "another selection of models",
        ),
        row(
            "naming practices",
            "148",
            Some(names.conventions.to_string()),
            "published: distinct patterns among 384 names labelled by hand; ours: among all names, cut by a grammar, and the count \
             grows with the number of names",
        ),
        row(
            "base models",
            "299",
            Some(names.base_models.to_string()),
            "ours: base models the lists know and names mention, generations apart",
        ),
        row(
            "major versions with their predecessor available",
            "43 %",
            Some(percent(names.versions.major_predecessor_share())),
            "ours: within what was read, so a lower bound; first versions are not counted",
        ),
        row(
            "minor versions with their predecessor available",
            "35 %",
            Some(percent(names.versions.minor_predecessor_share())),
            "as above",
        ),
        row(
            "weight changes not represented",
            "40.87 %",
            packages.map(|measures| percent(measures.changes.silent_share())),
            "not the same figure: published over changed weight files, by names and documents, denominator unpublished; ours over \
             changes of tensor values, by names, tags, messages and cards",
        ),
        row(
            "models that name their training data",
            "24 %",
            Some(percent(kind_share(names, "dataset"))),
            "ours: names that mention a data set the lists know; cards are counted apart",
        ),
        row(
            "models with a card",
            "67 %",
            of_packages(|measures| measures.with_card),
            "ours: with a card of any length",
        ),
    ]
}
