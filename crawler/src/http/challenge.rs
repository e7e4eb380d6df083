//! Tokens that a registry hands out for the asking: `401` with `WWW-Authenticate: Bearer realm="…",service="…",scope="…"` names the
//! address to ask.

use crate::http::Token;
use reqwest::header::HeaderMap;
use serde_json::Value;
use url::Url;

/// Where to ask for a token, and for what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    pub realm: String,
    pub service: Option<String>,
    pub scope: Option<String>,
}

impl Challenge {
    /// The challenge of an answer, where it is one that can be met without a secret.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let header = headers.get("www-authenticate")?.to_str().ok()?;
        parse(header)
    }

    /// `realm?service=…&scope=…`
    pub fn add_query(&self, realm: &mut Url) {
        let mut query = realm.query_pairs_mut();
        if let Some(service) = &self.service {
            query.append_pair("service", service);
        }
        if let Some(scope) = &self.scope {
            query.append_pair("scope", scope);
        }
    }
}

/// The token of the realm's answer, which either of two fields holds.
pub fn token_of(answer: &Value) -> Option<Token> {
    ["token", "access_token"]
        .iter()
        .find_map(|field| Token::new(answer[field].as_str()?))
}

fn parse(header: &str) -> Option<Challenge> {
    let (scheme, mut rest) = header.trim().split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    let (mut realm, mut service, mut scope) = (None, None, None);
    // Values hold commas (`repository:a/b:pull,push`), so they are read by their quotes.
    while let Some((name, from)) = rest.split_once("=\"") {
        let (value, after) = from.split_once('"')?;
        let value = Some(value.to_owned());
        match name.trim_matches([',', ' ']) {
            "realm" => realm = value,
            "service" => service = value,
            "scope" => scope = value,
            _ => {}
        }
        rest = after;
    }
    Some(Challenge {
        realm: realm?,
        service,
        scope,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges() {
        let text =
            r#"Bearer realm="https://auth.test/token",service="r.test",scope="repository:a/b:pull,push""#;
        assert_eq!(
            parse(text),
            Some(Challenge {
                realm: "https://auth.test/token".into(),
                service: Some("r.test".into()),
                scope: Some("repository:a/b:pull,push".into()),
            })
        );
        for other in [
            "Basic realm=\"x\"",
            "Bearer",
            "Bearer service=\"x\"",
            "Bearer realm=\"x",
        ] {
            assert_eq!(parse(other), None, "{other}");
        }
    }
}
