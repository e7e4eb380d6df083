//! Naming practices: conventions, kinds of segment, base models, modification methods, versions and their predecessors.

use super::methods::{VersionPractice, count_variant_types, measure_versions};
use super::sampling::{Expected, STUDY_SAMPLE, expected_distinct};
use super::{Count, ranked};
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
    /// Distinct conventions among all names.
    pub conventions: usize,
    /// Distinct conventions that a sample of the study's size holds: its naming practices.
    pub practices: Expected,
    pub frequent_conventions: Vec<Count>,
    /// How often conventions occur, by rank; ranks as on a logarithmic axis.
    pub convention_ranks: Vec<RankedFrequency>,
    /// Share of names that hold a segment of each kind.
    pub kinds: Vec<Count>,
    /// Distinct base models, generations counted apart (`llama-2`, `llama-3`).
    pub base_models: usize,
    pub frequent_base_models: Vec<Count>,
    /// The study's four groups of variant types, and merging, as the grammar finds them.
    pub modifications: Vec<Count>,
    /// The four groups by the study's own keywords.
    pub variant_types: Vec<Count>,
    pub versions: VersionPractice,
    /// Lines of two or more releases in packages of their own (`m-v0.1`, `m-v0.2`).
    pub release_lines: usize,
}

/// How many names follow the convention of a rank, 1 being the most frequent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct RankedFrequency {
    pub rank: usize,
    pub count: usize,
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
    let mut frequencies: Vec<usize> = conventions.values().copied().collect();
    frequencies.sort_unstable_by(|a, b| b.cmp(a));
    let lines = release_lines(names);
    NamingMeasures {
        names: total,
        conventions: conventions.len(),
        practices: expected_distinct(&frequencies, STUDY_SAMPLE),
        convention_ranks: by_rank(&frequencies),
        frequent_conventions: ranked(conventions, total, LISTED),
        kinds: ranked(
            kinds.into_iter().map(|(kind, count)| (kind.as_str(), count)),
            total,
            Kind::ALL.len(),
        ),
        base_models: base_models.len(),
        frequent_base_models: ranked(base_models, total, LISTED),
        modifications: ranked(modifications, total, LISTED),
        variant_types: count_variant_types(names),
        versions: measure_versions(names),
        release_lines: lines.iter().filter(|line| line.releases.len() > 1).count(),
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

/// Every rank up to ten, then ten a decade, and the last.
fn by_rank(frequencies: &[usize]) -> Vec<RankedFrequency> {
    let at = |rank: usize| {
        frequencies
            .get(rank - 1)
            .map(|count| RankedFrequency { rank, count: *count })
    };
    let mut ranks: BTreeSet<usize> = (1..=10).collect();
    ranks.extend((10..=70).map(|tenth| 10_f64.powf(f64::from(tenth) / 10.0).round() as usize));
    ranks.extend((!frequencies.is_empty()).then_some(frequencies.len()));
    ranks.into_iter().filter_map(at).collect()
}
