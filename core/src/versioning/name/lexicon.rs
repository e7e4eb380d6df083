//! The words a person can extend: one list a kind under data/.

use super::Kind;
use std::collections::HashMap;
use std::sync::LazyLock;

/// In order of precedence: a word in two lists is of the kind that comes first.
const LISTS: [(Kind, &str); 9] = [
    (Kind::BaseModel, include_str!("data/base_model.txt")),
    (Kind::Size, include_str!("data/size.txt")),
    (Kind::VariantType, include_str!("data/variant_type.txt")),
    (
        Kind::TrainingMechanism,
        include_str!("data/training_mechanism.txt"),
    ),
    (Kind::Task, include_str!("data/task.txt")),
    (Kind::Dataset, include_str!("data/dataset.txt")),
    (Kind::Language, include_str!("data/language.txt")),
    (Kind::Nationality, include_str!("data/nationality.txt")),
    (Kind::Description, include_str!("data/description.txt")),
];

static WORDS: LazyLock<HashMap<&str, Kind>> = LazyLock::new(|| {
    let mut words = HashMap::new();
    for (kind, list) in LISTS {
        for word in list.lines().filter(|line| !line.starts_with('#')) {
            words.entry(word).or_insert(kind);
        }
    }
    words
});

/// No term is longer than this.
pub(super) static LONGEST: LazyLock<usize> =
    LazyLock::new(|| WORDS.keys().map(|word| word.len()).max().unwrap_or(0));

/// The kind of a term in lower case without separators.
pub(super) fn lookup(term: &str) -> Option<Kind> {
    WORDS.get(term).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_lower_case_and_without_separators_or_blank_lines() {
        for (kind, list) in LISTS {
            for word in list.lines().filter(|line| !line.starts_with('#')) {
                assert!(!word.is_empty(), "{kind:?} has a blank line");
                assert_eq!(word, word.to_lowercase().trim(), "{kind:?}");
            }
        }
    }
}
