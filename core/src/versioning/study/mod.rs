//! The naming study's measures, over a list of names or a crawled hub.
//!
//! Enters: names, what was observed of packages and their revisions, and the study's own data where a reader has it. Leaves: a
//! [`Study`] that serialises to JSON and renders as a self-contained HTML page. Measures that the study defines otherwise, or does
//! not define, are never called the same: [`published`] says which figure can be set beside which, and what is missing.

mod groups;
mod html;
mod methods;
mod names;
mod packages;
mod published;
mod replication;
mod sampling;
mod significance;

pub use groups::{ChangeMeasures, GroupMeasures};
pub use methods::{VersionPractice, variant_type};
pub use names::{NamingMeasures, RankedFrequency, measure_names};
pub use packages::{
    DeclaredStep, PackageFacts, PackageMeasures, ReleaseFacts, StepFacts, measure_packages, model_type,
};
pub use published::{Comparison, compare};
pub use replication::{Labelled, ReplicatedModels, Replication, ReplicationFiles};
pub use sampling::{Expected, STUDY_SAMPLE, expected_distinct};
pub use significance::{KindContrast, fisher_exact};

use serde::Serialize;

/// Everything that was measured.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Study {
    /// What was measured: a file of names, a database.
    pub source: String,
    pub names: NamingMeasures,
    /// `None` for a bare list of names.
    pub packages: Option<PackageMeasures>,
    /// The same method over the study's own data, where it was given.
    pub replication: Option<Replication>,
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
    pub fn measure(
        source: &str,
        names: &[&str],
        packages: Option<&[PackageFacts]>,
        replication: Option<Replication>,
    ) -> Self {
        let names = measure_names(names);
        let packages = packages.map(measure_packages);
        Self {
            source: source.to_owned(),
            comparison: compare(&names, packages.as_ref(), replication.as_ref()),
            names,
            packages,
            replication,
        }
    }

    /// Measures crawled packages by their names and their histories.
    pub fn of_packages(source: &str, packages: &[PackageFacts], replication: Option<Replication>) -> Self {
        let names: Vec<&str> = packages.iter().map(|package| package.name.as_str()).collect();
        Self::measure(source, &names, Some(packages), replication)
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
