//! Who asks.
//!
//! A key says so. Without one, a caller is the operator if this server listens on loopback only, no key was ever made, and the request
//! comes from this machine and not through a browser page of somebody else: then the dashboard's buttons work without any set-up. The
//! first key closes that door ([`LocalTrust`] says otherwise); a server on a network never opens it. Everyone else may read what is
//! public.

use crate::api::AppState;
use crate::api::error::ApiError;
use crate::store::api_keys::{KeyGrant, Scope};
use axum::extract::ConnectInfo;
use axum::http::{Extensions, HeaderMap, HeaderName, Uri, header};
use rand::TryRngCore;
use rand::rngs::OsRng;
use sha2::{Digest, Sha256};
use std::net::{IpAddr, SocketAddr};
use url::Host;

/// All keys begin so, for scanners that look for leaked secrets.
const KEY_PREFIX: &str = "hl_";

/// Requests a minute of an address without a key.
const ANONYMOUS_REQUESTS: i32 = 600;

/// Headers that a proxy adds: then the peer is not the caller.
const FORWARDED: [&str; 4] = ["forwarded", "via", "x-forwarded-for", "x-real-ip"];

/// A new key. It is shown once; only its digest is kept.
pub fn make_key() -> Result<String, rand::rand_core::OsError> {
    let mut secret = [0_u8; 32];
    OsRng.try_fill_bytes(&mut secret)?;
    Ok(format!("{KEY_PREFIX}{}", hex::encode(secret)))
}

/// What is stored of a key.
pub fn key_digest(key: &str) -> [u8; 32] {
    Sha256::digest(key).into()
}

/// Whether a caller on this machine is the operator.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LocalTrust {
    /// Until the first key is made.
    #[default]
    UntilKey,
    Always,
    Never,
}

/// Who asks, and what they may.
#[derive(Debug, Clone)]
pub struct Caller {
    /// As the audit log names them.
    pub actor: String,
    /// `None` for those without a key: they may read.
    pub scope: Option<Scope>,
    pub sees_restricted: bool,
    pub(super) bucket: Bucket,
    /// `None` is without a bound.
    pub(super) requests_per_minute: Option<i32>,
    pub(super) budget: Option<Budget>,
}

/// What a caller's requests are counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Bucket {
    Key(i64),
    /// Anonymous callers by address; those whose address is not known share one.
    Address(Option<IpAddr>),
}

/// Bytes of answers that a key may still have today.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    pub key: i64,
    pub used: i64,
    pub of: Option<i64>,
}

impl Caller {
    pub fn anonymous(address: Option<IpAddr>) -> Self {
        Self {
            actor: "anonymous".to_owned(),
            scope: None,
            sees_restricted: false,
            bucket: Bucket::Address(address),
            requests_per_minute: Some(ANONYMOUS_REQUESTS),
            budget: None,
        }
    }

    fn operator(address: IpAddr) -> Self {
        Self {
            actor: "local".to_owned(),
            scope: Some(Scope::Admin),
            sees_restricted: true,
            requests_per_minute: None,
            ..Self::anonymous(Some(address))
        }
    }

    /// Refuses what takes more than the caller has.
    pub fn require(&self, needed: Scope) -> Result<(), ApiError> {
        match self.scope {
            _ if needed == Scope::Read => Ok(()),
            None => Err(ApiError::KeyMissing),
            Some(scope) if scope >= needed => Ok(()),
            Some(scope) => Err(ApiError::ScopeMissing { scope, needed }),
        }
    }
}

impl From<KeyGrant> for Caller {
    fn from(grant: KeyGrant) -> Self {
        Self {
            actor: grant.name,
            scope: Some(grant.scope),
            sees_restricted: grant.sees_restricted || grant.scope == Scope::Admin,
            bucket: Bucket::Key(grant.id),
            requests_per_minute: Some(grant.requests_per_minute),
            budget: Some(Budget {
                key: grant.id,
                used: grant.bytes_today,
                of: grant.bytes_per_day,
            }),
        }
    }
}

/// Finds out who sent a request with these headers.
pub async fn identify(
    state: &AppState,
    headers: &HeaderMap,
    extensions: &Extensions,
) -> Result<Caller, ApiError> {
    let peer = extensions.get::<ConnectInfo<SocketAddr>>();
    let peer = peer.map(|ConnectInfo(address)| address.ip().to_canonical());
    if let Some(authorization) = headers.get(header::AUTHORIZATION) {
        let key = authorization
            .to_str()
            .ok()
            .and_then(|text| text.strip_prefix("Bearer "));
        let key = key.ok_or(ApiError::KeyInvalid)?.trim();
        let grant = state.store.whole().use_api_key(&key_digest(key)).await?;
        return Ok(grant.ok_or(ApiError::KeyInvalid)?.into());
    }
    let Some(address) = peer.filter(IpAddr::is_loopback) else {
        return Ok(Caller::anonymous(peer));
    };
    let trusted = is_of_this_machine(headers)
        && match state.config.local_trust {
            LocalTrust::Never => false,
            LocalTrust::Always => true,
            LocalTrust::UntilKey => state.config.only_loopback && !state.store.whole().has_api_keys().await?,
        };
    Ok(match trusted {
        true => Caller::operator(address),
        false => Caller::anonymous(peer),
    })
}

/// Whether a request from a loopback address was meant for one: not passed on by a proxy, not sent by another site's page, not sent
/// to a name that somebody made resolve to this machine.
fn is_of_this_machine(headers: &HeaderMap) -> bool {
    let forwarded = FORWARDED.iter().any(|name| headers.contains_key(*name));
    let elsewhere = headers.get(HeaderName::from_static("sec-fetch-site"));
    let elsewhere = elsewhere.is_some_and(|site| site == "cross-site" || site == "same-site");
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let host_is_local = text(header::HOST).is_none_or(|host| is_loopback(&format!("http://{host}")));
    let origin_is_local = text(header::ORIGIN).is_none_or(is_loopback);
    !forwarded && !elsewhere && host_is_local && origin_is_local
}

fn is_loopback(url: &str) -> bool {
    let Some(host) = url
        .parse::<Uri>()
        .ok()
        .and_then(|uri| uri.host().map(str::to_owned))
    else {
        return false;
    };
    match Host::parse(&host) {
        Ok(Host::Domain(name)) => name == "localhost",
        Ok(Host::Ipv4(address)) => address.is_loopback(),
        Ok(Host::Ipv6(address)) => address.is_loopback(),
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_loopback_request_must_have_been_meant_for_loopback() {
        let check = |headers: &[(&'static str, &str)], expect: bool| {
            let headers: HeaderMap = headers
                .iter()
                .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
                .collect();
            assert_eq!(is_of_this_machine(&headers), expect, "{headers:?}");
        };
        check(&[], true);
        check(&[("host", "127.0.0.1:7878")], true);
        check(
            &[("host", "localhost:7878"), ("origin", "http://localhost:7878")],
            true,
        );
        check(&[("host", "[::1]:7878"), ("sec-fetch-site", "same-origin")], true);
        check(&[("host", "rebound.example:7878")], false);
        check(&[("host", "127.0.0.1.example")], false);
        check(
            &[("host", "localhost"), ("origin", "https://evil.example")],
            false,
        );
        check(&[("host", "localhost"), ("origin", "null")], false);
        check(&[("host", "localhost"), ("sec-fetch-site", "cross-site")], false);
        check(
            &[("host", "localhost"), ("x-forwarded-for", "203.0.113.9")],
            false,
        );
    }
}
