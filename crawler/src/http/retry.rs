//! Repeats what may succeed later, with exponential backoff and full jitter.

use crate::HubError;
use rand::Rng;
use std::time::Duration;

/// A hub that cannot be reached at all is usually a wrong address: one more try, then say so.
const ATTEMPTS_WHEN_UNREACHABLE: u32 = 2;

#[derive(Debug, Clone)]
pub struct RetryPolicy {
    /// Attempts in all; 1 for no retry.
    pub attempts: u32,
    /// Upper bound of the first wait; doubles with each further one.
    pub first_wait: Duration,
    pub longest_backoff: Duration,
    /// The longest a rate limit is waited out; a longer one is an error.
    pub longest_wait: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: 5,
            first_wait: Duration::from_millis(500),
            longest_backoff: Duration::from_secs(30),
            longest_wait: Duration::from_secs(600),
        }
    }
}

impl RetryPolicy {
    /// The wait after failed attempt number `attempt` (from 1), or `None` to give up.
    fn wait_after(&self, attempt: u32, error: &HubError, jitter: f64) -> Option<Duration> {
        let attempts = match error {
            HubError::Unreachable { .. } => self.attempts.min(ATTEMPTS_WHEN_UNREACHABLE),
            _ => self.attempts,
        };
        if !error.is_retryable() || attempt >= attempts {
            return None;
        }
        if let HubError::RateLimited { wait, .. } = error
            && *wait > self.longest_wait
        {
            return None;
        }
        let bound = self
            .first_wait
            .saturating_mul(1 << (attempt - 1).min(16))
            .min(self.longest_backoff);
        Some(bound.mul_f64(jitter))
    }
}

/// Runs `attempt` until it succeeds or repeating cannot help. What a host asked us to wait is kept by the pacer, at the start of
/// the next attempt.
pub async fn retrying<T, F>(policy: &RetryPolicy, attempt: impl Fn() -> F) -> Result<T, HubError>
where
    F: Future<Output = Result<T, HubError>>,
{
    let mut number = 1;
    loop {
        let error = match attempt().await {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        let jitter = rand::rng().random::<f64>();
        let Some(wait) = policy.wait_after(number, &error, jitter) else {
            return Err(error);
        };
        tracing::debug!(%error, ?wait, attempt = number, "trying again");
        tokio::time::sleep(wait).await;
        number += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(status: u16) -> HubError {
        HubError::Status {
            url: String::new(),
            status,
            reason: String::new(),
        }
    }

    #[test]
    fn waits_grow_are_capped_and_end() {
        let policy = RetryPolicy {
            longest_backoff: Duration::from_secs(1),
            ..RetryPolicy::default()
        };
        let waits: Vec<_> = (1..=5)
            .map(|attempt| policy.wait_after(attempt, &status(503), 1.0))
            .collect();
        let millis = |millis| Some(Duration::from_millis(millis));
        assert_eq!(
            waits,
            [millis(500), millis(1000), millis(1000), millis(1000), None]
        );
        assert_eq!(policy.wait_after(1, &status(503), 0.5), millis(250));
    }

    #[test]
    fn only_what_can_help_is_repeated() {
        let policy = RetryPolicy::default();
        let repeats = |error: &HubError| policy.wait_after(1, error, 0.5).is_some();
        assert!(repeats(&status(500)));
        assert!(!repeats(&status(404)));
        assert!(!repeats(&HubError::Gated {
            package: String::new()
        }));
        let limited = |seconds| HubError::RateLimited {
            endpoint: String::new(),
            wait: Duration::from_secs(seconds),
        };
        assert!(repeats(&limited(55)));
        assert!(!repeats(&limited(3600)));
        let gone = HubError::Unreachable {
            endpoint: String::new(),
            reason: String::new(),
        };
        assert!(repeats(&gone));
        assert!(policy.wait_after(2, &gone, 0.5).is_none());
    }
}
