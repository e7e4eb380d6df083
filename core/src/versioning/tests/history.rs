use super::super::*;
use super::bumps::{fingerprint, package};
use semver::Version;

fn versions(name: &str, history: &[Snapshot<'_>]) -> Vec<String> {
    assign_versions(name, history)
        .iter()
        .map(|assigned| assigned.version.to_string())
        .collect()
}

/// Card fixes: every step is a patch.
fn cards<'a>(number: usize) -> Vec<Snapshot<'a>> {
    let texts = ["one", "two", "three", "four"];
    texts[..number]
        .iter()
        .map(|text| package(&[("README.md", text)]))
        .collect()
}

#[test]
fn the_name_seeds_the_first_version() {
    assert_eq!(versions("a/model", &cards(2)), ["1.0.0", "1.0.1"]);
    assert_eq!(versions("a/model-v2.1", &cards(2)), ["2.1.0", "2.1.1"]);
    assert_eq!(versions("a/model-v0.1", &cards(2)), ["0.1.0", "0.1.1"]);
    assert_eq!(
        versions("a/model-beta", &cards(2)),
        ["1.0.0-beta.1", "1.0.1-beta.1"]
    );
    assert_eq!(versions("a/model", &[]), Vec::<String>::new());
}

#[test]
fn the_build_metadata_names_the_weights() {
    let mut one = fingerprint(&[("a", &[1], "x")]);
    one.model_digest = Some("3fa9c1d2aaaa".to_owned());
    let snapshot = Snapshot {
        fingerprint: Some(&one),
        ..Snapshot::default()
    };
    assert_eq!(versions("a/b", &[snapshot]), ["1.0.0+w.3fa9c1d2"]);
}

#[test]
fn nothing_observable_keeps_the_version() {
    let history = [
        package(&[("a", "1")]),
        package(&[("a", "1"), (".gitattributes", "x")]),
    ];
    assert_eq!(versions("a/b", &history), ["1.0.0", "1.0.0"]);
}

#[test]
fn a_tag_that_promises_more_or_less_than_was_done_is_explained() {
    let mut history = cards(4);
    for (snapshot, tag) in history.iter_mut().zip(["v1.0.0", "v1.0.1", "v2.0.0", "v2.0.0"]) {
        snapshot.tags = vec![tag.to_owned()];
    }
    let assigned = assign_versions("a/b", &history);
    let declared: Vec<_> = assigned
        .iter()
        .map(|version| version.declared.as_deref())
        .collect();
    assert_eq!(
        declared,
        [Some("1.0.0"), Some("1.0.1"), Some("2.0.0"), Some("2.0.0")]
    );
    let explained: Vec<Vec<&str>> = assigned
        .iter()
        .filter_map(|version| version.decision.as_ref())
        .map(|decision| {
            let reasons = decision.reasons.iter().filter(|reason| reason.kind == "declared");
            reasons.map(|reason| reason.detail.as_str()).collect()
        })
        .collect();
    assert_eq!(explained[0], Vec::<&str>::new());
    assert_eq!(
        explained[1],
        ["the tag declares a major step (1.0.1 → 2.0.0), more than the patch that was found"]
    );
    assert_eq!(
        explained[2],
        ["the tag declares a none step (2.0.0 → 2.0.0), and the changes since amount to patch"]
    );
}

#[test]
fn a_silent_change_is_flagged_unless_a_tag_or_the_message_says_so() {
    let (one, two) = (
        fingerprint(&[("a", &[1], "x")]),
        fingerprint(&[("a", &[1], "x"), ("b", &[1], "y")]),
    );
    let step = |message: &str, tag: Option<&str>| {
        let old = Snapshot {
            fingerprint: Some(&one),
            ..Snapshot::default()
        };
        let new = Snapshot {
            fingerprint: Some(&two),
            message: message.to_owned(),
            tags: tag.into_iter().map(str::to_owned).collect(),
            ..Snapshot::default()
        };
        decide_bump(&old, &new).silent
    };
    assert!(step("Update README.md", None));
    assert!(!step("Update README.md", Some("v1.1")));
    assert!(!step("Retrain with longer context", None));
}

#[test]
fn releases_in_packages_of_their_own_are_joined_by_their_names() {
    let (one, two) = (fingerprint(&[("a", &[1], "x")]), fingerprint(&[("a", &[1], "y")]));
    let (first, second) = (Version::new(0, 1, 0), Version::new(0, 2, 0));
    let release = |name: &str, print| Snapshot {
        name: name.to_owned(),
        fingerprint: Some(print),
        ..package(&[])
    };
    let (old, new) = (release("a/m-v0.1", &one), release("a/m-v0.2", &two));
    let step = release_step((&old, &first), (&new, &second));
    assert_eq!(step.decision.bump, Bump::Minor);
    assert_eq!(step.decision.announced, Some(Announcement::Name));
    assert!(!step.decision.silent);
    assert_eq!(step.inferred, Version::new(0, 1, 1));
    let reason = step.decision.reasons.last().unwrap();
    assert_eq!(
        reason.detail,
        "the name declares a major step (0.1.0 → 0.2.0), more than the minor that was found"
    );
}
