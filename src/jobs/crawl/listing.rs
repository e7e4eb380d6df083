//! One page of a hub's listing into the catalogue, and into open packages of a crawl.
//!
//! What a page says is stored at once; only packages whose newest revision is not stored, or not read yet, are left open. Where the
//! hub lists the newest first, a crawl ends where the one before it began. At its end come those that no page names: what failed last
//! time, and after a whole listing what is stored and was not on it.

use crate::store::Store;
use crate::store::availability::Scope;
use crate::store::crawls::{CrawlPage, FinishedCrawl, OpenCrawl, Stage};
use heirloom_crawler::{Hub, HubError, ListFilter, Page, check_package_name};
use std::collections::BTreeSet;
use time::OffsetDateTime;

/// Packages that a whole listing no longer names, asked after in one crawl.
const MAX_UNLISTED: i64 = 10_000;

/// How a listing came to its end.
enum End {
    /// Every page was read.
    Complete,
    /// At the limit that was asked for.
    Limit,
    /// What follows was seen by the crawl before.
    Seen,
}

/// Lists the page that the crawl has come to, adds its packages and moves the crawl on, all in one step: cut off before it, the page
/// is listed again. Says how many packages are to be visited.
pub async fn list_page(store: &Store, hub: &dyn Hub, crawl: &mut OpenCrawl) -> anyhow::Result<u64> {
    let previous = crawl.previous.clone();
    let filter = ListFilter {
        author: crawl.plan.author.clone(),
        search: crawl.plan.search.clone(),
        validator: previous
            .as_ref()
            .and_then(|previous| previous.listing_validator.clone()),
    };
    let mut page = hub.list(&filter, crawl.cursor.as_deref()).await?;
    for sentence in &page.skipped {
        tracing::warn!(endpoint = hub.endpoint(), "left out of the listing: {sentence}");
    }
    let limit = crawl.plan.limit.unwrap_or(u64::MAX);
    let left = usize::try_from(limit.saturating_sub(crawl.listed)).unwrap_or(usize::MAX);
    page.names.truncate(left);
    page.packages.truncate(left);
    let listed = page.names.len() as u64;
    let since = previous
        .as_ref()
        .and_then(|previous| previous.newest_modified)
        .filter(|_| hub.lists_newest_first());
    let end = if page.unchanged || since.is_some_and(|since| is_older(&page, since)) {
        Some(End::Seen)
    } else if crawl.listed + listed >= limit {
        Some(End::Limit)
    } else {
        page.next.is_none().then_some(End::Complete)
    };
    let mut taken = take(store, crawl, page).await?;
    if let Some(end) = end {
        taken.next = None;
        add_unlisted(store, hub, crawl, &end, &mut taken).await?;
    }
    let to_visit = taken.open.len() as u64;
    let added = store.add_crawl_page(crawl, &taken).await?;
    if let Some(next) = &taken.next
        && (crawl.cursor.as_ref() == Some(next) || (added == 0 && listed > 0))
    {
        // A page that brings nothing new and still promises another: the listing goes in a circle.
        return Err(HubError::CursorLoop {
            endpoint: hub.endpoint(),
            cursor: next.clone(),
        }
        .into());
    }
    crawl.listed += listed;
    if taken.next.is_none() {
        crawl.stage = Stage::Packages;
    }
    crawl.cursor = taken.next;
    Ok(to_visit)
}

/// Stores what a page says, and tells the packages apart that need a visit.
async fn take(store: &Store, crawl: &OpenCrawl, page: Page) -> anyhow::Result<CrawlPage> {
    let settled = match page.packages.as_slice() {
        [] => BTreeSet::new(),
        packages => store.save_listed(packages, crawl.plan.level).await?,
    };
    let listed = page.names.len() as u64;
    let (settled, open) = page.names.into_iter().partition(|name| settled.contains(name));
    Ok(CrawlPage {
        open,
        settled,
        listed,
        next: page.next,
        skipped: page.skipped,
        newest_modified: page
            .packages
            .iter()
            .filter_map(|package| package.modified_at)
            .max(),
        listing_validator: page.validator,
    })
}

/// Adds what is to be visited though no page names it.
async fn add_unlisted(
    store: &Store,
    hub: &dyn Hub,
    crawl: &OpenCrawl,
    end: &End,
    page: &mut CrawlPage,
) -> anyhow::Result<()> {
    let endpoint = hub.endpoint();
    let scope = Scope {
        hub: hub.id(),
        endpoint: &endpoint,
        author: crawl.plan.author.as_deref(),
        search: crawl.plan.search.as_deref(),
    };
    match (end, &crawl.previous) {
        (End::Complete, _) => {
            // It may be gone, have another name, or have changed its place while pages passed.
            let names = store
                .unlisted_packages(&scope, crawl.started_at, MAX_UNLISTED)
                .await?;
            page.open.extend(names);
        }
        (End::Seen, Some(previous)) => {
            let FinishedCrawl {
                newest_modified,
                listing_validator,
                ..
            } = previous;
            page.newest_modified = page.newest_modified.max(*newest_modified);
            page.listing_validator = page.listing_validator.take().or(listing_validator.clone());
            let failed = store.failed_packages(previous.id).await?;
            page.open
                .extend(failed.into_iter().filter(|name| check_package_name(name).is_ok()));
            page.open
                .extend(store.pending_packages(&scope, crawl.plan.level).await?);
        }
        _ => {}
    }
    Ok(())
}

/// Whether everything on a page was last changed before `since`.
fn is_older(page: &Page, since: OffsetDateTime) -> bool {
    let is_old = |modified: Option<OffsetDateTime>| modified.is_some_and(|modified| modified < since);
    !page.packages.is_empty() && page.packages.iter().all(|package| is_old(package.modified_at))
}
