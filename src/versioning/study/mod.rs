//! The naming study's measures, over a list of names or a crawled hub.
//!
//! Enters: names, and what was observed of packages and their revisions. Leaves: a [`Study`] that serialises to JSON and
//! renders as a self-contained HTML page. Measures that the study defines otherwise, or does not define, are never called the
//! same: [`published`] says which figure can be set beside which.

mod html;
mod names;
mod published;
mod revisions;

pub use names::{NamingMeasures, measure_names};
pub use published::{Comparison, compare};
pub use revisions::{PackageFacts, PackageMeasures, RevisionFacts, measure_packages};

use serde::Serialize;

/// Everything that was measured.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Study {
    /// What was measured: a file of names, a database.
    pub source: String,
    pub names: NamingMeasures,
    /// `None` for a bare list of names.
    pub packages: Option<PackageMeasures>,
    pub comparison: Vec<Comparison>,
}

/// A label, how often it occurs, and its share.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Count {
    pub label: String,
    pub count: usize,
    pub share: f64,
}

impl Study {
    /// Measures names alone, or names and packages.
    pub fn measure(source: &str, names: &[&str], packages: Option<&[PackageFacts]>) -> Self {
        let names = measure_names(names);
        let packages = packages.map(measure_packages);
        Self {
            source: source.to_owned(),
            comparison: compare(&names, packages.as_ref()),
            names,
            packages,
        }
    }

    /// A page that needs nothing but itself.
    pub fn to_html(&self) -> String {
        html::page(self)
    }
}

/// Counts, most frequent first, at most `limit` of them.
fn ranked<K: AsRef<str> + Ord>(
    counts: impl IntoIterator<Item = (K, usize)>,
    total: usize,
    limit: usize,
) -> Vec<Count> {
    let mut counts: Vec<(K, usize)> = counts.into_iter().collect();
    counts.sort_by(|(a, x), (b, y)| y.cmp(x).then_with(|| a.cmp(b)));
    counts
        .into_iter()
        .take(limit)
        .map(|(label, count)| Count {
            label: label.as_ref().to_owned(),
            count,
            share: share(count, total),
        })
        .collect()
}

/// A share of nothing is nought.
fn share(count: usize, total: usize) -> f64 {
    if total == 0 {
        0.0
    } else {
        count as f64 / total as f64
    }
}
