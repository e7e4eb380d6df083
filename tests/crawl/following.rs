//! What a second crawl finds out about a hub that changed: news, and packages that are no longer to be had.

use super::harness::TestDatabase;
use super::harness::hub::hub_folder;
use super::{client, run, stored, try_run};
use heirloom::hubserver::{Access, Options, Running, serve};
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

async fn hub(folder: &Path, access: Access) -> Running {
    let options = Options {
        page_size: 2,
        access,
        ..Options::default()
    };
    serve(folder, options).await.unwrap()
}

/// Gives the files of each package a day of their own.
fn spread_dates(folder: &Path) {
    let packages = [
        "org/base",
        "org/base-bf16",
        "org/base-tuned",
        "other/stranger",
        "other/damaged",
    ];
    for (day, package) in packages.iter().enumerate() {
        let date = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000 + 86_400 * day as u64);
        for entry in fs::read_dir(folder.join(package)).unwrap() {
            let path = entry.unwrap().path();
            fs::File::open(path).unwrap().set_modified(date).unwrap();
        }
    }
}

#[tokio::test]
async fn an_unchanged_listing_costs_one_request_and_news_are_read_alone() {
    let folder = hub_folder();
    spread_dates(folder.path());
    let database = TestDatabase::new().await;
    let server = hub(folder.path(), Access::default()).await;
    let first = run(&database.store, client(&server.url, |_| {}), |_| {}).await;
    assert_eq!(first.totals.packages, 5, "{first:?}");

    let second = run(&database.store, client(&server.url, |_| {}), |_| {}).await;
    // The upload that is damaged is tried again by name; the listing itself was not read.
    assert!(
        second.totals.packages <= 1 && second.totals.new_revisions == 0,
        "{second:?}"
    );

    fs::create_dir_all(folder.path().join("org/new")).unwrap();
    fs::write(folder.path().join("org/new/README.md"), "# New").unwrap();
    let third = run(&database.store, client(&server.url, |_| {}), |_| {}).await;
    assert!(third.totals.packages <= 4, "{third:?}");
    assert_eq!(third.totals.new_revisions, 1, "{third:?}");
    assert!(
        stored(&database.store, "head")
            .await
            .iter()
            .any(|(name, head)| name == "org/new" && head.is_some())
    );
}

#[tokio::test]
async fn what_is_gone_disabled_or_renamed_is_recorded_as_such() {
    let folder = hub_folder();
    let database = TestDatabase::new().await;
    let before = hub(folder.path(), Access::default()).await;
    run(&database.store, client(&before.url, |_| {}), |_| {}).await;

    fs::rename(
        folder.path().join("org/base-tuned"),
        folder.path().join("org/tuned"),
    )
    .unwrap();
    let access = Access {
        private: ["other/stranger".to_owned()].into(),
        disabled: ["other/damaged".to_owned()].into(),
        renamed: [("org/base-tuned".to_owned(), "org/tuned".to_owned())].into(),
        ..Access::default()
    };
    let after = hub(folder.path(), access).await;
    database
        .store
        .move_endpoint("hf", &before.url, &after.url)
        .await
        .unwrap();
    let report = run(&database.store, client(&after.url, |_| {}), |options| {
        options.relist = true
    })
    .await;
    assert_eq!(report.failures, [], "{report:?}");
    let availability = stored(&database.store, "availability").await;
    let of = |name: &str| {
        availability
            .iter()
            .find(|(stored, _)| stored == name)
            .unwrap()
            .1
            .clone()
            .unwrap()
    };
    assert_eq!(
        of("other/stranger"),
        "gone",
        "a stranger cannot tell private from deleted"
    );
    assert_eq!(of("other/damaged"), "disabled");
    assert_eq!(
        (of("org/base-tuned"), of("org/tuned")),
        ("renamed".to_owned(), "public".to_owned())
    );
    let renamed = stored(&database.store, "renamed_to").await;
    assert!(
        renamed.contains(&("org/base-tuned".to_owned(), Some("org/tuned".to_owned()))),
        "{renamed:?}"
    );
}

#[tokio::test]
async fn a_spent_budget_stops_the_crawl_and_the_next_one_goes_on() {
    let folder = hub_folder();
    let database = TestDatabase::new().await;
    let server = hub(folder.path(), Access::default()).await;
    let poor = client(&server.url, |config| config.byte_budget = Some(40_000));
    let error = try_run(&database.store, poor, |_| {}).await.unwrap_err();
    let reason = format!("{error:#}");
    assert!(reason.contains("byte budget of 40000 bytes"), "{reason}");
    let report = run(&database.store, client(&server.url, |_| {}), |_| {}).await;
    assert!(report.resumed, "{report:?}");
    assert!(
        stored(&database.store, "head")
            .await
            .iter()
            .all(|(_, head)| head.is_some())
    );
}

#[tokio::test]
async fn equal_weights_in_flight_are_read_once() {
    let folder = hub_folder();
    let weights = fs::read(folder.path().join("org/base/model.safetensors")).unwrap();
    let copies = tempfile::tempdir().unwrap();
    for number in 0..8 {
        let package = copies.path().join(format!("org/copy-{number}"));
        fs::create_dir_all(&package).unwrap();
        fs::write(package.join("model.safetensors"), &weights).unwrap();
    }
    let database = TestDatabase::new().await;
    let server = hub(copies.path(), Access::default()).await;
    let report = run(&database.store, client(&server.url, |_| {}), |_| {}).await;
    assert_eq!(
        (report.totals.packages, report.totals.fingerprints),
        (8, 1),
        "{report:?}"
    );
}
