//! The models that `train/train.py` trained, in the order it trained them: bases first, each child after its base.

use crate::model::Model;
use anyhow::Context;
use serde::Deserialize;
use serde_json::{Map, Value};

/// One trained model and how it was made.
#[derive(Debug, Clone)]
pub struct Trained {
    pub name: String,
    pub family: String,
    /// Name of what it was tuned, adapted or distilled from.
    pub base: Option<String>,
    pub relation: String,
    pub technique: String,
    pub params: Map<String, Value>,
    pub model: Model,
}

#[derive(Deserialize)]
struct Entry {
    name: String,
    family: String,
    base: Option<String>,
    relation: String,
    technique: String,
    params: Map<String, Value>,
}

macro_rules! weights {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_bytes!(concat!("../data/trained/", $name, ".safetensors")) as &[u8])),*]
    };
}

const INDEX: &str = include_str!("../data/trained/index.json");
const WEIGHTS: &[(&str, &[u8])] = weights![
    "recurrent-a",
    "vision-a",
    "vision-b",
    "vision-a-rotated",
    "vision-a-negative",
    "vision-a-student",
];

/// All of them.
pub fn trained_models() -> anyhow::Result<Vec<Trained>> {
    let entries: Vec<Entry> = serde_json::from_str(INDEX).context("data/trained/index.json")?;
    entries.into_iter().map(Entry::load).collect()
}

impl Entry {
    fn load(self) -> anyhow::Result<Trained> {
        let file = WEIGHTS.iter().find(|(name, _)| *name == self.name);
        let (_, file) = file.with_context(|| format!("{} is in the index but not compiled in", self.name))?;
        Ok(Trained {
            model: Model::read(file).with_context(|| self.name.clone())?,
            name: self.name,
            family: self.family,
            base: self.base,
            relation: self.relation,
            technique: self.technique,
            params: self.params,
        })
    }
}
