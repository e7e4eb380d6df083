//! `heirloom lock` and `verify` against a folder and against a hub, by the binary that users run.
#![allow(clippy::unwrap_used)]

use heirloom::hubserver::{Options, serve};
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Command, Output};

const OLD: &str = "aaaa000000000000000000000000000000000001";
const NEW: &str = "aaaa000000000000000000000000000000000002";

fn weights(values: [f32; 4]) -> Vec<u8> {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    let view = TensorView::new(Dtype::F32, vec![2, 2], &bytes).unwrap();
    safetensors::serialize([("layer.weight", view)], None).unwrap()
}

fn write(folder: &Path, values: [f32; 4], card: &str) {
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(folder.join("model.safetensors"), weights(values)).unwrap();
    std::fs::write(folder.join("README.md"), card).unwrap();
}

/// A package with two revisions, the first tagged; the second changes values.
fn write_package(hub: &Path) {
    let package = hub.join("org/model");
    write(&package, [1.0, 2.0, 3.0, 5.0], "# Model\n");
    write(
        &package.join(".revisions").join(OLD),
        [1.0, 2.0, 3.0, 4.0],
        "# Model\n",
    );
    let index = json!([
        {"sha": OLD, "date": "2024-01-01T00:00:00Z", "message": "Upload", "tags": ["v1.2.0"]},
        {"sha": NEW, "date": "2024-02-01T00:00:00Z", "message": "Retrain on more data"}
    ]);
    std::fs::write(package.join(".revisions/index.json"), index.to_string()).unwrap();
}

/// Runs heirloom in `folder`; the hub, where one is asked, is at `endpoint`.
fn heirloom(folder: &Path, endpoint: &str, arguments: &[&str]) -> Output {
    let output = Command::new(env!("CARGO_BIN_EXE_heirloom"))
        .args(["--quiet", "--data-dir", "no-database"])
        .args(arguments)
        .current_dir(folder)
        .env_remove("DATABASE_URL")
        .env("HF_ENDPOINT", endpoint)
        .env("HF_HOME", folder.join("cache"))
        .output()
        .unwrap();
    println!(
        "heirloom {arguments:?}: {}",
        String::from_utf8_lossy(&output.stdout)
    );
    output
}

/// The finding on one locked model: whether it is as it was, and what is not.
fn verify(folder: &Path, endpoint: &str) -> (i32, Vec<String>) {
    let output = heirloom(folder, endpoint, &["--json", "verify"]);
    let findings: Value = serde_json::from_slice(&output.stdout).unwrap();
    let differences = findings[0]["differences"].as_array().unwrap();
    let whats = differences
        .iter()
        .map(|difference| difference["what"].as_str().unwrap().to_owned());
    (output.status.code().unwrap(), whats.collect())
}

#[test]
fn a_folder_is_locked_and_what_changes_in_it_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("model");
    write(&model, [1.0, 2.0, 3.0, 4.0], "# Model\n");
    let unasked = "http://127.0.0.1:1";
    assert!(
        heirloom(folder.path(), unasked, &["lock", "./model"])
            .status
            .success()
    );

    let text = std::fs::read_to_string(folder.path().join("models.lock")).unwrap();
    let lock: toml::Table = text.parse().unwrap();
    let locked = lock["model"][0].as_table().unwrap();
    assert_eq!(locked["reference"].as_str(), Some("./model"));
    let weights = locked["weights"].as_str().unwrap();
    assert_eq!(
        (weights.len(), locked["tensors"].as_str().unwrap().len()),
        (64, 64)
    );
    let inferred = locked["inferred"].as_str().unwrap();
    assert_eq!(inferred, format!("1.0.0+w.{}", &weights[..8]));
    assert_eq!(verify(folder.path(), unasked), (0, vec![]));

    write(&model, [1.0, 2.0, 3.0, 4.0], "# Another card\n");
    assert_eq!(verify(folder.path(), unasked), (1, vec!["file".to_owned()]));
    write(&model, [1.0, 2.0, 3.0, 9.0], "# Model\n");
    assert_eq!(
        verify(folder.path(), unasked),
        (1, vec!["weights".to_owned(), "file".to_owned()])
    );
    std::fs::remove_dir_all(&model).unwrap();
    let gone = heirloom(folder.path(), unasked, &["verify"]);
    assert_eq!(gone.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&gone.stdout).contains("cannot be read"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_that_moves_on_the_hub_is_found() {
    let hub = tempfile::tempdir().unwrap();
    write_package(hub.path());
    let running = serve(hub.path(), Options::default()).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (folder, endpoint) = (folder.path().to_owned(), running.url.clone());
    let package = hub.path().join("org/model");
    tokio::task::spawn_blocking(move || {
        assert!(
            heirloom(&folder, &endpoint, &["lock", "hf:org/model@v1.2.0"])
                .status
                .success()
        );
        let text = std::fs::read_to_string(folder.join("models.lock")).unwrap();
        let lock: toml::Table = text.parse().unwrap();
        let locked = lock["model"][0].as_table().unwrap();
        assert_eq!(locked["reference"].as_str(), Some("hf:org/model"));
        assert_eq!(
            (locked["tag"].as_str(), locked["revision"].as_str()),
            (Some("v1.2.0"), Some(OLD))
        );
        assert_eq!(verify(&folder, &endpoint), (0, vec![]));

        // The tag is moved to the newer commit, as a force-push does.
        let index = package.join(".revisions/index.json");
        let mut history: Value = serde_json::from_str(&std::fs::read_to_string(&index).unwrap()).unwrap();
        history[1]["tags"] = json!(["v1.2.0"]);
        history[0]["tags"] = json!([]);
        std::fs::write(&index, history.to_string()).unwrap();
        let moved = vec!["revision".to_owned(), "weights".to_owned(), "file".to_owned()];
        assert_eq!(verify(&folder, &endpoint), (1, moved));
    })
    .await
    .unwrap();
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_requirement_locks_the_revision_it_chooses() {
    let hub = tempfile::tempdir().unwrap();
    write_package(hub.path());
    let running = serve(hub.path(), Options::default()).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (folder, endpoint) = (folder.path().to_owned(), running.url.clone());
    tokio::task::spawn_blocking(move || {
        let locked = |requirement: &str| {
            let arguments = ["lock", "hf:org/model", "--direct", "--require", requirement];
            let output = heirloom(&folder, &endpoint, &arguments);
            if !output.status.success() {
                return Err(String::from_utf8_lossy(&output.stderr).into_owned());
            }
            let lock: toml::Table = std::fs::read_to_string(folder.join("models.lock"))
                .unwrap()
                .parse()
                .unwrap();
            let model = lock["model"][0].as_table().unwrap();
            let version = model["inferred"]
                .as_str()
                .unwrap()
                .split('+')
                .next()
                .unwrap()
                .to_owned();
            Ok((version, model["revision"].as_str().unwrap().to_owned()))
        };
        assert_eq!(locked("^1.2"), Ok(("1.3.0".to_owned(), NEW.to_owned())));
        assert_eq!(locked("~1.2"), Ok(("1.2.0".to_owned(), OLD.to_owned())));
        assert!(locked("^2").unwrap_err().contains("no version is admitted by ^2"));
        let chosen = heirloom(
            &folder,
            &endpoint,
            &["versions", "hf:org/model", "--direct", "--require", "^1.3"],
        );
        assert!(String::from_utf8_lossy(&chosen.stdout).contains(&NEW[..10]));
    })
    .await
    .unwrap();
    running.stop().await;
}
