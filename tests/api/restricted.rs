//! What is gated or private is shown to those alone who have the right, whatever is asked.

use crate::app::{Answer, TestApp};
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use heirloom::api::key_digest;
use heirloom::fingerprint::Level;
use heirloom::store::Store;
use heirloom::store::api_keys::{NewKey, Scope};
use heirloom::store::crawls::{CrawlPage, CrawlPlan, PackageOutcome};

/// Routes that name `hf:lab/tuned`, which is gated, to those who may see it.
const NAMING: [&str; 14] = [
    "/api/v1/overview",
    "/api/v1/models",
    "/api/v1/models?search=tuned",
    "/api/v1/models/hf/lab/base",
    "/api/v1/models/hf/lab/mixed",
    "/api/v1/models/hf/lab/base/lineage",
    "/api/v1/models/hf/lab/base/lineage?format=dot",
    "/api/v1/models/hf/lab/base/lineage?format=graphml",
    "/api/v1/models/hf/lab/base/similar",
    "/api/v1/models/hf/lab/mixed/bom",
    "/api/v1/models/hf/lab/mixed/bom?format=spdx",
    "/api/v1/changes",
    "/api/v1/changes.atom",
    "/api/v1/crawls",
];

/// Routes about it.
const ABOUT: [&str; 6] = ["", "/revisions", "/lineage", "/similar", "/tensors", "/bom"];

async fn get(app: &TestApp, key: &str, path: &str) -> Answer {
    let request = Request::get(path).header(header::AUTHORIZATION, format!("Bearer {key}"));
    app.send(request.body(Body::empty()).unwrap()).await
}

async fn app_with_keys() -> TestApp {
    let app = TestApp::seeded().await;
    let digests = ["open", "member", "admin"].map(key_digest);
    let member = NewKey {
        sees_restricted: true,
        ..NewKey::new("member", &digests[1], Scope::Read)
    };
    for key in [
        NewKey::new("open", &digests[0], Scope::Crawl),
        member,
        NewKey::new("admin", &digests[2], Scope::Admin),
    ] {
        app.store().add_api_key(&key).await.unwrap();
    }
    fail_to_crawl_tuned(app.store()).await;
    app
}

/// Leaves a crawl whose failures name the gated model.
async fn fail_to_crawl_tuned(store: &Store) {
    let plan = CrawlPlan {
        hub: "hf".to_owned(),
        endpoint: "http://127.0.0.1:1".to_owned(),
        author: None,
        search: None,
        limit: None,
        level: Level::Full,
    };
    let crawl = store.open_crawl(&plan).await.unwrap();
    let name = "lab/tuned".to_owned();
    let page = CrawlPage {
        open: vec![name.clone()],
        ..CrawlPage::default()
    };
    store.add_crawl_page(&crawl, &page).await.unwrap();
    let outcome = PackageOutcome::failed(&name, "the hub refused".to_owned());
    store.finish_package(crawl.id, &name, &outcome).await.unwrap();
}

fn names_it(answer: &Answer) -> bool {
    String::from_utf8_lossy(&answer.body).contains("tuned")
}

#[tokio::test]
async fn no_list_graph_or_document_names_a_gated_model_to_others() {
    let app = app_with_keys().await;
    for path in NAMING {
        for key in ["member", "admin"] {
            let answer = get(&app, key, path).await;
            assert_eq!(answer.status, StatusCode::OK, "{path}");
            assert!(names_it(&answer), "{key} is not shown it at {path}");
        }
        for answer in [get(&app, "open", path).await, app.get(path).await] {
            assert_eq!(answer.status, StatusCode::OK, "{path}");
            let body = String::from_utf8_lossy(&answer.body).replace("search=tuned", "");
            assert!(!body.contains("tuned"), "{path}: {body}");
        }
    }
}

#[tokio::test]
async fn a_gated_model_is_as_unknown_as_one_that_is_not_there() {
    let app = app_with_keys().await;
    for part in ABOUT {
        let path = format!("/api/v1/models/hf/lab/tuned{part}");
        assert_eq!(get(&app, "member", &path).await.status, StatusCode::OK, "{path}");
        let answer = get(&app, "open", &path).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(answer.json()["type"], "urn:heirloom:problem:unknown-model");
    }
    let diff = "/api/v1/diffs?a=hf:lab/base&b=hf:lab/tuned";
    let unknown = get(&app, "open", diff).await.json();
    assert_eq!(unknown["type"], "urn:heirloom:problem:unknown-model");
}

#[tokio::test]
async fn tensors_of_a_gated_model_are_held_by_nobody_to_others() {
    let app = app_with_keys().await;
    let tensors = get(&app, "member", "/api/v1/models/hf/lab/tuned/tensors")
        .await
        .json();
    let shared = get(&app, "open", "/api/v1/models/hf/lab/base/tensors")
        .await
        .json();
    assert_eq!(shared["items"][1]["held_by"], 2);
    for tensor in tensors["items"].as_array().unwrap() {
        let path = format!("/api/v1/tensors/{}", tensor["digest"].as_str().unwrap());
        assert!(names_it(&get(&app, "member", &path).await));
        assert!(!names_it(&get(&app, "open", &path).await));
    }
}

/// A new table must be thought of: either it says nothing of packages, or `open_catalogue.sql` has a view of it.
#[tokio::test]
async fn every_table_has_an_open_view_or_says_nothing_of_packages() {
    const SAYS_NOTHING: [&str; 6] = [
        "_sqlx_migrations",
        "api_keys",
        "api_usage",
        "audit_log",
        "schedules",
        "webhooks",
    ];
    let app = TestApp::new().await;
    let bare: Vec<String> = sqlx::query_scalar(
        "SELECT relname::text FROM pg_class c
         WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v')
           AND NOT EXISTS (SELECT FROM pg_class o WHERE o.relname = c.relname AND o.relnamespace = 'open_catalogue'::regnamespace)
         ORDER BY 1",
    )
    .fetch_all(app.store().pool())
    .await
    .unwrap();
    let forgotten: Vec<&String> = bare
        .iter()
        .filter(|name| !SAYS_NOTHING.contains(&name.as_str()))
        .collect();
    assert!(
        forgotten.is_empty(),
        "add a view to open_catalogue.sql for {forgotten:?}"
    );
}
