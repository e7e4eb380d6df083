//! Modelzoo (modelzoo.co): a directory of models, each a title, a description and a link to where the weights are.
//!
//! The site has no interface for programs, so what is read is a snapshot of it: a folder with `models.json`, a list of
//! `{title, description, stars, link, papers, framework, categories}`. There are no files and no history.

use crate::documents::{Document, DocumentHub, Entries, Entry, Kind, Place, Snapshot, read_list};
use crate::fields::{string, strings};
use crate::{HubError, OpenOptions, Package, Revision, check_package_name};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

const KIND: Kind = Kind {
    id: "modelzoo",
    document_suffix: "models.json",
    web_document: "models.json",
    parse,
};
/// Stands for the owner where the link names none.
const NO_LINKED_OWNER: &str = "modelzoo";

/// A folder that holds a snapshot, or a web server that serves one.
pub fn open(options: &OpenOptions) -> Result<DocumentHub, HubError> {
    let place = Place::open(options.endpoint_or("."), options.byte_budget, |_| None)?;
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
    let title = string(&model["title"]).ok_or("title is missing or no text")?;
    let link = string(&model["link"]);
    let owner = link
        .as_deref()
        .and_then(owner_of)
        .unwrap_or(NO_LINKED_OWNER)
        .to_owned();
    let name = slug(&title);
    let full = format!("{owner}/{name}");
    check_package_name(&full).map_err(|error| error.to_string())?;
    let package = Package {
        owner,
        name,
        url: link.clone(),
        library: string(&model["framework"]),
        tags: strings(&model["categories"]),
        papers: strings(&model["papers"]),
        likes: model["stars"].as_i64(),
        card: string(&model["description"]),
        raw: model,
        ..Package::default()
    };
    let mut digest = hex::encode(Sha256::digest(package.raw.to_string()));
    digest.truncate(40);
    let revision = Revision {
        id: digest,
        title: "listed in the directory".to_owned(),
        ..Revision::default()
    };
    let history = vec![Snapshot {
        revision,
        files: Vec::new(),
    }];
    Ok((full, Entry { package, history }))
}

/// `https://github.com/<owner>/<repository>` → `<owner>`
fn owner_of(link: &str) -> Option<&str> {
    let owner = link.strip_prefix("https://github.com/")?.split('/').next()?;
    (!owner.is_empty()).then_some(owner)
}

/// Letters, digits and dots stay; what is between them becomes one `-`.
fn slug(title: &str) -> String {
    let words = title.split(|c: char| !c.is_alphanumeric() && c != '.');
    words
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join("-")
}
