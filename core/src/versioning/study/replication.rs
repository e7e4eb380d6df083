//! The study's own data, from its public replication package: the same method over the study's names, so that whoever has the
//! package can see how near it lands.
//!
//! Enters: the text of the package's tables. Leaves: a [`Replication`]. Nothing of the package is part of Heirloom.

use super::Count;
use super::methods::{VersionPractice, count_variant_types, measure_versions};
use super::names::measure_names;
use super::sampling::{Expected, STUDY_SAMPLE, expected_distinct};
use crate::versioning::parse_name;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Tables of the package, as far as they were found.
#[derive(Debug, Clone, Copy, Default)]
pub struct ReplicationFiles<'a> {
    /// A table with a column `model_name`: all models of the study.
    pub models: Option<&'a str>,
    /// A table of a name and its convention, labelled by hand.
    pub labels: Option<&'a str>,
}

/// What the method finds in the study's data.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Replication {
    pub models: Option<ReplicatedModels>,
    pub labelled: Option<Labelled>,
}

/// Over the names of all models.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct ReplicatedModels {
    pub names: usize,
    /// Naming practices in a sample of the study's size, cut by the grammar.
    pub practices: Expected,
    pub variant_types: Vec<Count>,
    pub versions: VersionPractice,
    /// Share of names that mention a data set the lists know.
    pub naming_a_dataset: f64,
}

/// Over the names that the study labelled by hand.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Labelled {
    pub names: usize,
    /// Distinct conventions by hand: the study's naming practices.
    pub conventions: usize,
    /// The same for a sample of the study's size, where only part of the labels is at hand.
    pub practices: Expected,
    /// Distinct conventions that the grammar gives the same names.
    pub conventions_by_grammar: usize,
    /// Names whose convention the grammar gives exactly.
    pub exact: usize,
}

impl Replication {
    /// Measures the tables that are there.
    pub fn measure(files: ReplicationFiles<'_>) -> Self {
        Self {
            models: files.models.map(measure_models),
            labelled: files.labels.map(measure_labels),
        }
    }
}

fn measure_models(table: &str) -> ReplicatedModels {
    let mut lines = table.trim_start_matches('\u{feff}').lines();
    let header: Vec<&str> = lines.next().unwrap_or_default().split(',').collect();
    let column = header.iter().position(|name| *name == "model_name").unwrap_or(0);
    let names: Vec<&str> = lines.filter_map(|line| line.split(',').nth(column)).collect();
    let measured = measure_names(&names);
    let dataset = measured.kinds.iter().find(|kind| kind.label == "dataset");
    ReplicatedModels {
        names: names.len(),
        practices: measured.practices,
        variant_types: count_variant_types(&names),
        versions: measure_versions(&names),
        naming_a_dataset: dataset.map_or(0.0, |count| count.share),
    }
}

fn measure_labels(table: &str) -> Labelled {
    let labels: Vec<(&str, &str)> = table.lines().filter_map(label).collect();
    let mut by_hand: BTreeMap<&str, usize> = BTreeMap::new();
    let mut by_grammar = BTreeSet::new();
    let mut exact = 0;
    for (name, convention) in &labels {
        *by_hand.entry(convention).or_default() += 1;
        let ours = parse_name(name).convention;
        exact += usize::from(ours == *convention);
        by_grammar.insert(ours);
    }
    let frequencies: Vec<usize> = by_hand.values().copied().collect();
    Labelled {
        names: labels.len(),
        conventions: by_hand.len(),
        practices: expected_distinct(&frequencies, STUDY_SAMPLE),
        conventions_by_grammar: by_grammar.len(),
        exact,
    }
}

/// The convention is the field in braces, the name the field before it. A header has no braces.
fn label(line: &str) -> Option<(&str, &str)> {
    let mut before = "";
    for field in line.split(',').map(str::trim) {
        if field.starts_with('{') && field.ends_with('}') {
            return Some((before, field));
        }
        before = field;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_read_by_their_columns() {
        let files = ReplicationFiles {
            models: Some("owner,model_name,variants\na,a/m-ft,finetuned\na,a/m-v2,finetuned\n"),
            labels: Some(
                "length,owner,name,convention,\n3,a,a/bert-7b,{base-model}{size},\n1,a,a/x,{identifier},\n",
            ),
        };
        let measured = Replication::measure(files);
        let models = measured.models.unwrap();
        assert_eq!((models.names, models.versions.major), (2, 1));
        assert_eq!(models.variant_types[0].label, "fine-tuning");
        let labelled = measured.labelled.unwrap();
        assert_eq!((labelled.names, labelled.conventions, labelled.exact), (2, 2, 2));
        assert!(labelled.practices.extrapolated);
    }

    #[test]
    fn other_texts_measure_nothing() {
        let files = ReplicationFiles {
            models: Some(""),
            labels: Some("no,labels\n"),
        };
        let measured = Replication::measure(files);
        assert_eq!(measured.models.unwrap().names, 0);
        assert_eq!(measured.labelled.unwrap().names, 0);
    }
}
