#![allow(clippy::unwrap_used)]
use super::*;
use crate::{Hub, ListFilter};
use flate2::Compression;
use flate2::write::ZlibEncoder;
use sha1::Sha1;
use sha2::{Digest, Sha256};
use std::fs;
use std::io::Write;

/// Writes a loose object; no git program is needed.
fn object(git: &Path, kind: &str, content: &[u8]) -> String {
    let mut bytes = format!("{kind} {}\0", content.len()).into_bytes();
    bytes.extend_from_slice(content);
    let id = hex::encode(Sha1::digest(&bytes));
    let folder = git.join("objects").join(&id[..2]);
    fs::create_dir_all(&folder).unwrap();
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(&bytes).unwrap();
    fs::write(folder.join(&id[2..]), encoder.finish().unwrap()).unwrap();
    id
}

fn tree(git: &Path, entries: &[(&str, &str, &str)]) -> String {
    let mut content = Vec::new();
    for (mode, name, id) in entries {
        content.extend_from_slice(format!("{mode} {name}\0").as_bytes());
        content.extend_from_slice(&hex::decode(id).unwrap());
    }
    object(git, "tree", &content)
}

fn commit(git: &Path, tree: &str, parent: Option<&str>, seconds: u64, message: &str) -> String {
    let parent = parent.map_or(String::new(), |parent| format!("parent {parent}\n"));
    let who = format!("Ann <ann@example.org> {seconds} +0000");
    let content = format!("tree {tree}\n{parent}author {who}\ncommitter {who}\n\n{message}");
    object(git, "commit", content.as_bytes())
}

struct Sample {
    folder: tempfile::TempDir,
    hub: Checkouts,
    first: String,
    second: String,
}

const WEIGHTS: &[u8] = b"the weights themselves";

fn sample() -> Sample {
    let folder = tempfile::tempdir().unwrap();
    let git = folder.path().join("acme/tiny/.git");
    fs::create_dir_all(git.join("objects")).unwrap();
    fs::create_dir_all(git.join("refs/heads")).unwrap();
    fs::create_dir_all(git.join("refs/tags")).unwrap();
    fs::write(git.join("HEAD"), "ref: refs/heads/trunk\n").unwrap();
    let digest = hex::encode(Sha256::digest(WEIGHTS));
    let pointer = format!(
        "version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\nsize {}\n",
        WEIGHTS.len()
    );
    let old = object(&git, "blob", b"old weights");
    let card = object(
        &git,
        "blob",
        b"---\nlicense: mit\nbase_model: acme/base\n---\n# Tiny\n",
    );
    let large = object(&git, "blob", pointer.as_bytes());
    let link = object(&git, "blob", b"/etc/passwd");
    let inner = tree(&git, &[("100644", "model.bin", &large)]);
    let first_tree = tree(&git, &[("100644", "model.bin", &old)]);
    let second_tree = tree(
        &git,
        &[
            ("100644", "README.md", &card),
            ("120000", "passwd", &link),
            ("40000", "weights", &inner),
        ],
    );
    let first = commit(&git, &first_tree, None, 1_700_000_000, "Add weights\n");
    let second = commit(
        &git,
        &second_tree,
        Some(&first),
        1_700_100_000,
        "Train longer\n\nFor two epochs.\n",
    );
    fs::write(git.join("refs/heads/trunk"), format!("{second}\n")).unwrap();
    fs::write(git.join("refs/tags/v1.0"), format!("{first}\n")).unwrap();
    let stored = git.join("lfs/objects").join(&digest[..2]).join(&digest[2..4]);
    fs::create_dir_all(&stored).unwrap();
    fs::write(stored.join(&digest), WEIGHTS).unwrap();
    let hub = Checkouts::open(folder.path()).unwrap();
    Sample {
        folder,
        hub,
        first,
        second,
    }
}

#[tokio::test]
async fn commits_are_revisions_and_pointers_are_their_content() {
    let Sample {
        folder,
        hub,
        first,
        second,
    } = sample();
    assert_eq!(
        hub.list(&ListFilter::default(), None).await.unwrap().names,
        ["acme/tiny"]
    );
    let package = hub.package("acme/tiny").await.unwrap();
    assert_eq!(
        (package.hub.as_str(), package.revision.as_deref()),
        ("git", Some(second.as_str()))
    );
    assert_eq!(
        (package.licence.as_deref(), package.base_models.as_slice()),
        (Some("MIT"), &["acme/base".to_owned()][..])
    );
    assert_eq!(package.created_at.unwrap().unix_timestamp(), 1_700_000_000);

    let history = hub.revisions("acme/tiny").await.unwrap();
    let ids: Vec<_> = history.iter().map(|revision| revision.id.as_str()).collect();
    assert_eq!(ids, [&second, &first]);
    assert_eq!(
        (history[0].title.as_str(), history[0].message.as_str()),
        ("Train longer", "For two epochs.")
    );
    assert_eq!(
        (history[0].authors.as_slice(), history[1].tags.as_slice()),
        (&["Ann".to_owned()][..], &["v1.0".to_owned()][..])
    );

    let files = hub.files("acme/tiny", "main").await.unwrap();
    let paths: Vec<_> = files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, ["README.md", "weights/model.bin"]);
    assert_eq!(
        (files[1].size, files[1].sha256.as_ref().map(String::len)),
        (Some(WEIGHTS.len() as u64), Some(64))
    );
    assert_eq!(
        hub.read("acme/tiny", "main", "weights/model.bin", 4..11)
            .await
            .unwrap(),
        "weights"
    );
    assert_eq!(
        hub.read("acme/tiny", "v1.0", "model.bin", 0..3).await.unwrap(),
        "old"
    );
    let target = folder.path().join("copy");
    assert_eq!(
        hub.download("acme/tiny", &second, &files[1], &target)
            .await
            .unwrap(),
        WEIGHTS.len() as u64
    );
}

#[tokio::test]
async fn a_checkout_may_be_named_itself() {
    let sample = sample();
    let hub = Checkouts::open(sample.folder.path().join("acme/tiny")).unwrap();
    assert_eq!(
        hub.list(&ListFilter::default(), None).await.unwrap().names,
        ["_/tiny"]
    );
    assert_eq!(hub.revisions("_/tiny").await.unwrap().len(), 2);
}

#[tokio::test]
async fn what_is_missing_or_hostile_is_named() {
    let Sample {
        folder, hub, second, ..
    } = sample();
    let git = folder.path().join("acme/tiny/.git");
    let fails =
        async |revision: &str, path: &str| hub.read("acme/tiny", revision, path, 0..1).await.unwrap_err();
    assert!(matches!(
        fails("v9", "x").await,
        HubError::RevisionNotFound { .. }
    ));
    assert!(matches!(
        fails(&"0".repeat(40), "x").await,
        HubError::RevisionNotFound { .. }
    ));
    assert!(matches!(
        fails("main", "passwd").await,
        HubError::FileNotFound { .. }
    ));
    fs::remove_dir_all(git.join("lfs")).unwrap();
    assert!(matches!(
        fails("main", "weights/model.bin").await,
        HubError::NotFetched { .. }
    ));

    let blob = object(&git, "blob", b"x");
    let up = tree(&git, &[("100644", "..", &blob)]);
    let hostile = commit(&git, &up, None, 0, "x");
    let refused = hub.files("acme/tiny", &hostile).await;
    assert!(
        matches!(
            refused,
            Err(HubError::UnsafePath { .. } | HubError::Malformed { .. })
        ),
        "{refused:?}"
    );

    let damaged = git.join("objects").join(&second[..2]).join(&second[2..]);
    fs::write(damaged, b"not zlib").unwrap();
    assert!(
        hub.revisions("acme/tiny").await.is_err() || hub.revisions("acme/tiny").await.unwrap().is_empty()
    );
    fs::create_dir_all(git.join("objects/info")).unwrap();
    fs::write(git.join("objects/info/alternates"), "/elsewhere/.git/objects\n").unwrap();
    let refused = hub.package("acme/tiny").await.unwrap_err();
    assert!(refused.to_string().contains("another repository"), "{refused}");
}

/// Made by `git gc` over three commits; renamed so that git does not take it for a repository of its own.
#[tokio::test]
async fn packed_objects_and_references_are_read() {
    let fixture = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/packed-git");
    let folder = tempfile::tempdir().unwrap();
    let git = folder.path().join("acme/packed/.git");
    for path in disk::walk(Path::new(fixture), Path::new(fixture)).unwrap() {
        let target = git.join(&path);
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(Path::new(fixture).join(&path), target).unwrap();
    }
    let hub = Checkouts::open(folder.path()).unwrap();
    let history = hub.revisions("acme/packed").await.unwrap();
    let titles: Vec<_> = history.iter().map(|revision| revision.title.as_str()).collect();
    assert_eq!(titles, ["Third", "Second", "First"]);
    assert_eq!(history[1].tags, ["v1"]);
    let text = hub.text("acme/packed", "v1", "README.md").await.unwrap();
    assert_eq!(text.lines().last(), Some("second"));
}
