//! Model-hub clients: one module per hub behind [`Hub`], all producing the same [`Package`].
//!
//! Enters: an endpoint or a folder. Leaves: packages, their history, files and bytes by Range. Knows nothing of Postgres or of
//! what the weights mean.

pub mod cache;
mod card;
pub mod civitai;
mod content;
pub mod dir;
mod disk;
mod documents;
mod error;
mod fields;
pub mod git;
pub mod hf;
mod http;
pub mod kaggle;
mod licence;
mod listing;
mod local;
pub mod modelhub_ai;
pub mod modelscope;
pub mod modelzoo;
pub mod ngc;
pub mod oci;
pub mod onnx_zoo;
mod open;
mod package;
mod path;
pub mod pytorch_hub;
mod recent;

pub use content::Content;
pub use error::HubError;
pub use http::{Pace, RetryPolicy, Timeouts, Token, is_local_name, is_public};
pub use listing::Listing;
pub use open::{KNOWN_HUBS, OpenOptions, open, open_with};
pub use package::{Availability, FileEntry, Package, Port, Ports, Revision};
pub use path::{check_file_path, check_package_name};

use async_trait::async_trait;
use bytes::Bytes;
use std::ops::Range;
use std::path::Path;

/// The longest text [`Hub::text`] returns; a tokenizer of a large vocabulary fits.
pub const MAX_WHOLE_TEXT_BYTES: u64 = 64 << 20;

/// Stands in for the owner of old packages that have none (`gpt2`), since a reference names both.
pub const NO_OWNER: &str = "_";

/// A source of packages. Adding a hub is one module that implements this, and its fixture.
#[async_trait]
pub trait Hub: Send + Sync {
    /// Short id, the `hub` of its packages and the prefix of references: `hf`, `dir`.
    fn id(&self) -> &'static str;
    /// Where its packages come from: the base URL, or the folder's path. Stored as [`Package::endpoint`].
    fn endpoint(&self) -> String;
    /// True when [`Hub::list`] gives packages in the order of their last change, newest first: an incremental crawl may stop early.
    fn lists_newest_first(&self) -> bool {
        false
    }
    /// True when its files are on this machine, so that reading them where they are beats a copy.
    fn is_local(&self) -> bool {
        false
    }
    /// One page of package names (`owner/name`); `cursor` is `None` for the first page, else the last answer's `next`.
    async fn list(&self, filter: &ListFilter, cursor: Option<&str>) -> Result<Page, HubError>;
    /// One package at its newest revision.
    async fn package(&self, name: &str) -> Result<Package, HubError>;
    /// History, newest first.
    async fn revisions(&self, name: &str) -> Result<Vec<Revision>, HubError>;
    /// All files at a revision.
    async fn files(&self, name: &str, revision: &str) -> Result<Vec<FileEntry>, HubError>;
    /// Where the content of one file is.
    async fn locate<'a>(
        &'a self,
        name: &'a str,
        revision: &'a str,
        path: &'a str,
    ) -> Result<Content<'a>, HubError>;

    /// Bytes of one file; exactly `range` long, or an error.
    async fn read(
        &self,
        name: &str,
        revision: &str,
        path: &str,
        range: Range<u64>,
    ) -> Result<Bytes, HubError> {
        self.locate(name, revision, path).await?.range(range).await
    }

    /// A whole small file; [`HubError::TooLarge`] past `limit` bytes.
    async fn read_whole(
        &self,
        name: &str,
        revision: &str,
        path: &str,
        limit: u64,
    ) -> Result<Bytes, HubError> {
        self.locate(name, revision, path).await?.whole(limit).await
    }

    /// Writes a whole file to `target`, checked against the size and digest of `file`; nothing is left at `target` on an error.
    /// Returns the number of bytes.
    async fn download(
        &self,
        name: &str,
        revision: &str,
        file: &FileEntry,
        target: &Path,
    ) -> Result<u64, HubError> {
        self.locate(name, revision, &file.path)
            .await?
            .download(file, target)
            .await
    }

    /// A whole small text (card, configuration, tokenizer). Bytes that are not UTF-8 are replaced, for a card is still worth
    /// reading then.
    async fn text(&self, name: &str, revision: &str, path: &str) -> Result<String, HubError> {
        let bytes = self
            .read_whole(name, revision, path, MAX_WHOLE_TEXT_BYTES)
            .await?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// Which packages to list.
#[derive(Debug, Clone, Default)]
pub struct ListFilter {
    pub author: Option<String>,
    pub search: Option<String>,
    /// The validator of an earlier listing: a hub whose listing is still the same answers [`Page::unchanged`].
    pub validator: Option<String>,
}

impl ListFilter {
    /// For hubs that cannot filter themselves: the owner is `author`, and the name contains `search`, both in any case.
    #[must_use]
    pub fn accepts(&self, name: &str) -> bool {
        let owner = name.split_once('/').map_or("", |(owner, _)| owner);
        self.author
            .as_ref()
            .is_none_or(|author| author.eq_ignore_ascii_case(owner))
            && self
                .search
                .as_ref()
                .is_none_or(|search| name.to_lowercase().contains(&search.to_lowercase()))
    }
}

/// One page of a listing.
#[derive(Debug, Clone, Default)]
pub struct Page {
    pub names: Vec<String>,
    /// What the listing itself says of each of `names`, in the same order; empty where the hub lists names only. A crawl at level
    /// `metadata` needs no request per package then. Cards are not in a listing.
    pub packages: Vec<Package>,
    /// Entries that were left out because they could not be read, one sentence each.
    pub skipped: Vec<String>,
    pub next: Option<String>,
    /// Of the first page, where the hub gives one.
    pub validator: Option<String>,
    /// Nothing changed since the listing whose validator was given; the page is empty.
    pub unchanged: bool,
}

impl Page {
    /// Adds a package the listing describes.
    pub(crate) fn add(&mut self, package: Package) {
        self.names.push(format!("{}/{}", package.owner, package.name));
        self.packages.push(package);
    }
}
