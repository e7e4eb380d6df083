//! Opaque page cursors: the sort key of a page's last row, so that the next page starts after it whatever was added meanwhile.
//!
//! Enters: any serializable key. Leaves: URL-safe text, and the key again. Callers must not read meaning into the text.

use super::error::ApiError;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub fn encode(key: &impl Serialize) -> Result<String, ApiError> {
    let json = serde_json::to_vec(key).map_err(|error| ApiError::Unreadable(error.to_string()))?;
    Ok(URL_SAFE_NO_PAD.encode(json))
}

pub fn decode<T: DeserializeOwned>(cursor: &str) -> Result<T, ApiError> {
    let json = URL_SAFE_NO_PAD
        .decode(cursor)
        .map_err(|_| ApiError::InvalidCursor)?;
    serde_json::from_slice(&json).map_err(|_| ApiError::InvalidCursor)
}

/// One page out of `limit + 1` rows: the extra row tells that there is a next page.
pub fn cut<R, K: Serialize>(
    rows: &mut Vec<R>,
    limit: u32,
    key: impl Fn(&R) -> K,
) -> Result<Option<String>, ApiError> {
    let limit = limit as usize;
    if rows.len() <= limit {
        return Ok(None);
    }
    rows.truncate(limit);
    rows.last().map(|row| encode(&key(row))).transpose()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_cursor_gives_its_key_back(id: i64, text: Option<String>) {
            let key = (text, id);
            let cursor = encode(&key).unwrap();
            prop_assert!(cursor.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'));
            prop_assert_eq!(decode::<(Option<String>, i64)>(&cursor).unwrap(), key);
        }

        #[test]
        fn any_other_text_is_refused(text: String) {
            // Text that happens to be base64 of a JSON integer would be a cursor; nothing else is.
            if let Ok(id) = decode::<i64>(&text) {
                prop_assert_eq!(decode::<i64>(&encode(&id).unwrap()).unwrap(), id);
            }
        }
    }

    #[test]
    fn a_page_is_cut_where_more_follows() {
        let mut rows = vec![1, 2, 3];
        assert_eq!(cut(&mut rows, 2, |row| *row).unwrap(), Some(encode(&2).unwrap()));
        assert_eq!(rows, [1, 2]);
        assert_eq!(cut(&mut rows, 2, |row| *row).unwrap(), None);
        assert_eq!(rows, [1, 2]);
    }
}
