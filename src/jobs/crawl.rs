//! A run over a hub's listing: every package through ingestion, fingerprints and versions, then lineage over the families touched.

use super::Progress;
use super::conclude::{conclude_lineage, conclude_package_versions, conclude_versions};
use super::fingerprint::Reading;
use super::ingest::ingest;
use super::{may_pass, stops_everything};
use crate::fingerprint::Level;
use crate::sentence::sentence;
use crate::store::Store;
use crate::store::crawls::{CrawlFailure, CrawlPlan, OpenCrawl};
use anyhow::Context;
use futures::StreamExt;
use heirloom_crawler::{Hub, HubError, ListFilter};
use serde::Serialize;
use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

/// Packages in flight at once. The hub's client limits its own requests; this bounds memory and disk.
const CONCURRENT_PACKAGES: usize = 4;

/// What to take from a hub.
#[derive(Debug, Clone)]
pub struct CrawlOptions {
    pub author: Option<String>,
    pub search: Option<String>,
    pub limit: Option<u64>,
    pub level: Level,
    /// Folder for downloads on their way to a fingerprint; made when missing.
    pub scratch: PathBuf,
}

/// What came of a crawl.
#[derive(Debug, Clone, Default, Serialize)]
pub struct CrawlReport {
    pub crawl: i64,
    pub hub: String,
    pub endpoint: String,
    /// An earlier run of the same crawl was cut off, and this one went on where it was.
    pub resumed: bool,
    /// Packages seen, those that failed included.
    pub packages: u64,
    pub unchanged: u64,
    pub new_revisions: u64,
    pub fingerprints: u64,
    pub failures: Vec<CrawlFailure>,
}

/// Crawls `hub`. A package that fails is reported and the others go on; an error means that the hub's listing or the store failed.
pub async fn crawl(
    store: &Store,
    hub: Arc<dyn Hub>,
    options: &CrawlOptions,
    progress: Arc<dyn Progress>,
) -> anyhow::Result<CrawlReport> {
    std::fs::create_dir_all(&options.scratch)
        .with_context(|| format!("cannot make the folder {}", options.scratch.display()))?;
    let plan = CrawlPlan {
        hub: hub.id().to_owned(),
        endpoint: hub.endpoint(),
        author: options.author.clone(),
        search: options.search.clone(),
        limit: options.limit,
        level: options.level,
    };
    let open = store.open_crawl(&plan).await?;
    let mut run = Run {
        report: CrawlReport {
            crawl: open.id,
            hub: plan.hub,
            endpoint: plan.endpoint,
            resumed: open.resumed,
            ..CrawlReport::default()
        },
        store,
        hub,
        options,
        progress,
    };
    let outcome = run.walk(open).await;
    match outcome {
        Ok(()) => store.finish_crawl(run.report.crawl, None).await?,
        // Not finished: the next run of the same crawl goes on from here.
        Err(error) if may_pass(&error) => return Err(error),
        Err(error) => {
            store
                .finish_crawl(run.report.crawl, Some(&sentence(&error)))
                .await?;
            return Err(error);
        }
    }
    Ok(run.report)
}

struct Run<'a> {
    report: CrawlReport,
    store: &'a Store,
    hub: Arc<dyn Hub>,
    options: &'a CrawlOptions,
    progress: Arc<dyn Progress>,
}

/// What came of one package.
#[derive(Default)]
struct Outcome {
    new_revisions: u64,
    fingerprints: u64,
    failures: Vec<CrawlFailure>,
}

impl Run<'_> {
    async fn walk(&mut self, open: OpenCrawl) -> anyhow::Result<()> {
        let filter = ListFilter {
            author: self.options.author.clone(),
            search: self.options.search.clone(),
        };
        let mut cursor = open.cursor;
        let mut listed = open.listed;
        let mut visited = HashSet::new();
        loop {
            let page = self.hub.list(&filter, cursor.as_deref()).await?;
            let left = self.options.limit.unwrap_or(u64::MAX).saturating_sub(listed);
            let names: Vec<String> = page
                .names
                .into_iter()
                .take(usize::try_from(left).unwrap_or(usize::MAX))
                .collect();
            listed += names.len() as u64;
            self.progress.listed(names.len() as u64);
            self.take_packages(names).await?;
            let (Some(next), true) = (page.next, listed < self.options.limit.unwrap_or(u64::MAX)) else {
                break;
            };
            if !visited.insert(next.clone()) {
                return Err(HubError::CursorLoop {
                    endpoint: self.hub.endpoint(),
                    cursor: next,
                }
                .into());
            }
            self.store.advance_crawl(self.report.crawl, &next, listed).await?;
            cursor = Some(next);
        }
        self.progress.inferring();
        // Those of an earlier run that was cut off between a package's facts and its versions.
        conclude_versions(self.store).await?;
        conclude_lineage(self.store).await
    }

    async fn take_packages(&mut self, names: Vec<String>) -> anyhow::Result<()> {
        let this = &*self;
        let mut outcomes = futures::stream::iter(names)
            .map(async |name| this.take_package(&name).await)
            .buffer_unordered(CONCURRENT_PACKAGES);
        let mut collected = Vec::new();
        while let Some(outcome) = outcomes.next().await {
            collected.push(outcome?);
        }
        drop(outcomes);
        for outcome in collected {
            let report = &mut self.report;
            report.packages += 1;
            report.unchanged += u64::from(outcome.new_revisions == 0 && outcome.failures.is_empty());
            report.new_revisions += outcome.new_revisions;
            report.fingerprints += outcome.fingerprints;
            report.failures.extend(outcome.failures);
        }
        Ok(())
    }

    /// One package; its failures are noted, and only what stops every other package too is an error.
    async fn take_package(&self, name: &str) -> anyhow::Result<Outcome> {
        let mut outcome = Outcome::default();
        match self.try_package(name, &mut outcome).await {
            Ok(()) => {}
            Err(error) if stops_everything(&error) => return Err(error),
            Err(error) => {
                outcome.failures.push(CrawlFailure {
                    package: name.to_owned(),
                    reason: sentence(&error),
                });
            }
        }
        for failure in &outcome.failures {
            tracing::warn!(package = failure.package, "{}", failure.reason);
            self.store.add_crawl_failure(self.report.crawl, failure).await?;
        }
        self.store.count_package(self.report.crawl).await?;
        self.progress.package_done(name);
        Ok(outcome)
    }

    async fn try_package(&self, name: &str, outcome: &mut Outcome) -> anyhow::Result<()> {
        let ingested = ingest(self.store, self.hub.as_ref(), name).await?;
        outcome.new_revisions = ingested.new_revisions;
        let reading = Reading {
            store: self.store,
            hub: &self.hub,
            full_name: name,
            package_id: ingested.id,
            level: self.options.level,
            scratch: &self.options.scratch,
            progress: &self.progress,
        };
        let read = reading.read_all().await?;
        outcome.fingerprints = read.made;
        outcome
            .failures
            .extend(read.failures.into_iter().map(|(revision, reason)| CrawlFailure {
                package: format!("{name}@{revision}"),
                reason,
            }));
        if ingested.new_revisions > 0 || read.made > 0 || !outcome.failures.is_empty() {
            conclude_package_versions(self.store, ingested.id).await?;
        }
        Ok(())
    }
}
