//! A hub folder in the making: packages, and the truth about them.

use crate::card::Card;
use crate::model::Model;
use crate::package::{Files, Package, Revision, to_json, write_file};
use crate::truth::{Edge, Truth};
use serde_json::{Map, Value, json};
use std::path::Path;

/// Packages and what is known about them.
#[derive(Debug, Default)]
pub struct Hub {
    pub packages: Vec<Package>,
    pub truth: Truth,
}

/// What a derived package's card says of its origin.
#[derive(Debug, Clone, Copy)]
pub enum Declares<'a> {
    /// Its real parents.
    Parents,
    Nothing,
    /// Packages of this hub that it does not come from.
    Wrong(&'a [&'a str]),
    /// A package this hub does not have.
    Absent(&'a str),
}

/// How a package was made, as the truth records it.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    pub parents: &'a [&'a str],
    pub relation: &'static str,
    pub technique: &'static str,
    pub declares: Declares<'a>,
}

impl Origin<'_> {
    /// The base models that its card lists.
    pub fn declared(&self) -> Vec<String> {
        let names: &[&str] = match &self.declares {
            Declares::Parents => self.parents,
            Declares::Nothing => &[],
            Declares::Wrong(names) => names,
            Declares::Absent(name) => std::slice::from_ref(name),
        };
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn verdict(&self) -> Option<&'static str> {
        match self.declares {
            Declares::Parents => Some("confirmed"),
            Declares::Nothing if self.parents.is_empty() => None,
            Declares::Nothing => Some("undeclared"),
            Declares::Wrong(_) => Some("contradicted"),
            Declares::Absent(_) => Some("unverifiable"),
        }
    }

    /// The word a card may use for the relation; hubs know four.
    pub fn hub_relation(&self) -> Option<&'static str> {
        match (self.relation, self.declares) {
            (_, Declares::Nothing) => None,
            ("finetune" | "quantized" | "merge" | "adapter", _) => Some(self.relation),
            _ => None,
        }
    }
}

impl Hub {
    /// Adds a package, and the edge that says how it was made.
    pub fn add(&mut self, package: Package, origin: Option<(Origin<'_>, Value)>) {
        if let Some((origin, params)) = origin {
            self.truth.edges.push(Edge {
                child: package.name.clone(),
                parents: origin.parents.iter().map(|name| (*name).to_owned()).collect(),
                relation: origin.relation,
                technique: origin.technique,
                params: into_map(params),
                declared: origin.verdict(),
            });
        }
        self.packages.push(package);
    }

    /// Records that two packages have independent weights.
    pub fn unrelated(&mut self, a: &str, b: &str) {
        self.truth.unrelated.push([a.to_owned(), b.to_owned()]);
    }

    /// Writes every package and `truth.json`.
    pub fn write(&self, folder: &Path) -> anyhow::Result<()> {
        self.packages
            .iter()
            .try_for_each(|package| package.write(folder))?;
        write_file(&folder.join("truth.json"), &to_json(&self.truth)?)
    }
}

fn into_map(params: Value) -> Map<String, Value> {
    match params {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// The files of a revision that has one weight file.
pub fn single_file(model: &Model, model_type: &str, card: &Card) -> anyhow::Result<Files> {
    let mut files = described(model_type, card)?;
    files.insert("model.safetensors".to_owned(), model.to_safetensors()?);
    Ok(files)
}

/// The files of a revision whose weights are cut into shards, with the index that loaders read.
pub fn sharded(shards: &[Model], model_type: &str, card: &Card) -> anyhow::Result<Files> {
    let mut files = described(model_type, card)?;
    let mut weight_map = Map::new();
    let mut total_size = 0;
    for (index, shard) in shards.iter().enumerate() {
        let path = format!("model-{:05}-of-{:05}.safetensors", index + 1, shards.len());
        let content = shard.to_safetensors()?;
        total_size += content.len();
        weight_map.extend(shard.tensors.keys().map(|name| (name.clone(), json!(path))));
        files.insert(path, content);
    }
    let index = json!({ "metadata": { "total_size": total_size }, "weight_map": weight_map });
    files.insert("model.safetensors.index.json".to_owned(), to_json(&index)?);
    Ok(files)
}

fn described(model_type: &str, card: &Card) -> anyhow::Result<Files> {
    Ok(Files::from([
        ("README.md".to_owned(), card.render().into_bytes()),
        (
            "config.json".to_owned(),
            to_json(&json!({ "model_type": model_type }))?,
        ),
    ]))
}

/// A revision by nobody in particular: dated, with a message.
pub fn revision(date: &str, message: &str, files: Files) -> Revision {
    Revision {
        sha: None,
        date: date.to_owned(),
        message: message.to_owned(),
        tags: Vec::new(),
        files,
    }
}
