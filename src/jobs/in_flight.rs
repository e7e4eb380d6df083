//! Weights that are being fingerprinted right now: two packages with equal ones read them once, one after the other.

use std::collections::HashMap;
use std::sync::{Arc, Mutex as Lock, PoisonError};
use tokio::sync::{Mutex, OwnedMutexGuard};

/// See the module's text; one per crawl.
#[derive(Debug, Default)]
pub struct InFlight(Lock<HashMap<String, Arc<Mutex<()>>>>);

impl InFlight {
    /// Waits until nobody else reads the weights of `key`; they are the caller's until the guard is dropped.
    pub async fn enter(&self, key: &str) -> OwnedMutexGuard<()> {
        let turn = {
            let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            turns.retain(|_, turn| Arc::strong_count(turn) > 1);
            Arc::clone(turns.entry(key.to_owned()).or_default())
        };
        turn.lock_owned().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn equal_weights_wait_and_others_do_not() {
        let in_flight = InFlight::default();
        let first = in_flight.enter("a").await;
        drop(in_flight.enter("b").await);
        let waiting = tokio::time::timeout(Duration::from_secs(1), in_flight.enter("a")).await;
        assert!(waiting.is_err());
        drop(first);
        drop(in_flight.enter("a").await);
    }
}
