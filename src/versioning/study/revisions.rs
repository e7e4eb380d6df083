//! What a crawl tells beyond names: changes of weights and whether anybody says so, steps, formats, documentation.

use super::{Count, ranked, share};
use crate::versioning::{Bump, Reason};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// One crawled package.
#[derive(Debug, Clone, Default)]
pub struct PackageFacts {
    pub hub: String,
    /// `owner/name`
    pub name: String,
    pub has_card: bool,
    pub has_licence: bool,
    pub datasets: usize,
    pub base_models: usize,
    /// The relation to its parents that lineage inferred.
    pub relation: Option<String>,
    /// Extensions of its files at the newest revision.
    pub extensions: Vec<String>,
    /// Oldest first.
    pub revisions: Vec<RevisionFacts>,
}

/// One revision after the first.
#[derive(Debug, Clone)]
pub struct RevisionFacts {
    pub year: Option<i32>,
    pub bump: Bump,
    pub silent: bool,
    /// `None` when tensors could not be compared.
    pub weights_changed: Option<bool>,
    pub reasons: Vec<Reason>,
}

impl RevisionFacts {
    /// Whether a weight file came, went or has other bytes: every such change gives a reason of one of these kinds.
    fn weight_file_changed(&self) -> bool {
        let touches_files = |reason: &Reason| matches!(reason.kind.as_str(), "weights" | "format");
        self.weights_changed == Some(true) || self.reasons.iter().any(touches_files)
    }
}

/// What was measured over packages.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct PackageMeasures {
    pub packages: usize,
    pub per_hub: Vec<Count>,
    pub with_card: usize,
    pub with_licence: usize,
    pub with_datasets: usize,
    pub with_base_model: usize,
    pub relations: Vec<Count>,
    /// Packages that offer a file of each extension.
    pub extensions: Vec<Count>,
    pub changes: ChangeMeasures,
    /// Steps by size.
    pub bumps: Vec<Count>,
    /// Kinds of change within major steps, and within minor steps.
    pub major_kinds: Vec<Count>,
    pub minor_kinds: Vec<Count>,
    pub by_year: BTreeMap<i32, ChangeMeasures>,
}

/// Three measures that are easily taken for one another, apart.
#[derive(Debug, Clone, Default, PartialEq, Serialize, utoipa::ToSchema)]
pub struct ChangeMeasures {
    /// Steps from one revision to the next.
    pub steps: usize,
    /// A weight file came, went or has other bytes.
    pub weight_file_changed: usize,
    /// Values of tensors changed.
    pub tensors_changed: usize,
    /// A weight file changed and the tensors could not be compared.
    pub tensors_unknown: usize,
    /// Values changed, and neither name, tag, message nor card says so.
    pub silent: usize,
}

impl ChangeMeasures {
    fn add(&mut self, revision: &RevisionFacts) {
        self.steps += 1;
        let weight_file_changed = revision.weight_file_changed();
        self.weight_file_changed += usize::from(weight_file_changed);
        self.tensors_changed += usize::from(revision.weights_changed == Some(true));
        self.tensors_unknown += usize::from(weight_file_changed && revision.weights_changed.is_none());
        self.silent += usize::from(revision.silent);
    }

    /// Share of changes of values that nobody speaks of.
    pub fn silent_share(&self) -> f64 {
        share(self.silent, self.tensors_changed)
    }
}

/// Measures crawled packages.
pub fn measure_packages(packages: &[PackageFacts]) -> PackageMeasures {
    let total = packages.len();
    let count = |holds: fn(&PackageFacts) -> bool| packages.iter().filter(|package| holds(package)).count();
    let mut changes = ChangeMeasures::default();
    let mut by_year: BTreeMap<i32, ChangeMeasures> = BTreeMap::new();
    let mut bumps: BTreeMap<&str, usize> = BTreeMap::new();
    for revision in packages.iter().flat_map(|package| &package.revisions) {
        changes.add(revision);
        *bumps.entry(revision.bump.as_str()).or_default() += 1;
        if let Some(year) = revision.year {
            by_year.entry(year).or_default().add(revision);
        }
    }
    let extensions = packages
        .iter()
        .flat_map(|package| package.extensions.iter().collect::<BTreeSet<_>>());
    PackageMeasures {
        packages: total,
        per_hub: tally(packages.iter().map(|package| package.hub.as_str()), total),
        with_card: count(|package| package.has_card),
        with_licence: count(|package| package.has_licence),
        with_datasets: count(|package| package.datasets > 0),
        with_base_model: count(|package| package.base_models > 0),
        relations: tally(
            packages.iter().filter_map(|package| package.relation.as_deref()),
            total,
        ),
        extensions: tally(extensions.map(String::as_str), total),
        bumps: ranked(bumps, changes.steps, 4),
        major_kinds: kinds_within(packages, Bump::Major),
        minor_kinds: kinds_within(packages, Bump::Minor),
        changes,
        by_year,
    }
}

fn tally<'a>(labels: impl Iterator<Item = &'a str>, total: usize) -> Vec<Count> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for label in labels {
        *counts.entry(label).or_default() += 1;
    }
    ranked(counts, total, usize::MAX)
}

/// In how many steps of this size each kind of change of the same size takes part.
fn kinds_within(packages: &[PackageFacts], bump: Bump) -> Vec<Count> {
    let steps = || {
        packages
            .iter()
            .flat_map(|package| &package.revisions)
            .filter(|step| step.bump == bump)
    };
    let kinds = steps().flat_map(|step| {
        let kinds = step.reasons.iter().filter(|reason| reason.bump == bump);
        kinds.map(|reason| reason.kind.as_str()).collect::<BTreeSet<_>>()
    });
    tally(kinds, steps().count())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(weights_changed: Option<bool>, silent: bool, kind: &str, bump: Bump) -> RevisionFacts {
        RevisionFacts {
            year: Some(2024),
            bump,
            silent,
            weights_changed,
            reasons: vec![Reason::new(kind, bump, "")],
        }
    }

    #[test]
    fn changed_files_changed_tensors_and_silence_are_counted_apart() {
        let package = PackageFacts {
            revisions: vec![
                step(Some(true), true, "weights", Bump::Minor),
                step(Some(true), false, "weights", Bump::Minor),
                step(Some(false), false, "weights", Bump::Patch),
                step(None, false, "weights", Bump::Minor),
                step(Some(false), false, "card", Bump::Patch),
            ],
            ..PackageFacts::default()
        };
        let measured = measure_packages(&[package]);
        let expected = ChangeMeasures {
            steps: 5,
            weight_file_changed: 4,
            tensors_changed: 2,
            tensors_unknown: 1,
            silent: 1,
        };
        assert_eq!(measured.changes, expected);
        assert_eq!(measured.by_year[&2024], expected);
        assert_eq!(measured.changes.silent_share(), 0.5);
        assert_eq!(measured.minor_kinds[0].label, "weights");
        assert_eq!(measured.minor_kinds[0].count, 3);
    }
}
