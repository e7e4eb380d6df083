//! One `.git` folder, read only: its commits along the first parent, its tags, the files of a commit.
//!
//! Everything in it may be hostile: objects have a largest size, trees a largest depth and number of files, and objects of other
//! repositories (alternates) are refused.

pub use super::objects::Id;
use super::objects::{Kind, Objects};
use super::references::References;
use crate::fields::malformed;
use crate::{FileEntry, HubError, Revision, check_file_path};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use time::OffsetDateTime;

const MAX_COMMITS: usize = 100_000;
const MAX_FILES: usize = 100_000;
const MAX_DEPTH: usize = 64;
/// A tag may name a tag.
const MAX_TAG_STEPS: usize = 8;
/// A pointer is a few lines.
const MAX_POINTER_BYTES: u64 = 1024;
const FOLDER_MODE: &str = "40000";
const LINK_MODE: &str = "120000";
const SUBMODULE_MODE: &str = "160000";

/// See the module's text.
#[derive(Debug)]
pub struct Repository {
    folder: PathBuf,
    objects: Objects,
    references: References,
}

/// A file of a commit.
#[derive(Debug, Clone)]
pub struct Blob {
    pub path: String,
    pub id: Id,
    /// Of the blob itself, which for a pointer is the pointer's.
    pub size: u64,
    pub pointer: Option<Pointer>,
}

/// What stands in git for a large file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pointer {
    pub sha256: String,
    pub size: u64,
}

struct Commit {
    tree: Id,
    parent: Option<Id>,
    revision: Revision,
}

impl Blob {
    pub fn to_entry(&self) -> FileEntry {
        let pointer = self.pointer.as_ref();
        FileEntry {
            path: self.path.clone(),
            size: Some(pointer.map_or(self.size, |pointer| pointer.size)),
            sha256: pointer.map(|pointer| pointer.sha256.clone()),
            blob_id: Some(self.id.to_string()),
            xet_hash: None,
        }
    }
}

impl Repository {
    /// `folder` is the `.git` folder.
    pub fn open(folder: &Path) -> Result<Self, HubError> {
        let objects = folder.join("objects");
        let alternates = objects.join("info/alternates");
        if alternates.exists() {
            let reason = "objects of another repository are not read; clone without --shared and --reference";
            return Err(malformed(&alternates.display().to_string(), "alternates", reason));
        }
        Ok(Self {
            objects: Objects::open(&objects).map_err(|error| damaged(folder, &error))?,
            references: References::read(folder)?,
            folder: folder.to_owned(),
        })
    }

    /// The newest commit; `None` in a repository without any.
    pub fn head(&self) -> Result<Option<Id>, HubError> {
        match self.references.find("HEAD") {
            Some(id) => self.peel(id),
            None => Ok(None),
        }
    }

    /// The commit a full id or a tag names.
    pub fn commit(&self, revision: &str) -> Result<Option<Id>, HubError> {
        let named = Id::from_hex(revision).or_else(|| self.references.find(&format!("refs/tags/{revision}")));
        match named {
            Some(id) => self.peel(id),
            None => Ok(None),
        }
    }

    /// Commits along the first parent, newest first, to where the history ends or the clone is shallow.
    pub fn history(&self) -> Result<Vec<Revision>, HubError> {
        let tags = self.tags()?;
        let mut history = Vec::new();
        let mut next = self.head()?;
        while let Some(id) = next {
            let Some(mut commit) = self.read_commit(&id)? else {
                break;
            };
            if history.len() == MAX_COMMITS {
                return Err(HubError::TooLarge {
                    what: format!("the history in {}", self.folder.display()),
                    limit: MAX_COMMITS as u64,
                });
            }
            commit.revision.tags = tags.get(&id).cloned().unwrap_or_default();
            history.push(commit.revision);
            next = commit.parent;
        }
        Ok(history)
    }

    /// The files of a commit, sorted by path; links and submodules are left out.
    pub fn blobs(&self, package: &str, commit: &Id) -> Result<Vec<Blob>, HubError> {
        let root = self.read_commit(commit)?.map(|commit| commit.tree);
        let mut found = Vec::new();
        let mut pending: Vec<(Id, String, usize)> =
            root.map(|root| (root, String::new(), 0)).into_iter().collect();
        while let Some((tree, prefix, depth)) = pending.pop() {
            for (mode, name, id) in self.read_tree(&tree)? {
                let path = format!("{prefix}{name}");
                match mode.as_str() {
                    FOLDER_MODE if depth < MAX_DEPTH => pending.push((id, format!("{path}/"), depth + 1)),
                    FOLDER_MODE | LINK_MODE | SUBMODULE_MODE => {}
                    _ => {
                        check_file_path(package, &path)?;
                        found.push((path, id));
                    }
                }
            }
            if found.len() > MAX_FILES || pending.len() > MAX_FILES {
                return Err(HubError::TooLarge {
                    what: format!("the file list of {package}"),
                    limit: MAX_FILES as u64,
                });
            }
        }
        found.sort();
        found.into_iter().map(|(path, id)| self.blob(path, id)).collect()
    }

    fn blob(&self, path: String, id: Id) -> Result<Blob, HubError> {
        let size = self.objects.size(&id).map_err(|error| self.damaged(&error))?;
        let missing = || {
            malformed(
                &self.shown(),
                &path,
                "its content is missing, for the clone is partial",
            )
        };
        let mut blob = Blob {
            size: size.ok_or_else(missing)?,
            path,
            id,
            pointer: None,
        };
        if blob.size <= MAX_POINTER_BYTES {
            blob.pointer = parse_pointer(&self.read(&blob)?);
        }
        Ok(blob)
    }

    pub fn read(&self, blob: &Blob) -> Result<Vec<u8>, HubError> {
        let content = self.read_kind(&blob.id, Kind::Blob)?;
        content.ok_or_else(|| malformed(&self.shown(), &blob.path, "its content is missing"))
    }

    /// Where git-LFS keeps the content of a pointer.
    pub fn lfs_object(&self, pointer: &Pointer) -> PathBuf {
        let digest = &pointer.sha256;
        self.folder
            .join("lfs/objects")
            .join(&digest[..2])
            .join(&digest[2..4])
            .join(digest)
    }

    fn tags(&self) -> Result<HashMap<Id, Vec<String>>, HubError> {
        let mut tags: HashMap<Id, Vec<String>> = HashMap::new();
        for (tag, id) in self.references.tags() {
            if let Some(commit) = self.peel(id)? {
                tags.entry(commit).or_default().push(tag.to_owned());
            }
        }
        Ok(tags)
    }

    /// The commit behind an annotated tag; `None` for what is no commit or not here.
    fn peel(&self, id: Id) -> Result<Option<Id>, HubError> {
        let mut id = id;
        for _ in 0..MAX_TAG_STEPS {
            let object = self.objects.read(&id).map_err(|error| self.damaged(&error))?;
            match object {
                Some(object) if object.kind == Kind::Commit => return Ok(Some(id)),
                Some(object) if object.kind == Kind::Tag => {
                    let text = String::from_utf8_lossy(&object.content).into_owned();
                    let target = text.lines().next().and_then(|line| line.strip_prefix("object "));
                    match target.and_then(Id::from_hex) {
                        Some(target) => id = target,
                        None => return Ok(None),
                    }
                }
                _ => return Ok(None),
            }
        }
        Ok(None)
    }

    fn read_commit(&self, id: &Id) -> Result<Option<Commit>, HubError> {
        let Some(content) = self.read_kind(id, Kind::Commit)? else {
            return Ok(None);
        };
        let text = String::from_utf8_lossy(&content);
        parse_commit(*id, &text)
            .map(Some)
            .ok_or_else(|| malformed(&self.shown(), &id.to_string(), "this is no commit"))
    }

    fn read_tree(&self, id: &Id) -> Result<Vec<(String, String, Id)>, HubError> {
        let content = self.read_kind(id, Kind::Tree)?;
        content.and_then(|content| parse_tree(&content)).ok_or_else(|| {
            malformed(
                &self.shown(),
                &id.to_string(),
                "this is no tree, or it is missing",
            )
        })
    }

    fn read_kind(&self, id: &Id, kind: Kind) -> Result<Option<Vec<u8>>, HubError> {
        let object = self.objects.read(id).map_err(|error| self.damaged(&error))?;
        match object {
            None => Ok(None),
            Some(object) if object.kind == kind => Ok(Some(object.content)),
            Some(_) => Err(malformed(
                &self.shown(),
                &id.to_string(),
                "it is an object of another type",
            )),
        }
    }

    fn damaged(&self, error: &std::io::Error) -> HubError {
        damaged(&self.folder, error)
    }

    fn shown(&self) -> String {
        self.folder.display().to_string()
    }
}

fn damaged(folder: &Path, error: &std::io::Error) -> HubError {
    malformed(
        &folder.display().to_string(),
        "the git repository",
        &error.to_string(),
    )
}

/// Header lines (`tree`, `parent`, `author`, `committer`), an empty line, the message.
fn parse_commit(id: Id, text: &str) -> Option<Commit> {
    let (header, message) = text.split_once("\n\n").unwrap_or((text, ""));
    let field = |key: &str| header.lines().find_map(|line| line.strip_prefix(key));
    let (title, message) = message.split_once('\n').unwrap_or((message, ""));
    Some(Commit {
        tree: Id::from_hex(field("tree ")?)?,
        parent: field("parent ").and_then(Id::from_hex),
        revision: Revision {
            id: id.to_string(),
            date: field("committer ").and_then(date_of),
            title: title.trim().to_owned(),
            message: message.trim().to_owned(),
            authors: field("author ").map(name_of).into_iter().collect(),
            tags: Vec::new(),
        },
    })
}

/// `Ann <ann@example.org> 1700000000 +0000`
fn date_of(signature: &str) -> Option<OffsetDateTime> {
    let (_, rest) = signature.rsplit_once("> ")?;
    let seconds = rest.split(' ').next()?.parse().ok()?;
    OffsetDateTime::from_unix_timestamp(seconds).ok()
}

fn name_of(signature: &str) -> String {
    signature.split(" <").next().unwrap_or_default().trim().to_owned()
}

/// `<mode> <name>\0<20 bytes of id>`, again and again.
fn parse_tree(content: &[u8]) -> Option<Vec<(String, String, Id)>> {
    let mut entries = Vec::new();
    let mut rest = content;
    while !rest.is_empty() {
        let end = rest.iter().position(|byte| *byte == 0)?;
        let (mode, name) = std::str::from_utf8(&rest[..end]).ok()?.split_once(' ')?;
        let (id, after) = rest[end + 1..].split_first_chunk()?;
        entries.push((mode.to_owned(), name.to_owned(), Id(*id)));
        rest = after;
    }
    Some(entries)
}

/// `version https://git-lfs.github.com/spec/v1`, `oid sha256:<hex>`, `size <bytes>`.
fn parse_pointer(bytes: &[u8]) -> Option<Pointer> {
    let text = std::str::from_utf8(bytes).ok()?;
    if !text.starts_with("version https://git-lfs.github.com/spec/v1\n") {
        return None;
    }
    let value = |key: &str| text.lines().find_map(|line| line.strip_prefix(key));
    let sha256 = value("oid sha256:")?;
    let valid = sha256.len() == 64
        && sha256
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    Some(Pointer {
        sha256: valid.then(|| sha256.to_owned())?,
        size: value("size ")?.parse().ok()?,
    })
}
