//! The files that docs/ci hands to publishers: they are what their tools read, and the commands in them run.
#![allow(clippy::unwrap_used)]

use heirloom::hubserver::{Options, serve};
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn document(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/ci").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn yaml(name: &str) -> Value {
    serde_saphyr::from_str(&document(name)).unwrap()
}

fn weights(value: f32) -> Vec<u8> {
    let bytes: Vec<u8> = [1.0, 2.0, 3.0, value]
        .iter()
        .flat_map(|value: &f32| value.to_le_bytes())
        .collect();
    let view = TensorView::new(Dtype::F32, vec![2, 2], &bytes).unwrap();
    safetensors::serialize([("layer.weight", view)], None).unwrap()
}

/// A folder with the binary under its name, to be put first on the path.
fn binaries() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_heirloom"), folder.path().join("heirloom")).unwrap();
    folder
}

fn command(program: &str, folder: &Path, binaries: &Path) -> Command {
    let path = format!(
        "{}:{}",
        binaries.display(),
        std::env::var("PATH").unwrap_or_default()
    );
    let mut command = Command::new(program);
    command
        .current_dir(folder)
        .env("PATH", path)
        .env_remove("DATABASE_URL");
    // A git of its own: the machine's settings change nothing.
    for (name, value) in [
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_CONFIG_SYSTEM", "/dev/null"),
    ] {
        command.env(name, value);
    }
    for role in ["AUTHOR", "COMMITTER"] {
        command
            .env(format!("GIT_{role}_NAME"), "Ada")
            .env(format!("GIT_{role}_EMAIL"), "ada@example.invalid");
    }
    command
}

fn git(repository: &Path, arguments: &[&str]) {
    let output = command("git", repository, Path::new("/nowhere"))
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "git {arguments:?}: {output:?}");
}

/// A model repository whose first commit is tagged v1.2.0, and whose second changes the weights under `message`.
fn repository(message: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    git(folder.path(), &["init", "--quiet"]);
    let commit = |value: f32, version: &str, message: &str| {
        std::fs::write(folder.path().join("model.safetensors"), weights(value)).unwrap();
        std::fs::write(folder.path().join("VERSION"), version).unwrap();
        git(folder.path(), &["add", "."]);
        git(
            folder.path(),
            &["commit", "--quiet", "--no-verify", "-m", message],
        );
    };
    commit(4.0, "1.2.0\n", "Upload");
    git(folder.path(), &["tag", "v1.2.0"]);
    commit(5.0, "1.3.0\n", message);
    folder
}

fn has_git() -> bool {
    let found = Command::new("git").arg("--version").output().is_ok();
    if !found {
        println!("skipped: no git");
    }
    found
}

#[test]
fn the_workflow_is_one() {
    let workflow = yaml("model-version.yml");
    assert_eq!(workflow["on"], "pull_request");
    let steps = workflow["jobs"]["check"]["steps"].as_array().unwrap();
    for step in steps {
        assert!(step["uses"].is_string() != step["run"].is_string(), "{step}");
    }
    assert!(workflow["jobs"]["check"]["runs-on"].is_string());
}

/// The workflow's two commands, as a runner gives them to bash.
#[tokio::test(flavor = "multi_thread")]
async fn the_workflow_accepts_and_refuses() {
    if !has_git() {
        return;
    }
    let hub = tempfile::tempdir().unwrap();
    let released = hub.path().join("org/model");
    std::fs::create_dir_all(released.join(".revisions")).unwrap();
    std::fs::write(released.join("model.safetensors"), weights(4.0)).unwrap();
    let index = json!([{"sha": "aaaa000000000000000000000000000000000001", "date": "2024-01-01T00:00:00Z",
                        "message": "Upload", "tags": ["v1.2.0"]}]);
    std::fs::write(released.join(".revisions/index.json"), index.to_string()).unwrap();
    let running = serve(hub.path(), Options::default()).await.unwrap();
    let endpoint = running.url.clone();
    tokio::task::spawn_blocking(move || {
        let run = |message: &str, version: &str| {
            let repository = repository(message);
            std::fs::write(repository.path().join("VERSION"), version).unwrap();
            run_workflow(repository.path(), &endpoint)
        };
        let accepted = run("Retrain on more data", "1.3.0\n");
        assert_eq!(accepted.status.code(), Some(0), "{accepted:?}");
        assert!(String::from_utf8_lossy(&accepted.stdout).contains("## 1.3.0"));
        assert_eq!(run("Retrain on more data", "1.2.1\n").status.code(), Some(3));
        assert_eq!(run("Fix a typo", "1.3.0\n").status.code(), Some(4));
    })
    .await
    .unwrap();
    running.stop().await;
}

fn run_workflow(repository: &Path, endpoint: &str) -> Output {
    let workflow = yaml("model-version.yml");
    let scripts: Vec<&str> = workflow["jobs"]["check"]["steps"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|step| step["run"].as_str())
        .collect();
    let [find_tag, compare] = scripts.as_slice() else {
        panic!("the workflow runs {scripts:?}");
    };
    let (binaries, runner) = (binaries(), tempfile::tempdir().unwrap());
    let outputs = runner.path().join("output");
    let bash = |script: &str, tag: &str| {
        let mut bash = command("bash", repository, binaries.path());
        bash.args(["--noprofile", "--norc", "-eo", "pipefail", "-c", script]);
        bash.env("GITHUB_OUTPUT", &outputs)
            .env("GITHUB_STEP_SUMMARY", runner.path().join("summary"));
        bash.env("MODEL", "hf:org/model")
            .env("TAG", tag)
            .env("HF_ENDPOINT", endpoint);
        bash.env("HF_HOME", runner.path()).output().unwrap()
    };
    // The tag is looked up at the commit before the checked one, as in a pull request: both commits are in one history.
    assert!(bash(find_tag, "").status.success());
    let output = std::fs::read_to_string(&outputs).unwrap();
    let tag = output.trim().strip_prefix("tag=").unwrap().to_owned();
    assert_eq!(tag, "v1.2.0");
    bash(compare, &tag)
}

#[test]
fn the_hook_of_git_refuses_a_silent_change() {
    if !has_git() {
        return;
    }
    let binaries = binaries();
    let push = |message: &str| {
        let repository = repository(message);
        let hook = repository.path().join(".git/hooks/pre-push");
        std::fs::create_dir_all(hook.parent().unwrap()).unwrap();
        std::fs::write(&hook, document("pre-push")).unwrap();
        std::fs::set_permissions(&hook, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let target = tempfile::tempdir().unwrap();
        git(target.path(), &["init", "--quiet", "--bare"]);
        let target: PathBuf = target.path().to_owned();
        let arguments = [
            "push",
            "--quiet",
            target.to_str().unwrap(),
            "HEAD:refs/heads/main",
        ];
        command("git", repository.path(), binaries.path())
            .args(arguments)
            .output()
            .unwrap()
    };
    let silent = push("Fix a typo");
    assert!(!silent.status.success(), "{silent:?}");
    let said = push("Retrain on more data");
    assert!(said.status.success(), "{said:?}");
}

#[test]
fn the_pre_commit_hook_has_what_the_tool_asks_for_and_its_entry_runs() {
    let hooks = yaml("pre-commit-hooks.yaml");
    let [hook] = hooks.as_array().unwrap().as_slice() else {
        panic!("{hooks}");
    };
    for key in ["id", "name", "entry", "language"] {
        assert!(hook[key].is_string(), "{key}: {hook}");
    }
    assert_eq!(
        (&hook["language"], &hook["pass_filenames"]),
        (&json!("system"), &json!(false))
    );
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("model.safetensors"), weights(4.0)).unwrap();
    let binaries = binaries();
    let run = |line: &str| {
        command("sh", folder.path(), binaries.path())
            .args(["-c", line])
            .output()
            .unwrap()
    };
    assert!(run("heirloom lock ./model.safetensors").status.success());
    let entry = hook["entry"].as_str().unwrap();
    assert_eq!(run(entry).status.code(), Some(0));
    std::fs::write(folder.path().join("model.safetensors"), weights(5.0)).unwrap();
    assert_eq!(run(entry).status.code(), Some(1));
}
