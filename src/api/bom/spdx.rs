//! SPDX 3.0.1 with the AI profile: models as AIPackages; their files, licence, datasets and ancestors as related elements.

use super::{AncestorRow, Materials, Subject, package_url, timestamp, without_nulls};
use serde_json::{Value, json};

const CREATION: &str = "_:creation";

pub fn document(subject: &Subject) -> Value {
    let mut elements = Elements::new(subject);
    let mut roots = Vec::new();
    for (index, materials) in subject.models.iter().enumerate() {
        let model = Model {
            materials,
            place: if subject.lock.is_some() {
                format!("{index}-")
            } else {
                String::new()
            },
        };
        roots.push(model.add_to(&mut elements));
    }
    if let Some(lock) = subject.lock {
        let file = elements.add("software_File", "lock", json!({"name": lock}));
        elements.relate("depends-on", "dependsOn", &file, &roots);
        roots = vec![file];
    }
    elements.into_document(subject, &roots)
}

/// The graph in the making.
struct Elements {
    /// All ids are below it.
    base: String,
    graph: Vec<Value>,
}

impl Elements {
    fn new(subject: &Subject) -> Self {
        let mut elements = Self {
            base: format!("urn:uuid:{}", subject.id("spdx")),
            graph: Vec::new(),
        };
        let tool = elements.id("tool");
        elements.graph.push(json!({
            "type": "CreationInfo",
            "@id": CREATION,
            "specVersion": "3.0.1",
            "created": subject.timestamp(),
            "createdBy": [tool],
        }));
        let name = concat!("heirloom ", env!("CARGO_PKG_VERSION"));
        elements.add("SoftwareAgent", "tool", json!({"name": name}));
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
        if !to.is_empty() {
            let fields = json!({"relationshipType": kind, "from": from, "to": to});
            self.add("Relationship", local, fields);
        }
    }

    /// The profiles whose rules hold. Those of data sets ask for times and suppliers that no hub says.
    fn into_document(mut self, subject: &Subject, roots: &[String]) -> Value {
        let dated = |package: &&Value| package["type"] == "ai_AIPackage";
        let is_ai = self
            .graph
            .iter()
            .filter(dated)
            .all(|package| !package["releaseTime"].is_null());
        let mut profiles = vec!["core", "software", "simpleLicensing"];
        if is_ai {
            profiles.push("ai");
        }
        let elements: Vec<Value> = self
            .graph
            .iter()
            .filter_map(|element| element.get("spdxId").cloned())
            .collect();
        let name = subject
            .models
            .first()
            .map(|materials| materials.model.reference.as_str());
        let fields = json!({
            "name": subject.lock.or(name),
            "rootElement": roots,
            "element": elements,
            "profileConformance": profiles,
        });
        self.add("SpdxDocument", "document", fields);
        without_nulls(json!({
            "@context": "https://spdx.org/rdf/3.0.1/spdx-context.jsonld",
            "@graph": self.graph,
        }))
    }
}

/// One model and where its elements' ids begin.
struct Model<'a> {
    materials: &'a Materials,
    place: String,
}

impl Model<'_> {
    fn local(&self, name: &str) -> String {
        format!("{}{name}", self.place)
    }

    /// Adds the model and all that belongs to it, and returns its id.
    fn add_to(&self, elements: &mut Elements) -> String {
        let owner = json!({"name": self.materials.model.owner});
        let owner = elements.add("Organization", &self.local("owner"), owner);
        let model = elements.add("ai_AIPackage", &self.local("model"), self.package(&owner));
        let licence: Vec<String> = self.licence(elements).into_iter().collect();
        elements.relate(
            &self.local("declared-licence"),
            "hasDeclaredLicense",
            &model,
            &licence,
        );
        let files = self.files(elements);
        elements.relate(&self.local("contains"), "contains", &model, &files);
        let datasets = self.datasets(elements);
        elements.relate(&self.local("trained-on"), "trainedOn", &model, &datasets);
        let ancestors = self.ancestors(elements);
        elements.relate(&self.local("descends-from"), "descendantOf", &model, &ancestors);
        model
    }

    fn package(&self, owner: &str) -> Value {
        let model = &self.materials.model;
        let purl = self.materials.purl();
        json!({
            "name": format!("{}/{}", model.owner, model.name),
            "software_packageVersion": self.materials.version(),
            "software_packageUrl": purl,
            "software_downloadLocation": model.url.as_ref().unwrap_or(&purl),
            "software_primaryPurpose": "model",
            "suppliedBy": owner,
            "releaseTime": model.modified_at.or(model.created_at).map(timestamp),
            "ai_typeOfModel": model.architecture.as_ref().map(|architecture| [architecture]),
            "ai_domain": model.task.as_ref().map(|task| [task]),
            "ai_informationAboutTraining": self.materials.edge.as_ref().map(|edge| &edge.explanation),
        })
    }

    fn licence(&self, elements: &mut Elements) -> Option<String> {
        let licence = self.materials.model.licence.as_deref()?;
        let expression = match super::Licence::parse(licence) {
            super::Licence::Id(text) | super::Licence::Expression(text) => text.to_owned(),
            super::Licence::Name(name) => format!("LicenseRef-{}", reference_words(name)),
        };
        let fields = json!({"simplelicensing_licenseExpression": expression});
        Some(elements.add(
            "simplelicensing_LicenseExpression",
            &self.local("licence"),
            fields,
        ))
    }

    fn files(&self, elements: &mut Elements) -> Vec<String> {
        let files = self.materials.files.iter().enumerate();
        files
            .filter_map(|(index, file)| {
                let sha256 = file.sha256.as_deref()?;
                let hash = json!({"type": "Hash", "algorithm": "sha256", "hashValue": sha256});
                let fields = json!({"name": file.path, "verifiedUsing": [hash]});
                Some(elements.add("software_File", &self.local(&format!("file-{index}")), fields))
            })
            .collect()
    }

    fn datasets(&self, elements: &mut Elements) -> Vec<String> {
        let datasets = self.materials.detail.datasets.iter().enumerate();
        datasets
            .map(|(index, name)| {
                let fields = json!({
                    "name": name,
                    "dataset_datasetType": ["noAssertion"],
                    "software_primaryPurpose": "data",
                });
                elements.add(
                    "dataset_DatasetPackage",
                    &self.local(&format!("dataset-{index}")),
                    fields,
                )
            })
            .collect()
    }

    fn ancestors(&self, elements: &mut Elements) -> Vec<String> {
        let ancestors = self.materials.ancestors.iter().enumerate();
        ancestors
            .map(|(index, row)| self.ancestor(elements, index, row))
            .collect()
    }

    fn ancestor(&self, elements: &mut Elements, index: usize, row: &AncestorRow) -> String {
        let owner = json!({"name": row.owner});
        let owner = elements.add(
            "Organization",
            &self.local(&format!("ancestor-{index}-owner")),
            owner,
        );
        let url = package_url(&row.hub, &row.owner, &row.name, row.head.as_deref());
        let fields = json!({
            "name": format!("{}/{}", row.owner, row.name),
            "software_packageVersion": row.version.as_deref().or(row.head.as_deref()),
            "software_packageUrl": url,
            "software_downloadLocation": url,
            "software_primaryPurpose": "model",
            "suppliedBy": owner,
            "releaseTime": row.released_at.map(timestamp),
        });
        elements.add("ai_AIPackage", &self.local(&format!("ancestor-{index}")), fields)
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
