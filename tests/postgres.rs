//! The private cluster and the schema, on a real Postgres.
#![allow(clippy::unwrap_used)]

mod harness;

use harness::{TestDatabase, cluster_folder};
use heirloom::postgres::{Cluster, Durability, PostgresError};
use heirloom::store::{Store, StoreError};
use std::path::{Path, PathBuf};

async fn start(folder: &Path) -> Cluster {
    Cluster::start(folder, Durability::Throwaway).await.unwrap()
}

fn postmaster(cluster: &Cluster) -> rustix::process::Pid {
    let file = cluster.folder().join("data/postmaster.pid");
    let content = std::fs::read_to_string(file).unwrap();
    let pid = content.lines().next().unwrap().parse().unwrap();
    rustix::process::Pid::from_raw(pid).unwrap()
}

#[tokio::test]
async fn migrations_apply_twice() {
    let database = TestDatabase::empty().await;
    assert!(database.store.lineage_due(1).await.is_err());
    database.store.migrate().await.unwrap();
    database.store.migrate().await.unwrap();
    assert!(database.store.lineage_due(1).await.unwrap().is_empty());
    database.store.ping().await.unwrap();
}

#[tokio::test]
async fn the_last_one_out_stops_the_server() {
    let folder = cluster_folder();
    let first = start(folder.path()).await;
    let pid = postmaster(&first);
    let second = start(folder.path()).await;
    assert_eq!(postmaster(&second), pid, "the second attaches");
    first.stop().await.unwrap();
    Store::connect(&second.url()).await.unwrap().close().await;
    let url = second.url();
    second.stop().await.unwrap();
    let gone = Store::connect(&url).await.unwrap_err();
    assert!(matches!(gone, StoreError::Unreachable { .. }), "{gone}");
}

#[tokio::test]
async fn rows_survive_a_stop_and_a_kill_of_the_server() {
    let folder = cluster_folder();
    let cluster = Cluster::start(folder.path(), Durability::Safe).await.unwrap();
    let store = Store::connect(&cluster.url()).await.unwrap();
    store.migrate().await.unwrap();
    let diff = store.request_diff("hf:a/b@1", "hf:a/b@2", 0).await.unwrap();
    store.close().await;
    cluster.stop().await.unwrap();

    let cluster = start(folder.path()).await;
    let killed = postmaster(&cluster);
    rustix::process::kill_process(killed, rustix::process::Signal::KILL).unwrap();
    // The process that used the killed server is gone too, without having had the time to leave.
    std::mem::forget(cluster);
    let cluster = start(folder.path()).await;
    assert_ne!(postmaster(&cluster), killed);
    let store = Store::connect(&cluster.url()).await.unwrap();
    assert_eq!(store.diff(diff.id).await.unwrap().unwrap(), diff);
    store.close().await;
    drop(cluster);
}

#[tokio::test]
async fn a_long_path_gets_a_short_socket() {
    let folder = cluster_folder();
    let deep = folder.path().join("a-folder-with-a-long-name/".repeat(5));
    let cluster = start(&deep).await;
    Store::connect(&cluster.url()).await.unwrap().close().await;
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn an_initdb_that_was_cut_off_is_begun_anew() {
    let folder = cluster_folder();
    std::fs::create_dir_all(folder.path().join("postgres/data.new/base")).unwrap();
    let cluster = start(folder.path()).await;
    assert!(!cluster.folder().join("data.new").exists());
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_cluster_of_a_missing_version_is_left_alone() {
    let folder = cluster_folder();
    let version = folder.path().join("postgres/data/PG_VERSION");
    std::fs::create_dir_all(version.parent().unwrap()).unwrap();
    std::fs::write(&version, "9\n").unwrap();
    let error = Cluster::start(folder.path(), Durability::Safe).await.unwrap_err();
    assert!(
        matches!(error, PostgresError::MajorMissing { major: 9, .. }),
        "{error}"
    );
    assert_eq!(std::fs::read_to_string(&version).unwrap(), "9\n");
}

#[tokio::test]
async fn wrong_urls_give_one_clear_sentence() {
    let check = async |url: &str, expect: &str| {
        let error = Store::connect(url).await.unwrap_err();
        let text = error.to_string();
        assert!(text.contains(expect), "{url}: {text}");
        assert!(!text.contains("secret"), "{text}");
        assert!(!text.contains('\n'), "{text}");
    };
    check("not a url", "not a Postgres URL").await;
    check(
        "postgres://me:secret@127.0.0.1:1/x",
        "cannot reach Postgres at 127.0.0.1:1",
    )
    .await;

    let folder = cluster_folder();
    let cluster = start(folder.path()).await;
    let url = cluster.url();
    let no_database = url.replace("/postgres?", "/absent?");
    check(&no_database, "has no database \"absent\"").await;
    let (user, rest) = url.split_once('@').unwrap();
    let (scheme, _) = user.rsplit_once(':').unwrap();
    check(
        &format!("{scheme}:secret@{rest}"),
        "refused the user or the password",
    )
    .await;
    assert!(matches!(
        Store::connect(&no_database).await.unwrap_err(),
        StoreError::NoDatabase { .. }
    ));
    cluster.stop().await.unwrap();
}

/// `heirloom postgres -- CMD` gives CMD a working DATABASE_URL and passes its exit code on.
#[tokio::test]
async fn a_command_runs_beside_the_private_cluster() {
    let folder = cluster_folder();
    let run = |script: &str| {
        std::process::Command::new(PathBuf::from(env!("CARGO_BIN_EXE_heirloom")))
            .arg("--data-dir")
            .arg(folder.path())
            .args(["postgres", "--throwaway", "--", "sh", "-c", script])
            .env_remove("DATABASE_URL")
            .output()
            .unwrap()
    };
    let output = run("printf %s \"$DATABASE_URL\"; exit 7");
    assert_eq!(output.status.code(), Some(7), "{output:?}");
    let url = String::from_utf8(output.stdout).unwrap();
    assert!(url.starts_with("postgres://heirloom:"), "{url}");
    let error = Store::connect(&url).await.unwrap_err();
    assert!(
        matches!(error, StoreError::Unreachable { .. }),
        "stopped with the command: {error}"
    );
}
