//! ModelHub.ai: `models.json` lists models, each with a GitHub repository.
//!
//! The index holds name, task, repository, branch and backends, and no history, files or digests; a package's revision is a
//! digest of its entry, so that a change of the index is seen.

use crate::documents::{Document, DocumentHub, Entries, Entry, Kind, Place, Snapshot, read_list};
use crate::fields::{string, strings};
use crate::{HubError, OpenOptions, Package, Revision, check_package_name};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

pub const DEFAULT_ENDPOINT: &str = "https://raw.githubusercontent.com/modelhub-ai/modelhub/master";
const KIND: Kind = Kind {
    id: "modelhub-ai",
    document_suffix: "models.json",
    web_document: "models.json",
    parse,
};

/// The index at a base URL, or a folder that holds `models.json`.
pub fn open(options: &OpenOptions) -> Result<DocumentHub, HubError> {
    let place = Place::open(options.endpoint_or(DEFAULT_ENDPOINT), options.byte_budget, |_| {
        None
    })?;
    Ok(DocumentHub::new(KIND, place))
}

fn parse(documents: &[Document]) -> Result<Entries, HubError> {
    let mut entries = Entries::default();
    for document in documents {
        read_list(document, &mut entries, read_model)?;
    }
    Ok(entries)
}

fn read_model(model: Value) -> Result<(String, Entry), String> {
    let name = string(&model["name"]).ok_or("name is missing or no text")?;
    let repository = string(&model["github"]);
    let owner = repository.as_deref().and_then(owner_of).unwrap_or("modelhub-ai");
    let full = format!("{owner}/{name}");
    check_package_name(&full).map_err(|error| error.to_string())?;
    let backends = strings(&model["backend"]);
    let package = Package {
        owner: owner.to_owned(),
        name,
        url: repository.clone(),
        task: string(&model["task_extended"]),
        library: match backends.as_slice() {
            [one] => Some(one.clone()),
            _ => None,
        },
        tags: backends,
        raw: model,
        ..Package::default()
    };
    let revision = Revision {
        id: entry_digest(&package.raw),
        title: "listed in the index".to_owned(),
        ..Revision::default()
    };
    let history = vec![Snapshot {
        revision,
        files: Vec::new(),
    }];
    Ok((full, Entry { package, history }))
}

/// `https://github.com/<owner>/<repository>` → `<owner>`.
fn owner_of(repository: &str) -> Option<&str> {
    repository.strip_prefix("https://github.com/")?.split('/').next()
}

fn entry_digest(entry: &Value) -> String {
    let mut digest = hex::encode(Sha256::digest(entry.to_string()));
    digest.truncate(40);
    digest
}
