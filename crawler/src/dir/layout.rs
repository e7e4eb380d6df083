//! The layout of a hub folder: `<owner>/<name>/` holds a package at its newest revision, `.revisions/<id>/` its earlier ones,
//! `.revisions/index.json` their order, oldest first: `[{"sha","date","message","tags","authors"}]`; the last entry is the folder
//! itself.

use crate::disk::{self, DigestCache};
use crate::{HubError, Revision, check_package_name};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

const MAX_INDEX_BYTES: u64 = 16 << 20;
/// As long as a git commit id, because clients expect one.
const REVISION_ID_CHARS: usize = 40;

/// A revision and the folder that holds its files.
#[derive(Debug, Clone)]
pub struct FolderRevision {
    pub revision: Revision,
    pub folder: PathBuf,
}

#[derive(Debug, Deserialize)]
struct IndexEntry {
    sha: String,
    #[serde(default)]
    date: Option<String>,
    #[serde(default)]
    message: String,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    authors: Vec<String>,
}

/// All `owner/name` below `root`, sorted.
pub fn package_names(root: &Path) -> Result<Vec<String>, HubError> {
    let mut names = Vec::new();
    for (owner, folder) in disk::children(root)? {
        if owner.starts_with('.') || !folder.is_dir() {
            continue;
        }
        for (name, package) in disk::children(&folder)? {
            let full = format!("{owner}/{name}");
            if package.is_dir() && check_package_name(&full).is_ok() {
                names.push(full);
            }
        }
    }
    Ok(names)
}

/// The history of a package, oldest first; never empty.
pub fn history(
    root: &Path,
    digests: &DigestCache,
    package: &str,
    folder: &Path,
) -> Result<Vec<FolderRevision>, HubError> {
    let index = folder.join(".revisions/index.json");
    if !index.is_file() {
        let id = content_id(root, digests, folder)?;
        return Ok(vec![undated_revision(id, folder)]);
    }
    let entries = read_index(&index)?;
    let Some(newest) = entries.len().checked_sub(1) else {
        return Err(malformed(&index, "the list", "is empty"));
    };
    let mut history = Vec::with_capacity(entries.len());
    for (position, entry) in entries.into_iter().enumerate() {
        let folder = if position == newest {
            folder.to_owned()
        } else {
            let inner = Path::new(".revisions").join(check_id(package, &entry.sha)?);
            let earlier = folder.join(inner);
            if !earlier.is_dir() {
                return Err(malformed(
                    &index,
                    &format!("[{position}].sha"),
                    "names no folder beside the index",
                ));
            }
            earlier
        };
        history.push(FolderRevision {
            revision: to_revision(&index, position, entry)?,
            folder,
        });
    }
    Ok(history)
}

fn read_index(index: &Path) -> Result<Vec<IndexEntry>, HubError> {
    let bytes = disk::read_whole(index, MAX_INDEX_BYTES)?;
    serde_json::from_slice(&bytes).map_err(|error| malformed(index, "the list", &error.to_string()))
}

fn check_id<'a>(package: &str, id: &'a str) -> Result<&'a str, HubError> {
    let safe = !id.is_empty()
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    if safe {
        Ok(id)
    } else {
        Err(HubError::UnsafePath {
            package: package.to_owned(),
            path: id.to_owned(),
        })
    }
}

fn to_revision(index: &Path, position: usize, entry: IndexEntry) -> Result<Revision, HubError> {
    let date = match entry.date {
        None => None,
        Some(text) => Some(parse_date(&text).ok_or_else(|| {
            malformed(
                index,
                &format!("[{position}].date"),
                "is not a date like 2024-01-31T12:00:00Z",
            )
        })?),
    };
    let (title, message) = split_message(&entry.message);
    Ok(Revision {
        id: entry.sha,
        date,
        title,
        message,
        authors: entry.authors,
        tags: entry.tags,
    })
}

/// The first line is the title, as in git; the rest the message.
fn split_message(text: &str) -> (String, String) {
    let (title, message) = text.split_once('\n').unwrap_or((text, ""));
    (title.trim().to_owned(), message.trim().to_owned())
}

fn parse_date(text: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(text, &Rfc3339).ok().or_else(|| {
        let day = time::macros::format_description!("[year]-[month]-[day]");
        time::Date::parse(text, day)
            .ok()
            .map(|date| date.midnight().assume_utc())
    })
}

fn undated_revision(id: String, folder: &Path) -> FolderRevision {
    FolderRevision {
        revision: Revision {
            id,
            ..Revision::default()
        },
        folder: folder.to_owned(),
    }
}

/// A digest over every path and content, so that the id changes exactly when the package does.
fn content_id(root: &Path, digests: &DigestCache, folder: &Path) -> Result<String, HubError> {
    let mut hash = Sha256::new();
    for path in disk::walk(root, folder)? {
        let digest = digests.digest(&folder.join(&path))?;
        hash.update(format!("{path}\0{}\n", digest.sha256).as_bytes());
    }
    let mut id = hex::encode(hash.finalize());
    id.truncate(REVISION_ID_CHARS);
    Ok(id)
}

fn malformed(index: &Path, field: &str, reason: &str) -> HubError {
    HubError::Malformed {
        url: index.display().to_string(),
        field: field.to_owned(),
        reason: reason.to_owned(),
    }
}
