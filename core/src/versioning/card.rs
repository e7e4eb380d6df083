//! The model card: YAML front matter as JSON, and the text below it.

use serde_json::Value;

/// Front matter longer than this is not parsed: the hub refuses it too.
const MAX_FRONT_MATTER_BYTES: usize = 256 * 1024;

/// A card cut into its two parts.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Card<'a> {
    /// `Null` when there is none, or when it is not YAML.
    pub front: Value,
    pub body: &'a str,
}

/// Cuts a README.md.
pub(super) fn parse(text: &str) -> Card<'_> {
    let text = text.trim_start_matches('\u{feff}');
    let Some((front, body)) = split(text) else {
        return Card {
            front: Value::Null,
            body: text,
        };
    };
    let parsed = if front.len() <= MAX_FRONT_MATTER_BYTES {
        serde_saphyr::from_str(front).unwrap_or(Value::Null)
    } else {
        Value::Null
    };
    Card { front: parsed, body }
}

fn split(text: &str) -> Option<(&str, &str)> {
    let rest = text.strip_prefix("---")?;
    let rest = rest.strip_prefix("\r\n").or_else(|| rest.strip_prefix('\n'))?;
    let end = rest.find("\n---")?;
    let after = &rest[end + 4..];
    Some((&rest[..end], after.split_once('\n').map_or("", |(_, body)| body)))
}

impl Card<'_> {
    /// The values of a key that holds one string or a list of them, sorted.
    pub fn strings(&self, key: &str) -> Vec<String> {
        let mut strings = match self.front.get(key) {
            Some(Value::String(one)) => vec![one.clone()],
            Some(Value::Array(several)) => several
                .iter()
                .filter_map(|value| value.as_str().map(str::to_owned))
                .collect(),
            _ => Vec::new(),
        };
        strings.sort();
        strings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn front_matter_and_body_are_cut_apart() {
        let card = parse("---\nlicense: mit\nbase_model:\n- b/x\n- a/y\n---\n# Title\n");
        assert_eq!(card.strings("license"), ["mit"]);
        assert_eq!(card.strings("base_model"), ["a/y", "b/x"]);
        assert_eq!(card.body, "# Title\n");
    }

    #[test]
    fn odd_cards_are_all_body() {
        for text in ["", "# no front", "---", "---\nnever closed", "--- \n---\n"] {
            assert_eq!(parse(text).body, text);
        }
        assert_eq!(parse("---\n: : {[\n---\nrest").front, Value::Null);
    }
}
