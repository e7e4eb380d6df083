//! A hub on a bad day: what passes is asked for again, what stays wrong is named, and nothing damaged is kept.

use super::fixture::{self, Fixture, TOKEN};
use heirloom::hubserver::{FaultPlan, Options};
use heirloom_crawler::{Hub, HubError, ListFilter};
use std::time::Duration;

async fn start(faults: &[&str]) -> Fixture {
    let faults = FaultPlan {
        faults: faults.iter().map(|fault| fault.parse().unwrap()).collect(),
        seed: 1,
        delay: Duration::from_millis(400),
    };
    fixture::start_with(Options {
        faults,
        ..Options::default()
    })
    .await
}

#[tokio::test]
async fn answers_that_fail_now_and_then_are_asked_for_again() {
    for fault in ["5xx=0.4", "truncated=0.4", "slow=0.2"] {
        let fixture = start(&[fault]).await;
        let hub = fixture.client_with(|config| config.timeouts.idle = Duration::from_millis(200));
        assert_eq!(hub.package("acme/tiny").await.unwrap().name, "tiny", "{fault}");
        assert_eq!(hub.revisions("acme/tiny").await.unwrap().len(), 2, "{fault}");
        let files = hub.files("acme/tiny", "main").await.unwrap();
        let target = fixture.folder.path().join("copy");
        hub.download("acme/tiny", "main", &files[2], &target)
            .await
            .unwrap();
        assert_eq!(std::fs::read(&target).unwrap(), fixture::new_weights(), "{fault}");
    }
}

#[tokio::test]
async fn a_rate_limit_is_waited_out() {
    let fixture = start(&["429=0.5@/tree/"]).await;
    let hub = fixture.client();
    for _ in 0..4 {
        assert!(hub.files("acme/base", "main").await.is_ok());
    }
}

#[tokio::test]
async fn a_hub_that_only_fails_is_named() {
    let fixture = start(&["5xx=1"]).await;
    let refused = fixture.client().list(&ListFilter::default(), None).await;
    assert!(
        matches!(refused, Err(HubError::Status { status: 503, .. })),
        "{refused:?}"
    );
    let fixture = start(&["slow=1"]).await;
    let hub = fixture.client_with(|config| {
        config.timeouts.idle = Duration::from_millis(50);
        config.retry.attempts = 2;
    });
    let refused = hub.package("acme/tiny").await;
    assert!(matches!(refused, Err(HubError::TimedOut { .. })), "{refused:?}");
}

#[tokio::test]
async fn corrupt_content_is_found_by_its_digest() {
    let fixture = start(&["corrupt=1@/model.safetensors"]).await;
    let hub = fixture.client();
    let file = hub.files("acme/tiny", "main").await.unwrap().swap_remove(2);
    let target = fixture.folder.path().join("copy");
    let refused = hub.download("acme/tiny", "main", &file, &target).await;
    assert!(
        matches!(refused, Err(HubError::WrongDigest { .. })),
        "{refused:?}"
    );
    assert!(!target.exists());
}

#[tokio::test]
async fn disabled_and_renamed_packages_answer_as_the_real_hub_does() {
    let mut options = Options::default();
    options.access.disabled = ["acme/base".to_owned()].into();
    options.access.renamed = [("old/name".to_owned(), "acme/tiny".to_owned())].into();
    let fixture = fixture::start_with(options).await;
    let hub = fixture.client_with_token(TOKEN);
    let refused = hub.package("acme/base").await;
    assert!(matches!(refused, Err(HubError::Disabled { .. })), "{refused:?}");
    let renamed = hub.package("old/name").await.unwrap();
    assert_eq!((renamed.owner.as_str(), renamed.name.as_str()), ("acme", "tiny"));
    assert_eq!(
        hub.read("old/name", "main", "README.md", 0..3).await.unwrap(),
        "---"
    );
}
