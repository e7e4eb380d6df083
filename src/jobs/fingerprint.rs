//! The weights of a package's revisions into stored fingerprints.

use super::in_flight::InFlight;
use super::{Progress, may_pass, stops_everything};
use crate::fingerprint::{Fingerprint, Level, fingerprint};
use crate::sentence::sentence;
use crate::source::Source;
use crate::store::Store;
use crate::store::fingerprints::PendingRevision;
use crate::weights::WeightsError;
use anyhow::Context;
use heirloom_crawler::Hub;
use std::path::Path;
use std::sync::Arc;
use tokio::task::spawn_blocking;

/// Which package, and how its weights are to be read.
pub struct Reading<'a> {
    pub store: &'a Store,
    pub hub: &'a Arc<dyn Hub>,
    pub full_name: &'a str,
    pub package_id: i64,
    pub level: Level,
    /// Whole files are downloaded here, and removed once they are read.
    pub scratch: &'a Path,
    pub progress: &'a Arc<dyn Progress>,
    pub in_flight: &'a InFlight,
}

/// What came of one package.
#[derive(Default)]
pub struct Read {
    pub made: u64,
    /// Revision and reason of each that failed.
    pub failures: Vec<(String, String)>,
    /// One of them may succeed when it is tried again.
    pub may_pass: bool,
}

impl Reading<'_> {
    /// Fingerprints every revision that is due. Damaged weights are recorded and not tried again; a failure on the way to them is
    /// tried at the next crawl.
    pub async fn read_all(&self) -> anyhow::Result<Read> {
        let mut read = Read::default();
        for revision in self.store.pending_revisions(self.package_id, self.level).await? {
            let _turn = match &revision.weights_key {
                Some(key) => Some(self.in_flight.enter(key).await),
                None => None,
            };
            if self
                .store
                .reuse_fingerprint(self.package_id, &revision, self.level)
                .await?
            {
                continue;
            }
            match self.read_one(&revision).await {
                Ok(fingerprint) => {
                    self.store
                        .save_fingerprint(self.package_id, &revision, &fingerprint)
                        .await?;
                    read.made += 1;
                }
                Err(error) if stops_everything(&error) => return Err(error),
                Err(error) => {
                    let reason = sentence(&error);
                    read.may_pass |= may_pass(&error);
                    if is_damage(&error) {
                        self.store
                            .save_failure(self.package_id, revision.id, &reason)
                            .await?;
                    }
                    read.failures.push((revision.revision, reason));
                }
            }
        }
        Ok(read)
    }

    async fn read_one(&self, revision: &PendingRevision) -> anyhow::Result<Fingerprint> {
        let files = self.hub.files(self.full_name, &revision.revision).await?;
        let source = Source::of_weights(self.hub.clone(), self.full_name, &revision.revision, files);
        let level = self.level;
        let progress = self.progress.clone();
        if level == Level::Full && !self.hub.is_local() {
            // The files are removed when `folder` is dropped, after the fingerprint is made.
            let folder = tempfile::tempdir_in(self.scratch)
                .with_context(|| format!("cannot write to {}", self.scratch.display()))?;
            let checkpoint = source.download_checkpoint(folder.path()).await?;
            return Ok(spawn_blocking(move || {
                fingerprint(&checkpoint, level, &|bytes| progress.read(bytes))
            })
            .await??);
        }
        spawn_blocking(move || {
            let checkpoint = source.checkpoint()?;
            Ok(fingerprint(&checkpoint, level, &|bytes| progress.read(bytes))?)
        })
        .await?
    }
}

/// True when the bytes themselves break a rule of their format, so that reading them again cannot help.
fn is_damage(error: &anyhow::Error) -> bool {
    let weights = error
        .chain()
        .find_map(|cause| cause.downcast_ref::<WeightsError>());
    weights.is_some_and(|error| !matches!(error, WeightsError::Read { .. }))
}
