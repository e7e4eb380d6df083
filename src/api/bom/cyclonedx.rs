//! CycloneDX 1.6: a machine-learning model component with model card, files, licence and pedigree.

use super::super::extract::word;
use super::{Licence, Materials, package_url, without_nulls};
use crate::store::bom::AncestorRow;
use serde_json::{Value, json};

pub fn document(materials: &Materials) -> Value {
    without_nulls(json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": format!("urn:uuid:{}", materials.id("cyclonedx")),
        "version": 1,
        "metadata": {
            "timestamp": materials.timestamp(),
            "tools": {"components": [
                {"type": "application", "name": "heirloom", "version": env!("CARGO_PKG_VERSION")}
            ]},
            "component": model(materials),
        },
        "dependencies": [{
            "ref": materials.model.reference,
            "dependsOn": [],
        }],
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
        "purl": package_url(&model.hub, &model.owner, &model.name, model.head.as_deref()),
        "licenses": model.licence.as_deref().map(licences),
        "externalReferences": model.url.as_ref().map(|url| json!([{"type": "distribution", "url": url}])),
        "components": files(materials),
        "modelCard": model_card(materials),
        "pedigree": pedigree(materials),
        "properties": properties(materials),
    })
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
            }))
        })
        .collect();
    (!files.is_empty()).then(|| files.into())
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

fn pedigree(materials: &Materials) -> Option<Value> {
    let ancestors: Vec<Value> = materials.ancestors.iter().map(ancestor).collect();
    let notes = materials.edge.as_ref().map(|edge| edge.explanation.as_str());
    (!ancestors.is_empty()).then(|| json!({"ancestors": ancestors, "notes": notes}))
}

fn ancestor(row: &AncestorRow) -> Value {
    json!({
        "type": "machine-learning-model",
        "bom-ref": format!("{}:{}/{}", row.hub, row.owner, row.name),
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
    let print = materials.fingerprint.as_ref();
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
            print.and_then(|print| print.model_digest.clone()),
        ),
        (
            "heirloom:architecture_digest",
            print.map(|print| print.architecture.clone()),
        ),
        (
            "heirloom:parameters",
            print.map(|print| print.parameters.to_string()),
        ),
    ];
    known
        .into_iter()
        .filter_map(|(name, value)| Some(json!({"name": name, "value": value?})))
        .collect()
}
