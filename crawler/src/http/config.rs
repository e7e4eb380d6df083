//! How to speak to one hub: where it is, who asks, and the limits kept with it.

use super::{RetryPolicy, Token, is_local_name};
use crate::HubError;
use std::num::NonZeroU32;
use std::time::Duration;
use url::Url;

/// Who asks.
pub const USER_AGENT: &str = concat!("heirloom/", env!("CARGO_PKG_VERSION"));
const USUAL_PACE: Pace = Pace {
    requests_per_second: NonZeroU32::new(10),
    concurrent_requests: 8,
};
/// A hub on this machine or network is ours to load.
const LOCAL_PACE: Pace = Pace {
    requests_per_second: None,
    concurrent_requests: 32,
};

/// How to speak to one hub.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    /// Base URL; a path prefix is kept.
    pub endpoint: String,
    pub token: Option<Token>,
    pub user_agent: String,
    pub retry: RetryPolicy,
    pub timeouts: Timeouts,
    pub pace: Pace,
    /// File bytes that may be read in all; `None` for no limit.
    pub byte_budget: Option<u64>,
    /// Ask for a token where the hub names an address that hands them out, as OCI registries do.
    pub meets_challenges: bool,
}

impl ClientConfig {
    /// No token and the usual limits: gentle with public hubs, unbounded on this machine.
    pub fn usual(endpoint: &str) -> Self {
        Self {
            endpoint: endpoint.to_owned(),
            token: None,
            user_agent: USER_AGENT.to_owned(),
            retry: RetryPolicy::default(),
            timeouts: Timeouts::default(),
            pace: Pace::usual(endpoint),
            byte_budget: None,
            meets_challenges: false,
        }
    }
}

#[derive(Debug, Clone)]
pub struct Timeouts {
    pub connect: Duration,
    /// The longest silence within an answer.
    pub idle: Duration,
    /// The longest a JSON answer may take as a whole.
    pub answer: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            idle: Duration::from_secs(30),
            answer: Duration::from_secs(120),
        }
    }
}

/// The pace kept with each host, whatever the hub's own limits allow.
#[derive(Debug, Clone)]
pub struct Pace {
    /// `None` for no limit of our own.
    pub requests_per_second: Option<NonZeroU32>,
    pub concurrent_requests: usize,
}

impl Pace {
    /// Gentle with public hubs, unbounded on this machine.
    pub fn usual(endpoint: &str) -> Self {
        let is_local = parse_endpoint(endpoint).is_ok_and(|url| is_local_name(&url));
        if is_local { LOCAL_PACE } else { USUAL_PACE }
    }
}

/// An endpoint a user gave. Credentials in it would end up in the database and in logs, so they are refused.
pub fn parse_endpoint(endpoint: &str) -> Result<Url, HubError> {
    let bad = |reason: &str| HubError::BadEndpoint {
        endpoint: endpoint.rsplit('@').next().unwrap_or_default().to_owned(),
        reason: reason.to_owned(),
    };
    let mut url = Url::parse(endpoint.trim()).map_err(|error| bad(&error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(bad("it must start with https:// or http://"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(bad("it must not hold a password; set HF_TOKEN instead"));
    }
    url.set_query(None);
    url.set_fragment(None);
    Ok(url)
}

/// Whether both are addresses of one hub, so that a token for the one may go to the other.
pub fn same_origin(one: &str, other: &str) -> bool {
    match (parse_endpoint(one), parse_endpoint(other)) {
        (Ok(one), Ok(other)) => one.origin() == other.origin(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::same_origin;

    #[test]
    fn a_token_belongs_to_one_origin() {
        let hub = "https://huggingface.co";
        assert!(same_origin("https://huggingface.co/", hub));
        for other in [
            "http://huggingface.co",
            "https://huggingface.co:8443",
            "https://evil.example",
            "nonsense",
        ] {
            assert!(!same_origin(other, hub), "{other}");
        }
    }
}
