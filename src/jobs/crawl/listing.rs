//! One page of a hub's listing into open packages of a crawl.

use crate::store::Store;
use crate::store::crawls::{OpenCrawl, Stage};
use heirloom_crawler::{Hub, HubError, ListFilter};

/// Lists the page that the crawl has come to, adds its packages as open ones and moves the crawl on, all in one step: cut off before
/// it, the page is listed again. Says how many packages were added.
pub async fn list_page(store: &Store, hub: &dyn Hub, crawl: &mut OpenCrawl) -> anyhow::Result<u64> {
    let filter = ListFilter {
        author: crawl.plan.author.clone(),
        search: crawl.plan.search.clone(),
        ..ListFilter::default()
    };
    let limit = crawl.plan.limit.unwrap_or(u64::MAX);
    let page = hub.list(&filter, crawl.cursor.as_deref()).await?;
    for sentence in &page.skipped {
        tracing::warn!(endpoint = hub.endpoint(), "left out of the listing: {sentence}");
    }
    let left = limit.saturating_sub(crawl.listed);
    let names: Vec<String> = page
        .names
        .into_iter()
        .take(usize::try_from(left).unwrap_or(usize::MAX))
        .collect();
    let listed = crawl.listed + names.len() as u64;
    let next = page.next.filter(|_| listed < limit);
    let added = store.add_crawl_page(crawl, &names, next.as_deref()).await?;
    if let Some(next) = &next
        && (crawl.cursor.as_ref() == Some(next) || (added == 0 && !names.is_empty()))
    {
        // A page that brings nothing new and still promises another: the listing goes in a circle.
        return Err(HubError::CursorLoop {
            endpoint: hub.endpoint(),
            cursor: next.clone(),
        }
        .into());
    }
    crawl.listed = listed;
    if next.is_none() {
        crawl.stage = Stage::Packages;
    }
    crawl.cursor = next;
    Ok(added)
}
