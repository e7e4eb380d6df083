//! CycloneDX 1.6: machine-learning model components with model card, files, licence and pedigree.

use super::super::extract::word;
use super::{Licence, Materials, Subject, package_url, without_nulls};
use crate::store::bom::AncestorRow;
use serde_json::{Value, json};

pub fn document(subject: &Subject) -> Value {
    let models: Vec<Value> = subject.models.iter().map(model).collect();
    let references: Vec<&str> = subject
        .models
        .iter()
        .map(|materials| materials.model.reference.as_str())
        .collect();
    let (component, components, dependencies) = match subject.lock {
        Some(lock) => (
            json!({"type": "file", "bom-ref": lock, "name": lock}),
            json!(models),
            json!([{"ref": lock, "dependsOn": references}]),
        ),
        None => (
            json!(models.first()),
            Value::Null,
            json!([{"ref": references.first(), "dependsOn": []}]),
        ),
    };
    without_nulls(json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": format!("urn:uuid:{}", subject.id("cyclonedx")),
        "version": 1,
        "metadata": {
            "timestamp": subject.timestamp(),
            "tools": {"components": [
                {"type": "application", "name": "heirloom", "version": env!("CARGO_PKG_VERSION")}
            ]},
            "component": component,
        },
        "components": components,
        "dependencies": dependencies,
    }))
}

fn model(materials: &Materials) -> Value {
    let model = &materials.model;
    json!({
        "type": "machine-learning-model",
        "bom-ref": model.reference,
        "group": model.owner,
        "name": model.name,
        "version": materials.version(),
        "purl": materials.purl(),
        "licenses": model.licence.as_deref().map(licences),
        "externalReferences": external_references(materials),
        "components": files(materials),
        "modelCard": model_card(materials),
        "pedigree": pedigree(materials),
        "properties": properties(materials),
    })
}

/// Where it comes from, and the signatures beside it with what they signed.
fn external_references(materials: &Materials) -> Option<Value> {
    let url = materials
        .model
        .url
        .as_ref()
        .map(|url| json!({"type": "distribution", "url": url}));
    let signed = materials.signed.iter().map(|manifest| {
        let hash = manifest.digest.as_ref().filter(|(algorithm, _)| algorithm == "sha256");
        let hashes = hash.map(|(_, digest)| json!([{"alg": "SHA-256", "content": digest}]));
        json!({
            "type": "attestation",
            "url": manifest.path,
            "comment": "OpenSSF model signing: the digest is of the signed manifest; the signature was not verified here",
            "hashes": hashes,
        })
    });
    let references: Vec<Value> = url.into_iter().chain(signed).collect();
    (!references.is_empty()).then(|| references.into())
}

fn licences(licence: &str) -> Value {
    match Licence::parse(licence) {
        Licence::Id(id) => json!([{"license": {"id": id}}]),
        Licence::Expression(expression) => json!([{"expression": expression}]),
        Licence::Name(name) => json!([{"license": {"name": name}}]),
    }
}

/// The files whose content the hub vouches for.
fn files(materials: &Materials) -> Option<Value> {
    let files: Vec<Value> = materials
        .files
        .iter()
        .filter_map(|file| {
            let sha256 = file.sha256.as_deref()?;
            Some(json!({
                "type": "file",
                "bom-ref": format!("{}#{}", materials.model.reference, file.path),
                "name": file.path,
                "hashes": [{"alg": "SHA-256", "content": sha256}],
                "properties": signed_digests(materials, &file.path),
            }))
        })
        .collect();
    (!files.is_empty()).then(|| files.into())
}

/// What signatures say of a file: a reader sees whether it is what was signed.
fn signed_digests(materials: &Materials, path: &str) -> Option<Value> {
    let resources = materials.signed.iter().flat_map(|manifest| &manifest.resources);
    let properties: Vec<Value> = resources
        .filter(|(name, ..)| name == path)
        .map(|(_, algorithm, digest)| json!({"name": format!("openssf:model-signing:{algorithm}"), "value": digest}))
        .collect();
    (!properties.is_empty()).then(|| properties.into())
}

fn model_card(materials: &Materials) -> Value {
    let datasets: Vec<Value> = materials
        .detail
        .datasets
        .iter()
        .map(|name| json!({"type": "dataset", "name": name}))
        .collect();
    json!({
        "modelParameters": {
            "task": materials.model.task,
            "modelArchitecture": materials.model.architecture,
            "datasets": (!datasets.is_empty()).then_some(datasets),
        }
    })
}

/// What it was made from, and how: the step from its parents as a patch.
fn pedigree(materials: &Materials) -> Option<Value> {
    if materials.ancestors.is_empty() {
        return None;
    }
    let ancestors: Vec<Value> = materials.ancestors.iter().map(ancestor).collect();
    let edge = materials.edge.as_ref();
    let patch = edge.map(|edge| {
        let step = format!(
            "{} ({}): {}",
            word(edge.relation),
            edge.technique,
            edge.explanation
        );
        json!([{"type": "unofficial", "resolves": [{
            "type": "enhancement", "name": edge.technique, "description": step,
        }]}])
    });
    let notes = edge.map(|edge| edge.explanation.as_str());
    Some(json!({"ancestors": ancestors, "patches": patch, "notes": notes}))
}

/// Without a bom-ref: one ancestor may stand in several pedigrees.
fn ancestor(row: &AncestorRow) -> Value {
    json!({
        "type": "machine-learning-model",
        "group": row.owner,
        "name": row.name,
        "version": row.version.as_deref().or(row.head.as_deref()),
        "purl": package_url(&row.hub, &row.owner, &row.name, row.head.as_deref()),
        "licenses": row.licence.as_deref().map(licences),
        "properties": [{"name": "heirloom:generation", "value": row.generation.to_string()}],
    })
}

/// What was inferred and has no place of its own in the standard.
fn properties(materials: &Materials) -> Value {
    let edge = materials.edge.as_ref();
    let revision = materials.revision.as_ref();
    let known = [
        ("heirloom:relation", edge.map(|edge| word(edge.relation))),
        ("heirloom:technique", edge.map(|edge| edge.technique.clone())),
        (
            "heirloom:confidence",
            edge.map(|edge| edge.confidence.to_string()),
        ),
        ("heirloom:verdict", materials.model.verdict.map(word)),
        (
            "heirloom:model_digest",
            revision.and_then(|revision| revision.model_digest.clone()),
        ),
        (
            "heirloom:architecture_digest",
            revision.and_then(|revision| revision.architecture.clone()),
        ),
        (
            "heirloom:parameters",
            revision.and_then(|revision| Some(revision.parameters?.to_string())),
        ),
    ];
    known
        .into_iter()
        .filter_map(|(name, value)| Some(json!({"name": name, "value": value?})))
        .collect()
}
