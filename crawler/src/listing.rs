//! A whole listing, page by page, that ends even where the hub's cursors run in a circle.

use crate::{Hub, HubError, ListFilter, Page};
use std::collections::HashSet;
use std::sync::Arc;

/// Pages of one listing. [`Listing::cursor`] may be stored, and given to [`Listing::resume`] after a stop.
pub struct Listing {
    hub: Arc<dyn Hub>,
    filter: ListFilter,
    cursor: Option<String>,
    seen: HashSet<String>,
    finished: bool,
}

impl Listing {
    #[must_use]
    pub fn new(hub: Arc<dyn Hub>, filter: ListFilter) -> Self {
        Self::resume(hub, filter, None)
    }

    /// Goes on after the page that gave `cursor`.
    #[must_use]
    pub fn resume(hub: Arc<dyn Hub>, filter: ListFilter, cursor: Option<String>) -> Self {
        Self {
            hub,
            filter,
            seen: cursor.iter().cloned().collect(),
            cursor,
            finished: false,
        }
    }

    /// Where [`Listing::next_page`] goes on; `None` before the first page and after the last.
    #[must_use]
    pub fn cursor(&self) -> Option<&str> {
        self.cursor.as_deref()
    }

    /// The next page, or `None` after the last. An error leaves the place as it was, so the page can be asked for again.
    pub async fn next_page(&mut self) -> Result<Option<Page>, HubError> {
        if self.finished {
            return Ok(None);
        }
        let page = self.hub.list(&self.filter, self.cursor.as_deref()).await?;
        if let Some(cursor) = &page.next
            && !self.seen.insert(cursor.clone())
        {
            self.finished = true;
            return Err(HubError::CursorLoop {
                endpoint: self.hub.endpoint(),
                cursor: cursor.clone(),
            });
        }
        self.finished = page.next.is_none();
        self.cursor.clone_from(&page.next);
        Ok(Some(page))
    }
}
