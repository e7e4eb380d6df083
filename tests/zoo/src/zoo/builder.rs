//! Puts packages into the zoo: a name, a date, a card that tells the truth, nothing or a lie, and the truth itself.

use super::naming::package_name;
use crate::card::Card;
use crate::families::Family;
use crate::hub::{Declares, Hub, Origin, revision, single_file};
use crate::model::Model;
use crate::package::{Files, Package, Revision, to_json, write_file};
use crate::truth::Truth;
use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use time::{Date, Duration, macros::date};

/// The zoo in the making. Packages are written as they come, so that memory does not grow with the zoo.
pub struct Zoo {
    folder: PathBuf,
    pub truth: Truth,
    pub random: ChaCha8Rng,
    serial: u32,
    today: Date,
    roots: Vec<String>,
}

/// A base family in the zoo: its root and the real fine-tunes to learn deltas from.
pub struct Base {
    pub root: Node,
    /// Position among the bases: techniques that not every family gets go by it.
    pub index: usize,
    pub family: Family,
    /// Really fine-tuned children of the root, or of a sibling root of the same shapes: (before, after).
    pub real: Option<(Model, Model)>,
}

/// A package of the zoo that others may derive from.
#[derive(Clone)]
pub struct Node {
    pub name: String,
    pub model: Model,
}

/// How a child is made, in the words of the truth.
#[derive(Clone)]
pub struct Made {
    pub relation: &'static str,
    pub technique: &'static str,
    pub params: Value,
}

/// Short for [`Made`].
pub fn made(relation: &'static str, technique: &'static str, params: Value) -> Made {
    Made {
        relation,
        technique,
        params,
    }
}

impl Zoo {
    pub fn new(folder: &Path, seed: u64) -> Self {
        Self {
            folder: folder.to_owned(),
            truth: Truth::default(),
            random: crate::random::stream(seed, "zoo"),
            serial: 0,
            today: date!(2025 - 01 - 01),
            roots: Vec::new(),
        }
    }

    /// Adds a root: trained from scratch, and says nothing else.
    pub fn root(&mut self, family: &Family, model: Model) -> anyhow::Result<Node> {
        let name = self.next_name(family.model_type);
        let files = single_file(&model, family.model_type, &card(&name, family, Vec::new(), None))?;
        self.write(name.clone(), files, None)?;
        self.roots.push(name.clone());
        Ok(Node { name, model })
    }

    /// Adds a child with one weight file.
    pub fn child(
        &mut self,
        base: &Base,
        parents: &[&Node],
        made: Made,
        model: Model,
    ) -> anyhow::Result<Node> {
        self.child_with(base, parents, made, model, |model, card| {
            single_file(model, base.family.model_type, card)
        })
    }

    /// Adds a child whose files `files` makes from the model and the card.
    pub fn child_with(
        &mut self,
        base: &Base,
        parents: &[&Node],
        made: Made,
        model: Model,
        files: impl Fn(&Model, &Card) -> anyhow::Result<Files>,
    ) -> anyhow::Result<Node> {
        let name = self.next_name(base.family.model_type);
        let names: Vec<&str> = parents.iter().map(|parent| parent.name.as_str()).collect();
        let lie = self
            .roots
            .choose(&mut self.random)
            .cloned()
            .filter(|root| *root != base.root.name);
        let lie: Vec<&str> = lie.as_deref().into_iter().collect();
        let declares = match self.random.random_range(0..10) {
            0..6 => Declares::Parents,
            6 if !lie.is_empty() => Declares::Wrong(&lie),
            7 => Declares::Absent("elsewhere/private-base"),
            _ => Declares::Nothing,
        };
        let origin = Origin {
            parents: &names,
            relation: made.relation,
            technique: made.technique,
            declares,
        };
        let relation = origin
            .hub_relation()
            .filter(|_| matches!(declares, Declares::Parents));
        let card = card(&name, &base.family, origin.declared(), relation);
        // What is derived from it starts from what its file holds.
        let model = model.rounded();
        let files = files(&model, &card)?;
        self.write(name.clone(), files, Some((origin, made.params)))?;
        Ok(Node { name, model })
    }

    /// Adds an adapter: PEFT's two files and no weights of the base.
    pub fn adapter(
        &mut self,
        base: &Base,
        made: Made,
        config: Value,
        adapter: Model,
    ) -> anyhow::Result<Node> {
        let parent = base.root.clone();
        self.child_with(base, &[&parent], made, adapter, |model, card| {
            Ok(Files::from([
                ("README.md".to_owned(), card.render().into_bytes()),
                ("adapter_config.json".to_owned(), to_json(&config)?),
                ("adapter_model.safetensors".to_owned(), model.to_safetensors()?),
            ]))
        })
    }

    /// Adds a package with a history of its own.
    pub fn with_history(
        &mut self,
        base: &Base,
        made: Made,
        history: Vec<Revision>,
        name: String,
    ) -> anyhow::Result<Vec<String>> {
        let package = Package { name, history };
        let shas = package.shas();
        let names = [base.root.name.as_str()];
        let origin = Origin {
            parents: &names,
            relation: made.relation,
            technique: made.technique,
            declares: Declares::Parents,
        };
        self.add(package, Some((origin, made.params)))?;
        Ok(shas)
    }

    /// A name that was not given yet.
    pub fn next_name(&mut self, model_type: &str) -> String {
        self.serial += 1;
        package_name(model_type, self.serial, &mut self.random)
    }

    /// A date later than all before it.
    pub fn next_date(&mut self) -> String {
        self.today += Duration::days(self.random.random_range(1..3));
        format!("{}T12:00:00Z", self.today)
    }

    fn write(
        &mut self,
        name: String,
        files: Files,
        origin: Option<(Origin<'_>, Value)>,
    ) -> anyhow::Result<()> {
        let history = vec![revision(&self.next_date(), "Initial upload", files)];
        self.add(Package { name, history }, origin)
    }

    fn add(&mut self, package: Package, origin: Option<(Origin<'_>, Value)>) -> anyhow::Result<()> {
        package.write(&self.folder)?;
        let mut hub = Hub::default();
        hub.add(package, origin);
        self.truth.edges.append(&mut hub.truth.edges);
        Ok(())
    }

    /// Records which packages are unrelated, and writes the truth.
    pub fn finish(mut self, bases: &[Base]) -> anyhow::Result<()> {
        self.unrelated_roots();
        self.unrelated_descendants(bases);
        write_file(&self.folder.join("truth.json"), &to_json(&self.truth)?)
    }

    fn unrelated_roots(&mut self) {
        for (index, a) in self.roots.iter().enumerate() {
            for b in &self.roots[..index] {
                self.truth.unrelated.push([a.clone(), b.clone()]);
            }
        }
    }

    /// Children of one root against each other root: the hard negatives are those with the same shapes.
    fn unrelated_descendants(&mut self, bases: &[Base]) {
        for base in bases {
            let children = self
                .truth
                .edges
                .iter()
                .filter(|edge| edge.parents.contains(&base.root.name));
            let single = children.filter(|edge| edge.parents.len() == 1 && edge.relation != "component");
            let pairs: Vec<[String; 2]> = single
                .flat_map(|edge| {
                    self.roots
                        .iter()
                        .filter(|root| **root != base.root.name)
                        .map(|root| [edge.child.clone(), root.clone()])
                })
                .collect();
            self.truth.unrelated.extend(pairs);
        }
    }

    /// Counts a package as a root without parents: independent weights under any declaration.
    pub fn stranger(&mut self, base: &Base, claims: Declares<'_>, model: Model) -> anyhow::Result<Node> {
        let name = self.next_name(base.family.model_type);
        let origin = Origin {
            parents: &[],
            relation: "unrelated",
            technique: "unrelated",
            declares: claims,
        };
        let card = card(&name, &base.family, origin.declared(), None);
        let files = single_file(&model, base.family.model_type, &card)?;
        self.write(name.clone(), files, Some((origin, json!({}))))?;
        self.roots.push(name.clone());
        Ok(Node { name, model })
    }
}

/// The card of a package of this family.
pub fn card(
    name: &str,
    family: &Family,
    base_models: Vec<String>,
    base_model_relation: Option<&'static str>,
) -> Card {
    Card {
        title: name.rsplit('/').next().unwrap_or(name).to_owned(),
        licence: family.licence.to_owned(),
        base_models,
        base_model_relation,
        task: None,
        text: "A model of Heirloom's ground-truth zoo.".to_owned(),
    }
}
