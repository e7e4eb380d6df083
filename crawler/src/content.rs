//! Where the bytes of one file are: on this machine, in memory, or on a web server; read by range, whole, or to disk.

use crate::http::{Ask, Client};
use crate::{FileEntry, HubError, disk};
use bytes::Bytes;
use std::io::Cursor;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// See the module's text.
#[derive(Debug)]
pub struct Content<'a>(Place<'a>);

#[derive(Debug)]
enum Place<'a> {
    Disk(PathBuf),
    Memory { name: String, bytes: Bytes },
    Web { client: &'a Client, ask: Ask<'a> },
}

impl<'a> Content<'a> {
    #[must_use]
    pub fn on_disk(path: PathBuf) -> Self {
        Self(Place::Disk(path))
    }

    /// `name` is for errors only.
    #[must_use]
    pub fn in_memory(name: &str, bytes: Bytes) -> Self {
        let name = name.to_owned();
        Self(Place::Memory { name, bytes })
    }

    pub(crate) fn on_web(client: &'a Client, ask: Ask<'a>) -> Self {
        Self(Place::Web { client, ask })
    }

    /// Exactly the bytes of `range`, or an error.
    pub async fn range(self, range: Range<u64>) -> Result<Bytes, HubError> {
        match self.0 {
            Place::Disk(path) => disk::blocking(move || disk::read_range(&path, range)).await,
            Place::Memory { name, bytes } => slice(&name, &bytes, range),
            Place::Web { client, ask } => client.range(&ask, range).await,
        }
    }

    /// The whole content; [`HubError::TooLarge`] past `limit` bytes.
    pub async fn whole(self, limit: u64) -> Result<Bytes, HubError> {
        match self.0 {
            Place::Disk(path) => disk::blocking(move || disk::read_whole(&path, limit)).await,
            Place::Memory { name, bytes } if bytes.len() as u64 > limit => {
                Err(HubError::TooLarge { what: name, limit })
            }
            Place::Memory { bytes, .. } => Ok(bytes),
            Place::Web { client, ask } => client.whole(&ask, limit).await,
        }
    }

    /// Writes the whole content to `target`, checked against what `file` promises; nothing is left there on an error.
    pub async fn download(self, file: &FileEntry, target: &Path) -> Result<u64, HubError> {
        let (owned, to) = (file.clone(), target.to_owned());
        match self.0 {
            Place::Disk(path) => disk::blocking(move || disk::copy_checked(&path, &owned, &to)).await,
            Place::Memory { name, bytes } => {
                disk::blocking(move || disk::write_checked(Cursor::new(bytes), Path::new(&name), &owned, &to))
                    .await
            }
            Place::Web { client, ask } => client.download(&ask, file, target).await,
        }
    }
}

fn slice(name: &str, bytes: &Bytes, range: Range<u64>) -> Result<Bytes, HubError> {
    let size = bytes.len() as u64;
    if range.start > range.end || range.end > size {
        return Err(HubError::OutOfRange {
            file: name.to_owned(),
            start: range.start,
            end: range.end,
            size,
        });
    }
    // Both ends are within the length of a slice in memory.
    Ok(bytes.slice(range.start as usize..range.end as usize))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn memory_is_read_within_its_bounds_and_written_checked() {
        let content = || Content::in_memory("a", Bytes::from_static(b"0123456789"));
        assert_eq!(content().range(2..5).await.unwrap(), "234");
        assert!(matches!(
            content().range(5..11).await,
            Err(HubError::OutOfRange { size: 10, .. })
        ));
        assert!(matches!(content().whole(9).await, Err(HubError::TooLarge { .. })));
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("copy");
        let mut file = FileEntry {
            path: "a".into(),
            size: Some(10),
            ..FileEntry::default()
        };
        assert_eq!(content().download(&file, &target).await.unwrap(), 10);
        std::fs::remove_file(&target).unwrap();
        file.sha256 = Some("0".repeat(64));
        assert!(content().download(&file, &target).await.is_err());
        assert!(!target.exists());
    }
}
