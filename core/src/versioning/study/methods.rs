//! The study's own reading of names, word for word, so that its counts can be reproduced on its names: variant types by keyword, and
//! versions at the end of a name. The grammar of `name` tells more; this tells the same.

use super::{Count, ranked};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Marks of quantization, looked for within the parts of a name.
const QUANTIZED: [&str; 13] = [
    "4bits",
    "4bit",
    "8bits",
    "8bit",
    "awq",
    "float32",
    "int8",
    "int4",
    "ptq",
    "q8",
    "quantized",
    "qat",
    "float16",
];

/// How the study groups a name by the words in it; `None` where no keyword says how the model was made. The study calls those
/// fine-tuned as well, unless their config names them their own base.
pub fn variant_type(full: &str) -> Option<&'static str> {
    let name = full
        .rsplit_once('/')
        .map_or(full, |(_, name)| name)
        .to_lowercase();
    let parts: Vec<&str> = name.split(['-', '_']).collect();
    let holds = |word: &str| parts.contains(&word);
    if parts
        .iter()
        .any(|part| QUANTIZED.iter().any(|mark| part.contains(mark)))
    {
        Some("quantization")
    } else if holds("distilled") {
        Some("knowledge distillation")
    } else if holds("deduped") {
        Some("deduplication")
    } else if holds("ft") || holds("finetuned") {
        Some("fine-tuning")
    } else {
        None
    }
}

/// Share of names in each of the study's four groups.
pub(super) fn count_variant_types(names: &[&str]) -> Vec<Count> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for group in names.iter().filter_map(|name| variant_type(name)) {
        *counts.entry(group).or_default() += 1;
    }
    ranked(counts, names.len(), usize::MAX)
}

/// Versions at the end of names (`-v2`, `_v1.3`), as the study reads them, and whether an earlier release is there.
#[derive(Debug, Clone, Default, PartialEq, Serialize, utoipa::ToSchema)]
pub struct VersionPractice {
    /// `v2`
    pub major: usize,
    /// `v1.3`
    pub minor: usize,
    /// With an earlier release of the same name among the names that were read; a name without version counts as the earliest.
    pub major_with_predecessor: usize,
    pub minor_with_predecessor: usize,
}

impl VersionPractice {
    /// Share of major versions with a predecessor.
    pub fn major_share(&self) -> f64 {
        super::share(self.major_with_predecessor, self.major)
    }

    /// The same for minor versions.
    pub fn minor_share(&self) -> f64 {
        super::share(self.minor_with_predecessor, self.minor)
    }
}

/// `(1, None)` for `v1`; `None` stands for no version and comes before all others.
type Number = Option<(u32, Option<u32>)>;

pub(super) fn measure_versions(names: &[&str]) -> VersionPractice {
    let read: Vec<(String, Number)> = names.iter().map(|name| split_version(name)).collect();
    let mut releases: BTreeMap<&str, BTreeSet<Number>> = BTreeMap::new();
    for (stem, number) in &read {
        releases.entry(stem).or_default().insert(*number);
    }
    let mut practice = VersionPractice::default();
    for (stem, number) in &read {
        let Some((_, minor)) = number else { continue };
        let earliest = releases.get(stem.as_str()).and_then(BTreeSet::first);
        let has_predecessor = usize::from(earliest.is_some_and(|earliest| earliest < number));
        if minor.is_some() {
            practice.minor += 1;
            practice.minor_with_predecessor += has_predecessor;
        } else {
            practice.major += 1;
            practice.major_with_predecessor += has_predecessor;
        }
    }
    practice
}

/// The name in lower case before its version, and the version: `A/m-v1.2` → (`a/m`, 1.2). The `v` is small, as the study has it.
fn split_version(name: &str) -> (String, Number) {
    let split = name
        .rsplit_once(['-', '_'])
        .and_then(|(stem, last)| Some((stem, number(last.strip_prefix('v')?)?)));
    match split {
        Some((stem, number)) => (stem.to_lowercase(), Some(number)),
        None => (name.to_lowercase(), None),
    }
}

fn number(text: &str) -> Option<(u32, Option<u32>)> {
    let digits = |text: &str| -> Option<u32> {
        let all = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if all { text.parse().ok() } else { None }
    };
    match text.split_once('.') {
        Some((major, minor)) => Some((digits(major)?, Some(digits(minor)?))),
        None => Some((digits(text)?, None)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_come_in_the_studys_order() {
        for (name, group) in [
            ("a/m-7b-AWQ", Some("quantization")),
            ("a/m_distilled-int8", Some("quantization")),
            ("a/m-distilled", Some("knowledge distillation")),
            ("a/pythia-70m-deduped", Some("deduplication")),
            ("a/m-ft", Some("fine-tuning")),
            ("a/bert-Finetuned-ner", Some("fine-tuning")),
            ("finetuned/m", None),
            ("a/soft", None),
        ] {
            assert_eq!(variant_type(name), group, "{name}");
        }
    }

    #[test]
    fn predecessors_are_earlier_releases_of_the_same_name() {
        let names = [
            "a/m", "a/m-v2", "a/n-v1", "A/n_v1.1", "a/o-v1.0", "a/p-v2rc", "a/q-V2", "b/m-v1",
        ];
        let expected = VersionPractice {
            major: 3,
            minor: 2,
            major_with_predecessor: 1,
            minor_with_predecessor: 1,
        };
        assert_eq!(measure_versions(&names), expected);
    }
}
