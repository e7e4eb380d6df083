//! Each route answers what was stored.

use crate::app::TestApp;
use crate::seed::revision_id;
use axum::http::StatusCode;
use serde_json::{Value, json};

/// The answers of all reading routes, as callers see them.
#[tokio::test]
async fn reading_routes_answer_what_was_stored() {
    let app = TestApp::seeded().await;
    for (name, path) in [
        ("overview", "/api/v1/overview"),
        ("models", "/api/v1/models"),
        ("model_base", "/api/v1/models/hf/lab/base"),
        ("model_mixed", "/api/v1/models/hf/lab/mixed"),
        ("model_broken", "/api/v1/models/hf/lab/broken"),
        ("revisions", "/api/v1/models/hf/lab/base/revisions"),
        ("lineage", "/api/v1/models/hf/lab/tuned/lineage"),
        ("tensors", "/api/v1/models/hf/lab/base/tensors"),
        ("changes", "/api/v1/changes"),
        ("similar", "/api/v1/models/hf/lab/base/similar"),
        ("bom_cyclonedx", "/api/v1/models/hf/lab/mixed/bom"),
        ("bom_spdx", "/api/v1/models/hf/lab/mixed/bom?format=spdx"),
        ("crawls", "/api/v1/crawls"),
        ("name", "/api/v1/name?name=lab/bert-7b-chat-v2"),
    ] {
        let answer = app.get(path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {:?}", answer.body);
        insta::assert_json_snapshot!(name, answer.stable_json());
    }
}

#[tokio::test]
async fn an_empty_database_has_an_overview() {
    let app = TestApp::new().await;
    insta::assert_json_snapshot!(app.get("/api/v1/overview").await.json());
    assert_eq!(app.get("/api/v1/health").await.json()["database"], "ok");
}

#[tokio::test]
async fn models_are_filtered() {
    let app = TestApp::seeded().await;
    let check = async |query: &str, expect: &[&str]| {
        let answer = app.get(&format!("/api/v1/models?{query}")).await.json();
        assert_eq!(references(&answer), expect, "{query}");
        assert_eq!(answer["total"], expect.len(), "{query}");
    };
    let all = [
        "hf:lab/base",
        "hf:lab/broken",
        "hf:lab/mixed",
        "hf:lab/tuned",
        "dir:local/copy",
    ];
    check("", &all).await;
    check("search=", &all).await;
    check("search=B/TU", &["hf:lab/tuned"]).await;
    check("search=%25", &[]).await;
    check("search=_", &[]).await;
    check("hub=dir", &["dir:local/copy"]).await;
    check("owner=local", &["dir:local/copy"]).await;
    check("relation=merge", &["hf:lab/mixed"]).await;
    check("relation=pruned", &[]).await;
    check("verdict=confirmed", &["hf:lab/tuned"]).await;
    check("verdict=contradicted&relation=finetune", &[]).await;
    check("task=image-classification", &["hf:lab/base"]).await;
    check("licence=Apache-2.0&silent=true", &["hf:lab/base"]).await;
    check("silent=true&owner=local", &[]).await;
    check("base=lab/base", &["hf:lab/mixed", "hf:lab/tuned"]).await;
    check("base=lab/other", &["hf:lab/mixed"]).await;
    check("min_parameters=21", &[]).await;
    check("max_parameters=20&hub=dir", &["dir:local/copy"]).await;
    check("modified_since=2024-10-06T00:00:00Z", &["hf:lab/base"]).await;
    check("modified_since=2030-01-01T00:00:00Z", &[]).await;
    check("modified_before=2024-10-06T00:00:00Z&owner=lab&search=base", &[]).await;
    check(
        "modified_before=2030-01-01T00:00:00Z&search=base",
        &["hf:lab/base"],
    )
    .await;
    check("tag=vision", &["hf:lab/base"]).await;
    check("text=image+classification", &["hf:lab/base"]).await;
    check("text=lab+-tuned+-mixed+-broken", &["hf:lab/base"]).await;
    check("max_bytes=1", &[]).await;
    check("version=%2A&search=base", &["hf:lab/base"]).await;
    check("version=%3E9&search=base", &[]).await;
}

#[tokio::test]
async fn names_that_are_nearly_right_are_found() {
    let app = TestApp::seeded().await;
    let found = async |query: &str| references(&app.get(&format!("/api/v1/search?q={query}")).await.json());
    assert_eq!(found("base").await, ["hf:lab/base"]);
    assert_eq!(found("LAB/B").await[..2], ["hf:lab/base", "hf:lab/broken"]);
    assert_eq!(found("tuned").await, ["hf:lab/tuned"]);
    // Without pg_trgm the parts of a name must be there, in any order.
    assert_eq!(found("base+lab").await[0], "hf:lab/base");
    let trigrams: bool =
        sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_trgm')")
            .fetch_one(app.store().pool())
            .await
            .unwrap();
    if trigrams {
        assert_eq!(found("lab/brokem").await[0], "hf:lab/broken");
    }
    for query in ["", "%20", &"x".repeat(201)] {
        let answer = app.get(&format!("/api/v1/search?q={query}")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query}");
    }
}

#[tokio::test]
async fn pages_follow_one_another_without_gap_or_repeat() {
    let app = TestApp::seeded().await;
    let whole = references(&app.get("/api/v1/models").await.json());
    let mut paged = Vec::new();
    let mut path = "/api/v1/models?limit=2".to_owned();
    loop {
        let page = app.get(&path).await.json();
        let found = references(&page);
        assert!(found.len() <= 2);
        paged.extend(found);
        match &page["next"] {
            Value::String(cursor) => path = format!("/api/v1/models?limit=2&cursor={cursor}"),
            _ => break,
        }
    }
    assert_eq!(paged, whole);
}

#[tokio::test]
async fn tensors_come_in_pages_with_their_statistics() {
    let app = TestApp::seeded().await;
    let path = "/api/v1/models/hf/lab/base/tensors?limit=1";
    let first = app.get(path).await.json();
    assert_eq!(first["items"][0]["name"], "head.weight");
    let cursor = first["next"].as_str().unwrap();
    let second = app.get(&format!("{path}&cursor={cursor}")).await.json();
    assert_eq!(second["items"][0]["name"], "shared.weight");
    assert_eq!(second["items"][0]["held_by"], 3);
    assert_eq!(second["items"][0]["stats"]["abs_max"], 15.0);
    assert_eq!(second["next"], Value::Null);
    let digest = second["items"][0]["digest"].as_str().unwrap();
    let holders = app.get(&format!("/api/v1/tensors/{digest}")).await.json();
    let holders: Vec<&str> = holders["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|holder| holder["reference"].as_str().unwrap())
        .collect();
    let base = "hf:lab/base";
    assert_eq!(
        holders,
        [base, base, base, "hf:lab/tuned", "hf:lab/mixed", "dir:local/copy"]
    );
}

#[tokio::test]
async fn tensors_of_an_older_revision_are_found_by_tag_too() {
    let app = TestApp::seeded().await;
    let oldest = revision_id("base", 0);
    for revision in [oldest.as_str(), "v1.0"] {
        let path = format!("/api/v1/models/hf/lab/base/tensors?revision={revision}");
        assert_eq!(app.get(&path).await.json()["revision"], oldest.as_str());
    }
}

#[tokio::test]
async fn lineage_stops_at_the_depth_asked_for() {
    let app = TestApp::seeded().await;
    let near = app.get("/api/v1/models/hf/lab/base/lineage?depth=1").await.json();
    assert_eq!(near["nodes"].as_array().unwrap().len(), 3);
    let alone = app.get("/api/v1/models/dir/local/copy/lineage").await.json();
    assert_eq!(alone["nodes"].as_array().unwrap().len(), 1);
    assert_eq!(alone["edges"], json!([]));
}

#[tokio::test]
async fn a_diff_is_asked_for_once_and_then_kept() {
    let app = TestApp::seeded().await;
    let wanted = json!({"a": "hf:lab/base@v1.0", "b": "hf:lab/tuned"});
    let first = app.post("/api/v1/diffs", &wanted).await;
    assert_eq!(first.status, StatusCode::ACCEPTED);
    insta::assert_json_snapshot!("diff_queued", {
        let mut diff = first.stable_json();
        diff["created_at"] = Value::from("[created_at]");
        diff
    });
    let again = app.post("/api/v1/diffs", &wanted).await;
    assert_eq!(again.json()["id"], first.json()["id"]);
    let id = first.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(app.get(&format!("/api/v1/diffs/{id}")).await.json(), first.json());
    let found = app.get("/api/v1/diffs?a=hf:lab/base@v1.0&b=hf:lab/tuned").await;
    assert_eq!(found.json(), first.json());
    let other = app.get("/api/v1/diffs?a=hf:lab/tuned&b=hf:lab/base").await;
    assert_eq!(other.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn weights_are_identified_by_their_digests() {
    let app = TestApp::seeded().await;
    let tensors = app.get("/api/v1/models/hf/lab/tuned/tensors").await.json();
    let known = json!({"tensors": tensors["items"]});
    let found = app.post("/api/v1/identify", &known).await.json();
    assert_eq!(found["tensors"], 2);
    assert_eq!(found["items"][0]["reference"], "hf:lab/tuned");
    assert_eq!(found["items"][0]["shared_tensors"], 2);
    assert_eq!(found["items"][1]["shared_tensors"], 1);
    let unknown = json!({"tensors": [{"digest": "00".repeat(32)}]});
    assert_eq!(
        app.post("/api/v1/identify", &unknown).await.json()["items"],
        json!([])
    );
    let invalid = json!({"tensors": [{"digest": "xyz"}]});
    assert_eq!(
        app.post("/api/v1/identify", &invalid).await.status,
        StatusCode::BAD_REQUEST
    );
}

#[tokio::test]
async fn changes_come_in_pages_and_by_kind() {
    let app = TestApp::seeded().await;
    let whole = app.get("/api/v1/changes").await.json();
    let whole = whole["items"].as_array().unwrap();
    let first = app.get("/api/v1/changes?limit=2").await.json();
    let cursor = first["next"].as_str().unwrap();
    let rest = app.get(&format!("/api/v1/changes?cursor={cursor}")).await.json();
    let mut paged = first["items"].as_array().unwrap().clone();
    paged.extend(rest["items"].as_array().unwrap().clone());
    assert_eq!(&paged, whole);
    let silent = app
        .get("/api/v1/changes?kind=silent-change&owner=lab&name=base")
        .await
        .json();
    assert_eq!(silent["items"].as_array().unwrap().len(), 1);
    let feed = app.get("/api/v1/changes.atom").await;
    assert_eq!(feed.header("content-type"), Some("application/atom+xml"));
    let feed = String::from_utf8(feed.body.to_vec()).unwrap();
    assert_eq!(feed.matches("<entry>").count(), whole.len());
}

#[tokio::test]
async fn lineage_is_drawn_for_graph_tools() {
    let app = TestApp::seeded().await;
    let path = "/api/v1/models/hf/lab/base/lineage?format=";
    let dot = app.get(&format!("{path}dot")).await;
    assert_eq!(dot.header("content-type"), Some("text/vnd.graphviz"));
    assert!(String::from_utf8_lossy(&dot.body).contains("\"hf:lab/base\" -> \"hf:lab/tuned\""));
    let graphml = app.get(&format!("{path}graphml")).await;
    assert_eq!(graphml.header("content-type"), Some("application/graphml+xml"));
    assert_eq!(
        String::from_utf8_lossy(&graphml.body).matches("<edge ").count(),
        3
    );
}

#[tokio::test]
async fn the_openapi_document_is_served() {
    let app = TestApp::new().await;
    let answer = app.get("/api/v1/openapi.json").await;
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.json()["openapi"], "3.1.0");
}

fn references(page: &Value) -> Vec<String> {
    let items = page["items"].as_array().unwrap();
    items
        .iter()
        .map(|item| item["reference"].as_str().unwrap().to_owned())
        .collect()
}
