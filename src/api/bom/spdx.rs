//! SPDX 3.0.1 with the AI profile: the model as an AIPackage, its files, licence, datasets and ancestors as related elements.

use super::{Materials, package_url, timestamp, without_nulls};
use serde_json::{Value, json};

const CREATION: &str = "_:creation";

pub fn document(materials: &Materials) -> Value {
    let mut elements = Elements::new(materials);
    elements.add_model();
    elements.add_licence();
    elements.add_files();
    elements.add_datasets();
    elements.add_ancestors();
    elements.into_document()
}

/// The graph in the making.
struct Elements<'a> {
    materials: &'a Materials,
    /// All ids are below it.
    base: String,
    graph: Vec<Value>,
}

impl<'a> Elements<'a> {
    fn new(materials: &'a Materials) -> Self {
        let base = format!("urn:uuid:{}", materials.id("spdx"));
        let mut elements = Self {
            materials,
            base,
            graph: Vec::new(),
        };
        let tool = elements.id("tool");
        elements.graph.push(json!({
            "type": "CreationInfo",
            "@id": CREATION,
            "specVersion": "3.0.1",
            "created": materials.timestamp(),
            "createdBy": [tool],
        }));
        elements.add(
            "SoftwareAgent",
            "tool",
            json!({"name": concat!("heirloom ", env!("CARGO_PKG_VERSION"))}),
        );
        elements.add("Organization", "owner", json!({"name": materials.model.owner}));
        elements
    }

    fn id(&self, local: &str) -> String {
        format!("{}#{local}", self.base)
    }

    /// Adds one element and returns its id.
    fn add(&mut self, kind: &str, local: &str, fields: Value) -> String {
        let id = self.id(local);
        let mut element = json!({"type": kind, "spdxId": id, "creationInfo": CREATION});
        if let (Value::Object(element), Value::Object(fields)) = (&mut element, fields) {
            element.extend(fields);
        }
        self.graph.push(element);
        id
    }

    fn relate(&mut self, local: &str, kind: &str, from: &str, to: &[String]) {
        let fields = json!({"relationshipType": kind, "from": from, "to": to});
        self.add("Relationship", local, fields);
    }

    fn add_model(&mut self) {
        let model = &self.materials.model;
        let version = self.materials.version();
        let released = model.modified_at.or(model.created_at);
        let location = model.url.clone().or_else(|| {
            Some(package_url(
                &model.hub,
                &model.owner,
                &model.name,
                model.head.as_deref(),
            ))
        });
        let fields = json!({
            "name": format!("{}/{}", model.owner, model.name),
            "software_packageVersion": version,
            "software_packageUrl": package_url(&model.hub, &model.owner, &model.name, model.head.as_deref()),
            "software_downloadLocation": location,
            "software_primaryPurpose": "model",
            "suppliedBy": self.id("owner"),
            "releaseTime": released.map(timestamp),
            "ai_typeOfModel": model.architecture.as_ref().map(|architecture| [architecture]),
            "ai_domain": model.task.as_ref().map(|task| [task]),
            "ai_informationAboutTraining": self.materials.edge.as_ref().map(|edge| &edge.explanation),
        });
        self.add("ai_AIPackage", "model", fields);
    }

    fn add_licence(&mut self) {
        let Some(licence) = self.materials.model.licence.as_deref() else {
            return;
        };
        let expression = match super::Licence::parse(licence) {
            super::Licence::Id(text) | super::Licence::Expression(text) => text.to_owned(),
            super::Licence::Name(name) => format!("LicenseRef-{}", reference_words(name)),
        };
        let fields = json!({"simplelicensing_licenseExpression": expression});
        let licence = self.add("simplelicensing_LicenseExpression", "licence", fields);
        let model = self.id("model");
        self.relate("declared-licence", "hasDeclaredLicense", &model, &[licence]);
    }

    fn add_files(&mut self) {
        let materials = self.materials;
        let hashed = materials.files.iter().enumerate();
        let files: Vec<String> = hashed
            .filter_map(|(index, file)| {
                let sha256 = file.sha256.as_deref()?;
                let hash = json!({"type": "Hash", "algorithm": "sha256", "hashValue": sha256});
                let fields = json!({"name": file.path, "verifiedUsing": [hash]});
                Some(self.add("software_File", &format!("file-{index}"), fields))
            })
            .collect();
        if !files.is_empty() {
            let model = self.id("model");
            self.relate("contains", "contains", &model, &files);
        }
    }

    fn add_datasets(&mut self) {
        let materials = self.materials;
        let datasets: Vec<String> = (0..)
            .zip(&materials.detail.datasets)
            .map(|(index, name): (usize, &String)| {
                let fields = json!({
                    "name": name,
                    "dataset_datasetType": ["noAssertion"],
                    "software_primaryPurpose": "data",
                    "originatedBy": [self.id("owner")],
                    "releaseTime": materials.timestamp(),
                    "builtTime": materials.timestamp(),
                    "software_downloadLocation": format!("urn:heirloom:dataset:{}", super::percent_encoded(name)),
                });
                self.add("dataset_DatasetPackage", &format!("dataset-{index}"), fields)
            })
            .collect();
        if !datasets.is_empty() {
            let model = self.id("model");
            self.relate("trained-on", "trainedOn", &model, &datasets);
        }
    }

    fn add_ancestors(&mut self) {
        let materials = self.materials;
        let ancestors: Vec<String> = (0..)
            .zip(&materials.ancestors)
            .map(|(index, row): (usize, _)| {
                let url = package_url(&row.hub, &row.owner, &row.name, row.head.as_deref());
                let fields = json!({
                    "name": format!("{}/{}", row.owner, row.name),
                    "software_packageVersion": row.version.as_deref().or(row.head.as_deref()),
                    "software_packageUrl": url,
                    "software_downloadLocation": url,
                    "software_primaryPurpose": "model",
                });
                self.add("ai_AIPackage", &format!("ancestor-{index}"), fields)
            })
            .collect();
        if !ancestors.is_empty() {
            let model = self.id("model");
            self.relate("descends-from", "descendantOf", &model, &ancestors);
        }
    }

    fn into_document(mut self) -> Value {
        let elements: Vec<Value> = self
            .graph
            .iter()
            .filter_map(|element| element.get("spdxId").cloned())
            .collect();
        let fields = json!({
            "name": self.materials.model.reference,
            "rootElement": [self.id("model")],
            "element": elements,
            "profileConformance": ["core", "software", "ai", "dataset", "simpleLicensing"],
        });
        self.add("SpdxDocument", "document", fields);
        without_nulls(json!({
            "@context": "https://spdx.org/rdf/3.0.1/spdx-context.jsonld",
            "@graph": self.graph,
        }))
    }
}

/// Letters, digits, dots and hyphens are all that a licence reference may hold.
fn reference_words(name: &str) -> String {
    let allowed = |c: char| {
        if c.is_ascii_alphanumeric() || c == '.' {
            c
        } else {
            '-'
        }
    };
    name.chars().map(allowed).collect()
}
