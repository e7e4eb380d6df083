//! The study's method over the study's own data: the published counts must come out, or come near.
//!
//! The data is not in the repository. The names labelled by hand, as far as they are collected, are read from
//! `HEIRLOOM_SHARED_DATA`, else from `../shared/data`; the whole replication package
//! (github.com/SAILResearch/wip-24-adekunle-lm-release) from `HEIRLOOM_STUDY_DATA`. Without them the tests say so and pass.

#![allow(clippy::unwrap_used, reason = "tests")]

use heirloom::versioning::study::{Replication, ReplicationFiles, STUDY_SAMPLE};
use std::path::PathBuf;

fn read(path: PathBuf) -> Option<String> {
    let text = std::fs::read_to_string(&path).ok();
    if text.is_none() {
        println!("skipped: no {}", path.display());
    }
    text
}

fn study_data(file: &str) -> Option<String> {
    match std::env::var_os("HEIRLOOM_STUDY_DATA") {
        Some(folder) => read(PathBuf::from(folder).join(file)),
        None => {
            println!("skipped: HEIRLOOM_STUDY_DATA is not set");
            None
        }
    }
}

/// 147 of the study's 384 labels: what they estimate for all of them lies near the 148 published practices.
#[test]
fn a_part_of_the_labels_estimates_the_published_practices() {
    let folder = std::env::var_os("HEIRLOOM_SHARED_DATA")
        .map(PathBuf::from)
        .unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data"));
    let Some(labels) = read(folder.join("labelled_names.csv")) else {
        return;
    };
    let measured = Replication::measure(ReplicationFiles {
        models: None,
        labels: Some(&labels),
    });
    let labelled = measured.labelled.unwrap();
    println!("{labelled:#?}");
    assert!(labelled.practices.extrapolated);
    assert!(
        (labelled.practices.distinct - 148.0).abs() < 0.15 * 148.0,
        "{labelled:?}"
    );
}

#[test]
fn the_hand_labels_give_the_published_practices() {
    let Some(labels) = study_data("RQ1_results/manually_analyzed.csv") else {
        return;
    };
    let measured = Replication::measure(ReplicationFiles {
        models: None,
        labels: Some(&labels),
    });
    let labelled = measured.labelled.unwrap();
    println!("{labelled:#?}");
    assert_eq!((labelled.names, labelled.conventions), (STUDY_SAMPLE, 148));
}

#[test]
fn the_names_give_the_published_variants_and_versions() {
    let Some(models) = study_data("RQ2_result/all_NLP_with_quantization.csv") else {
        return;
    };
    let measured = Replication::measure(ReplicationFiles {
        models: Some(&models),
        labels: None,
    });
    let models = measured.models.unwrap();
    println!("{models:#?}");
    assert_eq!(models.names, 52_227);
    let variants: Vec<(&str, usize)> = models
        .variant_types
        .iter()
        .map(|count| (count.label.as_str(), count.count))
        .collect();
    assert_eq!(
        variants,
        [
            ("fine-tuning", 5034),
            ("quantization", 3502),
            ("knowledge distillation", 93),
            ("deduplication", 80)
        ]
    );
    assert_eq!((models.versions.major, models.versions.minor), (2329, 1142));
    // Published: 43 % of 330 and 35 % of 288, looked up by hand.
    assert!((models.versions.major_share() - 0.43).abs() < 0.05, "{models:?}");
    assert!((models.versions.minor_share() - 0.35).abs() < 0.08, "{models:?}");
}
