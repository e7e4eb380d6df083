//! Single fields of a hub's JSON. A field of the wrong type counts as not said where it describes a package, and is a
//! [`HubError::Malformed`] that names it where we cannot go on without it.

use crate::HubError;
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A non-empty string, else `None`.
pub fn string(value: &Value) -> Option<String> {
    value
        .as_str()
        .map(str::trim)
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
}

/// A string or a list of strings; entries of another type are left out.
pub fn strings(value: &Value) -> Vec<String> {
    match value {
        Value::Array(values) => values.iter().filter_map(string).collect(),
        other => string(other).into_iter().collect(),
    }
}

/// A string, or a whole number as one: hubs number their versions.
pub fn string_or_number(value: &Value) -> Option<String> {
    string(value).or_else(|| value.as_u64().map(|number| number.to_string()))
}

/// RFC 3339, or seconds since 1970.
pub fn date(value: &Value) -> Option<OffsetDateTime> {
    match value.as_i64() {
        Some(seconds) => OffsetDateTime::from_unix_timestamp(seconds).ok(),
        None => OffsetDateTime::parse(value.as_str()?, &Rfc3339).ok(),
    }
}

/// Hex SHA-256, with or without `sha256:` before it.
pub fn sha256(value: &Value) -> Option<String> {
    let text = value.as_str()?;
    let text = text.strip_prefix("sha256:").unwrap_or(text);
    let valid = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    valid.then(|| text.to_ascii_lowercase())
}

/// A list's elements; none where it is no list.
pub fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// The elements of an answer that must be a list.
pub fn elements(url: &str, value: Value) -> Result<Vec<Value>, HubError> {
    match value {
        Value::Array(values) => Ok(values),
        other => Err(not_a_list(url, "the top level", &other)),
    }
}

/// The elements of a field that must be a list.
pub fn required_list<'a>(url: &str, field: &str, value: &'a Value) -> Result<&'a [Value], HubError> {
    match value {
        Value::Array(values) => Ok(values),
        other => Err(not_a_list(url, field, other)),
    }
}

fn not_a_list(url: &str, field: &str, value: &Value) -> HubError {
    malformed(url, field, &format!("a list was expected, not {}", kind(value)))
}

pub fn malformed(url: &str, field: &str, reason: &str) -> HubError {
    HubError::Malformed {
        url: url.to_owned(),
        field: field.to_owned(),
        reason: reason.to_owned(),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use time::macros::datetime;

    #[test]
    fn what_is_said_and_what_is_not() {
        assert_eq!(string(&json!(" a ")), Some("a".to_owned()));
        assert_eq!(string(&json!("")), None);
        assert_eq!(strings(&json!(["a", 1, "b"])), ["a", "b"]);
        assert_eq!(string_or_number(&json!(7)), Some("7".to_owned()));
        assert_eq!(
            date(&json!("2024-05-01T10:00:00Z")),
            Some(datetime!(2024-05-01 10:00 UTC))
        );
        assert_eq!(date(&json!(0)), Some(OffsetDateTime::UNIX_EPOCH));
        assert_eq!(date(&json!("yesterday")), None);
        assert_eq!(
            sha256(&json!(format!("sha256:{}", "A".repeat(64)))),
            Some("a".repeat(64))
        );
        assert_eq!(sha256(&json!("abc")), None);
        assert!(list(&json!({"a": 1})).is_empty());
    }
}
