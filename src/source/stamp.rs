//! Whether local weight files stayed as they were while they were read: half of one version and half of the next is neither.

use super::{Place, Source};
use anyhow::{Context, ensure};
use std::path::PathBuf;
use std::time::SystemTime;

/// Sizes and times of change of a source's weight files. Empty for a package of a hub: a revision does not change.
#[derive(Debug, PartialEq, Eq)]
pub struct Stamp(Vec<(PathBuf, u64, Option<SystemTime>)>);

impl Source {
    /// Take it before reading.
    pub fn stamp(&self) -> anyhow::Result<Stamp> {
        let Place::Local(folder) = &self.place else {
            return Ok(Stamp(Vec::new()));
        };
        let stamp = |path: PathBuf| {
            let metadata = path
                .metadata()
                .with_context(|| format!("cannot read {}", path.display()))?;
            Ok((path, metadata.len(), metadata.modified().ok()))
        };
        let files = self.weight_files()?.into_iter();
        let stamps = files
            .map(|file| stamp(folder.join(&file.path)))
            .collect::<anyhow::Result<_>>()?;
        Ok(Stamp(stamps))
    }

    /// Fails when a weight file is not what it was at `before`.
    pub fn refuse_changed(&self, before: &Stamp) -> anyhow::Result<()> {
        for (then, now) in before.0.iter().zip(self.stamp()?.0) {
            let path = now.0.display();
            ensure!(
                *then == now,
                "{path} changed while it was read; try again when nothing writes to it"
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::source::{Reference, Source};

    #[tokio::test]
    async fn a_file_that_changes_while_it_is_read_is_noticed() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("model.safetensors");
        std::fs::write(&path, b"first")?;
        let source = Source::open(&Reference::Path(path.clone())).await?;
        let stamp = source.stamp()?;
        source.refuse_changed(&stamp)?;
        std::fs::write(&path, b"another")?;
        let error = source.refuse_changed(&stamp).map_err(|error| error.to_string());
        assert!(error.is_err_and(|text| text.contains("changed while it was read")));
        Ok(())
    }
}
