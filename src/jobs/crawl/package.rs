//! One package through all its steps: facts and history, fingerprints, versions.

use crate::fingerprint::Level;
use crate::jobs::Progress;
use crate::jobs::conclude::conclude_package_versions;
use crate::jobs::fingerprint::Reading;
use crate::jobs::ingest::ingest;
use crate::store::Store;
use crate::store::crawls::{CrawlFailure, PackageOutcome};
use heirloom_crawler::Hub;
use std::path::Path;
use std::sync::Arc;

/// Where packages come from, and how their weights are to be read.
pub struct PackageStep<'a> {
    pub store: &'a Store,
    pub hub: &'a Arc<dyn Hub>,
    pub level: Level,
    pub scratch: &'a Path,
    pub progress: &'a Arc<dyn Progress>,
}

/// What came of a package, and whether another try could bring more.
pub struct Taken {
    pub outcome: PackageOutcome,
    pub may_pass: bool,
}

impl PackageStep<'_> {
    /// Brings everything that is stored of `name` up to date. Run again, it finds nothing to do.
    pub async fn run(&self, name: &str) -> anyhow::Result<Taken> {
        let ingested = ingest(self.store, self.hub.as_ref(), name).await?;
        let reading = Reading {
            store: self.store,
            hub: self.hub,
            full_name: name,
            package_id: ingested.id,
            level: self.level,
            scratch: self.scratch,
            progress: self.progress,
        };
        let read = reading.read_all().await?;
        let failure = |(revision, reason)| CrawlFailure {
            package: format!("{name}@{revision}"),
            reason,
        };
        let outcome = PackageOutcome {
            new_revisions: ingested.new_revisions,
            fingerprints: read.made,
            failures: read.failures.into_iter().map(failure).collect(),
        };
        for failure in &outcome.failures {
            tracing::warn!(package = failure.package, "{}", failure.reason);
        }
        if outcome != PackageOutcome::default() {
            conclude_package_versions(self.store, ingested.id).await?;
        }
        Ok(Taken {
            outcome,
            may_pass: read.may_pass,
        })
    }
}
