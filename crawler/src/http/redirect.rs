//! Which redirects are followed: web addresses only, never from https to http, never from a public hub into this machine's or
//! this network's own addresses, and off the hub only for file content.

use super::{Hosts, shown};
use crate::HubError;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::HeaderValue;
use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use url::{Host, Url};

pub const MAX_REDIRECTS: usize = 10;
/// Beyond this many host names from redirects, further ones are refused.
const MAX_GUARDED: usize = 10_000;

/// The address `location` sends us to from `from`, if it may be followed.
pub async fn next_hop(
    hub: &Url,
    from: &Url,
    location: &HeaderValue,
    hosts: Hosts,
    resolver: &GuardedResolver,
) -> Result<Url, HubError> {
    let target = location
        .to_str()
        .ok()
        .and_then(|location| from.join(location).ok())
        .ok_or_else(|| HubError::UnsafeRedirect {
            url: shown(from),
            target: String::from_utf8_lossy(location.as_bytes())
                .chars()
                .take(120)
                .collect(),
        })?;
    let refused = || HubError::UnsafeRedirect {
        url: shown(from),
        target: shown(&target),
    };
    let credentials = !target.username().is_empty() || target.password().is_some();
    let downgrade = from.scheme() == "https" && target.scheme() != "https";
    if !matches!(target.scheme(), "http" | "https") || credentials || downgrade {
        return Err(refused());
    }
    if target.origin() == hub.origin() || is_upgrade(hub, &target) {
        return Ok(target);
    }
    if hosts == Hosts::OnlyHub {
        return Err(HubError::CrossHostRedirect {
            url: shown(from),
            target: target.origin().ascii_serialization(),
        });
    }
    if is_local(hub).await {
        return Ok(target);
    }
    if is_local_name(&target) || !resolver.guard(&target) {
        return Err(refused());
    }
    Ok(target)
}

/// `http://hub` sending us to `https://hub`.
fn is_upgrade(hub: &Url, target: &Url) -> bool {
    hub.scheme() == "http" && target.scheme() == "https" && hub.host() == target.host()
}

/// Whether the host is written as an address of this machine or a private network.
pub fn is_local_name(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => !is_public(address.into()),
        Some(Host::Ipv6(address)) => !is_public(address.into()),
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.').to_ascii_lowercase();
            name == "localhost"
                || [".localhost", ".local", ".internal"]
                    .iter()
                    .any(|end| name.ends_with(end))
        }
        None => true,
    }
}

/// Whether the hub itself is on this machine or a private network: then it may point at its neighbours.
async fn is_local(hub: &Url) -> bool {
    if is_local_name(hub) {
        return true;
    }
    let Some(Host::Domain(name)) = hub.host() else {
        return false;
    };
    let port = hub.port_or_known_default().unwrap_or(443);
    match tokio::net::lookup_host((name, port)).await {
        Ok(mut addresses) => addresses.any(|address| !is_public(address.ip())),
        // Only a proxy can resolve it; nothing here knows its address.
        Err(_) => false,
    }
}

/// Whether an address is neither this machine's nor a private network's.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let [a, b, ..] = address.octets();
            let shared = a == 100 && (64..128).contains(&b);
            !(address.is_loopback()
                || address.is_private()
                || address.is_link_local()
                || address.is_broadcast()
                || address.is_multicast()
                || address.is_documentation()
                || shared
                || a == 0)
        }
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(mapped) => is_public(mapped.into()),
            None => {
                !(address.is_loopback()
                    || address.is_unspecified()
                    || address.is_multicast()
                    || address.is_unique_local()
                    || address.is_unicast_link_local())
            }
        },
    }
}

/// Resolves names as the system does, but for hosts a public hub redirected us to it gives public addresses only: a name may
/// be made to resolve to 127.0.0.1.
#[derive(Debug, Clone, Default)]
pub struct GuardedResolver {
    guarded: Arc<Mutex<HashSet<String>>>,
}

impl GuardedResolver {
    /// `false` where too many hosts were named already.
    fn guard(&self, url: &Url) -> bool {
        let Some(host) = url.host_str() else { return false };
        let mut guarded = self.guarded.lock().unwrap_or_else(PoisonError::into_inner);
        guarded.contains(host) || (guarded.len() < MAX_GUARDED && guarded.insert(host.to_owned()))
    }

    fn is_guarded(&self, name: &str) -> bool {
        self.guarded
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains(name)
    }
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let public_only = self.is_guarded(name.as_str());
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let addresses: Vec<SocketAddr> = found
                .filter(|address| !public_only || is_public(address.ip()))
                .collect();
            if addresses.is_empty() {
                return Err(format!("{} has no public address", name.as_str()).into());
            }
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    async fn check(hub: &str, from: &str, location: &str, hosts: Hosts) -> Result<String, String> {
        let (hub, from) = (Url::parse(hub).unwrap(), Url::parse(from).unwrap());
        let location = HeaderValue::from_str(location).unwrap();
        next_hop(&hub, &from, &location, hosts, &GuardedResolver::default())
            .await
            .map(|url| url.to_string())
            .map_err(|error| error.to_string())
    }

    const HUB: &str = "https://203.0.114.1";

    #[tokio::test]
    async fn safe_redirects_are_followed() {
        for (from, location, hosts, expect) in [
            (
                "https://203.0.114.1/a/b",
                "/c",
                Hosts::OnlyHub,
                "https://203.0.114.1/c",
            ),
            (
                "https://203.0.114.1/a",
                "https://8.8.8.8/x?sig=1",
                Hosts::Storage,
                "https://8.8.8.8/x?sig=1",
            ),
        ] {
            assert_eq!(check(HUB, from, location, hosts).await.as_deref(), Ok(expect));
        }
        let local = "http://127.0.0.1:1";
        assert!(
            check(local, local, "http://127.0.0.1:2/x", Hosts::Storage)
                .await
                .is_ok()
        );
        assert!(
            check(
                "http://h.test",
                "http://h.test",
                "https://h.test/",
                Hosts::OnlyHub
            )
            .await
            .is_ok()
        );
    }

    #[tokio::test]
    async fn unsafe_redirects_are_refused() {
        for location in [
            "file:///etc/passwd",
            "ftp://8.8.8.8/x",
            "http://8.8.8.8/x",
            "https://127.0.0.1/x",
            "https://localhost/x",
            "https://169.254.169.254/latest",
            "https://10.0.0.1/",
            "https://[::1]/",
            "https://[::ffff:127.0.0.1]/",
            "https://0.0.0.0/",
            "https://user:pass@8.8.8.8/",
        ] {
            let refused = check(HUB, HUB, location, Hosts::Storage).await;
            assert!(
                refused.as_ref().is_err_and(|error| error.ends_with("refused")),
                "{location}: {refused:?}"
            );
        }
        let refused = check(HUB, HUB, "https://8.8.8.8/", Hosts::OnlyHub).await;
        assert!(refused.unwrap_err().contains("another host"));
    }

    #[tokio::test]
    async fn a_guarded_name_that_resolves_to_this_machine_has_no_address() {
        let resolver = GuardedResolver::default();
        let name = || "localhost".parse::<Name>().unwrap();
        assert!(resolver.resolve(name()).await.is_ok());
        resolver.guard(&Url::parse("https://localhost/").unwrap());
        assert!(resolver.resolve(name()).await.is_err());
    }
}
