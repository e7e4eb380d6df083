//! Model cards: Markdown with YAML front matter, the facts it declares, and the same facts spelled as hub tags.
//!
//! Enters: a card's text or a hub's `cardData` JSON, and tags. Leaves: fields of a [`Package`]. A field of the wrong type counts
//! as not said.

use crate::fields::{string, strings};
use crate::licence::to_spdx;
use crate::package::Package;
use serde_json::Value;
use serde_saphyr::options::DuplicateKeyPolicy;

/// Front matter longer than this is not read.
const MAX_FRONT_MATTER_BYTES: usize = 1 << 20;

/// The YAML between the leading `---` lines, as JSON. `None` where there is none or it does not parse.
pub fn front_matter(card: &str) -> Option<Value> {
    let yaml = front_matter_text(card)?;
    if yaml.len() > MAX_FRONT_MATTER_BYTES {
        return None;
    }
    // Published cards repeat keys; as in YAML 1.1 readers, the last one counts.
    let options = serde_saphyr::options! { duplicate_keys: DuplicateKeyPolicy::LastWins };
    match serde_saphyr::from_str_with_options::<Value>(yaml, options) {
        Ok(value @ Value::Object(_)) => Some(value),
        Ok(_) => None,
        Err(error) => {
            tracing::debug!(%error, "front matter of a card does not parse");
            None
        }
    }
}

fn front_matter_text(card: &str) -> Option<&str> {
    let card = card.trim_start_matches('\u{feff}');
    let body = card
        .strip_prefix("---\n")
        .or_else(|| card.strip_prefix("---\r\n"))?;
    let mut offset = 0;
    for line in body.split_inclusive('\n') {
        if line.trim_end() == "---" {
            return Some(&body[..offset]);
        }
        offset += line.len();
    }
    None
}

/// Fills what the card and the tags declare; what is already set stays.
pub fn apply(package: &mut Package, card_data: Option<&Value>) {
    let none = Value::Null;
    let card = card_data.unwrap_or(&none);
    for tag in strings(&card["tags"]) {
        push_new(&mut package.tags, tag);
    }
    set(&mut package.task, string(&card["pipeline_tag"]));
    set(&mut package.library, string(&card["library_name"]));
    set(&mut package.licence, licence_of(card));
    for dataset in strings(&card["datasets"]) {
        push_new(&mut package.datasets, dataset);
    }
    for base in strings(&card["base_model"]) {
        push_new(&mut package.base_models, base);
    }
    set(
        &mut package.base_model_relation,
        string(&card["base_model_relation"]),
    );
    apply_tags(package);
}

/// Hugging Face repeats what a card declares as tags: `license:mit`, `dataset:x`, `arxiv:1234.5678`,
/// `base_model:finetune:owner/name`.
fn apply_tags(package: &mut Package) {
    for tag in package.tags.clone() {
        let Some((kind, value)) = tag.split_once(':') else {
            continue;
        };
        match kind {
            "license" => set(&mut package.licence, Some(to_spdx(value))),
            "dataset" => push_new(&mut package.datasets, value.to_owned()),
            "arxiv" | "doi" => push_new(&mut package.papers, tag.clone()),
            "base_model" => match value.split_once(':') {
                Some((relation, base)) => {
                    push_new(&mut package.base_models, base.to_owned());
                    set(&mut package.base_model_relation, Some(relation.to_owned()));
                }
                None => push_new(&mut package.base_models, value.to_owned()),
            },
            _ => {}
        }
    }
}

/// Several licences stand for several parts of a package; no SPDX operator says which, so the words are kept.
fn licence_of(card: &Value) -> Option<String> {
    let words = strings(&card["license"]);
    match words.as_slice() {
        [] => None,
        [one] if one == "other" => string(&card["license_name"])
            .or_else(|| Some(one.clone()))
            .map(|word| to_spdx(&word)),
        [one] => Some(to_spdx(one)),
        several => Some(several.join(", ")),
    }
}

/// The architecture a `config.json` names: its first `architectures` entry, else its `model_type`.
pub fn architecture_of(config: &Value) -> Option<String> {
    strings(&config["architectures"])
        .into_iter()
        .next()
        .or_else(|| string(&config["model_type"]))
}

fn set(field: &mut Option<String>, value: Option<String>) {
    if field.is_none() {
        *field = value;
    }
}

fn push_new(list: &mut Vec<String>, value: String) {
    if !list.contains(&value) {
        list.push(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn front_matter_of_real_shapes() {
        let card = "---\nlicense: mit\ntags:\n- a\n- b\nbase_model: o/base\n---\n# Title\n---\n";
        assert_eq!(
            front_matter(card),
            Some(json!({"license": "mit", "tags": ["a", "b"], "base_model": "o/base"}))
        );
        assert_eq!(
            front_matter("---\r\nlicense: mit\r\n---\r\ntext"),
            Some(json!({"license": "mit"}))
        );
        assert_eq!(front_matter("---\na: 1\na: 2\n---\n"), Some(json!({"a": 2})));
        assert_eq!(front_matter("---\na: 1\na: 2\n---\n"), Some(json!({"a": 2})));
        for card in [
            "",
            "# Title",
            "---\nlicense: mit\n",
            "---\n- a\n---\n",
            "---\n: : [\n---\n",
        ] {
            assert_eq!(front_matter(card), None, "{card:?}");
        }
    }

    #[test]
    fn facts_from_card_and_tags() {
        let mut package = Package {
            tags: vec![
                "arxiv:1706.03762".into(),
                "dataset:squad".into(),
                "base_model:o/base".into(),
                "base_model:quantized:o/base".into(),
            ],
            ..Package::default()
        };
        apply(
            &mut package,
            Some(
                &json!({"license": "apache-2.0", "base_model": ["o/base"], "datasets": "imdb", "library_name": 7}),
            ),
        );
        assert_eq!(package.licence.as_deref(), Some("Apache-2.0"));
        assert_eq!(package.base_models, ["o/base"]);
        assert_eq!(package.base_model_relation.as_deref(), Some("quantized"));
        assert_eq!(package.datasets, ["imdb", "squad"]);
        assert_eq!(package.papers, ["arxiv:1706.03762"]);
        assert_eq!(package.library, None);
    }

    #[test]
    fn named_and_several_licences() {
        let check = |card: Value, expect: Option<&str>| {
            assert_eq!(licence_of(&card).as_deref(), expect, "{card}");
        };
        check(
            json!({"license": "other", "license_name": "gemma"}),
            Some("gemma"),
        );
        check(json!({"license": "other"}), Some("other"));
        check(json!({"license": ["mit", "apache-2.0"]}), Some("mit, apache-2.0"));
        check(json!({"license": {"a": 1}}), None);
    }
}
