//! The HTTP client every remote hub uses: one origin, its token, and every limit that keeps a hostile or busy hub contained.
//!
//! Enters: URLs of one hub. Leaves: JSON, byte ranges and files of a known largest size, or a [`HubError`]. Redirects are followed
//! by [`redirect`], the pace is kept by [`pace`], what is worth repeating is repeated by [`retry`]. Knows no hub's API.

mod answer;
mod download;
mod known;
mod link;
mod pace;
mod redirect;
mod refusal;
mod retry;
mod token;

pub use answer::Answer;
pub use link::next_link;
pub use redirect::is_local_name;
pub use refusal::Subject;
pub use retry::RetryPolicy;
pub use token::Token;

use crate::HubError;
use bytes::Bytes;
use reqwest::Method;
use reqwest::header::{ACCEPT_ENCODING, AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, RANGE};
use serde_json::Value;
use std::num::NonZeroU32;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// The longest JSON answer that is read, counted after decompression.
pub const MAX_JSON_BYTES: u64 = 64 << 20;
/// A download or range slower than this on average is given up.
const SLOWEST_BYTES_PER_SECOND: u64 = 16 << 10;

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

/// Who may answer a request after redirects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hosts {
    /// The hub itself: API answers.
    OnlyHub,
    /// Any host a public hub may point at: file content on a storage host.
    Storage,
}

/// One request, before redirects.
#[derive(Debug, Clone)]
pub struct Ask<'a> {
    pub url: Url,
    pub hosts: Hosts,
    pub subject: Subject<'a>,
    pub headers: HeaderMap,
}

impl<'a> Ask<'a> {
    pub fn api(url: Url, subject: Subject<'a>) -> Self {
        Self {
            url,
            hosts: Hosts::OnlyHub,
            subject,
            headers: HeaderMap::new(),
        }
    }

    pub fn file(url: Url, subject: Subject<'a>) -> Self {
        let mut headers = HeaderMap::new();
        // Ranges and sizes count stored bytes, so the content must not be re-encoded on the way.
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        Self {
            url,
            hosts: Hosts::Storage,
            subject,
            headers,
        }
    }

    pub fn header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
        self
    }
}

/// See the module's text.
#[derive(Debug, Clone)]
pub struct Client {
    inner: reqwest::Client,
    base: Url,
    token: Option<Token>,
    retry: RetryPolicy,
    timeouts: Timeouts,
    pacer: Arc<pace::Pacer>,
    resolver: redirect::GuardedResolver,
    known: Arc<known::KnownLocations>,
    budget: Arc<answer::ByteBudget>,
}

impl Client {
    pub fn new(config: ClientConfig) -> Result<Self, HubError> {
        let base = parse_endpoint(&config.endpoint)?;
        let resolver = redirect::GuardedResolver::default();
        let mut builder = reqwest::Client::builder()
            .user_agent(config.user_agent)
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(config.timeouts.connect)
            .read_timeout(config.timeouts.idle)
            .dns_resolver(resolver.clone());
        if is_local_name(&base) {
            // A proxy cannot reach this machine, and no certificates are needed to speak to it in the clear.
            builder = builder.no_proxy();
            if base.scheme() == "http" {
                builder = builder.tls_certs_only([]);
            }
        }
        let inner = builder.build().map_err(|error| HubError::Client {
            reason: answer::root_cause(&error),
        })?;
        Ok(Self {
            inner,
            base,
            token: config.token,
            retry: config.retry,
            timeouts: config.timeouts,
            pacer: Arc::new(pace::Pacer::new(config.pace)),
            resolver,
            known: Arc::default(),
            budget: Arc::new(answer::ByteBudget::new(config.byte_budget)),
        })
    }

    /// The base URL without a trailing slash.
    pub fn endpoint(&self) -> String {
        self.base.as_str().trim_end_matches('/').to_owned()
    }

    /// The base URL with `segments` added, each percent-encoded.
    pub fn url<'s>(&self, segments: impl IntoIterator<Item = &'s str>) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }

    /// Whether `url` is on the hub itself.
    pub fn is_own(&self, url: &Url) -> bool {
        url.origin() == self.base.origin()
    }

    /// A JSON answer and the headers it came with.
    pub async fn json(&self, ask: &Ask<'_>) -> Result<(Value, HeaderMap), HubError> {
        self.retrying(|| async {
            let whole = async {
                let answer = self.send(Method::GET, ask).await?;
                answer.into_json(&self.endpoint(), MAX_JSON_BYTES).await
            };
            self.within(self.timeouts.answer, &ask.url, whole).await
        })
        .await
    }

    /// Exactly the bytes of `range`.
    pub async fn range(&self, ask: &Ask<'_>, range: Range<u64>) -> Result<Bytes, HubError> {
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        let length = range.end - range.start;
        self.budget.reserve(length)?;
        let ask = ask
            .clone()
            .header(RANGE, &format!("bytes={}-{}", range.start, range.end - 1));
        let limit = self.timeouts.answer + Duration::from_secs(length / SLOWEST_BYTES_PER_SECOND);
        self.retrying(|| async {
            let whole = async {
                let answer = self.send(Method::GET, &ask).await?;
                answer.into_range(range.clone()).await
            };
            self.within(limit, &ask.url, whole).await
        })
        .await
    }

    /// A whole answer of at most `limit` bytes.
    pub async fn whole(&self, ask: &Ask<'_>, limit: u64) -> Result<Bytes, HubError> {
        let deadline = self.timeouts.answer + Duration::from_secs(limit / SLOWEST_BYTES_PER_SECOND);
        let bytes = self
            .retrying(|| async {
                let whole = async {
                    let answer = self.send(Method::GET, ask).await?;
                    answer.into_bytes(limit).await
                };
                self.within(deadline, &ask.url, whole).await
            })
            .await?;
        self.budget.reserve(bytes.len() as u64)?;
        Ok(bytes)
    }

    /// Sends one request, following safe redirects; an answer that is not a success becomes the error it stands for.
    async fn send(&self, method: Method, ask: &Ask<'_>) -> Result<Answer, HubError> {
        if let Some(answer) = self.send_to_known(method.clone(), ask).await? {
            return Ok(answer);
        }
        let mut url = ask.url.clone();
        for _ in 0..=redirect::MAX_REDIRECTS {
            let answer = self.send_once(method.clone(), &url, &ask.headers).await?;
            if let Some(location) = answer.redirects_to() {
                url = redirect::next_hop(&self.base, &url, location, ask.hosts, &self.resolver).await?;
                continue;
            }
            if !answer.is_usable() {
                return Err(answer.into_refusal(&self.endpoint(), ask.subject).await);
            }
            if !self.is_own(&url) {
                self.known.learn(&ask.url, &url);
            }
            return Ok(answer);
        }
        Err(HubError::RedirectLoop {
            url: shown(&ask.url),
            limit: redirect::MAX_REDIRECTS,
        })
    }

    /// Asks the storage host the hub named last time; `None` where there is none or its address no longer holds.
    async fn send_to_known(&self, method: Method, ask: &Ask<'_>) -> Result<Option<Answer>, HubError> {
        let Some(location) = self.known.get(&ask.url) else {
            return Ok(None);
        };
        let answer = self.send_once(method, &location, &ask.headers).await?;
        if answer.is_usable() {
            return Ok(Some(answer));
        }
        self.known.forget(&ask.url);
        Ok(None)
    }

    async fn send_once(&self, method: Method, url: &Url, headers: &HeaderMap) -> Result<Answer, HubError> {
        let turn = self.pacer.turn(url, self.retry.longest_wait).await?;
        let mut request = self.inner.request(method, url.clone()).headers(headers.clone());
        if let Some(token) = self.token.as_ref().filter(|_| self.is_own(url)) {
            request = request.header(AUTHORIZATION, token.bearer()?);
        }
        let response = request
            .send()
            .await
            .map_err(|error| answer::transport_error(&self.endpoint(), url, self.timeouts.idle, &error))?;
        self.pacer.note(url, response.status(), response.headers());
        Ok(Answer::new(response, url.clone(), turn, self.timeouts.idle))
    }

    async fn within<T>(
        &self,
        limit: Duration,
        url: &Url,
        work: impl Future<Output = Result<T, HubError>>,
    ) -> Result<T, HubError> {
        tokio::time::timeout(limit, work).await.unwrap_or_else(|_| {
            Err(HubError::TimedOut {
                url: shown(url),
                waited: limit,
            })
        })
    }

    async fn retrying<T, F>(&self, attempt: impl Fn() -> F) -> Result<T, HubError>
    where
        F: Future<Output = Result<T, HubError>>,
    {
        retry::retrying(&self.retry, attempt).await
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

/// A URL as it may be shown: query strings of storage hosts hold signatures, and an attacker's redirect may hold a password.
pub fn shown(url: &Url) -> String {
    let mut url = url.clone();
    // Both fail only for URLs that can hold no credentials.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.set_fragment(None);
    url.to_string()
}
