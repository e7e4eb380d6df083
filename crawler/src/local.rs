//! Hubs whose packages lie on this machine: a folder, a cache, git checkouts. Each says what it finds on the disk; here that
//! becomes a [`Hub`], on the runtime's blocking threads.

use crate::{Content, FileEntry, Hub, HubError, ListFilter, Package, Page, Revision, disk};
use async_trait::async_trait;
use std::path::Path;

const PAGE_NAMES: usize = 1000;

/// See the module's text. What changes on the disk is seen at the next call.
pub trait LocalHub: Clone + Send + Sync + 'static {
    const ID: &'static str;
    /// The folder everything lies in.
    fn folder(&self) -> &Path;
    /// All packages, sorted by name.
    fn find_names(&self) -> Result<Vec<String>, HubError>;
    /// One package at its newest revision; [`Hub`] adds the id and the endpoint.
    fn find_package(&self, name: &str) -> Result<Package, HubError>;
    /// History, newest first.
    fn find_revisions(&self, name: &str) -> Result<Vec<Revision>, HubError>;
    fn find_files(&self, name: &str, revision: &str) -> Result<Vec<FileEntry>, HubError>;
    fn find_content(&self, name: &str, revision: &str, path: &str) -> Result<Content<'static>, HubError>;
}

async fn blocking<H: LocalHub, T: Send + 'static>(
    hub: &H,
    work: impl FnOnce(&H) -> Result<T, HubError> + Send + 'static,
) -> Result<T, HubError> {
    let hub = hub.clone();
    disk::blocking(move || work(&hub)).await
}

#[async_trait]
impl<H: LocalHub> Hub for H {
    fn id(&self) -> &'static str {
        H::ID
    }

    fn endpoint(&self) -> String {
        self.folder().display().to_string()
    }

    fn is_local(&self) -> bool {
        true
    }

    async fn list(&self, filter: &ListFilter, cursor: Option<&str>) -> Result<Page, HubError> {
        let names = blocking(self, H::find_names).await?;
        Ok(disk::page_of(names, filter, cursor, PAGE_NAMES))
    }

    async fn package(&self, name: &str) -> Result<Package, HubError> {
        let owned = name.to_owned();
        let mut package = blocking(self, move |hub| hub.find_package(&owned)).await?;
        package.hub = H::ID.to_owned();
        package.endpoint = self.endpoint();
        Ok(package)
    }

    async fn revisions(&self, name: &str) -> Result<Vec<Revision>, HubError> {
        let name = name.to_owned();
        blocking(self, move |hub| hub.find_revisions(&name)).await
    }

    async fn files(&self, name: &str, revision: &str) -> Result<Vec<FileEntry>, HubError> {
        let (name, revision) = (name.to_owned(), revision.to_owned());
        blocking(self, move |hub| hub.find_files(&name, &revision)).await
    }

    async fn locate<'a>(
        &'a self,
        name: &'a str,
        revision: &'a str,
        path: &'a str,
    ) -> Result<Content<'a>, HubError> {
        let (name, revision, path) = (name.to_owned(), revision.to_owned(), path.to_owned());
        blocking(self, move |hub| hub.find_content(&name, &revision, &path)).await
    }
}
