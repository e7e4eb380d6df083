//! The Python client against our hub, where Python and its `huggingface_hub` are installed.

use super::fixture::{self, SECOND, TOKEN};
use heirloom::hubserver::Options;
use std::process::Stdio;
use tokio::process::Command;

/// `HEIRLOOM_PYTHON` names an interpreter that has the client; else the one `scripts/setup python` made, else `python3` is tried.
#[tokio::test]
async fn huggingface_hub_lists_inspects_and_downloads() {
    let python = std::env::var("HEIRLOOM_PYTHON").unwrap_or_else(|_| usual_python());
    let installed = Command::new(&python)
        .args(["-c", "import huggingface_hub"])
        .stderr(Stdio::null())
        .status()
        .await
        .is_ok_and(|status| status.success());
    if !installed {
        eprintln!(
            "skipped: {python} has no huggingface_hub; run scripts/setup python, or set HEIRLOOM_PYTHON"
        );
        return;
    }
    let mut options = Options::default();
    options.access.disabled = ["acme/disabled".to_owned()].into();
    options.access.renamed = [("acme/renamed".to_owned(), "acme/tiny".to_owned())].into();
    let fixture = fixture::start_with(options).await;
    let cache = fixture.folder.path().join(".client-cache");
    let output = Command::new(&python)
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/hub/python_client.py"))
        .env_clear()
        .env("HF_ENDPOINT", &fixture.hub.url)
        .env("HF_HOME", &cache)
        .env("HF_HUB_DISABLE_TELEMETRY", "1")
        .env("STORAGE_URL", &fixture.hub.storage_url)
        .env("EXPECT_SHA", SECOND)
        .env("MEMBER_TOKEN", TOKEN)
        .output()
        .await
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let got = std::fs::read(cache.join("model.safetensors")).unwrap();
    assert_eq!(got, fixture::new_weights());
}

fn usual_python() -> String {
    let made = concat!(env!("CARGO_MANIFEST_DIR"), "/.heirloom/python/bin/python");
    let is_there = std::path::Path::new(made).exists();
    if is_there { made } else { "python3" }.to_owned()
}
