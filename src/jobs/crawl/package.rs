//! One package through all its steps: facts and history, fingerprints, versions.

use crate::fingerprint::Level;
use crate::jobs::Progress;
use crate::jobs::conclude::conclude_package_versions;
use crate::jobs::fingerprint::Reading;
use crate::jobs::in_flight::InFlight;
use crate::jobs::ingest::ingest;
use crate::store::Store;
use crate::store::availability::Absence;
use crate::store::crawls::{CrawlFailure, PackageOutcome};
use heirloom_crawler::{Hub, HubError};
use std::path::Path;
use std::sync::Arc;

/// Where packages come from, and how their weights are to be read.
pub struct PackageStep<'a> {
    pub store: &'a Store,
    pub hub: &'a Arc<dyn Hub>,
    pub level: Level,
    pub scratch: &'a Path,
    pub progress: &'a Arc<dyn Progress>,
    pub in_flight: &'a InFlight,
}

/// What came of a package, and whether another try could bring more.
pub struct Taken {
    pub outcome: PackageOutcome,
    pub may_pass: bool,
}

impl PackageStep<'_> {
    /// Brings everything that is stored of `name` up to date. Run again, it finds nothing to do.
    pub async fn run(&self, name: &str) -> anyhow::Result<Taken> {
        let ingested = match ingest(self.store, self.hub.as_ref(), name).await {
            Ok(ingested) => ingested,
            Err(error) => return self.take_absence(name, error).await,
        };
        if ingested.full_name != name {
            let renamed = Absence::Renamed(&ingested.full_name);
            self.store.mark_absent(self.hub.id(), name, renamed).await?;
        }
        let reading = Reading {
            store: self.store,
            hub: self.hub,
            full_name: &ingested.full_name,
            package_id: ingested.id,
            level: self.level,
            scratch: self.scratch,
            progress: self.progress,
            in_flight: self.in_flight,
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

    /// A stored package that is no longer to be had is recorded as such, which is no failure.
    async fn take_absence(&self, name: &str, error: anyhow::Error) -> anyhow::Result<Taken> {
        let absence = error.chain().find_map(|cause| match cause.downcast_ref()? {
            HubError::NotFound { .. } => Some(Absence::Gone),
            HubError::Disabled { .. } => Some(Absence::Disabled),
            _ => None,
        });
        let is_recorded = match absence {
            Some(absence) => self.store.mark_absent(self.hub.id(), name, absence).await?,
            None => false,
        };
        if is_recorded {
            return Ok(Taken {
                outcome: PackageOutcome::default(),
                may_pass: false,
            });
        }
        Err(error)
    }
}
