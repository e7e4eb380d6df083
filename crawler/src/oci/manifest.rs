//! A manifest's layers as the files of a package. The media type on the answer says little, so the layers' own are read.

use crate::fields::{malformed, required_list, sha256, string};
use crate::{FileEntry, HubError, check_file_path};
use serde_json::Value;
use std::collections::BTreeSet;

/// Annotations that name a layer's file, the most specific first.
const PATH_ANNOTATIONS: [&str; 3] = [
    "org.cncf.model.filepath",
    "org.cnai.model.filepath",
    "org.opencontainers.image.title",
];
const MAX_LAYERS: usize = 100_000;

/// See the module's text.
#[derive(Debug)]
pub struct Manifest {
    /// Hex SHA-256 of the manifest's own bytes.
    pub digest: String,
    pub files: Vec<FileEntry>,
    /// Digest of the configuration.
    pub config: Option<String>,
    pub raw: Value,
}

impl Manifest {
    pub fn digest_of(&self, path: &str) -> Option<&str> {
        let file = self.files.iter().find(|file| file.path == path)?;
        file.sha256.as_deref()
    }
}

pub fn read(url: &str, package: &str, digest: String, manifest: Value) -> Result<Manifest, HubError> {
    let layers = required_list(url, "layers", &manifest["layers"])?;
    if layers.len() > MAX_LAYERS {
        return Err(HubError::TooLarge {
            what: format!("the manifest of {package}"),
            limit: MAX_LAYERS as u64,
        });
    }
    let mut files = Vec::new();
    let mut taken = BTreeSet::new();
    for (position, layer) in layers.iter().enumerate() {
        let digest = sha256(&layer["digest"])
            .ok_or_else(|| malformed(url, &format!("layers[{position}].digest"), "it is no SHA-256"))?;
        let path = free_path(path_of(layer, position), &taken);
        check_file_path(package, &path)?;
        taken.insert(path.clone());
        files.push(FileEntry {
            path,
            size: layer["size"].as_u64(),
            sha256: Some(digest),
            ..FileEntry::default()
        });
    }
    Ok(Manifest {
        digest,
        files,
        config: sha256(&manifest["config"]["digest"]),
        raw: manifest,
    })
}

fn path_of(layer: &Value, position: usize) -> String {
    let media_type = string(&layer["mediaType"]).unwrap_or_default();
    let annotated = PATH_ANNOTATIONS
        .iter()
        .find_map(|key| string(&layer["annotations"][*key]));
    if let Some(path) = annotated {
        // A packed layer is not the file it unpacks to.
        let is_packed = media_type.ends_with(".tar") || media_type.contains("tar+");
        return if is_packed { format!("{path}.tar") } else { path };
    }
    let mut parts = media_type.split(';').map(str::trim);
    let plain = parts.next().unwrap_or_default();
    let name = parts
        .find_map(|part| part.strip_prefix("name="))
        .filter(|name| !name.is_empty());
    let kind = plain.rsplit_once(".image.").map_or(plain, |(_, kind)| kind);
    match (kind, name) {
        ("tensor", Some(name)) => format!("tensors/{name}"),
        ("model", _) => "model.gguf".to_owned(),
        ("adapter" | "projector", _) => format!("{kind}.gguf"),
        ("license", _) => "LICENSE".to_owned(),
        ("params" | "messages", _) => format!("{kind}.json"),
        ("template" | "system" | "prompt", _) => format!("{kind}.txt"),
        _ if plain.contains("gguf") => "model.gguf".to_owned(),
        _ => format!("layer-{position}"),
    }
}

/// `LICENSE`, then `LICENSE.2`: a manifest may hold several layers of a kind.
fn free_path(path: String, taken: &BTreeSet<String>) -> String {
    if !taken.contains(&path) {
        return path;
    }
    let numbered = |number: usize| match path.rsplit_once('.') {
        Some((stem, extension)) => format!("{stem}-{number}.{extension}"),
        None => format!("{path}-{number}"),
    };
    (2..)
        .map(numbered)
        .find(|path| !taken.contains(path))
        .unwrap_or(path)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn layers_become_files_by_what_they_say_of_themselves() {
        let digest = |letter: &str| format!("sha256:{}", letter.repeat(64));
        let layer = |kind: &str, annotations: Value| json!({ "mediaType": kind, "digest": digest("a"), "size": 7, "annotations": annotations });
        let layers = json!([
            layer("application/vnd.ollama.image.model", Value::Null),
            layer("application/vnd.ollama.image.license", Value::Null),
            layer("application/vnd.ollama.image.license", Value::Null),
            layer("application/vnd.ollama.image.params", Value::Null),
            layer(
                "application/vnd.ollama.image.tensor; name=blk.0.w; dtype=F16; shape=2,2",
                Value::Null
            ),
            layer("application/vnd.docker.ai.model.file.v1+gguf", Value::Null),
            layer(
                "application/vnd.cncf.model.weight.v1.raw",
                json!({"org.cncf.model.filepath": "a/b.safetensors"})
            ),
            layer(
                "application/vnd.cncf.model.doc.v1.tar",
                json!({"org.cncf.model.filepath": "README.md"})
            ),
            layer("text/plain", Value::Null),
        ]);
        let manifest = json!({"config": {"digest": digest("b")}, "layers": layers});
        let read = read("u", "o/n", "d".into(), manifest).unwrap();
        let paths: Vec<_> = read.files.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(
            paths,
            [
                "model.gguf",
                "LICENSE",
                "LICENSE-2",
                "params.json",
                "tensors/blk.0.w",
                "model-2.gguf",
                "a/b.safetensors",
                "README.md.tar",
                "layer-8"
            ]
        );
        assert_eq!(read.digest_of("a/b.safetensors"), Some("a".repeat(64).as_str()));
        assert_eq!(read.config, Some("b".repeat(64)));
    }

    #[test]
    fn manifests_that_lie_are_refused() {
        let of = |layers: Value| read("u", "o/n", "d".into(), json!({ "layers": layers }));
        assert!(matches!(of(json!("x")), Err(HubError::Malformed { .. })));
        assert!(matches!(
            of(json!([{"digest": "md5:1"}])),
            Err(HubError::Malformed { .. })
        ));
        let up =
            json!([{"digest": "a".repeat(64), "annotations": {"org.opencontainers.image.title": "../x"}}]);
        assert!(matches!(of(up), Err(HubError::UnsafePath { .. })));
    }
}
