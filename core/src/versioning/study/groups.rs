//! Documentation gaps, and changes of weights with whether anybody speaks of them: in all, by hub and by year.

use super::{PackageFacts, StepFacts, share};
use serde::Serialize;
use std::collections::BTreeMap;

/// Documentation and changes of a group of packages.
#[derive(Debug, Clone, Default, PartialEq, Serialize, utoipa::ToSchema)]
pub struct GroupMeasures {
    /// `all`, a hub, a year.
    pub label: String,
    pub packages: usize,
    pub with_card: usize,
    pub with_licence: usize,
    pub with_datasets: usize,
    pub with_base_model: usize,
    pub changes: ChangeMeasures,
}

/// Measures that are easily taken for one another, apart.
#[derive(Debug, Clone, Default, PartialEq, Serialize, utoipa::ToSchema)]
pub struct ChangeMeasures {
    /// Steps from one revision to the next.
    pub steps: usize,
    /// A weight file came, went or has other bytes.
    pub weight_file_changed: usize,
    /// Of those: neither tag, name, message nor card says so.
    pub not_represented: usize,
    /// Values of tensors changed.
    pub tensors_changed: usize,
    /// A weight file changed and the tensors could not be compared.
    pub tensors_unknown: usize,
    /// Values changed, and nobody says so.
    pub silent: usize,
}

impl ChangeMeasures {
    fn add(&mut self, step: &StepFacts) {
        let weight_file_changed = step.weight_file_changed();
        self.steps += 1;
        self.weight_file_changed += usize::from(weight_file_changed);
        self.not_represented += usize::from(weight_file_changed && !step.announced);
        self.tensors_changed += usize::from(step.weights_changed == Some(true));
        self.tensors_unknown += usize::from(weight_file_changed && step.weights_changed.is_none());
        self.silent += usize::from(step.silent);
    }

    /// Share of changes of values that nobody speaks of.
    pub fn silent_share(&self) -> f64 {
        share(self.silent, self.tensors_changed)
    }

    /// Share of changes of weight files that nobody speaks of.
    pub fn not_represented_share(&self) -> f64 {
        share(self.not_represented, self.weight_file_changed)
    }
}

impl GroupMeasures {
    fn named(label: &str) -> Self {
        Self {
            label: label.to_owned(),
            ..Self::default()
        }
    }

    fn add_package(&mut self, package: &PackageFacts) {
        self.packages += 1;
        self.with_card += usize::from(package.has_card);
        self.with_licence += usize::from(package.has_licence);
        self.with_datasets += usize::from(package.datasets > 0);
        self.with_base_model += usize::from(package.base_models > 0);
    }

    /// `count` of the group's packages.
    pub fn share(&self, count: usize) -> f64 {
        share(count, self.packages)
    }
}

/// The groups that are measured apart.
pub(super) struct Groups<'a> {
    pub all: GroupMeasures,
    pub hubs: BTreeMap<&'a str, GroupMeasures>,
    pub years: BTreeMap<i32, GroupMeasures>,
}

/// Sorts packages by hub and by year, and counts in each group.
pub(super) fn group(packages: &[PackageFacts]) -> Groups<'_> {
    let mut groups = Groups {
        all: GroupMeasures::named("all"),
        hubs: BTreeMap::new(),
        years: BTreeMap::new(),
    };
    for package in packages {
        groups.all.add_package(package);
        let hub = groups
            .hubs
            .entry(&package.hub)
            .or_insert_with(|| GroupMeasures::named(&package.hub));
        hub.add_package(package);
        for step in &package.steps {
            groups.all.changes.add(step);
            hub.changes.add(step);
        }
        let mut year = |year: i32, add: &dyn Fn(&mut GroupMeasures)| {
            add(groups
                .years
                .entry(year)
                .or_insert_with(|| GroupMeasures::named(&year.to_string())));
        };
        if let Some(published) = package.year {
            year(published, &|group| group.add_package(package));
        }
        for step in &package.steps {
            if let Some(taken) = step.year {
                year(taken, &|group| group.changes.add(step));
            }
        }
    }
    groups
}
