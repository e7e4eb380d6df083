//! The naming study and the release lines over the crawled demo hub: real weights, real histories, a real Postgres.
#![allow(clippy::unwrap_used)]

mod harness;

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use harness::TestDatabase;
use heirloom::api::{AppState, Config, router};
use heirloom::fingerprint::Level;
use heirloom::jobs::{CrawlOptions, Silent, crawl};
use heirloom::store::Store;
use serde_json::Value;
use std::process::Command;
use std::sync::Arc;
use tower::ServiceExt;

async fn crawled_demo() -> TestDatabase {
    let database = TestDatabase::new().await;
    let folder = tempfile::tempdir().unwrap();
    heirloom_zoo::demo::write(folder.path()).unwrap();
    let hub = heirloom_crawler::open("dir", folder.path().to_str()).unwrap();
    let options = CrawlOptions {
        author: None,
        search: None,
        limit: None,
        level: Level::Full,
        relist: false,
        scratch: folder.path().join("scratch"),
    };
    std::fs::create_dir(&options.scratch).unwrap();
    crawl(&database.store, hub, &options, Arc::new(Silent))
        .await
        .unwrap();
    database
}

async fn get(store: &Store, path: &str) -> Value {
    let state = AppState::new(store.clone(), Config::default());
    let request = Request::get(path).body(Body::empty()).unwrap();
    let response = router(state).oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK, "{path}");
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    serde_json::from_slice(&body).unwrap_or_else(|_| Value::from(String::from_utf8(body.to_vec()).unwrap()))
}

/// The command line over the same database.
fn command(database: &TestDatabase, arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_heirloom"))
        .args(["--quiet", "--database-url", &database.url])
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn count_of(counts: &Value, label: &str) -> u64 {
    let counts = counts.as_array().unwrap();
    let found = counts.iter().find(|count| count["label"] == label);
    found.map_or(0, |count| count["count"].as_u64().unwrap())
}

#[tokio::test]
async fn the_demo_is_studied_through_rest_and_the_command_line() {
    let database = crawled_demo().await;
    let demo = heirloom_zoo::demo::build().unwrap();
    let study = get(&database.store, "/api/v1/study").await;
    check_measures(&study, &demo);
    check_releases(&database).await;
    check_resolve(&database.store).await;

    let page = tempfile::tempdir().unwrap();
    let page = page.path().join("study.html");
    let printed = command(&database, &["--json", "study", "--html", page.to_str().unwrap()]);
    let printed: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(printed, study, "the command line and REST measure the same");
    let page = std::fs::read_to_string(page).unwrap();
    assert_eq!(
        Value::from(page.clone()),
        get(&database.store, "/api/v1/study.html").await
    );
    for held in ["40.87 %", "<svg", "Declared major steps", "{identifier}"] {
        assert!(page.contains(held), "{held}");
    }
    assert!(
        !page.contains("<script") && !page.contains("http"),
        "the page fetches nothing"
    );
    let text = command(&database, &["study"]);
    assert!(
        text.contains("beside the published study") && text.contains("not reproduced: "),
        "{text}"
    );
}

/// What the README says of the demo.
#[test]
fn every_derivation_of_the_demo_is_found() {
    let folder = tempfile::tempdir().unwrap();
    heirloom_zoo::demo::write(folder.path()).unwrap();
    let eval = Command::new(env!("CARGO_BIN_EXE_heirloom"))
        .args(["--quiet", "eval", "--json"])
        .arg(folder.path())
        .output()
        .unwrap();
    let report: Value = serde_json::from_slice(&eval.stdout).unwrap();
    for score in [
        "/parents/f1",
        "/relation/macro_f1",
        "/technique/macro_f1",
        "/bump_accuracy",
    ] {
        assert_eq!(
            report.pointer(score),
            Some(&Value::from(1.0)),
            "{score}: {}",
            report["mistakes"]
        );
    }
    assert_eq!(report["false_parent_rate"], 0.0);
}

/// What the demo's author knows against what was measured.
fn check_measures(study: &Value, demo: &heirloom_zoo::hub::Hub) {
    let packages = &study["packages"];
    assert_eq!(study["names"]["names"], demo.packages.len());
    assert_eq!(packages["all"]["packages"], demo.packages.len());
    assert_eq!(packages["hubs"][0]["label"], "dir");
    let steps: usize = demo
        .packages
        .iter()
        .map(|package| package.history.len() - 1)
        .sum();
    assert_eq!(packages["changes"]["steps"], steps);
    let silent = demo.truth.bumps.iter().filter(|bump| bump.silent).count();
    assert_eq!(packages["changes"]["silent"], silent);
    let steps_by_year: u64 = packages["years"]
        .as_array()
        .unwrap()
        .iter()
        .map(|year| year["changes"]["steps"].as_u64().unwrap())
        .sum();
    assert_eq!(steps_by_year, steps as u64, "every revision of the demo is dated");
    for relation in ["finetune", "quantized", "merge"] {
        let known = demo
            .truth
            .edges
            .iter()
            .filter(|edge| edge.relation == relation)
            .count();
        assert!(
            count_of(&packages["relations"], relation) > 0 && known > 0,
            "{relation}"
        );
    }
    assert_eq!(
        count_of(&packages["extensions"], ".safetensors"),
        demo.packages.len() as u64
    );
    assert_eq!(
        packages["model_types"].as_array().unwrap().len(),
        3,
        "three publishers, three architectures"
    );
    assert!(count_of(&packages["declared_steps"], "major") > 0);
    assert!(count_of(&packages["declared_steps"], "minor") > 0);
    let contrasts = packages["contrasts"].as_array().unwrap();
    assert!(!contrasts.is_empty());
    for contrast in contrasts {
        let p = contrast["p_value"].as_f64().unwrap();
        assert!(
            (0.0..=1.0).contains(&p) && contrast["adjusted_p_value"].as_f64().unwrap() >= p,
            "{contrast}"
        );
    }
    for row in study["comparison"].as_array().unwrap() {
        assert!(row["replicated"].is_null() && row["missing"].is_string(), "{row}");
        assert!(row["ours"].is_string(), "{row}");
    }
}

/// `basic-pitch-bass-v0.1` and `-v0.2` are one line; the name of the second declares more than was done.
async fn check_releases(database: &TestDatabase) {
    let path = "/api/v1/models/dir/heirloom-demo/basic-pitch-bass-v0.1/releases";
    let releases = get(&database.store, path).await;
    let [first, second] = releases["items"].as_array().unwrap().as_slice() else {
        panic!("{releases}");
    };
    assert_eq!(
        (&first["declared"], &first["bump"]),
        (&Value::from("0.1.0"), &Value::Null)
    );
    assert_eq!(second["predecessor"], first["reference"]);
    assert_eq!(second["declared"], "0.2.0");
    assert_eq!(second["bump"], "minor", "{second}");
    assert_eq!(second["inferred"], "0.1.1");
    assert_eq!(
        second["silent"], false,
        "another version in the name is an announcement"
    );
    let reasons = second["reasons"].as_array().unwrap();
    let declared = reasons
        .iter()
        .find(|reason| reason["kind"] == "declared")
        .unwrap();
    assert_eq!(
        declared["detail"],
        "the name declares a major step (0.1.0 → 0.2.0), more than the minor that was found"
    );
    let reference = "dir:heirloom-demo/basic-pitch-bass-v0.2";
    let printed = command(database, &["--json", "versions", reference, "--line"]);
    let printed: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(printed[0]["reference"], reference);
    assert_eq!(printed[0]["reasons"], second["reasons"]);
    let text = command(database, &["versions", reference]);
    assert!(text.contains("0.2.0"), "{text}");
    let silent = command(database, &["--json", "versions", "--silent"]);
    let silent: Value = serde_json::from_str(&silent).unwrap();
    assert_eq!(silent[0]["reference"], "dir:heirloom-demo/silero-vad-callcenter");
    assert_eq!(silent.as_array().unwrap().len(), 1, "{silent}");
    let alone = get(&database.store, "/api/v1/models/dir/spotify/basic-pitch/releases").await;
    assert_eq!(alone["items"].as_array().unwrap().len(), 0, "{alone}");
}

/// The guitar's history: 1.0.0, 2.0.0, 2.1.0, 2.1.1.
async fn check_resolve(store: &Store) {
    let resolve = async |requirement: &str| {
        let model = "dir:heirloom-demo/basic-pitch-guitar";
        let found = get(
            store,
            &format!("/api/v1/resolve?model={model}&require={requirement}"),
        )
        .await;
        found["version"]
            .as_str()
            .unwrap()
            .split('+')
            .next()
            .unwrap()
            .to_owned()
    };
    assert_eq!(resolve("^2").await, "2.1.1");
    assert_eq!(resolve("~2.0").await, "2.0.0");
    assert_eq!(resolve("^1").await, "1.0.0");
    assert_eq!(resolve("%3C2.1.1").await, "2.1.0");
}
