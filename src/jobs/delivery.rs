//! One change, told to one webhook.
//!
//! Signed after the Standard Webhooks specification: `webhook-id`, `webhook-timestamp` and `webhook-signature`, an HMAC-SHA256 over
//! `id.timestamp.body`. Sent to public addresses only, or to hosts that the operator named; a redirect is an error, as an address
//! answers for itself.

use crate::sentence::sentence;
use crate::store::Store;
use crate::store::changes::ChangeRow;
use crate::store::watch::WatchFilter;
use crate::store::webhooks::WebhookRow;
use anyhow::{Context, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use heirloom_crawler::{is_local_name, is_public};
use hmac::{Hmac, KeyInit, Mac};
use reqwest::StatusCode;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use serde_json::json;
use sha2::Sha256;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use url::Url;
use uuid::Uuid;

const TIME_LIMIT: Duration = Duration::from_secs(10);
/// Failed attempts in a row, over all changes, after which a webhook is given up.
const MAX_FAILURES: i32 = 100;

/// Where webhooks may be: public addresses over https, and hosts the operator named.
#[derive(Debug, Clone, Default)]
pub struct WebhookPolicy {
    /// Names or addresses on this machine or network that may be told, over http too.
    pub allowed_hosts: Vec<String>,
}

impl WebhookPolicy {
    /// Refuses, in one sentence, a URL that nothing will be sent to.
    pub fn check(&self, url: &str) -> Result<Url, String> {
        let url = Url::parse(url).map_err(|error| format!("{url:?} is not a URL: {error}"))?;
        let host = url.host_str().unwrap_or_default();
        if !url.username().is_empty() || url.password().is_some() {
            return Err(
                "a webhook's URL must not hold a name or a password; check its signature instead".to_owned(),
            );
        }
        if self.allows(host) && matches!(url.scheme(), "http" | "https") {
            return Ok(url);
        }
        if url.scheme() != "https" {
            return Err(format!(
                "{url} is not an https URL, and {host} is not among the hosts of the setting webhook_hosts"
            ));
        }
        if is_local_name(&url) {
            return Err(format!(
                "{host} is on this machine or network; the operator must name it in the setting webhook_hosts"
            ));
        }
        Ok(url)
    }

    fn allows(&self, host: &str) -> bool {
        self.allowed_hosts
            .iter()
            .any(|allowed| allowed.eq_ignore_ascii_case(host))
    }
}

/// A name may be made to resolve to this machine after it was checked: what is connected to is checked again here.
impl Resolve for WebhookPolicy {
    fn resolve(&self, name: Name) -> Resolving {
        let anywhere = self.allows(name.as_str());
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let addresses: Vec<SocketAddr> = found
                .filter(|address| anywhere || is_public(address.ip()))
                .collect();
            if addresses.is_empty() {
                return Err(format!("{} has no public address", name.as_str()).into());
            }
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

enum Answer {
    Taken,
    /// It wants no more.
    Gone,
}

/// Sends deliveries.
#[derive(Debug, Clone)]
pub struct Courier {
    client: reqwest::Client,
    policy: WebhookPolicy,
}

impl Courier {
    pub fn new(policy: WebhookPolicy) -> anyhow::Result<Self> {
        let client = reqwest::Client::builder()
            .user_agent(concat!("heirloom/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .no_proxy()
            .timeout(TIME_LIMIT)
            .dns_resolver(Arc::new(policy.clone()))
            .build()
            .context("cannot start an HTTP client for webhooks")?;
        Ok(Self { client, policy })
    }

    /// Tells `webhook` of the change at `position`. An error means that it is worth another try.
    pub async fn deliver(&self, store: &Store, webhook: Uuid, position: i64) -> anyhow::Result<()> {
        let Some(webhook) = store
            .webhook(webhook)
            .await?
            .filter(|webhook| webhook.disabled_at.is_none())
        else {
            return Ok(());
        };
        // Looked up again, with its own eyes: what was restricted or withdrawn meanwhile is not told.
        let sight = if webhook.sees_restricted {
            store.whole()
        } else {
            store.public()
        };
        let found = sight
            .changes_between(position - 1, position, &WatchFilter::default(), 1)
            .await?;
        let Some(followed) = found.into_iter().next() else {
            return Ok(());
        };
        let outcome = self.post(&webhook, position, &followed.change).await;
        let (error, max_failures) = match &outcome {
            Ok(Answer::Taken) => (None, MAX_FAILURES),
            Ok(Answer::Gone) => (Some("the webhook answered 410 Gone".to_owned()), 0),
            Err(error) => (Some(sentence(error)), MAX_FAILURES),
        };
        store
            .note_attempt(webhook.id, error.as_deref(), max_failures)
            .await?;
        outcome.map(|_| ())
    }

    async fn post(&self, webhook: &WebhookRow, position: i64, change: &ChangeRow) -> anyhow::Result<Answer> {
        let url = self.policy.check(&webhook.url).map_err(anyhow::Error::msg)?;
        let id = format!("msg_{}_{position}", webhook.id.simple());
        let body = payload(change)?;
        let now = OffsetDateTime::now_utc().unix_timestamp();
        let request = self
            .client
            .post(url)
            .header("content-type", "application/json")
            .header("webhook-id", &id)
            .header("webhook-timestamp", now)
            .header("webhook-signature", signature(&webhook.secret, &id, now, &body)?)
            .body(body);
        let response = request.send().await.context("the webhook cannot be reached")?;
        let status = response.status();
        if status == StatusCode::GONE {
            return Ok(Answer::Gone);
        }
        ensure!(status.is_success(), "the webhook answered {status}");
        Ok(Answer::Taken)
    }
}

/// The value of `webhook-signature`.
pub fn signature(secret: &[u8], id: &str, timestamp: i64, body: &str) -> anyhow::Result<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).context("a secret of no length")?;
    mac.update(format!("{id}.{timestamp}.{body}").as_bytes());
    Ok(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
}

/// The body: `data` is the change as `GET /api/v1/changes` gives it.
fn payload(change: &ChangeRow) -> anyhow::Result<String> {
    let at = change.at.format(&Rfc3339)?;
    let body = json!({
        "type": change.kind,
        "timestamp": at,
        "data": {
            "kind": change.kind,
            "at": at,
            "reference": change.reference(),
            "revision": change.revision,
            "version": change.version,
            "detail": change.detail,
            "id": change.urn(),
        },
    });
    Ok(body.to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_signature_is_that_of_the_specification() {
        // The example of the Standard Webhooks specification.
        let secret = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let body = r#"{"test": 2432232314}"#;
        let signature = signature(&secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body).unwrap();
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn only_public_addresses_and_named_hosts_are_told() {
        let policy = WebhookPolicy {
            allowed_hosts: vec!["127.0.0.1".to_owned(), "ci.internal".to_owned()],
        };
        let check = |url: &str, expect: bool| assert_eq!(policy.check(url).is_ok(), expect, "{url}");
        check("https://hooks.example.org/x", true);
        check("http://127.0.0.1:9000/x", true);
        check("http://ci.internal/x", true);
        check("http://hooks.example.org/x", false);
        check("https://127.0.0.2/x", false);
        check("https://[::1]/x", false);
        check("https://10.0.0.1/x", false);
        check("https://169.254.169.254/latest", false);
        check("https://db.internal/x", false);
        check("https://user:secret@hooks.example.org/", false);
        check("ftp://ci.internal/x", false);
        check("file:///etc/passwd", false);
        check("hooks", false);
    }

    #[tokio::test]
    async fn a_name_of_this_machine_has_no_address() {
        let name = || "localhost".parse::<Name>().unwrap();
        assert!(WebhookPolicy::default().resolve(name()).await.is_err());
        let allowed = WebhookPolicy {
            allowed_hosts: vec!["localhost".to_owned()],
        };
        assert!(allowed.resolve(name()).await.is_ok());
    }
}
