#![allow(clippy::unwrap_used)]

use super::*;
use crate::lineage::{Relation, Verdict};
use crate::versioning::Bump;
use serde_json::json;
use std::collections::BTreeMap;

/// base → tuned → small (int8); base + tuned + other → merged; scratch claims base; root and other are roots.
fn truth() -> Truth {
    serde_json::from_value(json!({
        "edges": [
            { "child": "o/tuned", "parents": ["o/base"], "relation": "finetune", "technique": "lora-merged",
              "params": { "rank": 8 }, "declared": "confirmed" },
            { "child": "o/small", "parents": ["o/tuned"], "relation": "quantized", "technique": "rtn",
              "params": { "bits": 8, "symmetric": true }, "declared": "undeclared" },
            { "child": "o/merged", "parents": ["o/base", "o/tuned", "o/other"], "relation": "merge",
              "technique": "task-arithmetic", "params": { "coefficients": [0.5, 0.8] } },
            { "child": "o/scratch", "parents": [], "relation": "unrelated", "technique": "unrelated",
              "declared": "contradicted" }
        ],
        "unrelated": [["o/scratch", "o/base"], ["o/root", "o/base"]],
        "bumps": [
            { "package": "o/base", "from": "a", "to": "b", "bump": "minor", "silent": true },
            { "package": "o/base", "from": "b", "to": "c", "bump": "patch", "silent": false }
        ],
        "names": [{ "name": "o/llama-7b", "segments": [["llama", "base_model"], ["7b", "size"]] }],
        "unlabelled": ["o/mystery"]
    }))
    .unwrap()
}

fn edge(
    child: &str,
    parents: &[&str],
    relation: Relation,
    technique: &str,
    params: serde_json::Value,
) -> PredictedEdge {
    PredictedEdge {
        child: child.to_owned(),
        parents: parents.iter().map(|p| (*p).to_owned()).collect(),
        relation,
        technique: technique.to_owned(),
        params: serde_json::from_value(params).unwrap(),
        confidence: 0.95,
        score: 0.95,
        certainty: 1.0,
    }
}

fn step(from: &str, to: &str, bump: Bump, silent: bool) -> PredictedBump {
    PredictedBump {
        package: "o/base".to_owned(),
        from: from.to_owned(),
        to: to.to_owned(),
        bump,
        silent,
    }
}

fn perfect() -> Prediction {
    let segments = vec![
        ("llama".to_owned(), "base_model".to_owned()),
        ("7b".to_owned(), "size".to_owned()),
    ];
    Prediction {
        edges: vec![
            edge(
                "o/tuned",
                &["o/base"],
                Relation::Finetune,
                "lora-merged",
                json!({ "rank": 8 }),
            ),
            edge(
                "o/small",
                &["o/tuned"],
                Relation::Quantized,
                "rtn",
                json!({ "bits": 8, "symmetric": true }),
            ),
            // Parents in another order than the truth's; the base stays first.
            edge(
                "o/merged",
                &["o/base", "o/other", "o/tuned"],
                Relation::Merge,
                "task-arithmetic",
                json!({ "coefficients": [0.8, 0.5] }),
            ),
            // Not scored: nobody knows.
            edge("o/mystery", &["o/base"], Relation::Finetune, "full", json!({})),
        ],
        verdicts: BTreeMap::from([
            ("o/tuned".to_owned(), Verdict::Confirmed),
            ("o/small".to_owned(), Verdict::Undeclared),
            ("o/scratch".to_owned(), Verdict::Contradicted),
        ]),
        bumps: vec![
            step("a", "b", Bump::Minor, true),
            step("b", "c", Bump::Patch, false),
        ],
        names: Some(BTreeMap::from([("o/llama-7b".to_owned(), segments)])),
        values: BTreeMap::new(),
    }
}

fn replaced(replacement: PredictedEdge) -> Prediction {
    let mut prediction = perfect();
    prediction.edges.retain(|edge| edge.child != replacement.child);
    prediction.edges.push(replacement);
    prediction
}

#[test]
fn a_perfect_prediction_scores_one_everywhere() {
    let score = score(&truth(), &perfect());
    assert_eq!(
        (score.parents.precision, score.parents.recall, score.parents.f1),
        (1.0, 1.0, 1.0)
    );
    for measure in [
        score.relation.accuracy,
        score.relation.macro_f1,
        score.technique.accuracy,
        score.technique.macro_f1,
        score.direction_accuracy,
        score.verdict_accuracy,
        score.bump_accuracy,
        score.silent_f1,
        score.segment_f1,
    ] {
        assert_eq!(measure, Some(1.0), "{score}");
    }
    assert_eq!(score.false_parent_rate, Some(0.0));
    assert!(
        score.params.values().all(|error| *error == Some(0.0)),
        "{:?}",
        score.params
    );
    assert_eq!(score.params.len(), 4);
    assert_eq!(score.calibration.len(), 1);
    assert_eq!((score.calibration[0].edges, score.calibration[0].right), (3, 1.0));
}

#[test]
fn a_wrong_parent_costs_precision_and_recall_alike() {
    let score = score(
        &truth(),
        &replaced(edge(
            "o/small",
            &["o/base"],
            Relation::Quantized,
            "rtn",
            json!({}),
        )),
    );
    // Pairs: 1 + 1 + 3 wanted, as many given, 4 right.
    assert_eq!((score.parents.precision, score.parents.recall), (0.8, 0.8));
    assert_eq!(score.relation.accuracy, Some(1.0));
    assert_eq!(score.direction_accuracy, Some(1.0));
    assert!((score.calibration[0].right - 2.0 / 3.0).abs() < 1e-12);
    assert_eq!(
        score.params["bits"], None,
        "a parameter that was not recovered has no error"
    );
}

#[test]
fn a_missing_edge_costs_recall_only() {
    let mut prediction = perfect();
    prediction.edges.retain(|edge| edge.child != "o/merged");
    let score = score(&truth(), &prediction);
    assert_eq!((score.parents.precision, score.parents.recall), (1.0, 0.4));
    assert_eq!(score.relation.accuracy, Some(0.75));
    assert_eq!(
        score.technique.confusion["task-arithmetic"],
        BTreeMap::from([("unrelated".to_owned(), 1)])
    );
    // "unrelated" was predicted twice and is right once: precision 1/2, recall 1, F1 2/3; merge 0, the other two 1.
    assert!((score.relation.macro_f1.unwrap() - (1.0 + 1.0 + 2.0 / 3.0) / 4.0).abs() < 1e-12);
}

#[test]
fn a_wrong_relation_keeps_the_parent() {
    let score = score(
        &truth(),
        &replaced(edge(
            "o/tuned",
            &["o/base"],
            Relation::Pruned,
            "unstructured",
            json!({ "rank": 8 }),
        )),
    );
    assert_eq!(score.parents.f1, 1.0);
    assert_eq!(score.relation.accuracy, Some(0.75));
    assert_eq!(score.relation.per_relation["pruned"].precision, 0.0);
    assert_eq!(score.relation.per_relation["pruned"].support, 0);
    assert!(
        !score.params.contains_key("rank"),
        "parameters count only where the technique is right"
    );
}

#[test]
fn a_swapped_direction_is_a_found_pair_the_wrong_way() {
    let mut prediction = perfect();
    prediction.edges.retain(|edge| edge.child != "o/tuned");
    prediction.edges.push(edge(
        "o/base",
        &["o/tuned"],
        Relation::Finetune,
        "lora-merged",
        json!({}),
    ));
    let score = score(&truth(), &prediction);
    assert_eq!(score.direction_accuracy, Some(0.8));
    assert_eq!((score.parents.precision, score.parents.recall), (0.8, 0.8));
    assert_eq!(
        score.relation.accuracy,
        Some(0.75),
        "the child is left without an edge"
    );
    // The root's false edge costs the precision of its relation.
    assert_eq!(score.relation.per_relation["finetune"].precision, 0.0);
}

#[test]
fn a_false_parent_counts_whichever_way_it_points() {
    for (child, parent) in [("o/scratch", "o/base"), ("o/base", "o/scratch")] {
        let mut prediction = perfect();
        prediction
            .edges
            .push(edge(child, &[parent], Relation::Finetune, "full", json!({})));
        assert_eq!(score(&truth(), &prediction).false_parent_rate, Some(0.5));
    }
}

#[test]
fn copies_count_as_one_parent_when_asked() {
    let mut prediction = replaced(edge(
        "o/small",
        &["o/tuned-copy"],
        Relation::Quantized,
        "rtn",
        json!({}),
    ));
    for copy in ["o/tuned", "o/tuned-copy"] {
        prediction.values.insert(copy.to_owned(), "same".to_owned());
    }
    let score = score(&truth(), &prediction);
    assert!((score.parents.f1 - 0.8).abs() < 1e-12);
    assert_eq!(score.parents_up_to_copies.f1, 1.0);
}

#[test]
fn mistakes_name_the_child_and_both_answers() {
    let truth = truth();
    assert_eq!(
        mistakes(&truth, &perfect()),
        vec![],
        "parents in another order and unlabelled packages are no mistakes"
    );
    let prediction = replaced(edge(
        "o/small",
        &["o/base"],
        Relation::Quantized,
        "rtn",
        json!({}),
    ));
    let found = mistakes(&truth, &prediction);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].child, "o/small");
    assert!(found[0].truth.as_ref().unwrap().parents.contains("o/tuned"));
    assert!(found[0].predicted.as_ref().unwrap().parents.contains("o/base"));
}

#[test]
fn parameters_are_compared_by_kind() {
    let truth = truth();
    let error = |technique: &str, child: &str, parents: &[&str], relation, params| {
        score(
            &truth,
            &replaced(edge(child, parents, relation, technique, params)),
        )
        .params_detail
    };
    let rank = error(
        "lora-merged",
        "o/tuned",
        &["o/base"],
        Relation::Finetune,
        json!({ "rank": 6 }),
    );
    assert_eq!(rank["rank"].mean_relative_error, Some(0.25));
    assert_eq!(rank["rank"].exact, 0);
    let flag = error(
        "rtn",
        "o/small",
        &["o/tuned"],
        Relation::Quantized,
        json!({ "bits": 8, "symmetric": false }),
    );
    assert_eq!(flag["symmetric"].mean_relative_error, Some(1.0));
    assert_eq!(flag["symmetric"].mean_absolute_error, None);
    let parents = ["o/base", "o/tuned", "o/other"];
    let list = error(
        "task-arithmetic",
        "o/merged",
        &parents,
        Relation::Merge,
        json!({ "coefficients": [0.6, 0.8] }),
    );
    assert!((list["coefficients"].mean_absolute_error.unwrap() - 0.05).abs() < 1e-12);
}

#[test]
fn an_empty_prediction_is_scored_not_refused() {
    let score = score(&truth(), &Prediction::default());
    assert_eq!(
        (score.parents.precision, score.parents.recall, score.parents.f1),
        (0.0, 0.0, 0.0)
    );
    assert_eq!(score.direction_accuracy, None);
    assert_eq!(score.verdict_accuracy, Some(0.0));
    assert_eq!(score.bump_accuracy, Some(0.0));
    assert_eq!(score.segment_f1, None);
}

#[test]
fn the_demo_truth_reads() {
    let demo = heirloom_zoo::demo::build().unwrap();
    let truth: Truth = serde_json::from_value(serde_json::to_value(&demo.truth).unwrap()).unwrap();
    assert_eq!(truth.edges.len(), demo.truth.edges.len());
    assert!(truth.edges.iter().filter(|edge| edge.is_derived()).count() > 15);
}

#[test]
fn the_table_names_what_was_confused() {
    let table = score(
        &truth(),
        &replaced(edge(
            "o/tuned",
            &["o/base"],
            Relation::Pruned,
            "unstructured",
            json!({}),
        )),
    )
    .to_string();
    insta::assert_snapshot!(table);
}

#[test]
fn a_copy_taken_for_its_original_is_right_up_to_copies() {
    let truth: Truth = serde_json::from_value(json!({ "edges": [
        { "child": "o/copy", "parents": ["o/base"], "relation": "duplicate", "technique": "copy" },
        { "child": "o/tuned", "parents": ["o/base"], "relation": "finetune", "technique": "full" },
    ]}))
    .unwrap();
    let lot = |child, parent, relation| PredictedEdge {
        confidence: 0.45,
        certainty: 0.5,
        ..edge(child, &[parent], relation, "full", json!({}))
    };
    let values = ["o/base", "o/copy"].map(|name| (name.to_owned(), "equal".to_owned()));
    let prediction = Prediction {
        edges: vec![
            lot("o/base", "o/copy", Relation::Duplicate),
            lot("o/tuned", "o/copy", Relation::Finetune),
        ],
        values: values.into(),
        ..Prediction::default()
    };
    let score = score(&truth, &prediction);
    let near = |error: Option<f64>, expect: f64| assert!((error.unwrap() - expect).abs() < 1e-9, "{error:?}");
    near(score.calibration_error, 0.45);
    near(score.calibration_error_up_to_copies, 0.1);
}
