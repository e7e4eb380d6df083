//! What the dashboard steers the service with: crawls, jobs, schedules, keys; and what it draws the catalogue from.

use crate::app::TestApp;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use serde_json::{Value, json};

async fn send(app: &TestApp, method: Method, path: &str, body: &Value) -> crate::app::Answer {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(body.to_string()));
    app.send(request.unwrap()).await
}

fn names(list: &Value) -> Vec<&str> {
    let items = list["items"].as_array().unwrap();
    items.iter().map(|item| item["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_schedule_is_made_paused_and_removed() {
    let app = TestApp::seeded().await;
    let path = "/api/v1/schedules/nightly";
    let mut wanted = json!({"cron": "0 3 * * *", "time_zone": "Europe/Berlin", "plan": {"hub": "hf", "endpoint": "https://hub.example", "author": "lab", "search": " "}});
    let made = send(&app, Method::PUT, path, &wanted).await;
    assert_eq!(made.status, StatusCode::OK, "{:?}", made.body);
    assert_eq!(made.json()["plan"]["author"], "lab");
    assert_eq!(made.json()["plan"]["search"], Value::Null);
    assert_eq!(made.json()["catch_up"], "once");
    wanted["paused"] = true.into();
    assert_eq!(
        send(&app, Method::PUT, path, &wanted).await.json()["paused"],
        true
    );
    let all = app.get("/api/v1/schedules").await.json();
    assert_eq!(names(&all), ["nightly"]);
    assert_eq!(
        app.request(Method::DELETE, path).await.status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(
        app.request(Method::DELETE, path).await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn a_schedule_names_no_place_of_the_callers_choice() {
    let app = TestApp::seeded().await;
    let check = async |plan: Value, kind: &str| {
        let body = json!({"cron": "0 3 * * *", "time_zone": "UTC", "plan": plan});
        let refused = send(&app, Method::PUT, "/api/v1/schedules/nightly", &body).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{plan}");
        assert_eq!(refused.json()["type"], format!("urn:heirloom:problem:{kind}"));
        let refused = send(&app, Method::POST, "/api/v1/crawls", &plan).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{plan}");
    };
    check(
        json!({"hub": "hf", "endpoint": "http://169.254.169.254"}),
        "unknown-hub",
    )
    .await;
    check(json!({"hub": "dir", "endpoint": "/etc"}), "unknown-hub").await;
    check(json!({"hub": "cache"}), "unknown-hub").await;
}

#[tokio::test]
async fn the_next_runs_of_a_pattern_are_told() {
    let app = TestApp::new().await;
    let preview = "/api/v1/schedules/preview?time_zone=UTC&cron=";
    let runs = app.get(&format!("{preview}0+*+*+*+*&limit=3")).await.json();
    let runs = runs["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 3);
    assert!(
        runs.iter()
            .all(|run| run["at"].as_str().unwrap().contains(":00:00"))
    );
    let refused = app.get(&format!("{preview}daily")).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert!(refused.json()["detail"].as_str().unwrap().contains("five fields"));
}

#[tokio::test]
async fn a_crawl_is_queued_again_and_its_job_cancelled_and_retried() {
    let app = TestApp::seeded().await;
    assert_eq!(app.get("/api/v1/jobs").await.json()["items"], json!([]));
    let again = send(&app, Method::POST, "/api/v1/crawls/1/again", &Value::Null).await;
    assert_eq!(again.status, StatusCode::ACCEPTED, "{:?}", again.body);
    let twice = send(&app, Method::POST, "/api/v1/crawls/1/again", &Value::Null).await;
    assert_eq!(twice.status, StatusCode::ACCEPTED);
    let jobs = app.get("/api/v1/jobs").await.json();
    let jobs = jobs["items"].as_array().unwrap();
    assert_eq!(jobs.len(), 1, "the same crawl waits once");
    assert_eq!(jobs[0]["state"], "waiting");
    assert!(jobs[0]["key"].as_str().unwrap().contains("hub.example"));
    let job = format!("/api/v1/jobs/{}", jobs[0]["id"]);
    assert_eq!(
        app.request(Method::DELETE, &job).await.status,
        StatusCode::NO_CONTENT
    );
    let given_up = app.get("/api/v1/jobs").await.json();
    assert_eq!(given_up["items"][0]["state"], "failed");
    assert_eq!(given_up["items"][0]["reason"], "cancelled");
    let retried = app.request(Method::POST, &format!("{job}/retry")).await;
    assert_eq!(retried.status, StatusCode::NO_CONTENT);
    assert_eq!(
        app.get("/api/v1/jobs").await.json()["items"][0]["state"],
        "waiting"
    );
    for path in ["/api/v1/jobs/999/retry", "/api/v1/crawls/999/again"] {
        assert_eq!(
            app.request(Method::POST, path).await.status,
            StatusCode::NOT_FOUND,
            "{path}"
        );
    }
}

#[tokio::test]
async fn hubs_are_those_that_are_known() {
    let app = TestApp::seeded().await;
    let hubs = app.get("/api/v1/hubs").await.json();
    let hubs = hubs["items"].as_array().unwrap();
    let found = hubs
        .iter()
        .find(|hub| hub["endpoint"] == "https://hub.example")
        .unwrap();
    assert_eq!(found["requests_per_second"], 10);
    assert!(hubs.iter().any(|hub| hub["hub"] == "onnx"));
}

#[tokio::test]
async fn keys_are_made_once_and_then_only_by_an_admin() {
    let app = TestApp::new().await;
    let post = async |name: &str, scope: &str, key: Option<&str>| {
        let mut request = Request::post("/api/v1/keys").header(header::CONTENT_TYPE, "application/json");
        if let Some(key) = key {
            request = request.header(header::AUTHORIZATION, format!("Bearer {key}"));
        }
        app.send(
            request
                .body(Body::from(json!({"name": name, "scope": scope}).to_string()))
                .unwrap(),
        )
        .await
    };
    let first = post("root", "admin", None).await;
    assert_eq!(first.status, StatusCode::CREATED);
    let admin = first.json()["key"].as_str().unwrap().to_owned();
    assert!(admin.starts_with("hl_") && admin.len() > 60);
    assert_eq!(post("ci", "crawl", None).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(app.get("/api/v1/keys").await.status, StatusCode::UNAUTHORIZED);
    let writer = post("ci", "crawl", Some(&admin)).await.json()["key"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(
        post("more", "read", Some(&writer)).await.status,
        StatusCode::FORBIDDEN
    );
    assert_eq!(
        post("ci", "crawl", Some(&admin)).await.status,
        StatusCode::CONFLICT
    );
    assert_eq!(
        post("a b", "crawl", Some(&admin)).await.status,
        StatusCode::BAD_REQUEST
    );
    let as_admin = async |method: Method, path: &str| {
        let request = Request::builder().method(method).uri(path);
        let request = request.header(header::AUTHORIZATION, format!("Bearer {admin}"));
        app.send(request.body(Body::empty()).unwrap()).await
    };
    let listed = as_admin(Method::GET, "/api/v1/keys").await.json();
    assert_eq!(names(&listed), ["root", "ci"]);
    assert!(!listed.to_string().contains("hl_"), "keys are not listed");
    assert_eq!(
        as_admin(Method::DELETE, "/api/v1/keys/ci").await.status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(
        as_admin(Method::DELETE, "/api/v1/keys/ci").await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn facets_count_what_matches() {
    let app = TestApp::seeded().await;
    let facets = app.get("/api/v1/models/facets").await.json();
    assert_eq!(facets["counted"], 5);
    assert_eq!(facets["complete"], true);
    assert_eq!(
        facets["hub"],
        json!([{"value": "hf", "count": 4}, {"value": "dir", "count": 1}])
    );
    let merges = app.get("/api/v1/models/facets?relation=merge").await.json();
    assert_eq!(merges["verdict"], json!([{"value": "contradicted", "count": 1}]));
    assert_eq!(
        app.get("/api/v1/models/facets?search=zzz").await.json()["counted"],
        0
    );
}

#[tokio::test]
async fn the_atlas_comes_in_pages_with_parents_by_id() {
    let app = TestApp::seeded().await;
    let first = app.get("/api/v1/atlas?limit=3").await.json();
    assert_eq!(first["total"], 5);
    let path = format!("/api/v1/atlas?limit=3&cursor={}", first["next"].as_str().unwrap());
    let second = app.get(&path).await.json();
    assert_eq!(second["next"], Value::Null);
    let models: Vec<&Value> = [&first, &second]
        .iter()
        .flat_map(|page| page["items"].as_array().unwrap())
        .collect();
    assert_eq!(models.len(), 5);
    let id = |reference: &str| {
        &models
            .iter()
            .find(|model| model["reference"] == reference)
            .unwrap()["id"]
    };
    let mixed = models
        .iter()
        .find(|model| model["reference"] == "hf:lab/mixed")
        .unwrap();
    assert_eq!(mixed["parents"], json!([id("hf:lab/base"), id("hf:lab/tuned")]));
    assert_eq!(mixed["relation"], "merge");
}

#[tokio::test]
async fn licences_are_followed_up_the_lineage() {
    let app = TestApp::seeded().await;
    sqlx::query("UPDATE packages SET licence = CASE name WHEN 'base' THEN 'CC-BY-NC-4.0' WHEN 'mixed' THEN 'MIT' END WHERE hub = 'hf'")
        .execute(app.store().pool())
        .await
        .unwrap();
    let chain = app.get("/api/v1/models/hf/lab/mixed/licences").await.json();
    let steps = chain["items"].as_array().unwrap();
    let steps: Vec<_> = steps
        .iter()
        .map(|step| (&step["child"], &step["parent"], step["conflict"].is_string()))
        .collect();
    let (base, tuned, mixed) = (json!("hf:lab/base"), json!("hf:lab/tuned"), json!("hf:lab/mixed"));
    assert_eq!(
        steps,
        [
            (&mixed, &base, true),
            (&mixed, &tuned, false),
            (&tuned, &base, false)
        ]
    );
    let overview = app.get("/api/v1/overview").await.json();
    assert_eq!(overview["licence_conflicts"].as_array().unwrap().len(), 1);
    assert_eq!(overview["licence_conflicts"][0]["child"], "hf:lab/mixed");
}
