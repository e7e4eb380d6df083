//! A hub's access token, which never shows itself.

use crate::HubError;
use reqwest::header::HeaderValue;
use std::fmt;

/// Printed as `Token(…)`; only [`Token::bearer`] gives it away, as a header marked sensitive.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// `None` for blank text.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        (!text.is_empty()).then(|| Self(text.to_owned()))
    }

    pub(crate) fn bearer(&self) -> Result<HeaderValue, HubError> {
        let mut value =
            HeaderValue::from_str(&format!("Bearer {}", self.0)).map_err(|_| HubError::Client {
                reason: "the token holds characters that no token has; check HF_TOKEN".to_owned(),
            })?;
        value.set_sensitive(true);
        Ok(value)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Token(…)")
    }
}
