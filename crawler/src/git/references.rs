//! Names of commits: `HEAD`, branches and tags, each in a file of its own or in `packed-refs`.

use super::objects::Id;
use crate::{HubError, disk};
use std::collections::BTreeMap;
use std::path::Path;

const MAX_REFERENCE_BYTES: u64 = 4096;
const MAX_PACKED_BYTES: u64 = 256 << 20;
/// `HEAD` names a branch; a branch that names a branch that … is no use.
const MAX_STEPS: usize = 5;

/// All references of a `.git` folder by full name, and where `HEAD` points.
#[derive(Debug, Default)]
pub struct References {
    by_name: BTreeMap<String, String>,
}

impl References {
    pub fn read(folder: &Path) -> Result<Self, HubError> {
        let mut by_name = BTreeMap::new();
        let packed = folder.join("packed-refs");
        if packed.is_file() {
            let text = read_text(&packed, MAX_PACKED_BYTES)?;
            // `^<id>` lines repeat what the annotated tag before them points at.
            for line in text.lines().filter(|line| !line.starts_with(['#', '^'])) {
                if let Some((id, name)) = line.split_once(' ') {
                    by_name.insert(name.to_owned(), id.to_owned());
                }
            }
        }
        let loose = folder.join("refs");
        if loose.is_dir() {
            for path in disk::walk(folder, &loose)? {
                let target = read_text(&loose.join(&path), MAX_REFERENCE_BYTES)?;
                by_name.insert(format!("refs/{path}"), target.trim().to_owned());
            }
        }
        let head = folder.join("HEAD");
        if head.is_file() {
            let target = read_text(&disk::contained(folder, &head)?, MAX_REFERENCE_BYTES)?;
            by_name.insert("HEAD".to_owned(), target.trim().to_owned());
        }
        Ok(Self { by_name })
    }

    /// The object a full name leads to; `None` for one that leads nowhere, as `HEAD` of an empty repository does.
    pub fn find(&self, name: &str) -> Option<Id> {
        let mut target = self.by_name.get(name)?;
        for _ in 0..MAX_STEPS {
            match target.strip_prefix("ref: ") {
                Some(other) => target = self.by_name.get(other.trim())?,
                None => return Id::from_hex(target),
            }
        }
        None
    }

    /// Short names of tags and the objects they name.
    pub fn tags(&self) -> impl Iterator<Item = (&str, Id)> {
        self.by_name.keys().filter_map(|name| {
            let tag = name.strip_prefix("refs/tags/")?;
            Some((tag, self.find(name)?))
        })
    }
}

fn read_text(path: &Path, limit: u64) -> Result<String, HubError> {
    let bytes = disk::read_whole(path, limit)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
