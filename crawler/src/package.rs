//! The one schema every hub is turned into. What a hub does not say stays `None` or empty, never guessed.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// A model package as a hub lists it, at its newest revision.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Package {
    /// Short hub id: `hf`, `dir`, ...
    pub hub: String,
    pub owner: String,
    pub name: String,
    pub url: Option<String>,
    /// Base URL it was crawled from; a folder's path for `dir`. Its weights are read from here again on demand.
    pub endpoint: String,
    /// Newest revision (commit id).
    pub revision: Option<String>,
    pub created_at: Option<OffsetDateTime>,
    pub modified_at: Option<OffsetDateTime>,
    pub architecture: Option<String>,
    pub task: Option<String>,
    pub library: Option<String>,
    /// SPDX expression where the hub's licence maps onto one, else the hub's own word.
    pub licence: Option<String>,
    pub tags: Vec<String>,
    pub datasets: Vec<String>,
    pub papers: Vec<String>,
    pub downloads: Option<i64>,
    pub likes: Option<i64>,
    pub gated: bool,
    pub availability: Availability,
    /// `owner/name` as the card declares them.
    pub base_models: Vec<String>,
    /// The card's `base_model_relation`.
    pub base_model_relation: Option<String>,
    /// The card's text (Markdown, front matter included).
    pub card: Option<String>,
    /// What goes into the model and what comes out.
    pub ports: Option<Ports>,
    /// The hub's own JSON.
    pub raw: serde_json::Value,
}

/// Who may have a package.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Availability {
    /// Everybody, or whoever accepts its terms where it is gated.
    #[default]
    Public,
    /// Whoever has a token that opens it.
    Private,
    /// Nobody: the hub closed it.
    Disabled,
    /// Nobody: the hub's own history says that it was removed.
    Gone,
}

/// The inputs and outputs of a model.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ports {
    pub inputs: Vec<Port>,
    pub outputs: Vec<Port>,
}

/// One input or output.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Port {
    pub name: String,
    /// Element type as the hub writes it: `tensor(float)`.
    pub element_type: Option<String>,
    /// Sizes, and names for those that vary: `N`, `3`, `224`.
    pub shape: Vec<String>,
}

/// One commit of a package's history.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Revision {
    pub id: String,
    pub date: Option<OffsetDateTime>,
    pub title: String,
    pub message: String,
    pub authors: Vec<String>,
    /// Tags that point at it.
    pub tags: Vec<String>,
}

impl Revision {
    /// Title and message as one text, the way the author wrote it.
    pub fn full_message(&self) -> String {
        match self.message.trim() {
            "" => self.title.clone(),
            message => format!("{}\n\n{message}", self.title),
        }
    }
}

/// A file of a package at a revision.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    pub path: String,
    pub size: Option<u64>,
    /// Hex SHA-256 of the content, where the hub knows it (LFS).
    pub sha256: Option<String>,
    /// Git object id, or the hub's own content id.
    pub blob_id: Option<String>,
    /// Xet's content id of a large file.
    #[serde(default)]
    pub xet_hash: Option<String>,
}

impl FileEntry {
    /// What tells its content from any other's, where the hub says it.
    #[must_use]
    pub fn content_id(&self) -> Option<&str> {
        self.sha256.as_deref().or(self.blob_id.as_deref())
    }
}
