//! Extractors whose rejections are [`ApiError`]s, and the parameters that several routes share.

use super::error::ApiError;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use serde::de::{DeserializeOwned, IntoDeserializer};
use serde::{Deserialize, Deserializer, Serialize};

/// The query string.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let axum::extract::Query(value) = axum::extract::Query::from_request_parts(parts, state).await?;
        Ok(Self(value))
    }
}

/// The placeholders of the route.
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let axum::extract::Path(value) = axum::extract::Path::from_request_parts(parts, state).await?;
        Ok(Self(value))
    }
}

/// A JSON request body.
pub struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = ApiError;
    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let axum::Json(value) = axum::Json::from_request(request, state).await?;
        Ok(Self(value))
    }
}

/// Which model a route is about.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
pub struct ModelPath {
    /// Short hub id, such as `hf`.
    pub hub: String,
    pub owner: String,
    pub name: String,
}

impl ModelPath {
    /// `hub:owner/name`
    pub fn reference(&self) -> String {
        format!("{}:{}/{}", self.hub, self.owner, self.name)
    }

    pub fn unknown(self) -> ApiError {
        ApiError::UnknownModel {
            hub: self.hub,
            owner: self.owner,
            name: self.name,
        }
    }
}

/// Checks a count against its bounds; `default` when it was not given.
pub fn bounded(parameter: &'static str, value: Option<u32>, default: u32, max: u32) -> Result<u32, ApiError> {
    let value = value.unwrap_or(default);
    match value {
        value if (1..=max).contains(&value) => Ok(value),
        value => Err(ApiError::OutOfRange {
            parameter,
            min: 1,
            max,
            value,
        }),
    }
}

/// A name a caller gives to a thing of theirs: what fits into an address and a log line.
pub fn checked_name(name: String) -> Result<String, ApiError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    match (1..=64).contains(&name.len()) && name.chars().all(plain) {
        true => Ok(name),
        false => Err(ApiError::InvalidName { name }),
    }
}

/// For free text in a query string: `?search=` means no search.
pub fn empty_is_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    Ok(text.filter(|text| !text.is_empty()))
}

/// Reads one of an enum's words out of the database.
pub fn parse_word<T: DeserializeOwned>(word: &str) -> Result<T, ApiError> {
    T::deserialize(word.into_deserializer())
        .map_err(|error: serde::de::value::Error| ApiError::Unreadable(error.to_string()))
}

/// The word an enum is stored as.
pub fn word(value: impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

/// Reads a SHA-256 digest in hexadecimal.
pub fn decode_digest(text: &str) -> Result<Vec<u8>, ApiError> {
    let bytes = hex::decode(text).ok().filter(|bytes| bytes.len() == 32);
    bytes.ok_or_else(|| ApiError::InvalidDigest {
        text: text.to_owned(),
    })
}

/// Takes `hub:owner/name[@revision]` apart.
pub fn parse_reference(text: &str) -> Result<(ModelPath, Option<&str>), ApiError> {
    let invalid = || ApiError::InvalidReference {
        text: text.to_owned(),
    };
    let (hub, rest) = text.split_once(':').ok_or_else(invalid)?;
    let (full_name, revision) = match rest.split_once('@') {
        Some((full_name, revision)) => (full_name, Some(revision)),
        None => (rest, None),
    };
    let (owner, name) = full_name.split_once('/').ok_or_else(invalid)?;
    if hub.is_empty() || name.is_empty() || revision.is_some_and(str::is_empty) {
        return Err(invalid());
    }
    let model = ModelPath {
        hub: hub.to_owned(),
        owner: owner.to_owned(),
        name: name.to_owned(),
    };
    Ok((model, revision))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_taken_apart() {
        let check = |text: &str, expect: Option<(&str, Option<&str>)>| {
            let parsed = parse_reference(text).ok();
            let parsed = parsed.map(|(model, revision)| (model.reference(), revision));
            let expect = expect.map(|(reference, revision)| (reference.to_owned(), revision));
            assert_eq!(parsed, expect, "{text}");
        };
        check("hf:a/b", Some(("hf:a/b", None)));
        check("hf:a/b@c0ffee", Some(("hf:a/b", Some("c0ffee"))));
        check("hf:a/b@refs/pr/1", Some(("hf:a/b", Some("refs/pr/1"))));
        for text in ["", "a/b", "/etc/passwd", "hf:b", "hf:a/", "hf:a/b@", ":a/b"] {
            check(text, None);
        }
    }
}
