//! The Hugging Face API's JSON, turned into this crate's values.
//!
//! Unknown fields are ignored. A field of the wrong type counts as not said where it describes the package, and is an error that
//! names it where we cannot go on without it.

use crate::card;
use crate::fields::{date, list, malformed, sha256, string, strings};
use crate::package::{Availability, FileEntry, Package, Revision};
use crate::{HubError, NO_OWNER, check_file_path, check_package_name};
use serde_json::Value;
use std::collections::HashMap;
use time::OffsetDateTime;
use time::macros::datetime;

/// The hub gives packages older than this the same creation date; for them it is no date.
const CREATED_FLOOR: OffsetDateTime = datetime!(2022-03-02 23:29:04 UTC);

/// `owner/name` of an id; old packages have no owner.
pub fn full_name(id: &str) -> Result<String, HubError> {
    let name = if id.contains('/') {
        id.to_owned()
    } else {
        format!("{NO_OWNER}/{id}")
    };
    check_package_name(&name)?;
    Ok(name)
}

/// One element of a listing, or the answer of `/api/models/{id}`.
pub fn package(url: &str, endpoint: &str, mut info: Value) -> Result<Package, HubError> {
    let id = string(&info["id"])
        .or_else(|| string(&info["modelId"]))
        .ok_or_else(|| malformed(url, "id", "it is missing or no text"))?;
    let full = full_name(&id)?;
    let (owner, name) = check_package_name(&full)?;
    let mut package = Package {
        hub: "hf".to_owned(),
        owner: owner.to_owned(),
        name: name.to_owned(),
        url: Some(format!("{endpoint}/{id}")),
        endpoint: endpoint.to_owned(),
        revision: string(&info["sha"]),
        created_at: date(&info["createdAt"]).filter(|date| *date > CREATED_FLOOR),
        modified_at: date(&info["lastModified"]),
        architecture: card::architecture_of(&info["config"]),
        task: string(&info["pipeline_tag"]),
        library: string(&info["library_name"]),
        tags: strings(&info["tags"]),
        downloads: info["downloads"].as_i64(),
        likes: info["likes"].as_i64(),
        gated: is_gated(&info["gated"]),
        availability: availability(&info),
        ..Package::default()
    };
    apply_base_models(&mut package, &info["baseModels"]);
    card::apply(&mut package, Some(&info["cardData"]));
    if let Some(fields) = info.as_object_mut() {
        // The files of a revision are asked for by themselves, with sizes.
        fields.remove("siblings");
    }
    package.raw = info;
    Ok(package)
}

/// `{"relation": "finetune", "models": [{"id": "owner/name"}]}`: the hub's own reading of the card.
fn apply_base_models(package: &mut Package, base_models: &Value) {
    let models = list(&base_models["models"]);
    package.base_models = models.iter().filter_map(|model| string(&model["id"])).collect();
    package.base_model_relation = string(&base_models["relation"]);
}

/// Whether an answer of `/api/models/{id}` names the file at its newest revision.
pub fn has_file(info: &Value, path: &str) -> bool {
    list(&info["siblings"])
        .iter()
        .any(|file| file["rfilename"] == path)
}

fn availability(info: &Value) -> Availability {
    if info["disabled"] == true {
        Availability::Disabled
    } else if info["private"] == true {
        Availability::Private
    } else {
        Availability::Public
    }
}

/// `false`, `"auto"` or `"manual"`.
fn is_gated(value: &Value) -> bool {
    value.as_bool().unwrap_or_else(|| value.is_string())
}

/// One entry of a tree; `None` for a folder.
pub fn file_entry(
    url: &str,
    position: usize,
    package: &str,
    entry: &Value,
) -> Result<Option<FileEntry>, HubError> {
    let field = |name: &str| format!("[{position}].{name}");
    if entry["type"] == "directory" {
        return Ok(None);
    }
    let path =
        string(&entry["path"]).ok_or_else(|| malformed(url, &field("path"), "it is missing or no text"))?;
    check_file_path(package, &path)?;
    let sha256 = match &entry["lfs"] {
        Value::Null => None,
        lfs => {
            Some(sha256(&lfs["oid"]).ok_or_else(|| malformed(url, &field("lfs.oid"), "it is no SHA-256"))?)
        }
    };
    Ok(Some(FileEntry {
        size: entry["lfs"]["size"].as_u64().or_else(|| entry["size"].as_u64()),
        blob_id: string(&entry["oid"]),
        xet_hash: string(&entry["xetHash"]),
        sha256,
        path,
    }))
}

/// One entry of `/commits`.
pub fn revision(
    url: &str,
    position: usize,
    commit: &Value,
    tags: &HashMap<String, Vec<String>>,
) -> Result<Revision, HubError> {
    let id = string(&commit["id"])
        .ok_or_else(|| malformed(url, &format!("[{position}].id"), "it is missing or no text"))?;
    let authors = list(&commit["authors"]);
    Ok(Revision {
        date: date(&commit["date"]),
        title: string(&commit["title"]).unwrap_or_default(),
        message: string(&commit["message"]).unwrap_or_default(),
        authors: authors
            .iter()
            .filter_map(|author| string(&author["user"]).or_else(|| string(author)))
            .collect(),
        tags: tags.get(&id).cloned().unwrap_or_default(),
        id,
    })
}

/// Tag names by the commit they point at.
pub fn tags_by_commit(refs: &Value) -> HashMap<String, Vec<String>> {
    let mut tags: HashMap<String, Vec<String>> = HashMap::new();
    for tag in list(&refs["tags"]) {
        if let (Some(name), Some(commit)) = (string(&tag["name"]), string(&tag["targetCommit"])) {
            tags.entry(commit).or_default().push(name);
        }
    }
    tags
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn an_info_answer() {
        let info = json!({
            "id": "acme/tiny", "sha": "abc", "lastModified": "2024-05-01T10:00:00.000Z",
            "createdAt": "2022-03-02T23:29:04.000Z", "gated": "manual", "downloads": 7, "likes": "many",
            "pipeline_tag": "text-generation", "library_name": "transformers",
            "tags": ["safetensors", "arxiv:1234.5678"], "config": {"architectures": ["TinyForCausalLM"]},
            "cardData": {"license": "mit", "base_model": "acme/base"}, "siblings": [{"rfilename": "README.md"}],
            "unheard": {"of": 1}
        });
        assert!(has_file(&info, "README.md"));
        let package = package("u", "https://hub", info).unwrap();
        assert_eq!((package.owner.as_str(), package.name.as_str()), ("acme", "tiny"));
        assert_eq!(package.url.as_deref(), Some("https://hub/acme/tiny"));
        assert_eq!(package.created_at, None);
        assert_eq!(package.modified_at, Some(datetime!(2024-05-01 10:00 UTC)));
        assert_eq!(
            (package.downloads, package.likes, package.gated),
            (Some(7), None, true)
        );
        assert_eq!(package.architecture.as_deref(), Some("TinyForCausalLM"));
        assert_eq!(
            (package.licence.as_deref(), package.base_models.as_slice()),
            (Some("MIT"), &["acme/base".to_owned()][..])
        );
        assert_eq!(package.raw["unheard"]["of"], 1);
        assert!(package.raw.get("siblings").is_none());
    }

    #[test]
    fn every_field_of_the_wrong_type_is_left_out() {
        for wrong in [json!(1), json!({"a": []}), json!([[]]), json!(true), Value::Null] {
            let mut info = json!({"id": "o/n"});
            for field in [
                "sha",
                "lastModified",
                "createdAt",
                "downloads",
                "likes",
                "tags",
                "config",
                "cardData",
                "baseModels",
                "pipeline_tag",
            ] {
                info[field] = wrong.clone();
            }
            let package = package("u", "https://hub", info).unwrap();
            assert_eq!(
                (package.revision, package.tags, package.licence),
                (None, vec![], None),
                "{wrong}"
            );
        }
        for id in [json!(1), json!("../.."), json!("a b/c"), Value::Null] {
            assert!(package("u", "https://hub", json!({"id": id})).is_err(), "{id}");
        }
    }

    #[test]
    fn tree_entries() {
        let entry = |value| file_entry("u", 3, "o/n", &value);
        let digest = "a".repeat(64);
        let file = entry(json!({"type": "file", "oid": "b1", "size": 1, "path": "m.bin",
            "lfs": {"oid": digest, "size": 9, "pointerSize": 1}, "xetHash": "x"}))
        .unwrap()
        .unwrap();
        assert_eq!(
            (
                file.size,
                file.sha256,
                file.blob_id.as_deref(),
                file.xet_hash.as_deref()
            ),
            (Some(9), Some(digest), Some("b1"), Some("x"))
        );
        assert_eq!(entry(json!({"type": "directory", "path": "d"})).unwrap(), None);
        let message = |value| entry(value).unwrap_err().to_string();
        assert!(message(json!({"type": "file"})).contains("[3].path"));
        assert!(message(json!({"type": "file", "path": "a", "lfs": {"oid": "zz"}})).contains("[3].lfs.oid"));
        assert!(message(json!({"type": "file", "path": "../../x"})).contains("refused"));
    }

    #[test]
    fn commits_carry_their_tags() {
        let tags = tags_by_commit(
            &json!({"tags": [{"name": "v1", "ref": "refs/tags/v1", "targetCommit": "c"}, {"name": 1}], "branches": 3}),
        );
        let commit = json!({"id": "c", "title": "t", "message": "m", "date": "2024-01-01T00:00:00.000Z", "authors": [{"user": "ann"}, {}]});
        let revision = revision("u", 0, &commit, &tags).unwrap();
        assert_eq!(
            (revision.tags, revision.authors),
            (vec!["v1".to_owned()], vec!["ann".to_owned()])
        );
    }
}
