//! Export and import: the whole database through files and back.

#![allow(clippy::unwrap_used)]

mod harness;
#[path = "api/seed.rs"]
mod seed;

use harness::TestDatabase;
use heirloom::bulk;
use serde_json::Value;
use std::path::Path;

/// A digest of every table's rows, whatever their order.
async fn contents(database: &TestDatabase) -> Vec<(String, i64, String)> {
    let pool = database.store.pool();
    let tables: Vec<(String,)> = sqlx::query_as(
        "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
           AND relname NOT IN ('_sqlx_migrations', 'audit_log', 'change_log') ORDER BY 1",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    let mut contents = Vec::new();
    for (table,) in tables {
        let statement = format!(
            "SELECT count(*), coalesce(md5(string_agg(md5(to_jsonb(t)::text), '' ORDER BY md5(to_jsonb(t)::text))), '') FROM {table} t"
        );
        let (rows, digest): (i64, String) = sqlx::query_as(sqlx::AssertSqlSafe(statement))
            .fetch_one(pool)
            .await
            .unwrap();
        contents.push((table, rows, digest));
    }
    contents
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap()
}

#[tokio::test]
async fn an_export_is_imported_whole() {
    let (original, copy) = (TestDatabase::new().await, TestDatabase::new().await);
    seed::catalogue(&original.store).await;
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let manifest = bulk::export(&original.store, folders[0].path()).await.unwrap();
    let imported = bulk::import(&copy.store, folders[0].path()).await.unwrap();
    assert_eq!(imported, manifest);
    assert_eq!(contents(&copy).await, contents(&original).await);
    // Equal databases give equal files.
    let again = bulk::export(&copy.store, folders[1].path()).await.unwrap();
    assert_eq!(again, manifest);
    for table in &manifest.tables {
        let (first, second) = (table.path(folders[0].path()), table.path(folders[1].path()));
        assert!(read(&first) == read(&second), "{}", table.name);
    }
    // And life goes on: new rows take ids of their own.
    let plan = heirloom::store::crawls::CrawlPlan {
        hub: "hf".to_owned(),
        endpoint: "http://127.0.0.1:1".to_owned(),
        author: None,
        search: None,
        limit: None,
        level: heirloom::fingerprint::Level::Full,
    };
    assert!(copy.store.open_crawl(&plan).await.unwrap().id > 1);
}

#[tokio::test]
async fn a_database_that_is_not_empty_is_left_alone() {
    let database = TestDatabase::new().await;
    seed::catalogue(&database.store).await;
    let folder = tempfile::tempdir().unwrap();
    bulk::export(&database.store, folder.path()).await.unwrap();
    let error = bulk::import(&database.store, folder.path()).await.unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("the database holds packages already"),
        "{error}"
    );
}

#[tokio::test]
async fn damaged_and_foreign_files_leave_nothing_behind() {
    let (original, copy) = (TestDatabase::new().await, TestDatabase::new().await);
    seed::catalogue(&original.store).await;
    let folder = tempfile::tempdir().unwrap();
    let before = contents(&copy).await;
    let refused = async |expect: &str| {
        let error = bulk::import(&copy.store, folder.path()).await.unwrap_err();
        assert!(format!("{error:#}").contains(expect), "{error:#}");
        assert_eq!(contents(&copy).await, before);
    };
    refused("name a folder that `heirloom export` finished").await;
    bulk::export(&original.store, folder.path()).await.unwrap();
    let place = |name: &str| folder.path().join(name);
    let edges = read(&place("edges.parquet"));
    std::fs::write(place("edges.parquet"), &edges[..edges.len() / 2]).unwrap();
    refused("edges.parquet is not a Parquet file").await;
    std::fs::copy(place("packages.parquet"), place("edges.parquet")).unwrap();
    refused("edges.parquet").await;
    std::fs::write(place("edges.parquet"), &edges).unwrap();
    let manifest = String::from_utf8(read(&place("manifest.json"))).unwrap();
    let newer: Value = serde_json::from_str(&manifest).unwrap();
    let newer = manifest.replace(&newer["schema"].to_string(), "99991231235959");
    std::fs::write(place("manifest.json"), newer).unwrap();
    refused("written by a newer Heirloom").await;
}

#[tokio::test]
async fn a_public_export_holds_nothing_gated() {
    let database = TestDatabase::new().await;
    seed::catalogue(&database.store).await;
    let folder = tempfile::tempdir().unwrap();
    let rows = |manifest: &bulk::Manifest, name: &str| {
        let table = manifest.tables.iter().find(|table| table.name == name);
        table.unwrap().rows
    };
    let whole = bulk::export(&database.store, folder.path()).await.unwrap();
    let public = bulk::export(&database.store.public(), folder.path())
        .await
        .unwrap();
    assert_eq!((rows(&whole, "packages"), rows(&public, "packages")), (5, 4));
    assert_eq!((rows(&whole, "edges"), rows(&public, "edges")), (2, 0));
    let copy = TestDatabase::new().await;
    bulk::import(&copy.store, folder.path()).await.unwrap();
}

#[tokio::test]
async fn records_in_ptmtorrents_layout_have_what_its_schema_requires() {
    let database = TestDatabase::new().await;
    seed::catalogue(&database.store).await;
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(
        bulk::export_ptmtorrent(&database.store, folder.path())
            .await
            .unwrap(),
        5
    );
    for hub in ["huggingface", "dir"] {
        let place = folder.path().join("data").join(hub);
        let records: Value = serde_json::from_slice(&read(&place.join("json/ptmtorrent.json"))).unwrap();
        let raw: Value = serde_json::from_slice(&read(&place.join("json/metadata/models/raw.json"))).unwrap();
        let records = records.as_array().unwrap();
        assert_eq!(records.len(), raw.as_array().unwrap().len());
        for (index, record) in records.iter().enumerate() {
            assert_eq!(record["ModelHub"]["MetadataObjectID"], index);
            assert!(record["id"].is_i64());
            for text in [
                "ModelName",
                "ModelOwner",
                "ModelURL",
                "ModelOwnerURL",
                "LatestGitCommitSHA",
            ] {
                assert!(record[text].is_string(), "{text}: {record}");
            }
            // The schema refuses lists that are there and empty.
            for list in ["Datasets", "ModelPaperDOIs"] {
                assert!(record.get(list).is_none_or(|list| list != &serde_json::json!([])));
            }
        }
    }
}
