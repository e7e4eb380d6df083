//! The dashboard's files. Whether it was built into this binary or not, its routes answer HTML and nothing else does.

use crate::app::TestApp;
use axum::http::StatusCode;

#[tokio::test]
async fn the_routes_of_the_dashboard_answer_html() {
    let app = TestApp::new().await;
    for path in ["/", "/models/hf/meta-llama/Llama-3.1-8B", "/diff"] {
        let answer = app.get(path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        assert!(
            answer.header("content-type").unwrap().starts_with("text/html"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_missing_asset_is_not_answered_with_a_page() {
    let app = TestApp::new().await;
    for path in ["/assets/none.js", "/api/v2/models"] {
        assert_eq!(app.get(path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
}
