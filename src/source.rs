//! Opens references: a path or `hf:owner/name[@revision]` becomes a [`Source`], the one thing commands, jobs and the API read
//! weights and small texts from.
//!
//! Enters: a [`Reference`]. Leaves: a [`Source`] with its file list, its small texts and, on demand, its [`Checkpoint`]
//! (local files by positioned reads, hub files by Range). Knows nothing of Postgres.

mod bytes;
mod local;
pub mod observation;
mod stamp;

pub use bytes::FileBytes;
pub use stamp::Stamp;

use crate::versioning::SnapshotFile;
use crate::weights::{Checkpoint, WeightFile, select_weight_files};
use anyhow::{Context, bail, ensure};
use bytes::HubBytes;
use heirloom_crawler::{FileEntry, Hub, HubError, Revision};
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

/// A small text is read whole up to this size; longer ones are told apart by their digest alone.
pub const MAX_OBSERVED_TEXT_BYTES: u64 = 4 << 20;

/// What a user may name on the command line or through REST.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    /// A weight file or a package folder on this machine.
    Path(PathBuf),
    /// A package of a hub, at a revision or at its newest.
    Hub {
        hub: String,
        name: String,
        revision: Option<String>,
    },
}

/// `text` is neither an existing path nor `hub:owner/name[@revision]`.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is neither a file or folder here nor a reference like hf:owner/name or hf:owner/name@revision"
)]
pub struct BadReference(String);

impl Reference {
    /// Reads `hub:owner/name[@revision]`, and nothing else: what REST accepts, where a path would reach the server's own files.
    pub fn parse_hub(text: &str) -> Result<Self, BadReference> {
        let bad = || BadReference(text.to_owned());
        let (hub, rest) = text.split_once(':').ok_or_else(bad)?;
        let (name, revision) = match rest.split_once('@') {
            Some((name, revision)) => (name, Some(revision.to_owned())),
            None => (rest, None),
        };
        let hub_is_word =
            !hub.is_empty() && hub.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
        let segments_are_plain = name
            .split('/')
            .all(|part| !matches!(part, "" | "." | "..") && !part.contains(char::is_control));
        if !hub_is_word || !segments_are_plain || revision.as_deref() == Some("") {
            return Err(bad());
        }
        Ok(Self::Hub {
            hub: hub.to_owned(),
            name: name.to_owned(),
            revision,
        })
    }
}

impl FromStr for Reference {
    type Err = BadReference;

    /// An existing path wins over a hub reference of the same spelling.
    fn from_str(text: &str) -> Result<Self, BadReference> {
        if PathBuf::from(text).exists() {
            return Ok(Self::Path(text.into()));
        }
        Self::parse_hub(text)
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => write!(f, "{}", path.display()),
            Self::Hub {
                hub,
                name,
                revision: None,
            } => write!(f, "{hub}:{name}"),
            Self::Hub {
                hub,
                name,
                revision: Some(revision),
            } => write!(f, "{hub}:{name}@{revision}"),
        }
    }
}

/// An opened reference.
pub struct Source {
    /// What to call it in output: the path, or `hf:owner/name@revision`.
    pub label: String,
    pub files: Vec<FileEntry>,
    /// Small text files by path: config.json, README.md, tokenizer files.
    pub texts: BTreeMap<String, String>,
    /// `None` for a path.
    pub revision: Option<Revision>,
    place: Place,
}

enum Place {
    /// Folder that the file paths are relative to.
    Local(PathBuf),
    Hub {
        hub: Arc<dyn Hub>,
        name: String,
        revision: String,
    },
}

impl Source {
    /// Opens `reference`; hub references go to the endpoint the environment names.
    pub async fn open(reference: &Reference) -> anyhow::Result<Self> {
        match reference {
            Reference::Path(path) => local::open(path),
            Reference::Hub { hub, name, revision } => {
                let hub = heirloom_crawler::open(hub, None)?;
                Self::open_on(hub, name, revision.as_deref()).await
            }
        }
    }

    /// Opens a package of an already configured hub.
    pub async fn open_on(hub: Arc<dyn Hub>, name: &str, revision: Option<&str>) -> anyhow::Result<Self> {
        let revision = find_revision(hub.as_ref(), name, revision).await?;
        let files = hub.files(name, &revision.id).await?;
        let texts = read_texts(hub.as_ref(), name, &revision.id, &files, &mut BTreeMap::new()).await?;
        Ok(Self {
            label: format!("{}:{name}@{}", hub.id(), revision.id),
            files,
            texts,
            place: Place::Hub {
                hub,
                name: name.to_owned(),
                revision: revision.id.clone(),
            },
            revision: Some(revision),
        })
    }

    /// The weights of a revision whose file list is at hand; reads no texts.
    pub fn of_weights(hub: Arc<dyn Hub>, name: &str, revision: &str, files: Vec<FileEntry>) -> Self {
        let label = format!("{}:{name}@{revision}", hub.id());
        let place = Place::Hub {
            hub,
            name: name.to_owned(),
            revision: revision.to_owned(),
        };
        Self {
            label,
            files,
            texts: BTreeMap::new(),
            revision: None,
            place,
        }
    }

    /// Reads the headers of its weight files where they are; values follow by Range. Call from a blocking thread: hub reads wait
    /// for the network.
    pub fn checkpoint(&self) -> anyhow::Result<Checkpoint> {
        let chosen = self.weight_files()?;
        let files = chosen
            .into_iter()
            .map(|file| self.weight_file(file))
            .collect::<anyhow::Result<_>>()?;
        self.open_checkpoint(files)
    }

    /// The same checkpoint over copies in `folder`, each checked against the size and digest the hub gives. For readers of every
    /// byte: one download is cheaper than many ranges, and a truncated or altered file is found before it is believed.
    pub async fn download_checkpoint(&self, folder: &Path) -> anyhow::Result<Checkpoint> {
        let Place::Hub { hub, name, revision } = &self.place else {
            return self.checkpoint();
        };
        let mut files = Vec::new();
        for (index, file) in self.weight_files()?.into_iter().enumerate() {
            // Numbered, so that no path of the hub's choosing reaches the disk.
            let copy = folder.join(format!("weights-{index}"));
            hub.download(name, revision, file, &copy).await?;
            files.push(WeightFile {
                name: file.path.clone(),
                bytes: Arc::new(FileBytes::open(&copy)?),
            });
        }
        self.open_checkpoint(files)
    }

    /// The folder its files are in; `None` for a package of a hub.
    pub fn folder(&self) -> Option<&Path> {
        match &self.place {
            Place::Local(folder) => Some(folder),
            Place::Hub { .. } => None,
        }
    }

    /// `owner/name` of a package of a hub; `None` for a path.
    pub fn package(&self) -> Option<&str> {
        match &self.place {
            Place::Local(_) => None,
            Place::Hub { name, .. } => Some(name),
        }
    }

    /// True when it holds weights that heirloom reads.
    pub fn has_weights(&self) -> bool {
        self.weight_files().is_ok()
    }

    fn weight_files(&self) -> anyhow::Result<Vec<&FileEntry>> {
        let paths: Vec<&str> = self.files.iter().map(|file| file.path.as_str()).collect();
        let chosen = select_weight_files(&paths);
        ensure!(
            !chosen.is_empty(),
            "{} holds no weight file that heirloom reads",
            self.label
        );
        Ok(self
            .files
            .iter()
            .filter(|file| chosen.contains(&file.path))
            .collect())
    }

    fn weight_file(&self, file: &FileEntry) -> anyhow::Result<WeightFile> {
        let bytes: Arc<dyn crate::weights::ReadAt> = match &self.place {
            Place::Local(folder) => Arc::new(FileBytes::open(&folder.join(&file.path))?),
            Place::Hub { hub, name, revision } => {
                let Some(size) = file.size else {
                    bail!("{}: the hub does not give the size of {}", self.label, file.path)
                };
                Arc::new(HubBytes::new(hub.clone(), name, revision, &file.path, size))
            }
        };
        Ok(WeightFile {
            name: file.path.clone(),
            bytes,
        })
    }

    fn open_checkpoint(&self, files: Vec<WeightFile>) -> anyhow::Result<Checkpoint> {
        Checkpoint::open_with_config(files, &|| self.read_config())
            .with_context(|| format!("cannot read the weights of {}", self.label))
    }

    /// The text that says how weights are quantized. `None` where there is none, or it cannot be had: weights are read without.
    fn read_config(&self) -> Option<String> {
        let named = |name: &str| self.files.iter().find(|file| file.path == name);
        let file = named("config.json").or_else(|| named("quantize_config.json"))?;
        if let Some(text) = self.texts.get(&file.path) {
            return Some(text.clone());
        }
        let bytes = self.weight_file(file).ok()?.bytes;
        let mut text = vec![
            0;
            usize::try_from(bytes.len())
                .ok()
                .filter(|length| *length as u64 <= MAX_OBSERVED_TEXT_BYTES)?
        ];
        bytes.read_at(0, &mut text).ok()?;
        String::from_utf8(text).ok()
    }

    /// The files as the versioning rules see them.
    pub fn snapshot_files(&self) -> Vec<SnapshotFile> {
        let snapshot = |file: &FileEntry| SnapshotFile {
            path: file.path.clone(),
            size: file.size,
            digest: file.content_id().map(str::to_owned),
        };
        self.files.iter().map(snapshot).collect()
    }
}

/// The commit that `wanted` (a commit id, a prefix of at least seven digits, or a tag) names; the newest when `None`.
async fn find_revision(hub: &dyn Hub, name: &str, wanted: Option<&str>) -> anyhow::Result<Revision> {
    let history = hub.revisions(name).await?;
    let newest = history.first().cloned();
    let found = match wanted {
        None | Some("main") => newest,
        Some(wanted) => history.into_iter().find(|revision| {
            revision.id == wanted
                || revision.tags.iter().any(|tag| tag == wanted)
                || (wanted.len() >= 7 && revision.id.starts_with(wanted))
        }),
    };
    found.with_context(|| match wanted {
        Some(wanted) => format!("{}:{name} has no revision `{wanted}`", hub.id()),
        None => format!("{}:{name} has no revision yet", hub.id()),
    })
}

/// True for the small files that say what a package is and how it is used, beside its weights.
pub fn is_observed_text(path: &str, size: Option<u64>) -> bool {
    const SUFFIXES: [&str; 5] = [".json", ".md", ".jinja", ".py", ".sig"];
    const NAMES: [&str; 5] = ["LICENSE", "LICENCE", "merges.txt", "vocab.txt", "modules.txt"];
    let name = path.rsplit('/').next().unwrap_or(path);
    let known = SUFFIXES.iter().any(|suffix| name.ends_with(suffix)) || NAMES.contains(&name);
    known && size.is_some_and(|size| size <= MAX_OBSERVED_TEXT_BYTES)
}

/// Reads the observed texts of one revision, each content once: those in `seen`, by content id, are not asked for again. One that the
/// hub does not serve is left out, for the weights and the history still say much; one that another run may get is an error, lest the
/// revision be stored without it for good.
pub async fn read_texts(
    hub: &dyn Hub,
    name: &str,
    revision: &str,
    files: &[FileEntry],
    seen: &mut BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, HubError> {
    let mut texts = BTreeMap::new();
    for file in files
        .iter()
        .filter(|file| is_observed_text(&file.path, file.size))
    {
        if let Some(text) = file.content_id().and_then(|id| seen.get(id)) {
            texts.insert(file.path.clone(), text.clone());
            continue;
        }
        match hub.text(name, revision, &file.path).await {
            Ok(text) => {
                // Postgres cannot hold NUL in a text.
                let text = text.replace('\0', "\u{fffd}");
                if let Some(id) = file.content_id() {
                    seen.insert(id.to_owned(), text.clone());
                }
                texts.insert(file.path.clone(), text);
            }
            Err(error) if error.is_of_this_run() => return Err(error),
            Err(error) => tracing::warn!(package = name, path = file.path, "text left out: {error}"),
        }
    }
    Ok(texts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_told_from_paths() {
        let hub = |name: &str, revision: Option<&str>| {
            Ok(Reference::Hub {
                hub: "hf".into(),
                name: name.into(),
                revision: revision.map(str::to_owned),
            })
        };
        assert_eq!("hf:org/model".parse(), hub("org/model", None));
        assert_eq!("hf:org/model@v1.0".parse(), hub("org/model", Some("v1.0")));
        assert_eq!("hf:gpt2".parse(), hub("gpt2", None));
        assert_eq!(
            env!("CARGO_MANIFEST_DIR").parse(),
            Ok(Reference::Path(env!("CARGO_MANIFEST_DIR").into()))
        );
        for bad in [
            "",
            "org/model",
            "hf:",
            "hf:org/../x",
            "hf:/etc/passwd",
            "hf:org/model@",
            "C:\\x",
            "hf:a//b",
        ] {
            assert_eq!(bad.parse::<Reference>(), Err(BadReference(bad.into())), "{bad}");
        }
    }

    #[test]
    fn rest_never_opens_a_path() {
        let here = env!("CARGO_MANIFEST_DIR");
        assert!(Reference::parse_hub(here).is_err());
    }

    #[test]
    fn texts_are_chosen_by_name_and_size() {
        assert!(is_observed_text("config.json", Some(10)));
        assert!(is_observed_text("onnx/README.md", Some(10)));
        assert!(!is_observed_text(
            "tokenizer.json",
            Some(MAX_OBSERVED_TEXT_BYTES + 1)
        ));
        assert!(!is_observed_text("model.safetensors", Some(10)));
        assert!(!is_observed_text("config.json", None));
    }
}
