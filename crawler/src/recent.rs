//! Answers of lately, so that many questions about one thing cost one request.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Values by key, each for a while; all are forgotten when there are too many.
#[derive(Debug)]
pub struct Recent<K, V> {
    kept: Duration,
    most: usize,
    values: Mutex<HashMap<K, (V, Instant)>>,
}

impl<K: Hash + Eq, V: Clone> Recent<K, V> {
    pub fn new(kept: Duration, most: usize) -> Self {
        Self {
            kept,
            most,
            values: Mutex::default(),
        }
    }

    pub fn get(&self, key: &K) -> Option<V> {
        self.lock()
            .get(key)
            .filter(|(_, learnt)| learnt.elapsed() < self.kept)
            .map(|(value, _)| value.clone())
    }

    pub fn learn(&self, key: K, value: V) {
        let mut values = self.lock();
        if values.len() >= self.most {
            values.clear();
        }
        values.insert(key, (value, Instant::now()));
    }

    pub fn forget(&self, key: &K) {
        self.lock().remove(key);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, (V, Instant)>> {
        // Entries are put in and taken out in one step, so a panic elsewhere leaves the map whole.
        self.values.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn values_are_kept_for_a_while_and_not_without_end() {
        let recent = Recent::new(Duration::from_secs(10), 2);
        recent.learn("a", 1);
        assert_eq!(recent.get(&"a"), Some(1));
        tokio::time::advance(Duration::from_secs(11)).await;
        assert_eq!(recent.get(&"a"), None);
        recent.learn("b", 2);
        recent.learn("c", 3);
        assert_eq!((recent.get(&"b"), recent.get(&"c")), (None, Some(3)));
        recent.forget(&"c");
        assert_eq!(recent.get(&"c"), None);
    }
}
