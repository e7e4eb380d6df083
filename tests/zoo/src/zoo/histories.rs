//! Packages with revisions whose step is known: none, patch, minor and major; announced and silent.

use super::builder::{Base, Zoo, card, made};
use super::derived::full_finetune;
use crate::card::Card;
use crate::hub::{revision, sharded, single_file};
use crate::model::Model;
use crate::package::Files;
use crate::technique::{blocks, duplicate, finetune};
use crate::truth::Bump;
use safetensors::tensor::Dtype;
use serde_json::json;

/// One revision after the first: what it says and what it is.
struct Step {
    message: &'static str,
    files: Files,
    bump: &'static str,
    silent: bool,
}

pub fn add(zoo: &mut Zoo, bases: &[Base]) -> anyhow::Result<()> {
    // The large families only fill the disk.
    for base in bases.iter().filter(|base| base.root.model.parameters() < 200_000) {
        history(zoo, base)?;
    }
    Ok(())
}

fn history(zoo: &mut Zoo, base: &Base) -> anyhow::Result<()> {
    let name = zoo.next_name(base.family.model_type);
    let (family, first) = (&base.family, full_finetune(zoo, base, &base.root.model));
    let plain = card(&name, family, vec![base.root.name.clone()], Some("finetune"));
    let files = |model: &Model, card: &Card| single_file(model, family.model_type, card);
    let further = finetune::perturb(&first, 0.02, |name| family.is_trained(name), &mut zoo.random);
    let silent = finetune::perturb(&further, 0.02, |name| family.is_trained(name), &mut zoo.random);
    let described = Card {
        text: "A model of Heirloom's ground-truth zoo, described at length.".to_owned(),
        ..plain.clone()
    };
    let restricted = Card {
        licence: "cc-by-nc-4.0".to_owned(),
        ..described.clone()
    };
    let mut with_attributes = files(&first, &plain)?;
    with_attributes.insert(
        ".gitattributes".to_owned(),
        b"*.safetensors filter=lfs diff=lfs merge=lfs -text\n".to_vec(),
    );

    let mut steps = vec![
        Step {
            message: "Track weights with LFS",
            files: with_attributes,
            bump: "none",
            silent: false,
        },
        Step {
            message: "Retrain on more data",
            files: files(&further, &plain)?,
            bump: "minor",
            silent: false,
        },
        Step {
            message: "Update README.md",
            files: files(&silent, &described)?,
            bump: "minor",
            silent: true,
        },
        Step {
            message: "Shard the weights",
            files: sharded(&duplicate::reshard(&silent, 2), family.model_type, &described)?,
            bump: "patch",
            silent: false,
        },
        Step {
            message: "Change the licence",
            files: files(&silent, &restricted)?,
            bump: "major",
            silent: false,
        },
    ];
    let mut head = silent;
    if !family.vocabulary.is_empty() {
        head = blocks::extend_vocabulary(&head, family.vocabulary, 4, &mut zoo.random);
        steps.push(Step {
            message: "Add four tokens",
            files: files(&head, &restricted)?,
            bump: "major",
            silent: false,
        });
    }
    if head.tensors.values().any(|tensor| tensor.dtype == Dtype::F16) {
        head = duplicate::cast(&head, Dtype::F32);
        // What the file holds is half precision; reading it back makes the cast lossless.
        let stored = Model::read(&duplicate::cast(&head, Dtype::F16).to_safetensors()?)?;
        let files = files(&duplicate::cast(&stored, Dtype::F32), &restricted)?;
        steps.push(Step {
            message: "Store in single precision",
            files,
            bump: "patch",
            silent: false,
        });
    }
    publish(zoo, base, name, files(&first, &plain)?, steps)
}

fn publish(zoo: &mut Zoo, base: &Base, name: String, first: Files, steps: Vec<Step>) -> anyhow::Result<()> {
    let mut revisions = vec![revision(&zoo.next_date(), "Initial upload", first)];
    let mut truths = Vec::new();
    for step in steps {
        revisions.push(revision(&zoo.next_date(), step.message, step.files));
        truths.push((step.bump, step.silent));
    }
    let grown = truths.len() > 5 && !base.family.vocabulary.is_empty();
    let truth = if grown {
        made(
            "expanded",
            "vocabulary",
            json!({ "added": 4, "steps": ["finetune", "expanded"] }),
        )
    } else {
        made("finetune", "full", json!({}))
    };
    let shas = zoo.with_history(base, truth, revisions, name.clone())?;
    for (pair, (bump, silent)) in shas.windows(2).zip(truths) {
        let (from, to) = (pair[0].clone(), pair[1].clone());
        zoo.truth.bumps.push(Bump {
            package: name.clone(),
            from,
            to,
            bump,
            silent,
        });
    }
    Ok(())
}
