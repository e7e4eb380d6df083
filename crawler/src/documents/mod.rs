//! Hubs that are a few documents: a manifest, an index, a folder of cards, on a web server or in a folder here.
//!
//! Enters: documents. Leaves: packages with what the documents say of them; files are read from beside the documents. A hub of
//! this kind is one parser ([`Parse`]), kept in its own module; this one fetches, pages and reads.

mod place;

pub use place::{Document, Place};

use crate::{
    FileEntry, Hub, HubError, ListFilter, Package, Page, Revision, check_file_path, check_package_name, disk,
};
use async_trait::async_trait;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::OnceCell;

const PAGE_NAMES: usize = 1000;

/// Turns all documents of a hub, in order, into its packages by full name.
pub type Parse = fn(&[Document]) -> Result<Entries, HubError>;

/// Packages by `owner/name`, and what could not be read, one sentence each.
#[derive(Debug, Default)]
pub struct Entries {
    pub packages: BTreeMap<String, Entry>,
    pub skipped: Vec<String>,
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

/// See the module's text. Documents are read once, at the first question.
#[derive(Debug)]
pub struct DocumentHub {
    kind: Kind,
    place: Place,
    entries: OnceCell<Arc<Entries>>,
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
                let documents = self
                    .place
                    .documents(self.kind.document_suffix, self.kind.web_document)
                    .await?;
                let mut entries = (self.kind.parse)(&documents)?;
                let endpoint = self.endpoint();
                for entry in entries.packages.values_mut() {
                    entry.package.hub = self.kind.id.to_owned();
                    entry.package.endpoint.clone_from(&endpoint);
                    entry.package.revision = entry.history.first().map(|newest| newest.revision.id.clone());
                }
                Ok(Arc::new(entries))
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

    /// A file that the documents name; others beside them are nobody's business.
    async fn file(&self, name: &str, revision: &str, path: &str) -> Result<&FileEntry, HubError> {
        check_file_path(name, path)?;
        self.snapshot(name, revision)
            .await?
            .files
            .iter()
            .find(|file| file.path == path)
            .ok_or_else(|| HubError::FileNotFound {
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

    async fn read(
        &self,
        name: &str,
        revision: &str,
        path: &str,
        range: Range<u64>,
    ) -> Result<Bytes, HubError> {
        let file = self.file(name, revision, path).await?;
        self.place.read(name, revision, &file.path, range).await
    }

    async fn read_whole(
        &self,
        name: &str,
        revision: &str,
        path: &str,
        limit: u64,
    ) -> Result<Bytes, HubError> {
        let file = self.file(name, revision, path).await?;
        self.place.read_whole(name, revision, &file.path, limit).await
    }

    async fn download(
        &self,
        name: &str,
        revision: &str,
        file: &FileEntry,
        target: &Path,
    ) -> Result<u64, HubError> {
        self.file(name, revision, &file.path).await?;
        self.place.download(name, revision, file, target).await
    }
}
