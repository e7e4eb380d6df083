//! The pace kept with each host: our own limit, and the one the host asks for by `RateLimit` and `Retry-After`.

use super::Pace;
use crate::HubError;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use url::Url;

/// A hostile host may ask for any wait; none is believed beyond a day.
const LONGEST_BELIEVED: Duration = Duration::from_secs(24 * 3600);
/// Redirects may name any number of hosts; beyond this many, all are forgotten.
const MAX_HOSTS: usize = 1024;

/// Leave to send one request; the next waits until it is dropped where the host is at its limit of concurrent ones.
pub type Turn = OwnedSemaphorePermit;

#[derive(Debug)]
pub struct Pacer {
    pace: Pace,
    hosts: Mutex<HashMap<String, Arc<Host>>>,
}

#[derive(Debug)]
struct Host {
    limiter: Option<DefaultDirectRateLimiter>,
    permits: Arc<Semaphore>,
    paused_until: Mutex<Option<Instant>>,
}

impl Pacer {
    pub fn new(pace: Pace) -> Self {
        Self {
            pace,
            hosts: Mutex::default(),
        }
    }

    /// Waits for leave to ask the host of `url`. A pause longer than `longest_wait` is an error at once.
    pub async fn turn(&self, url: &Url, longest_wait: Duration) -> Result<Turn, HubError> {
        let host = self.host(url);
        let turn = Arc::clone(&host.permits)
            .acquire_owned()
            .await
            .map_err(|error| HubError::Client {
                reason: error.to_string(),
            })?;
        while let Some(wait) = host.pause() {
            if wait > longest_wait {
                return Err(HubError::RateLimited {
                    endpoint: url.origin().ascii_serialization(),
                    wait,
                });
            }
            tokio::time::sleep(wait).await;
        }
        if let Some(limiter) = &host.limiter {
            limiter.until_ready().await;
        }
        Ok(turn)
    }

    /// Remembers what an answer says of the host's limits.
    pub fn note(&self, url: &Url, status: StatusCode, headers: &HeaderMap) {
        let wait = match status {
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => asked_wait(headers),
            _ => rate_limit(headers)
                .filter(|limit| limit.remaining == 0)
                .map(RateLimit::wait),
        };
        let Some(wait) = wait else { return };
        tracing::info!(
            host = url.host_str(),
            ?wait,
            "the hub's rate limit is reached; waiting"
        );
        let host = self.host(url);
        let mut paused = lock(&host.paused_until);
        let until = Instant::now() + wait;
        *paused = Some(paused.map_or(until, |earlier| earlier.max(until)));
    }

    fn host(&self, url: &Url) -> Arc<Host> {
        let mut hosts = lock(&self.hosts);
        if hosts.len() >= MAX_HOSTS {
            hosts.clear();
        }
        let host = hosts
            .entry(url.origin().ascii_serialization())
            .or_insert_with(|| Arc::new(Host::new(&self.pace)));
        Arc::clone(host)
    }
}

impl Host {
    fn new(pace: &Pace) -> Self {
        Self {
            limiter: pace
                .requests_per_second
                .map(|rate| RateLimiter::direct(Quota::per_second(rate))),
            permits: Arc::new(Semaphore::new(pace.concurrent_requests.max(1))),
            paused_until: Mutex::default(),
        }
    }

    fn pause(&self) -> Option<Duration> {
        let until = (*lock(&self.paused_until))?;
        let wait = until.saturating_duration_since(Instant::now());
        (!wait.is_zero()).then_some(wait)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What these guard is replaced in one step, so a panic elsewhere leaves it whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How long a refusal asks us to wait: `RateLimit` first, for it names the end of the window, else `Retry-After`.
pub fn asked_wait(headers: &HeaderMap) -> Option<Duration> {
    rate_limit(headers)
        .map(RateLimit::wait)
        .or_else(|| retry_after(headers))
        .map(|wait| wait.min(LONGEST_BELIEVED))
}

/// `RateLimit: "api";r=12;t=55`: requests left in the window, and seconds until it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct RateLimit {
    remaining: u64,
    seconds: u64,
}

impl RateLimit {
    /// A second more than asked for, since the hub counts in whole ones.
    fn wait(self) -> Duration {
        Duration::from_secs(self.seconds.saturating_add(1)).min(LONGEST_BELIEVED)
    }
}

/// The tightest of the limits the header lists.
fn rate_limit(headers: &HeaderMap) -> Option<RateLimit> {
    let header = headers.get("ratelimit")?.to_str().ok()?;
    header
        .split(',')
        .filter_map(parse_rate_limit)
        .min_by_key(|limit| (limit.remaining, u64::MAX - limit.seconds))
}

fn parse_rate_limit(item: &str) -> Option<RateLimit> {
    let parameter = |name: &str| {
        item.split(';').find_map(|part| {
            let (key, value) = part.trim().split_once('=')?;
            (key == name).then(|| value.parse().ok()).flatten()
        })
    };
    Some(RateLimit {
        remaining: parameter("r")?,
        seconds: parameter("t")?,
    })
}

/// Seconds, or an HTTP date.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(SystemTime::now()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use reqwest::header::HeaderValue;

    fn headers(list: &[(&'static str, &'static str)]) -> HeaderMap {
        list.iter()
            .map(|(name, value)| {
                (
                    reqwest::header::HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                )
            })
            .collect()
    }

    #[test]
    fn waits_asked_for() {
        let seconds = |list: &[_]| asked_wait(&headers(list)).map(|wait| wait.as_secs());
        assert_eq!(seconds(&[("ratelimit", r#""api";r=0;t=55"#)]), Some(56));
        assert_eq!(
            seconds(&[("ratelimit", r#""api";r=3;t=9, "pages";r=0;t=20"#)]),
            Some(21)
        );
        assert_eq!(
            seconds(&[("ratelimit", r#""api";r=0;t=1"#), ("retry-after", "99")]),
            Some(2)
        );
        assert_eq!(seconds(&[("retry-after", "7")]), Some(7));
        assert_eq!(
            seconds(&[("retry-after", "Thu, 01 Jan 1970 00:00:00 GMT")]),
            Some(0)
        );
        assert_eq!(
            seconds(&[("retry-after", "99999999999")]),
            Some(LONGEST_BELIEVED.as_secs())
        );
        assert_eq!(seconds(&[("retry-after", "soon"), ("ratelimit", "r=x")]), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_host_at_its_limit_is_left_alone_and_others_are_not() {
        let pacer = Pacer::new(Pace {
            requests_per_second: None,
            concurrent_requests: 2,
        });
        let busy = Url::parse("https://busy/x").unwrap();
        let other = Url::parse("https://other/x").unwrap();
        pacer.note(
            &busy,
            StatusCode::OK,
            &headers(&[("ratelimit", r#""api";r=0;t=9"#)]),
        );
        let start = Instant::now();
        drop(pacer.turn(&other, Duration::from_secs(60)).await.unwrap());
        assert_eq!(start.elapsed(), Duration::ZERO);
        drop(pacer.turn(&busy, Duration::from_secs(60)).await.unwrap());
        assert!(start.elapsed() >= Duration::from_secs(10));
        pacer.note(
            &busy,
            StatusCode::TOO_MANY_REQUESTS,
            &headers(&[("retry-after", "3600")]),
        );
        let refused = pacer.turn(&busy, Duration::from_secs(60)).await;
        assert!(matches!(refused, Err(HubError::RateLimited { .. })));
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_requests_than_allowed_run_at_once() {
        let pacer = Pacer::new(Pace {
            requests_per_second: None,
            concurrent_requests: 1,
        });
        let url = Url::parse("https://h/").unwrap();
        let first = pacer.turn(&url, Duration::ZERO).await.unwrap();
        let second = tokio::time::timeout(Duration::from_secs(1), pacer.turn(&url, Duration::ZERO)).await;
        assert!(second.is_err());
        drop(first);
        assert!(pacer.turn(&url, Duration::ZERO).await.is_ok());
    }
}
