//! A run over a hub's listing: pages into open packages, every package through its steps, then lineage over the families touched.
//!
//! Here all of it happens in this process, for `heirloom crawl`; `jobs::queue` runs the same steps as jobs that many workers share.

mod listing;
mod package;

pub use listing::list_page;
pub use package::{PackageStep, Taken};

use super::conclude::{conclude_lineage, conclude_versions};
use super::in_flight::InFlight;
use super::{Progress, may_pass};
use crate::fingerprint::Level;
use crate::sentence::sentence;
use crate::store::Store;
use crate::store::crawls::{CrawlFailure, CrawlPlan, CrawlTotals, OpenCrawl, PackageOutcome, Stage};
use anyhow::Context;
use futures::StreamExt;
use heirloom_crawler::Hub;
use serde::Serialize;
use std::future::ready;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Packages in flight at once. The hub's client limits its own requests; this bounds memory and disk.
const CONCURRENT_PACKAGES: usize = 4;
/// Open packages are taken in batches of this many.
const BATCH: i64 = 1000;

/// What to take from a hub.
#[derive(Debug, Clone)]
pub struct CrawlOptions {
    pub author: Option<String>,
    pub search: Option<String>,
    pub limit: Option<u64>,
    pub level: Level,
    /// Read the whole listing, though an earlier crawl saw all but its beginning.
    pub relist: bool,
    /// Folder for downloads on their way to a fingerprint; made when missing.
    pub scratch: PathBuf,
}

impl CrawlOptions {
    /// The crawl of `hub` that these ask for.
    pub fn plan(&self, hub: &dyn Hub) -> CrawlPlan {
        CrawlPlan {
            hub: hub.id().to_owned(),
            endpoint: hub.endpoint(),
            author: self.author.clone(),
            search: self.search.clone(),
            limit: self.limit,
            level: self.level,
        }
    }
}

/// What came of a crawl.
#[derive(Debug, Clone, Default, Serialize)]
pub struct CrawlReport {
    pub crawl: i64,
    pub hub: String,
    pub endpoint: String,
    /// An earlier run of the same crawl was cut off, and this one went on where it was.
    pub resumed: bool,
    #[serde(flatten)]
    pub totals: CrawlTotals,
    pub failures: Vec<CrawlFailure>,
}

/// Crawls `hub`. A package that fails is reported and the others go on; an error means that the hub's listing or the store failed.
pub async fn crawl(
    store: &Store,
    hub: Arc<dyn Hub>,
    options: &CrawlOptions,
    progress: Arc<dyn Progress>,
) -> anyhow::Result<CrawlReport> {
    let plan = options.plan(hub.as_ref());
    let mut open = store.open_crawl(&plan).await?;
    if options.relist {
        open.previous = None;
    }
    let mut report = CrawlReport {
        crawl: open.id,
        resumed: open.resumed,
        hub: plan.hub,
        endpoint: plan.endpoint,
        ..CrawlReport::default()
    };
    let step = PackageStep {
        store,
        hub: &hub,
        level: options.level,
        scratch: &options.scratch,
        progress: &progress,
        in_flight: &InFlight::default(),
    };
    let outcome = walk(&step, open).await;
    match outcome {
        Ok(()) => {}
        // Not finished: the next run of the same crawl goes on from here.
        Err(error) if may_pass(&error) => return Err(error),
        Err(error) => {
            store.finish_crawl(report.crawl, Some(&sentence(&error))).await?;
            return Err(error);
        }
    }
    report.totals = store.crawl_totals(report.crawl).await?;
    report.failures = store.crawl_failures(report.crawl).await?;
    store.finish_crawl(report.crawl, None).await?;
    Ok(report)
}

/// Takes what an earlier run left open, then page after page, then lineage.
async fn walk(step: &PackageStep<'_>, mut open: OpenCrawl) -> anyhow::Result<()> {
    std::fs::create_dir_all(step.scratch)
        .with_context(|| format!("cannot make the folder {}", step.scratch.display()))?;
    step.progress
        .listed(step.store.count_open_packages(open.id).await?);
    loop {
        take_open_packages(step, open.id).await?;
        if open.stage != Stage::Listing {
            break;
        }
        let listed = list_page(step.store, step.hub.as_ref(), &mut open).await?;
        step.progress.listed(listed);
    }
    // The crawl stays at its packages: to a worker that goes on with it, lineage means that the families are queued.
    step.progress.inferring();
    // Those of an earlier run that was cut off between a package's facts and its versions.
    conclude_versions(step.store).await?;
    conclude_lineage(step.store).await
}

async fn take_open_packages(step: &PackageStep<'_>, crawl: i64) -> anyhow::Result<()> {
    loop {
        let names = step.store.open_packages(crawl, BATCH).await?;
        if names.is_empty() {
            return Ok(());
        }
        // What stops the crawl stops it between packages: those in flight are finished, and what they found is in the report.
        let stopped = AtomicBool::new(false);
        let mut taken = futures::stream::iter(names)
            .take_while(|_| ready(!stopped.load(Ordering::Relaxed)))
            .map(async |name| take_package(step, crawl, &name).await)
            .buffer_unordered(CONCURRENT_PACKAGES);
        let mut outcome = Ok(());
        while let Some(package) = taken.next().await {
            stopped.fetch_or(package.is_err(), Ordering::Relaxed);
            outcome = outcome.and(package);
        }
        outcome?;
    }
}

/// One package; its failures are noted, and only what stops every other package too is an error.
async fn take_package(step: &PackageStep<'_>, crawl: i64, name: &str) -> anyhow::Result<()> {
    let outcome = match step.run(name).await {
        Ok(taken) => taken.outcome,
        Err(error) if super::stops_everything(&error) => return Err(error),
        Err(error) => PackageOutcome::failed(name, sentence(&error)),
    };
    step.store.finish_package(crawl, name, &outcome).await?;
    step.progress.package_done(name);
    Ok(())
}
