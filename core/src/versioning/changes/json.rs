//! Compares two JSON documents key by key.

use serde_json::Value;
use std::collections::BTreeMap;

/// One key whose value is not the same on both sides.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct KeyChange {
    /// Dotted path: `text_config.hidden_size`.
    pub key: String,
    pub old: Option<Value>,
    pub new: Option<Value>,
}

impl KeyChange {
    /// `hidden_size 768 → 1024`, shortened.
    pub fn describe(&self) -> String {
        let show = |value: &Option<Value>| match value {
            None => "absent".to_owned(),
            Some(value) => shorten(&value.to_string()),
        };
        format!("{} {} → {}", self.key, show(&self.old), show(&self.new))
    }
}

fn shorten(text: &str) -> String {
    const SHOWN: usize = 40;
    match text.char_indices().nth(SHOWN) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

/// The leaves that differ, in key order. Arrays are compared whole.
pub(super) fn changed_keys(old: &Value, new: &Value) -> Vec<KeyChange> {
    let (mut before, mut after) = (BTreeMap::new(), BTreeMap::new());
    flatten(old, String::new(), &mut before);
    flatten(new, String::new(), &mut after);
    let mut keys: Vec<&String> = before.keys().chain(after.keys()).collect();
    keys.sort();
    keys.dedup();
    keys.into_iter()
        .filter(|key| before.get(*key) != after.get(*key))
        .map(|key| KeyChange {
            key: key.clone(),
            old: before.get(key).map(|value| (*value).clone()),
            new: after.get(key).map(|value| (*value).clone()),
        })
        .collect()
}

fn flatten<'a>(value: &'a Value, path: String, into: &mut BTreeMap<String, &'a Value>) {
    match value {
        Value::Object(fields) if path.is_empty() || !fields.is_empty() => {
            for (key, field) in fields {
                let path = if path.is_empty() {
                    key.clone()
                } else {
                    format!("{path}.{key}")
                };
                flatten(field, path, into);
            }
        }
        _ => {
            into.insert(path, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn nested_keys_are_dotted_and_equal_ones_left_out() {
        let changes = changed_keys(
            &json!({"a": 1, "same": [1, 2], "t": {"h": 2, "gone": null}}),
            &json!({"a": 1, "same": [1, 2], "t": {"h": 3}}),
        );
        let keys: Vec<_> = changes.iter().map(KeyChange::describe).collect();
        assert_eq!(keys, ["t.gone null → absent", "t.h 2 → 3"]);
    }
}
