//! What a crawl tells beyond names: how packages were made, their formats, and the steps of their histories, inferred and declared.

use super::groups::{ChangeMeasures, GroupMeasures, group};
use super::significance::{KindContrast, contrast_kinds};
use super::{Count, ranked};
use crate::versioning::declared::tag_version;
use crate::versioning::history::declared_step;
use crate::versioning::{Bump, Reason};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// One crawled package.
#[derive(Debug, Clone, Default)]
pub struct PackageFacts {
    pub hub: String,
    /// `owner/name`
    pub name: String,
    /// Year it was published.
    pub year: Option<i32>,
    pub has_card: bool,
    pub has_licence: bool,
    pub datasets: usize,
    pub base_models: usize,
    /// From its config: what the study calls the base model.
    pub model_type: Option<String>,
    /// The relation to its parents that lineage inferred, and by which technique.
    pub relation: Option<String>,
    pub technique: Option<String>,
    /// Extensions of its files at the newest revision.
    pub extensions: Vec<String>,
    /// Tags of its first revision.
    pub first_tags: Vec<String>,
    /// Steps from one revision to the next, oldest first.
    pub steps: Vec<StepFacts>,
    /// The step from the release before, where that is a package of its own.
    pub release: Option<ReleaseFacts>,
}

/// The step to one revision from the one before.
#[derive(Debug, Clone)]
pub struct StepFacts {
    pub year: Option<i32>,
    pub tags: Vec<String>,
    pub bump: Bump,
    /// A tag, a name, a message or a card says that the weights changed.
    pub announced: bool,
    pub silent: bool,
    /// `None` when tensors could not be compared.
    pub weights_changed: Option<bool>,
    pub reasons: Vec<Reason>,
}

/// The step from one package of a release line to the next.
#[derive(Debug, Clone)]
pub struct ReleaseFacts {
    /// Versions in the two names.
    pub declared_before: String,
    pub declared: String,
    pub reasons: Vec<Reason>,
}

/// A step between two releases, as large as their publisher declares it.
#[derive(Debug, Clone, PartialEq)]
pub struct DeclaredStep {
    pub declared: Bump,
    /// Kinds of change that were found.
    pub kinds: BTreeSet<String>,
}

/// The `model_type` of a config.
pub fn model_type(config: &str) -> Option<String> {
    let config: serde_json::Value = serde_json::from_str(config).ok()?;
    Some(config.get("model_type")?.as_str()?.to_lowercase())
}

/// What was measured over packages.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct PackageMeasures {
    pub all: GroupMeasures,
    pub hubs: Vec<GroupMeasures>,
    /// Packages by the year they were published, steps by the year they were taken; oldest first.
    pub years: Vec<GroupMeasures>,
    /// The study's base models.
    pub model_types: Vec<Count>,
    /// How packages were made, by their weights.
    pub relations: Vec<Count>,
    pub techniques: Vec<Count>,
    /// Packages that offer a file of each extension.
    pub extensions: Vec<Count>,
    pub changes: ChangeMeasures,
    /// Steps by size.
    pub bumps: Vec<Count>,
    /// Kinds of change within major steps, and within minor steps, as they were inferred.
    pub major_kinds: Vec<Count>,
    pub minor_kinds: Vec<Count>,
    /// Steps between releases by the size their publishers declare.
    pub declared_steps: Vec<Count>,
    /// Declared major steps against declared minor ones.
    pub contrasts: Vec<KindContrast>,
}

impl StepFacts {
    /// Whether a weight file came, went or has other bytes: every such change gives a reason of one of these kinds.
    pub(super) fn weight_file_changed(&self) -> bool {
        let touches_files = |reason: &Reason| matches!(reason.kind.as_str(), "weights" | "format");
        self.weights_changed == Some(true) || self.reasons.iter().any(touches_files)
    }
}

impl PackageMeasures {
    /// The kinds of change that declared major and minor steps do not share alike, in words.
    pub fn significant_kinds(&self) -> String {
        if self.contrasts.is_empty() {
            return "no steps of both sizes".to_owned();
        }
        let kinds: Vec<&str> = self
            .contrasts
            .iter()
            .filter(|contrast| contrast.significant)
            .map(|contrast| contrast.kind.as_str())
            .collect();
        if kinds.is_empty() {
            "none".to_owned()
        } else {
            kinds.join(", ")
        }
    }
}

/// Measures crawled packages.
pub fn measure_packages(packages: &[PackageFacts]) -> PackageMeasures {
    let groups = group(packages);
    let total = packages.len();
    let steps: Vec<&StepFacts> = packages.iter().flat_map(|package| &package.steps).collect();
    let bumps = tally(steps.iter().map(|step| step.bump.as_str()), steps.len());
    let declared: Vec<DeclaredStep> = packages.iter().flat_map(declared_steps).collect();
    let extensions = packages
        .iter()
        .flat_map(|package| package.extensions.iter().collect::<BTreeSet<_>>());
    PackageMeasures {
        model_types: tally(
            packages
                .iter()
                .filter_map(|package| package.model_type.as_deref()),
            total,
        ),
        relations: tally(
            packages.iter().filter_map(|package| package.relation.as_deref()),
            total,
        ),
        techniques: tally(
            packages.iter().filter_map(|package| package.technique.as_deref()),
            total,
        ),
        extensions: tally(extensions.map(String::as_str), total),
        changes: groups.all.changes.clone(),
        all: groups.all,
        hubs: groups.hubs.into_values().collect(),
        years: groups.years.into_values().collect(),
        bumps,
        major_kinds: kinds_within(&steps, Bump::Major),
        minor_kinds: kinds_within(&steps, Bump::Minor),
        declared_steps: tally(declared.iter().map(|step| step.declared.as_str()), declared.len()),
        contrasts: contrast_kinds(&declared),
    }
}

/// The steps that a package's publisher declares: from tag to tag, and from the package of the release before.
fn declared_steps(package: &PackageFacts) -> Vec<DeclaredStep> {
    let version_of = |tags: &[String]| tags.iter().filter_map(|tag| tag_version(tag)).max();
    let mut declared = Vec::new();
    let mut last = version_of(&package.first_tags);
    let mut kinds = BTreeSet::new();
    for step in &package.steps {
        kinds.extend(kinds_of(&step.reasons));
        let Some(version) = version_of(&step.tags) else {
            continue;
        };
        let size = last.as_ref().and_then(|last| declared_step(last, &version));
        let found = std::mem::take(&mut kinds);
        declared.extend(size.map(|declared| DeclaredStep {
            declared,
            kinds: found,
        }));
        last = Some(version);
    }
    declared.extend(package.release.as_ref().and_then(release_step));
    declared
}

fn release_step(release: &ReleaseFacts) -> Option<DeclaredStep> {
    let (before, after) = (
        release.declared_before.parse().ok()?,
        release.declared.parse().ok()?,
    );
    Some(DeclaredStep {
        declared: declared_step(&before, &after)?,
        kinds: kinds_of(&release.reasons).collect(),
    })
}

/// Kinds of change, less the comparison of versions, which is none.
fn kinds_of(reasons: &[Reason]) -> impl Iterator<Item = String> + '_ {
    let kinds = reasons.iter().map(|reason| reason.kind.clone());
    kinds.filter(|kind| kind != "declared")
}

fn tally<'a>(labels: impl Iterator<Item = &'a str>, total: usize) -> Vec<Count> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for label in labels {
        *counts.entry(label).or_default() += 1;
    }
    ranked(counts, total, usize::MAX)
}

/// In how many steps of this size each kind of change of the same size takes part.
fn kinds_within(steps: &[&StepFacts], bump: Bump) -> Vec<Count> {
    let steps: Vec<&&StepFacts> = steps.iter().filter(|step| step.bump == bump).collect();
    let kinds = steps.iter().flat_map(|step| {
        let kinds = step.reasons.iter().filter(|reason| reason.bump == bump);
        kinds.map(|reason| reason.kind.as_str()).collect::<BTreeSet<_>>()
    });
    tally(kinds, steps.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(weights_changed: Option<bool>, announced: bool, kind: &str, bump: Bump) -> StepFacts {
        StepFacts {
            year: Some(2024),
            tags: Vec::new(),
            bump,
            announced,
            silent: weights_changed == Some(true) && !announced,
            weights_changed,
            reasons: vec![Reason::new(kind, bump, "")],
        }
    }

    #[test]
    fn changed_files_changed_tensors_and_silence_are_counted_apart() {
        let package = PackageFacts {
            hub: "hf".to_owned(),
            year: Some(2023),
            has_card: true,
            steps: vec![
                step(Some(true), false, "weights", Bump::Minor),
                step(Some(true), true, "weights", Bump::Minor),
                step(Some(false), false, "weights", Bump::Patch),
                step(None, false, "weights", Bump::Minor),
                step(Some(false), false, "card", Bump::Patch),
            ],
            ..PackageFacts::default()
        };
        let measured = measure_packages(&[package, PackageFacts::default()]);
        let expected = ChangeMeasures {
            steps: 5,
            weight_file_changed: 4,
            not_represented: 3,
            tensors_changed: 2,
            tensors_unknown: 1,
            silent: 1,
        };
        assert_eq!(measured.changes, expected);
        let years: Vec<(&str, usize, usize)> = measured
            .years
            .iter()
            .map(|year| (year.label.as_str(), year.packages, year.changes.steps))
            .collect();
        assert_eq!(years, [("2023", 1, 0), ("2024", 0, 5)]);
        let hubs: Vec<(&str, usize, usize)> = measured
            .hubs
            .iter()
            .map(|hub| (hub.label.as_str(), hub.packages, hub.changes.silent))
            .collect();
        assert_eq!(hubs, [("", 1, 0), ("hf", 1, 1)]);
        assert_eq!(measured.changes.silent_share(), 0.5);
        assert_eq!(measured.changes.not_represented_share(), 0.75);
        assert_eq!(measured.all.share(measured.all.with_card), 0.5);
        assert_eq!(
            (
                measured.minor_kinds[0].label.as_str(),
                measured.minor_kinds[0].count
            ),
            ("weights", 3)
        );
    }

    #[test]
    fn releases_are_joined_by_tags_and_across_packages() {
        let tagged = |tag: &str, kind: &str| StepFacts {
            tags: vec![tag.to_owned()],
            ..step(None, true, kind, Bump::Minor)
        };
        let package = PackageFacts {
            first_tags: vec!["v1.0".to_owned()],
            steps: vec![
                step(None, true, "card", Bump::Patch),
                tagged("v1.1", "weights"),
                tagged("v2.0", "tokenizer"),
                tagged("nightly", "format"),
            ],
            release: Some(ReleaseFacts {
                declared_before: "0.1.0".to_owned(),
                declared: "0.2.0".to_owned(),
                reasons: vec![
                    Reason::new("declared", Bump::None, ""),
                    Reason::new("config", Bump::Minor, ""),
                ],
            }),
            ..PackageFacts::default()
        };
        let shown: Vec<(Bump, Vec<String>)> = declared_steps(&package)
            .into_iter()
            .map(|step| (step.declared, step.kinds.into_iter().collect()))
            .collect();
        let owned = |kinds: &[&str]| kinds.iter().map(|kind| (*kind).to_owned()).collect::<Vec<_>>();
        assert_eq!(
            shown,
            [
                (Bump::Minor, owned(&["card", "weights"])),
                (Bump::Major, owned(&["tokenizer"])),
                (Bump::Major, owned(&["config"])),
            ]
        );
        let measured = measure_packages(&[package]);
        assert_eq!(measured.contrasts.len(), 4);
        assert_eq!(measured.significant_kinds(), "none");
    }

    #[test]
    fn the_config_names_the_base_model() {
        let nested = r#"{"text_config": {"model_type": "inner"}, "model_type": "LLaVA"}"#;
        assert_eq!(model_type(nested).as_deref(), Some("llava"));
        assert_eq!(model_type("{}"), None);
        assert_eq!(model_type("not json"), None);
    }
}
