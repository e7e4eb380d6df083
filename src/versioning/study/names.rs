//! Naming practices: conventions, kinds of segment, base models, modification methods, versions and their predecessors.

use super::{Count, ranked, share};
use crate::versioning::lines::release_lines;
use crate::versioning::name::{Kind, Name, is_base_word, parse_name};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Conventions, base models and words listed.
const LISTED: usize = 25;

/// What names alone tell.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct NamingMeasures {
    pub names: usize,
    pub conventions: usize,
    pub frequent_conventions: Vec<Count>,
    /// Share of names that hold a segment of each kind.
    pub kinds: Vec<Count>,
    /// Distinct base models, generations counted apart (`llama-2`, `llama-3`).
    pub base_models: usize,
    pub frequent_base_models: Vec<Count>,
    /// The study's four groups of variant types, and merging.
    pub modifications: Vec<Count>,
    pub versions: VersionPractice,
}

/// Major and minor versions in names (`v2`, `v1.3`), and whether the one before is there.
#[derive(Debug, Clone, Default, Serialize, utoipa::ToSchema)]
pub struct VersionPractice {
    pub major: usize,
    pub minor: usize,
    /// Of those that have one at all: with the predecessor in the list.
    pub major_with_predecessor: usize,
    pub major_expecting_one: usize,
    pub minor_with_predecessor: usize,
    pub minor_expecting_one: usize,
    /// Lines of two or more releases.
    pub lines: usize,
}

/// Measures a list of names (`owner/name`).
pub fn measure_names(names: &[&str]) -> NamingMeasures {
    let mut conventions: BTreeMap<String, usize> = BTreeMap::new();
    let mut kinds: BTreeMap<Kind, usize> = BTreeMap::new();
    let mut base_models: BTreeMap<String, usize> = BTreeMap::new();
    let mut modifications: BTreeMap<&str, usize> = BTreeMap::new();
    for full in names {
        let name = parse_name(full);
        for kind in name
            .segments
            .iter()
            .map(|segment| segment.kind)
            .collect::<BTreeSet<_>>()
        {
            *kinds.entry(kind).or_default() += 1;
        }
        for base in texts(&name, Kind::BaseModel)
            .map(|text| base_model(&text))
            .collect::<BTreeSet<_>>()
        {
            *base_models.entry(base).or_default() += 1;
        }
        for group in texts(&name, Kind::VariantType)
            .filter_map(|text| group(&text))
            .collect::<BTreeSet<_>>()
        {
            *modifications.entry(group).or_default() += 1;
        }
        *conventions.entry(name.convention).or_default() += 1;
    }
    let total = names.len();
    NamingMeasures {
        names: total,
        conventions: conventions.len(),
        frequent_conventions: ranked(conventions, total, LISTED),
        kinds: ranked(
            kinds.into_iter().map(|(kind, count)| (kind.as_str(), count)),
            total,
            Kind::ALL.len(),
        ),
        base_models: base_models.len(),
        frequent_base_models: ranked(base_models, total, LISTED),
        modifications: ranked(modifications, total, LISTED),
        versions: measure_versions(names),
    }
}

fn texts(name: &Name, kind: Kind) -> impl Iterator<Item = String> + '_ {
    let segments = name.segments.iter().filter(move |segment| segment.kind == kind);
    segments.map(|segment| segment.text.to_lowercase())
}

/// `Distilbert-base-uncased` → `distilbert`: the family and its generation, separators left out.
fn base_model(text: &str) -> String {
    let words = text.split(['-', '_', ' ']);
    words.filter(|word| !is_base_word(word)).collect()
}

/// The study's group of a variant type.
fn group(text: &str) -> Option<&'static str> {
    let bare: String = text.chars().filter(|c| c.is_alphanumeric()).collect();
    Some(match bare.as_str() {
        "finetuned" | "finetune" | "finetuning" | "fintuned" | "ft" | "finetunned" | "finetuing"
        | "tuned" => "fine-tuning",
        "dedup" | "deduped" | "deduplicated" => "deduplication",
        "distil" | "distill" | "distilled" | "distillation" | "kd" | "student" | "teacher" => {
            "knowledge distillation"
        }
        "merged" | "merge" => "merging",
        "onnx" | "openvino" | "mlx" | "mlc" | "tflite" | "coreml" | "ct2" | "ctranslate2" => return None,
        _ => "quantization",
    })
}

fn measure_versions(names: &[&str]) -> VersionPractice {
    let mut practice = VersionPractice::default();
    for line in release_lines(names) {
        practice.lines += usize::from(line.releases.len() > 1);
        for release in &line.releases {
            let predecessor = line.has_predecessor(release);
            let (count, expecting, with) = if release.numbers == 1 {
                (
                    &mut practice.major,
                    &mut practice.major_expecting_one,
                    &mut practice.major_with_predecessor,
                )
            } else {
                (
                    &mut practice.minor,
                    &mut practice.minor_expecting_one,
                    &mut practice.minor_with_predecessor,
                )
            };
            *count += 1;
            *expecting += usize::from(predecessor.is_some());
            *with += usize::from(predecessor == Some(true));
        }
    }
    practice
}

impl VersionPractice {
    /// Share of major versions whose predecessor is there, of those that should have one.
    pub fn major_predecessor_share(&self) -> f64 {
        share(self.major_with_predecessor, self.major_expecting_one)
    }

    /// The same for minor versions.
    pub fn minor_predecessor_share(&self) -> f64 {
        share(self.minor_with_predecessor, self.minor_expecting_one)
    }
}
