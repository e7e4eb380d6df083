//! The ONNX Model Zoo: `ONNX_HUB_MANIFEST.json` lists model files with digest, size, tags and ports.
//!
//! Each file is a package, named after it, since each operator-set or int8 variant is a model of its own. A folder of dated
//! manifests (`01_2021-08-20_8d345e63.json`) gives history: a file's revisions are the manifests at which it appeared, changed
//! its digest or moved. A web server has the present manifest only; its revisions are named by the digest.

use crate::documents::{Document, DocumentHub, Entries, Entry, Kind, Place, Snapshot};
use crate::fields::{list, malformed, sha256, string, string_or_number, strings};
use crate::{
    Availability, FileEntry, HubError, OpenOptions, Package, Port, Ports, Revision, check_file_path,
    check_package_name,
};
use serde_json::Value;
use std::collections::BTreeSet;
use time::{Date, OffsetDateTime};

pub const DEFAULT_ENDPOINT: &str = "https://raw.githubusercontent.com/onnx/models/main";
const LFS_ENDPOINT: &str = "https://media.githubusercontent.com/media/onnx/models/main";
const OWNER: &str = "onnx";
const KIND: Kind = Kind {
    id: "onnx",
    document_suffix: ".json",
    web_document: "ONNX_HUB_MANIFEST.json",
    parse,
};

/// A zoo at a base URL, or a folder of manifests.
pub fn open(options: &OpenOptions) -> Result<DocumentHub, HubError> {
    // The server that has the manifest answers with git-LFS pointers where the weights should be; another has those.
    let files = |endpoint: &str| (endpoint == DEFAULT_ENDPOINT).then(|| LFS_ENDPOINT.to_owned());
    let place = Place::open(options.endpoint_or(DEFAULT_ENDPOINT), options.byte_budget, files)?;
    Ok(DocumentHub::new(KIND, place))
}

/// Date and commit, from a manifest's file name: `01_2021-08-20_8d345e63.json`.
#[derive(Debug, Clone)]
struct Dated {
    date: OffsetDateTime,
    commit: String,
}

fn parse(documents: &[Document]) -> Result<Entries, HubError> {
    let dated: Vec<(Dated, &Document)> = documents
        .iter()
        .filter_map(|document| Some((dated_name(&document.name)?, document)))
        .collect();
    let mut entries = Entries::default();
    if dated.is_empty() {
        for document in documents {
            add_manifest(&mut entries, document, None)?;
        }
        return Ok(entries);
    }
    let mut present = BTreeSet::new();
    for (when, document) in &dated {
        present = add_manifest(&mut entries, document, Some(when))?;
    }
    // What the newest manifest no longer lists was removed; its history stays.
    for (name, entry) in &mut entries.packages {
        if !present.contains(name) {
            entry.package.raw["removed"] = true.into();
            entry.package.availability = Availability::Gone;
        }
    }
    Ok(entries)
}

fn dated_name(name: &str) -> Option<Dated> {
    let mut parts = name.strip_suffix(".json")?.split('_');
    let (_, date, commit) = (parts.next()?, parts.next()?, parts.next()?);
    let day = time::macros::format_description!("[year]-[month]-[day]");
    let date = Date::parse(date, day).ok()?;
    Some(Dated {
        date: date.midnight().assume_utc(),
        commit: commit.to_owned(),
    })
}

/// Adds the entries of one manifest, newer than those before it; returns the names it lists.
fn add_manifest(
    entries: &mut Entries,
    document: &Document,
    when: Option<&Dated>,
) -> Result<BTreeSet<String>, HubError> {
    let manifest: Vec<Value> = serde_json::from_slice(&document.bytes)
        .map_err(|error| malformed(&document.name, "the top level", &error.to_string()))?;
    let mut names = BTreeSet::new();
    for (position, item) in manifest.into_iter().enumerate() {
        match read_item(item, when) {
            Ok((name, package, snapshot)) => {
                add_snapshot(
                    entries.packages.entry(name.clone()).or_default(),
                    package,
                    snapshot,
                    when,
                );
                names.insert(name);
            }
            Err(reason) => entries
                .skipped
                .push(format!("{} entry {position}: {reason}", document.name)),
        }
    }
    Ok(names)
}

fn add_snapshot(entry: &mut Entry, mut package: Package, snapshot: Snapshot, when: Option<&Dated>) {
    let newest = entry.history.first();
    let same = newest.is_some_and(|newest| newest.files == snapshot.files);
    package.created_at = entry.package.created_at.or(when.map(|when| when.date));
    package.modified_at = if same {
        entry.package.modified_at
    } else {
        when.map(|when| when.date)
    };
    if !same {
        let title = change_title(newest, &snapshot);
        let mut snapshot = snapshot;
        snapshot.revision.title = title;
        entry.history.insert(0, snapshot);
    }
    entry.package = package;
}

/// What the manifest's change amounts to for this file; the commit's own message is not in it.
fn change_title(before: Option<&Snapshot>, after: &Snapshot) -> String {
    let digests = |snapshot: &Snapshot| {
        snapshot
            .files
            .iter()
            .map(|file| file.sha256.clone())
            .collect::<Vec<_>>()
    };
    match before {
        None => "listed in the manifest".to_owned(),
        Some(before) if digests(before) == digests(after) => "moved in the manifest".to_owned(),
        Some(_) => "digest changed in the manifest".to_owned(),
    }
}

type Item = (String, Package, Snapshot);

fn read_item(item: Value, when: Option<&Dated>) -> Result<Item, String> {
    let path = string(&item["model_path"]).ok_or("model_path is missing or no text")?;
    let stem = file_stem(&path).ok_or_else(|| format!("{path} is no file"))?;
    let name = format!("{OWNER}/{stem}");
    check_package_name(&name).map_err(|error| error.to_string())?;
    check_file_path(&name, &path).map_err(|error| error.to_string())?;
    let metadata = &item["metadata"];
    let digest = sha256(&metadata["model_sha"]).ok_or("metadata.model_sha is no SHA-256")?;
    let file = FileEntry {
        path: path.clone(),
        size: metadata["model_bytes"].as_u64(),
        sha256: Some(digest.clone()),
        ..FileEntry::default()
    };
    let revision = Revision {
        id: when.map_or(digest, |when| when.commit.clone()),
        date: when.map(|when| when.date),
        ..Revision::default()
    };
    let package = Package {
        owner: OWNER.to_owned(),
        name: stem.to_owned(),
        task: task_of(&path),
        library: Some("onnx".to_owned()),
        tags: strings(&metadata["tags"]),
        ports: ports(&metadata["io_ports"]),
        raw: item,
        ..Package::default()
    };
    let files = vec![file];
    Ok((name, package, Snapshot { revision, files }))
}

/// `{"inputs": [{"name": "data", "shape": ["N", 3, 224, 224], "type": "tensor(float)"}], "outputs": […]}`
fn ports(io_ports: &Value) -> Option<Ports> {
    io_ports.is_object().then(|| Ports {
        inputs: list(&io_ports["inputs"]).iter().filter_map(port).collect(),
        outputs: list(&io_ports["outputs"]).iter().filter_map(port).collect(),
    })
}

fn port(port: &Value) -> Option<Port> {
    Some(Port {
        name: string(&port["name"])?,
        element_type: string(&port["type"]),
        // A size that is null may be any.
        shape: list(&port["shape"])
            .iter()
            .map(|size| string_or_number(size).unwrap_or_else(|| "?".to_owned()))
            .collect(),
    })
}

fn file_stem(path: &str) -> Option<&str> {
    let file = path.rsplit('/').next()?;
    let (stem, _) = file.rsplit_once('.')?;
    Some(stem)
}

/// The zoo sorts its models into `domain/task/model/`, below `validated/` or `archive/` since 2023.
fn task_of(path: &str) -> Option<String> {
    let mut folders: Vec<&str> = path.split('/').collect();
    if matches!(folders.first(), Some(&("validated" | "archive"))) {
        folders.remove(0);
    }
    (folders.len() > 3).then(|| folders[1].replace('_', " "))
}
