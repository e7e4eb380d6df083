//! `config.json` and its relatives: architecture, labels, behaviour, bookkeeping. What a key means is in config_keys.tsv.

use super::json::{KeyChange, changed_keys};
use super::{Step, list};
use crate::versioning::{Bump, Reason};
use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

/// Files that describe how to build the model.
const CONFIGS: [&str; 6] = [
    "config.json",
    "adapter_config.json",
    "model_index.json",
    "params.json",
    "modules.json",
    "1_Pooling/config.json",
];

/// What a change of a key means to a consumer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    Architecture,
    Loading,
    Labels,
    Behaviour,
    Generation,
    Metadata,
    /// Judged by another kind.
    Elsewhere,
}

static CLASSES: LazyLock<HashMap<&str, Class>> = LazyLock::new(|| {
    let lines = include_str!("config_keys.tsv").lines();
    let rows = lines.filter(|line| !line.starts_with('#'));
    rows.filter_map(|line| line.split_once('\t'))
        .map(|(key, class)| (key, class_named(class)))
        .collect()
});

fn class_named(word: &str) -> Class {
    match word {
        "architecture" => Class::Architecture,
        "loading" => Class::Loading,
        "labels" => Class::Labels,
        "generation" => Class::Generation,
        "metadata" => Class::Metadata,
        "code" | "base_model" => Class::Elsewhere,
        _ => Class::Behaviour,
    }
}

fn classify(key: &str) -> Class {
    key.split('.')
        .find_map(|component| CLASSES.get(component))
        .copied()
        .unwrap_or(Class::Behaviour)
}

/// Compares the configs key by key.
pub(super) fn compare(step: &Step<'_>) -> Vec<Reason> {
    CONFIGS.iter().flat_map(|path| compare_file(step, path)).collect()
}

fn compare_file(step: &Step<'_>, path: &str) -> Vec<Reason> {
    match (step.old.json(path), step.new.json(path)) {
        (Some(old), Some(new)) => {
            let mut by_class: BTreeMap<Class, Vec<KeyChange>> = BTreeMap::new();
            for change in changed_keys(&old, &new) {
                by_class.entry(classify(&change.key)).or_default().push(change);
            }
            by_class
                .iter()
                .filter_map(|(class, changes)| reason(path, *class, changes))
                .collect()
        }
        (Some(_), None) if step.new.file(path).is_none() => {
            let detail = format!("{path} was removed, so the model can no longer be built from it");
            vec![Reason::new("config", Bump::Major, detail)]
        }
        (None, Some(_)) if step.old.file(path).is_none() => {
            vec![Reason::new("config", Bump::Minor, format!("{path} was added"))]
        }
        _ => Vec::new(),
    }
}

fn reason(path: &str, class: Class, changes: &[KeyChange]) -> Option<Reason> {
    let (kind, bump, what) = match class {
        Class::Architecture => ("architecture", Bump::Major, "another architecture"),
        Class::Loading => ("config", Bump::Major, "another way of loading"),
        Class::Labels => ("labels", Bump::Major, "another label set"),
        Class::Behaviour => ("config", Bump::Minor, "outputs may differ"),
        Class::Generation => ("generation", Bump::Patch, "generation defaults"),
        Class::Metadata => ("config", Bump::Patch, "bookkeeping"),
        Class::Elsewhere => return None,
    };
    let described: Vec<String> = changes.iter().map(KeyChange::describe).collect();
    Some(Reason::new(
        kind,
        bump,
        format!("{path}, {what}: {}", list(&described)),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_known_component_of_a_nested_key_decides() {
        assert_eq!(classify("text_config.hidden_size"), Class::Architecture);
        assert_eq!(classify("rope_scaling.factor"), Class::Behaviour);
        assert_eq!(classify("quantization_config.bits"), Class::Loading);
        assert_eq!(classify("id2label.0"), Class::Labels);
        assert_eq!(classify("a_key_of_tomorrow"), Class::Behaviour);
    }

    #[test]
    fn every_row_of_the_table_is_well_formed_and_unique() {
        let rows: Vec<_> = include_str!("config_keys.tsv")
            .lines()
            .filter(|line| !line.starts_with('#'))
            .collect();
        assert_eq!(rows.len(), CLASSES.len());
    }
}
