//! Model-hub clients: one module per hub behind [`Hub`], all producing the same [`Package`].
//!
//! Enters: an endpoint or a folder. Leaves: packages, their history, files and bytes by Range. Knows nothing of Postgres or of
//! what the weights mean.

mod package;
pub use package::{FileEntry, Package, Revision};

use async_trait::async_trait;
use bytes::Bytes;
use std::ops::Range;

/// A source of packages. Adding a hub is one module that implements this, and its fixture.
#[async_trait]
pub trait Hub: Send + Sync {
    /// Short id, the `hub` of its packages and the prefix of references: `hf`, `dir`.
    fn id(&self) -> &'static str;
    /// One page of package names (`owner/name`); `cursor` is `None` for the first page, else the last answer's `next`.
    async fn list(&self, filter: &ListFilter, cursor: Option<&str>) -> Result<Page, HubError>;
    /// One package at its newest revision.
    async fn package(&self, name: &str) -> Result<Package, HubError>;
    /// History, newest first.
    async fn revisions(&self, name: &str) -> Result<Vec<Revision>, HubError>;
    /// All files at a revision.
    async fn files(&self, name: &str, revision: &str) -> Result<Vec<FileEntry>, HubError>;
    /// Bytes of one file; exactly `range` long, or an error.
    async fn read(
        &self,
        name: &str,
        revision: &str,
        path: &str,
        range: Range<u64>,
    ) -> Result<Bytes, HubError>;
}

/// Which packages to list.
#[derive(Debug, Clone, Default)]
pub struct ListFilter {
    pub author: Option<String>,
    pub search: Option<String>,
}

/// One page of a listing.
#[derive(Debug, Clone, Default)]
pub struct Page {
    pub names: Vec<String>,
    pub next: Option<String>,
}

/// What a hub or the way to it did wrong. Each variant's text is one clear sentence a user can act on.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    #[error("{0}")]
    Unfinished(String),
}
