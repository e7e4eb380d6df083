//! The HTTP client every remote hub uses: one origin, its token, and every limit that keeps a hostile or busy hub contained.
//!
//! Enters: URLs of one hub. Leaves: JSON, byte ranges and files of a known largest size, or a [`HubError`]. Redirects are followed
//! by [`redirect`], the pace is kept by [`pace`], what is worth repeating is repeated by [`retry`]. Knows no hub's API.

mod answer;
mod challenge;
mod config;
mod download;
mod link;
mod pace;
mod redirect;
mod refusal;
mod retry;
mod token;

pub use answer::Answer;
pub use config::{ClientConfig, Pace, Timeouts, USER_AGENT, parse_endpoint, same_origin};
pub use link::next_link;
pub use redirect::{is_local_name, is_public};
pub use refusal::Subject;
pub use retry::RetryPolicy;
pub use token::Token;

use crate::HubError;
use crate::recent::Recent;
use bytes::Bytes;
use challenge::Challenge;
use reqwest::header::{
    ACCEPT_ENCODING, AUTHORIZATION, ETAG, HeaderMap, HeaderName, HeaderValue, IF_NONE_MATCH, RANGE,
};
use reqwest::{Method, StatusCode};
use serde_json::Value;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// The longest JSON answer that is read, counted after decompression.
pub const MAX_JSON_BYTES: u64 = 64 << 20;
/// A download or range slower than this on average is given up.
const SLOWEST_BYTES_PER_SECOND: u64 = 16 << 10;

/// Signed storage addresses hold for an hour or so.
const LOCATIONS_KEPT: Duration = Duration::from_secs(300);
const MAX_LOCATIONS: usize = 4096;
/// Tokens that registries hand out hold for five minutes or so; one that does not is asked for again.
const TOKENS_KEPT: Duration = Duration::from_secs(240);
const MAX_TOKENS: usize = 4096;
const MAX_TOKEN_ANSWER_BYTES: u64 = 1 << 20;

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
    /// Where the hub redirected to, so that many ranges of one file cost one question to the hub.
    locations: Arc<Recent<Url, Url>>,
    meets_challenges: bool,
    /// By package.
    tokens: Arc<Recent<String, Token>>,
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
            locations: Arc::new(Recent::new(LOCATIONS_KEPT, MAX_LOCATIONS)),
            meets_challenges: config.meets_challenges,
            tokens: Arc::new(Recent::new(TOKENS_KEPT, MAX_TOKENS)),
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

    /// A JSON answer, or `None` where it is still the one whose `ETag` is `known`.
    pub async fn json_unless_known(
        &self,
        ask: &Ask<'_>,
        known: Option<&str>,
    ) -> Result<Option<(Value, HeaderMap)>, HubError> {
        let ask = match known {
            Some(etag) => ask.clone().header(IF_NONE_MATCH, etag),
            None => ask.clone(),
        };
        self.retrying(|| async {
            let whole = async {
                let answer = self.send(Method::GET, &ask).await?;
                if answer.status() == StatusCode::NOT_MODIFIED {
                    return Ok(None);
                }
                answer.into_json(&self.endpoint(), MAX_JSON_BYTES).await.map(Some)
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
        self.whole_with_headers(ask, limit).await.map(|(bytes, _)| bytes)
    }

    pub async fn whole_with_headers(
        &self,
        ask: &Ask<'_>,
        limit: u64,
    ) -> Result<(Bytes, HeaderMap), HubError> {
        let deadline = self.timeouts.answer + Duration::from_secs(limit / SLOWEST_BYTES_PER_SECOND);
        let (bytes, headers) = self
            .retrying(|| async {
                let whole = async {
                    let answer = self.send(Method::GET, ask).await?;
                    let headers = answer.headers().clone();
                    Ok((answer.into_bytes(limit).await?, headers))
                };
                self.within(deadline, &ask.url, whole).await
            })
            .await?;
        self.budget.reserve(bytes.len() as u64)?;
        Ok((bytes, headers))
    }

    /// Whether what `ask` names is still the version whose `ETag` is `known`.
    pub async fn is_known(&self, ask: &Ask<'_>, known: &str) -> Result<bool, HubError> {
        let ask = ask.clone().header(IF_NONE_MATCH, known);
        self.retrying(|| async {
            let whole = async {
                let answer = self.send(Method::GET, &ask).await?;
                Ok(answer.status() == StatusCode::NOT_MODIFIED)
            };
            self.within(self.timeouts.answer, &ask.url, whole).await
        })
        .await
    }

    /// Sends one request, following safe redirects; an answer that is not a success becomes the error it stands for.
    async fn send(&self, method: Method, ask: &Ask<'_>) -> Result<Answer, HubError> {
        if let Some(answer) = self.send_to_known_location(method.clone(), ask).await? {
            return Ok(answer);
        }
        let mut url = ask.url.clone();
        let mut may_meet_challenge = self.meets_challenges;
        for _ in 0..=redirect::MAX_REDIRECTS {
            let answer = self.send_once(method.clone(), &url, ask).await?;
            if let Some(location) = answer.redirects_to() {
                url = redirect::next_hop(&self.base, &url, location, ask.hosts, &self.resolver).await?;
                continue;
            }
            if answer.status() == StatusCode::UNAUTHORIZED && self.is_own(&url) && may_meet_challenge {
                may_meet_challenge = false;
                if let Some(challenge) = Challenge::of(answer.headers()) {
                    drop(answer);
                    self.meet(&challenge, &url, ask.subject).await?;
                    continue;
                }
            }
            let unchanged =
                answer.status() == StatusCode::NOT_MODIFIED && ask.headers.contains_key(IF_NONE_MATCH);
            if !answer.is_usable() && !unchanged {
                return Err(answer.into_refusal(&self.endpoint(), ask.subject).await);
            }
            if !self.is_own(&url) {
                self.locations.learn(ask.url.clone(), url);
            }
            return Ok(answer);
        }
        Err(HubError::RedirectLoop {
            url: shown(&ask.url),
            limit: redirect::MAX_REDIRECTS,
        })
    }

    /// Asks the storage host the hub named last time; `None` where there is none or its address no longer holds.
    async fn send_to_known_location(
        &self,
        method: Method,
        ask: &Ask<'_>,
    ) -> Result<Option<Answer>, HubError> {
        let Some(location) = self.locations.get(&ask.url) else {
            return Ok(None);
        };
        let answer = self.send_once(method, &location, ask).await?;
        if answer.is_usable() {
            return Ok(Some(answer));
        }
        self.locations.forget(&ask.url);
        Ok(None)
    }

    async fn send_once(&self, method: Method, url: &Url, ask: &Ask<'_>) -> Result<Answer, HubError> {
        let turn = self.pacer.turn(url, self.retry.longest_wait).await?;
        let mut request = self
            .inner
            .request(method, url.clone())
            .headers(ask.headers.clone());
        if self.is_own(url)
            && let Some(token) = self.token_for(ask.subject)
        {
            request = request.header(AUTHORIZATION, token.bearer()?);
        }
        let response = request
            .send()
            .await
            .map_err(|error| answer::transport_error(&self.endpoint(), url, self.timeouts.idle, &error))?;
        self.pacer.note(url, response.status(), response.headers());
        Ok(Answer::new(response, url.clone(), turn, self.timeouts.idle))
    }

    fn token_for(&self, subject: Subject<'_>) -> Option<Token> {
        let handed_out = || self.tokens.get(&subject.package().unwrap_or_default().to_owned());
        self.token.clone().or_else(handed_out)
    }

    /// Asks the realm of a challenge for a token, which goes to the hub only. The realm is as little trusted as a redirect.
    async fn meet(&self, challenge: &Challenge, from: &Url, subject: Subject<'_>) -> Result<(), HubError> {
        let refused = || HubError::UnsafeRedirect {
            url: shown(from),
            target: challenge.realm.chars().take(120).collect(),
        };
        let realm = HeaderValue::from_str(&challenge.realm).map_err(|_| refused())?;
        let mut url = redirect::next_hop(&self.base, from, &realm, Hosts::Storage, &self.resolver).await?;
        challenge.add_query(&mut url);
        let turn = self.pacer.turn(&url, self.retry.longest_wait).await?;
        let response =
            self.inner.get(url.clone()).send().await.map_err(|error| {
                answer::transport_error(&self.endpoint(), &url, self.timeouts.idle, &error)
            })?;
        self.pacer.note(&url, response.status(), response.headers());
        let answer = Answer::new(response, url, turn, self.timeouts.idle);
        if !answer.is_usable() {
            return Err(answer.into_refusal(&self.endpoint(), subject).await);
        }
        let (body, _) = answer.into_json(&self.endpoint(), MAX_TOKEN_ANSWER_BYTES).await?;
        let token = challenge::token_of(&body).ok_or_else(|| HubError::Unauthorised {
            endpoint: self.endpoint(),
            what: subject.package().unwrap_or("it").to_owned(),
        })?;
        self.tokens
            .learn(subject.package().unwrap_or_default().to_owned(), token);
        Ok(())
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

/// The validator an answer came with.
pub fn etag(headers: &HeaderMap) -> Option<String> {
    headers.get(ETAG)?.to_str().ok().map(str::to_owned)
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
