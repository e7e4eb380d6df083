//! Where the hub is and who asks, from the environment the Hugging Face clients use.

use crate::http::{ClientConfig, Pace, RetryPolicy, Timeouts, Token, USER_AGENT, same_origin};
use std::path::PathBuf;

pub const DEFAULT_ENDPOINT: &str = "https://huggingface.co";
/// Configuration of an [`super::HfHub`]; the defaults suit a public hub.
#[derive(Debug, Clone)]
pub struct HfConfig {
    pub endpoint: String,
    /// Sent to the endpoint only, never to a storage host.
    pub token: Option<Token>,
    pub user_agent: String,
    pub retry: RetryPolicy,
    pub timeouts: Timeouts,
    /// `None` for the usual pace: gentle with public hubs, unbounded on this machine.
    pub pace: Option<Pace>,
    /// File bytes that may be read in all.
    pub byte_budget: Option<u64>,
}

impl HfConfig {
    /// `endpoint` without a token and with the usual limits.
    #[must_use]
    pub fn new(endpoint: impl Into<String>) -> Self {
        Self {
            endpoint: endpoint.into(),
            token: None,
            user_agent: USER_AGENT.to_owned(),
            retry: RetryPolicy::default(),
            timeouts: Timeouts::default(),
            pace: None,
            byte_budget: None,
        }
    }

    /// What `HF_ENDPOINT`, `HF_TOKEN` and the token file of the Hugging Face cache say.
    #[must_use]
    pub fn from_env() -> Self {
        Self {
            token: token_from_environment(),
            ..Self::new(endpoint_from_environment())
        }
    }

    /// As [`HfConfig::from_env`] but at `endpoint`. The token stays at home unless that is where the environment points anyway.
    #[must_use]
    pub fn from_env_for(endpoint: Option<&str>) -> Self {
        let configured = Self::from_env();
        match endpoint {
            None => configured,
            Some(endpoint) if same_origin(endpoint, &configured.endpoint) => Self {
                endpoint: endpoint.to_owned(),
                ..configured
            },
            Some(endpoint) => Self::new(endpoint),
        }
    }

    pub(super) fn into_client_config(self) -> ClientConfig {
        let usual = ClientConfig::usual(&self.endpoint);
        ClientConfig {
            endpoint: self.endpoint,
            token: self.token,
            user_agent: self.user_agent,
            retry: self.retry,
            timeouts: self.timeouts,
            pace: self.pace.unwrap_or(usual.pace),
            byte_budget: self.byte_budget,
            meets_challenges: false,
        }
    }
}

fn endpoint_from_environment() -> String {
    text_variable("HF_ENDPOINT").unwrap_or_else(|| DEFAULT_ENDPOINT.to_owned())
}

/// `HF_TOKEN`, else the file `HF_TOKEN_PATH` names, else `token` in the Hugging Face folder.
fn token_from_environment() -> Option<Token> {
    if let Some(token) = text_variable("HF_TOKEN") {
        return Token::new(&token);
    }
    let implicit_disabled = text_variable("HF_HUB_DISABLE_IMPLICIT_TOKEN")
        .is_some_and(|value| matches!(value.to_lowercase().as_str(), "1" | "true" | "yes" | "on"));
    if implicit_disabled {
        return None;
    }
    let path = std::env::var_os("HF_TOKEN_PATH").map_or_else(|| home_folder().join("token"), PathBuf::from);
    Token::new(&std::fs::read_to_string(path).ok()?)
}

/// `HF_HOME`, else `huggingface` in the user's cache folder.
#[must_use]
pub fn home_folder() -> PathBuf {
    if let Some(home) = std::env::var_os("HF_HOME") {
        return home.into();
    }
    let cache = std::env::var_os("XDG_CACHE_HOME").map_or_else(
        || {
            let home = std::env::var_os("HOME").map_or_else(|| PathBuf::from("."), PathBuf::from);
            home.join(".cache")
        },
        PathBuf::from,
    );
    cache.join("huggingface")
}

fn text_variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_does_not_show_itself() {
        let config = HfConfig {
            token: Token::new("hf_secret"),
            ..HfConfig::new(DEFAULT_ENDPOINT)
        };
        assert!(!format!("{config:?}").contains("secret"));
        assert!(!format!("{:?}", config.into_client_config()).contains("secret"));
    }
}
