//! Our measures beside the study's published figures, with what keeps the two apart.
//!
//! Published: *Towards semantic versioning of open pre-trained language model releases on Hugging Face* (2024), 52,227 models.

use super::replication::ReplicatedModels;
use super::{Count, NamingMeasures, PackageMeasures, Replication};
use serde::Serialize;

/// Why a figure was not reproduced from the study's data.
const NO_DATA: &str =
    "needs the study's data: `heirloom study --replication DIR` with a copy of its replication package";

/// One published figure, the method over the study's own data, and ours.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Comparison {
    pub measure: &'static str,
    pub published: &'static str,
    /// By the method of this page over the study's own data; `None` where that is not at hand.
    pub replicated: Option<String>,
    /// Over what was read; `None` when it does not tell.
    pub ours: Option<String>,
    /// How the figures are defined, and why they are not one.
    pub definition: &'static str,
    /// Why `replicated` is missing.
    pub missing: Option<&'static str>,
}

fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}

fn labelled_share(counts: &[Count], label: &str) -> String {
    let found = counts.iter().find(|count| count.label == label);
    found.map_or_else(
        || "0".to_owned(),
        |count| format!("{} ({})", count.count, percent(count.share)),
    )
}

/// What every row starts from.
struct Row {
    measure: &'static str,
    published: &'static str,
    definition: &'static str,
}

impl Row {
    /// A figure that the study's data could give; without the data the row says so.
    fn with(self, replicated: Option<String>, ours: Option<String>) -> Comparison {
        let missing = replicated.is_none().then_some(NO_DATA);
        self.finish(replicated, ours, missing)
    }

    /// A figure whose data is not available to us.
    fn without_data(self, ours: Option<String>, missing: &'static str) -> Comparison {
        self.finish(None, ours, Some(missing))
    }

    fn finish(
        self,
        replicated: Option<String>,
        ours: Option<String>,
        missing: Option<&'static str>,
    ) -> Comparison {
        Comparison {
            measure: self.measure,
            published: self.published,
            replicated,
            ours,
            definition: self.definition,
            missing,
        }
    }
}

/// Sets every measure that has a published counterpart beside it.
pub fn compare(
    names: &NamingMeasures,
    packages: Option<&PackageMeasures>,
    replication: Option<&Replication>,
) -> Vec<Comparison> {
    let models = replication.and_then(|replication| replication.models.as_ref());
    let mut rows = Vec::from(naming(names, replication));
    rows.extend(variants(names, models));
    rows.extend(predecessors(names, models));
    rows.extend(histories(packages));
    rows.extend(documentation(names, packages, models));
    rows
}

fn naming(names: &NamingMeasures, replication: Option<&Replication>) -> [Comparison; 2] {
    let models = replication.and_then(|replication| replication.models.as_ref());
    let labelled = replication.and_then(|replication| replication.labelled.as_ref());
    let by_hand = labelled.map(|labelled| {
        if labelled.practices.extrapolated {
            let Expectation { distinct, sample } = labelled.practices.into();
            return format!(
                "{distinct} (estimated for {sample} from {} labels)",
                labelled.names
            );
        }
        format!("{} (of {} labels)", labelled.conventions, labelled.names)
    });
    let Expectation { distinct, sample } = names.practices.into();
    let models_row = Row {
        measure: "models",
        published: "52,227",
        definition: "another selection of models",
    };
    let practices = Row {
        measure: "naming practices",
        published: "148",
        definition: "distinct orders of segments among 384 names. Published and reproduced: labelled by hand. Ours: expected in a \
                     random sample of 384, cut by the grammar, which knows more words and so cuts finer",
    };
    [
        models_row.with(
            models.map(|models| models.names.to_string()),
            Some(names.names.to_string()),
        ),
        practices.with(by_hand, Some(format!("{distinct} (expected in {sample})"))),
    ]
}

/// An expected count as a person reads it.
struct Expectation {
    distinct: String,
    sample: usize,
}

impl From<super::Expected> for Expectation {
    fn from(expected: super::Expected) -> Self {
        Self {
            distinct: format!("{:.0}", expected.distinct),
            sample: expected.sample,
        }
    }
}

fn variants(names: &NamingMeasures, models: Option<&ReplicatedModels>) -> Vec<Comparison> {
    let row = |measure, published, group: &str| {
        let row = Row {
            measure,
            published,
            definition: "names that hold one of the study's keywords",
        };
        let replicated = models.map(|models| labelled_share(&models.variant_types, group));
        row.with(replicated, Some(labelled_share(&names.variant_types, group)))
    };
    vec![
        row("quantized by name", "3,502 (6.71 %)", "quantization"),
        row("distilled by name", "93 (0.18 %)", "knowledge distillation"),
        row("deduplicated by name", "80 (0.15 %)", "deduplication"),
    ]
}

fn predecessors(names: &NamingMeasures, models: Option<&ReplicatedModels>) -> [Comparison; 2] {
    let definition = "versions at the end of a name, with an earlier release of that name. Published: looked up by hand for 330 major \
                      and 288 minor versions. Ours and reproduced: among the names that were read, so a lower bound";
    let major = Row {
        measure: "major versions with their predecessor available",
        published: "43 %",
        definition,
    };
    let minor = Row {
        measure: "minor versions with their predecessor available",
        published: "35 %",
        definition,
    };
    [
        major.with(
            models.map(|models| percent(models.versions.major_share())),
            Some(percent(names.versions.major_share())),
        ),
        minor.with(
            models.map(|models| percent(models.versions.minor_share())),
            Some(percent(names.versions.minor_share())),
        ),
    ]
}

fn histories(packages: Option<&PackageMeasures>) -> [Comparison; 4] {
    let base_models = Row {
        measure: "base models",
        published: "299",
        definition: "distinct values of model_type in config.json",
    };
    let not_represented = Row {
        measure: "weight-file changes not represented",
        published: "40.87 %",
        definition: "not the same figure. Ours: steps in which a weight file changed and neither tag, name, message nor card says so",
    };
    let file_types = Row {
        measure: "file types",
        published: "192",
        definition: "distinct extensions. Published: of files that changed. Ours: of files at the newest revision",
    };
    let contrast = Row {
        measure: "kinds of change that differ between major and minor",
        published: "weight file, base model",
        definition: "Fisher's exact test for each kind, Bonferroni's correction, over steps that publishers declare major or minor",
    };
    [
        base_models.without_data(
            packages.map(|packages| packages.model_types.len().to_string()),
            "the study's table of configs (comprehensive_dataset.csv) was not available to us",
        ),
        not_represented.without_data(
            packages.map(|packages| percent(packages.changes.not_represented_share())),
            "neither the changes nor their denominator are published with the study's data",
        ),
        file_types.without_data(
            packages.map(|packages| packages.extensions.len().to_string()),
            "the file lists are not part of the study's data; it publishes the counts by extension alone",
        ),
        contrast.without_data(
            packages.map(|packages| packages.significant_kinds()),
            "the judgements by hand are not complete in the study's data; its published tables are a test of our implementation",
        ),
    ]
}

fn documentation(
    names: &NamingMeasures,
    packages: Option<&PackageMeasures>,
    models: Option<&ReplicatedModels>,
) -> [Comparison; 3] {
    let in_names = names.kinds.iter().find(|count| count.label == "dataset");
    let named = Row {
        measure: "names that mention a data set",
        published: "none",
        definition: "data sets that the lists of the grammar know",
    };
    let datasets = Row {
        measure: "models that state their training data",
        published: "24 %",
        definition: "Ours: data sets in the card's front matter",
    };
    let cards = Row {
        measure: "models with a card",
        published: "67 %",
        definition: "Ours: with a card of any length",
    };
    let unpublished = "the study's data holds no cards";
    [
        named.with(
            models.map(|models| percent(models.naming_a_dataset)),
            Some(percent(in_names.map_or(0.0, |count| count.share))),
        ),
        datasets.without_data(
            packages.map(|p| percent(p.all.share(p.all.with_datasets))),
            unpublished,
        ),
        cards.without_data(
            packages.map(|p| percent(p.all.share(p.all.with_card))),
            unpublished,
        ),
    ]
}
