//! How much a caller may have: requests a minute, bytes of answers a day.
//!
//! Requests are counted in this process (GCRA, by the crate governor); bytes in the database, so that they hold over restarts and over
//! several servers. Both are told in the `RateLimit` headers (draft-ietf-httpapi-ratelimit-headers).

use super::caller::{Bucket, Budget, Caller};
use crate::api::error::ApiError;
use crate::store::Store;
use axum::body::{Body, HttpBody};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::Response;
use futures::StreamExt;
use governor::clock::{Clock, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use time::{OffsetDateTime, Time};

type Keyed = RateLimiter<Bucket, HashMapStateStore<Bucket>, DefaultClock, StateInformationMiddleware>;

/// Callers remembered before those who have been quiet are forgotten.
const MAX_REMEMBERED: usize = 10_000;

/// The counters of this process.
#[derive(Default)]
pub struct Limits {
    /// One limiter for each number of requests a minute that somebody has.
    by_rate: Mutex<HashMap<NonZeroU32, Arc<Keyed>>>,
}

/// What a caller has left after this request.
#[derive(Debug, Default)]
pub struct Allowance {
    requests: Option<(NonZeroU32, u32)>,
    bytes: Option<(i64, i64)>,
}

impl Limits {
    /// Counts one request, or refuses it.
    pub fn take(&self, caller: &Caller) -> Result<Allowance, ApiError> {
        let mut allowance = Allowance::default();
        if let Some(Budget {
            used, of: Some(of), ..
        }) = caller.budget
        {
            if used >= of {
                let wait = until_midnight(OffsetDateTime::now_utc());
                return Err(ApiError::BudgetSpent { bytes: of, wait });
            }
            allowance.bytes = Some((of, of - used));
        }
        let rate = caller
            .requests_per_minute
            .and_then(|rate| NonZeroU32::new(rate.unsigned_abs()));
        if let Some(rate) = rate {
            let left = self.limiter(rate).check_key(&caller.bucket);
            let left = left.map_err(|until| ApiError::TooManyRequests {
                rate: rate.get(),
                wait: until.wait_time_from(DefaultClock::default().now()),
            })?;
            allowance.requests = Some((rate, left.remaining_burst_capacity()));
        }
        Ok(allowance)
    }

    fn limiter(&self, rate: NonZeroU32) -> Arc<Keyed> {
        let mut by_rate = self.by_rate.lock().unwrap_or_else(PoisonError::into_inner);
        let limiter = by_rate
            .entry(rate)
            .or_insert_with(|| Arc::new(RateLimiter::hashmap(Quota::per_minute(rate)).with_middleware()));
        if limiter.len() > MAX_REMEMBERED {
            limiter.retain_recent();
        }
        limiter.clone()
    }
}

impl Allowance {
    /// Says it in the headers of an answer.
    pub fn describe(&self, headers: &mut HeaderMap) {
        let mut policies = Vec::new();
        let mut left = Vec::new();
        if let Some((rate, remaining)) = self.requests {
            policies.push(format!("\"requests\";q={rate};w=60"));
            // Capacity comes back evenly over the minute.
            left.push(format!(
                "\"requests\";r={remaining};t={}",
                60_u32.div_ceil(rate.get())
            ));
        }
        if let Some((of, remaining)) = self.bytes {
            let wait = until_midnight(OffsetDateTime::now_utc()).as_secs();
            policies.push(format!("\"bytes\";q={of};w=86400;qu=\"content-bytes\""));
            left.push(format!("\"bytes\";r={remaining};t={wait}"));
        }
        for (name, items) in [("ratelimit-policy", policies), ("ratelimit", left)] {
            if let (false, Ok(value)) = (items.is_empty(), HeaderValue::from_str(&items.join(", "))) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
    }
}

fn until_midnight(now: OffsetDateTime) -> Duration {
    let midnight = now.replace_time(Time::MIDNIGHT) + time::Duration::DAY;
    Duration::try_from(midnight - now).unwrap_or_default()
}

/// Adds an answer's bytes to what its caller had today.
pub fn meter(response: Response, caller: &Caller, store: &Store) -> Response {
    let Some(Budget { key, .. }) = caller.budget else {
        return response;
    };
    let mut used = Used {
        key,
        bytes: 0,
        store: store.clone(),
    };
    let (parts, body) = response.into_parts();
    if let Some(bytes) = body.size_hint().exact() {
        used.bytes = bytes;
        return Response::from_parts(parts, body);
    }
    let stream = body
        .into_data_stream()
        .inspect(move |chunk| used.add(chunk.as_ref().map_or(0, |chunk| chunk.len())));
    Response::from_parts(parts, Body::from_stream(stream))
}

/// Bytes that were sent; noted when the last was, or when the caller went away.
struct Used {
    key: i64,
    bytes: u64,
    store: Store,
}

impl Used {
    fn add(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
    }
}

impl Drop for Used {
    fn drop(&mut self) {
        let (key, store) = (self.key, self.store.clone());
        let bytes = i64::try_from(self.bytes).unwrap_or(i64::MAX);
        if let (Ok(runtime), true) = (tokio::runtime::Handle::try_current(), bytes > 0) {
            runtime.spawn(async move {
                if let Err(error) = store.add_usage(key, bytes).await {
                    tracing::warn!(%error, "bytes of an answer were not counted");
                }
            });
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use time::macros::datetime;

    #[test]
    fn requests_run_out_for_one_caller_alone() {
        let limits = Limits::default();
        let caller = |address: [u8; 4]| Caller {
            requests_per_minute: Some(2),
            ..Caller::anonymous(Some(address.into()))
        };
        let (one, other) = (caller([192, 0, 2, 1]), caller([192, 0, 2, 2]));
        assert!(limits.take(&one).is_ok());
        assert!(limits.take(&one).is_ok());
        let refused = limits.take(&one).unwrap_err();
        assert!(
            matches!(refused, ApiError::TooManyRequests { rate: 2, .. }),
            "{refused}"
        );
        assert!(limits.take(&other).is_ok());
    }

    #[test]
    fn bytes_run_out_until_midnight() {
        let limits = Limits::default();
        let caller = |used| Caller {
            budget: Some(Budget {
                key: 1,
                used,
                of: Some(100),
            }),
            ..Caller::anonymous(None)
        };
        let mut headers = HeaderMap::new();
        limits.take(&caller(99)).unwrap().describe(&mut headers);
        let left = headers["ratelimit"].to_str().unwrap();
        assert!(
            left.starts_with("\"requests\";r=599;t=1, \"bytes\";r=1;t="),
            "{left}"
        );
        assert!(limits.take(&caller(100)).is_err());
        let wait = until_midnight(datetime!(2026-03-01 23:59:30 UTC));
        assert_eq!(wait, Duration::from_secs(30));
    }
}
