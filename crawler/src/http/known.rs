//! Where the hub redirected to lately, so that many ranges of one file cost one question to the hub, not one each.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use url::Url;

/// Signed storage addresses hold for an hour or so.
const KEPT: Duration = Duration::from_secs(300);
const MAX_KEPT: usize = 4096;

/// See the module's text.
#[derive(Debug, Default)]
pub struct KnownLocations(Mutex<HashMap<Url, (Url, Instant)>>);

impl KnownLocations {
    pub fn get(&self, asked: &Url) -> Option<Url> {
        self.lock()
            .get(asked)
            .filter(|(_, learnt)| learnt.elapsed() < KEPT)
            .map(|(location, _)| location.clone())
    }

    pub fn learn(&self, asked: &Url, location: &Url) {
        let mut known = self.lock();
        if known.len() >= MAX_KEPT {
            known.clear();
        }
        known.insert(asked.clone(), (location.clone(), Instant::now()));
    }

    pub fn forget(&self, asked: &Url) {
        self.lock().remove(asked);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Url, (Url, Instant)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
