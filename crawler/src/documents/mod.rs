//! Hubs that are a few documents: a manifest, an index, a folder of cards, on a web server or in a folder here.
//!
//! Enters: documents. Leaves: packages with what the documents say of them; files are read from beside the documents. A hub of
//! this kind is one parser ([`Parse`]), kept in its own module; this one fetches, pages and reads.

mod place;

pub use place::{Document, Place};

use crate::fields::malformed;
use crate::{
    Content, FileEntry, Hub, HubError, ListFilter, Package, Page, Revision, check_file_path,
    check_package_name, disk,
};
use async_trait::async_trait;
use serde_json::Value;
use std::collections::BTreeMap;
use tokio::sync::OnceCell;

const PAGE_NAMES: usize = 1000;

/// Turns all documents of a hub, in order, into its packages by full name.
pub type Parse = fn(&[Document]) -> Result<Entries, HubError>;

/// Packages by `owner/name`, and what could not be read, one sentence each.
#[derive(Debug, Default)]
pub struct Entries {
    pub packages: BTreeMap<String, Entry>,
    pub skipped: Vec<String>,
    /// Of the web server's document.
    validator: Option<String>,
}

/// A package and its history, newest first.
#[derive(Debug, Clone, Default)]
pub struct Entry {
    pub package: Package,
    pub history: Vec<Snapshot>,
}

/// A revision, its files, and where their content lies relative to the hub's files.
#[derive(Debug, Clone)]
pub struct Snapshot {
    pub revision: Revision,
    pub files: Vec<FileEntry>,
}

/// What makes one hub of documents differ from another.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    pub id: &'static str,
    /// Which documents a folder may hold, by the end of their names.
    pub document_suffix: &'static str,
    /// The one document a web server has, below the endpoint.
    pub web_document: &'static str,
    pub parse: Parse,
}

/// Adds the elements of a document that is one list; those that cannot be read are noted.
pub fn read_list(
    document: &Document,
    entries: &mut Entries,
    read: impl Fn(Value) -> Result<(String, Entry), String>,
) -> Result<(), HubError> {
    let models: Vec<Value> = serde_json::from_slice(&document.bytes)
        .map_err(|error| malformed(&document.name, "the top level", &error.to_string()))?;
    for (position, model) in models.into_iter().enumerate() {
        match read(model) {
            Ok((name, entry)) => _ = entries.packages.insert(name, entry),
            Err(reason) => entries
                .skipped
                .push(format!("{} entry {position}: {reason}", document.name)),
        }
    }
    Ok(())
}

/// See the module's text. Documents are read once, at the first question.
#[derive(Debug)]
pub struct DocumentHub {
    kind: Kind,
    place: Place,
    entries: OnceCell<Entries>,
}

impl DocumentHub {
    pub fn new(kind: Kind, place: Place) -> Self {
        Self {
            kind,
            place,
            entries: OnceCell::new(),
        }
    }

    async fn entries(&self) -> Result<&Entries, HubError> {
        let entries = self
            .entries
            .get_or_try_init(|| async {
                let read = self
                    .place
                    .documents(self.kind.document_suffix, self.kind.web_document)
                    .await?;
                let mut entries = (self.kind.parse)(&read.documents)?;
                entries.validator = read.validator;
                let endpoint = self.endpoint();
                for entry in entries.packages.values_mut() {
                    entry.package.hub = self.kind.id.to_owned();
                    entry.package.endpoint.clone_from(&endpoint);
                    entry.package.revision = entry.history.first().map(|newest| newest.revision.id.clone());
                }
                Ok(entries)
            })
            .await?;
        Ok(entries)
    }

    async fn entry(&self, name: &str) -> Result<&Entry, HubError> {
        check_package_name(name)?;
        self.entries()
            .await?
            .packages
            .get(name)
            .ok_or_else(|| HubError::NotFound {
                endpoint: self.endpoint(),
                what: name.to_owned(),
            })
    }

    async fn snapshot(&self, name: &str, revision: &str) -> Result<&Snapshot, HubError> {
        let history = &self.entry(name).await?.history;
        let found = match revision {
            "main" | "HEAD" => history.first(),
            other => history.iter().find(|snapshot| {
                snapshot.revision.id == other || snapshot.revision.tags.iter().any(|tag| tag == other)
            }),
        };
        found.ok_or_else(|| HubError::RevisionNotFound {
            package: name.to_owned(),
            revision: revision.to_owned(),
        })
    }

    /// Files that the documents name may be read; others beside them are nobody's business.
    async fn check_named(&self, name: &str, revision: &str, path: &str) -> Result<(), HubError> {
        check_file_path(name, path)?;
        let snapshot = self.snapshot(name, revision).await?;
        if snapshot.files.iter().any(|file| file.path == path) {
            return Ok(());
        }
        Err(HubError::FileNotFound {
            package: name.to_owned(),
            revision: revision.to_owned(),
            path: path.to_owned(),
        })
    }
}

#[async_trait]
impl Hub for DocumentHub {
    fn id(&self) -> &'static str {
        self.kind.id
    }

    fn endpoint(&self) -> String {
        self.place.shown()
    }

    async fn list(&self, filter: &ListFilter, cursor: Option<&str>) -> Result<Page, HubError> {
        if let (None, Some(validator)) = (cursor, &filter.validator)
            && self.place.is_unchanged(self.kind.web_document, validator).await?
        {
            return Ok(Page {
                validator: filter.validator.clone(),
                unchanged: true,
                ..Page::default()
            });
        }
        let entries = self.entries().await?;
        let names = entries.packages.keys().cloned().collect();
        let mut page = disk::page_of(names, filter, cursor, PAGE_NAMES);
        page.packages = page
            .names
            .iter()
            .filter_map(|name| entries.packages.get(name))
            .map(|entry| entry.package.clone())
            .collect();
        if cursor.is_none() {
            page.skipped.clone_from(&entries.skipped);
            page.validator.clone_from(&entries.validator);
        }
        Ok(page)
    }

    async fn package(&self, name: &str) -> Result<Package, HubError> {
        Ok(self.entry(name).await?.package.clone())
    }

    async fn revisions(&self, name: &str) -> Result<Vec<Revision>, HubError> {
        let history = &self.entry(name).await?.history;
        Ok(history.iter().map(|snapshot| snapshot.revision.clone()).collect())
    }

    async fn files(&self, name: &str, revision: &str) -> Result<Vec<FileEntry>, HubError> {
        Ok(self.snapshot(name, revision).await?.files.clone())
    }

    async fn locate<'a>(
        &'a self,
        name: &'a str,
        revision: &'a str,
        path: &'a str,
    ) -> Result<Content<'a>, HubError> {
        self.check_named(name, revision, path).await?;
        self.place.content(name, revision, path)
    }
}
