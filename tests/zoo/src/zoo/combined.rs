//! Children of several parents, and of several steps at once.

use super::builder::{Base, Node, Zoo, made};
use super::derived::full_finetune;
use crate::hub::single_file;
use crate::technique::quantize::{Scheme, Share, round_to_nearest};
use crate::technique::{blocks, duplicate, finetune, merge, prune};
use rand::Rng;
use safetensors::tensor::Dtype;
use serde_json::json;

pub fn add(zoo: &mut Zoo, base: &Base) -> anyhow::Result<()> {
    let root = base.root.clone();
    let mut tuned = Vec::new();
    for _ in 0..2 {
        let model = full_finetune(zoo, base, &root.model);
        tuned.push(zoo.child(base, &[&root], made("finetune", "full", json!({})), model)?);
    }
    merges_of_two(zoo, base, &tuned)?;
    merges_with_base(zoo, base, &tuned)?;
    stacked(zoo, base, &tuned)?;
    two_steps(zoo, base, &tuned)
}

/// A coefficient with two decimals.
fn coefficient(zoo: &mut Zoo, low: f64, high: f64) -> f64 {
    (zoo.random.random_range(low..high) * 100.0).round() / 100.0
}

fn merges_of_two(zoo: &mut Zoo, base: &Base, tuned: &[Node]) -> anyhow::Result<()> {
    let (a, b) = (&tuned[0], &tuned[1]);
    let t = coefficient(zoo, 0.25, 0.75);
    match base.index % 3 {
        0 => {
            let model = merge::linear(&[(&a.model, 1.0 - t), (&b.model, t)]);
            zoo.child(
                base,
                &[a, b],
                made("merge", "linear", json!({ "coefficients": [1.0 - t, t] })),
                model,
            )?;
        }
        1 => {
            let model = merge::slerp(&a.model, &b.model, t);
            zoo.child(
                base,
                &[a, b],
                made("merge", "slerp", json!({ "coefficients": [1.0 - t, t] })),
                model,
            )?;
        }
        _ => {
            // A gradient over the tensors in name order, as mergekit's per-layer parameters give.
            let names: Vec<&String> = a.model.tensors.keys().collect();
            let last = (names.len() - 1).max(1) as f64;
            let share = |name: &str| {
                names
                    .iter()
                    .position(|n| *n == name)
                    .map_or(0.5, |at| at as f64 / last)
            };
            let model = merge::per_block(&a.model, &b.model, share);
            zoo.child(base, &[a, b], made("merge", "per-block", json!({})), model)?;
        }
    }
    Ok(())
}

/// Merges around the common base: two of four techniques a family, in turn.
fn merges_with_base(zoo: &mut Zoo, base: &Base, tuned: &[Node]) -> anyhow::Result<()> {
    let root = base.root.clone();
    let parents = [&root, &tuned[0], &tuned[1]];
    for turn in [base.index, base.index + 1] {
        let weights = [coefficient(zoo, 0.4, 1.0), coefficient(zoo, 0.4, 1.0)];
        let density = coefficient(zoo, 0.2, 0.6);
        let pairs = [(&tuned[0].model, weights[0]), (&tuned[1].model, weights[1])];
        let (technique, params, model) = match turn % 4 {
            0 => (
                "task-arithmetic",
                json!({ "coefficients": weights }),
                merge::task_arithmetic(&root.model, &pairs),
            ),
            1 => (
                "ties",
                json!({ "density": density }),
                merge::ties(&root.model, &pairs, density),
            ),
            2 => (
                "dare",
                json!({ "drop_rate": density }),
                merge::dare(&root.model, &pairs, density, &mut zoo.random),
            ),
            _ => (
                "breadcrumbs",
                json!({ "density": 0.85 }),
                merge::breadcrumbs(&root.model, &pairs, 0.85, 0.05),
            ),
        };
        zoo.child(base, &parents, made("merge", technique, params), model)?;
    }
    Ok(())
}

/// Stacks and experts taken from two fine-tunes.
fn stacked(zoo: &mut Zoo, base: &Base, tuned: &[Node]) -> anyhow::Result<()> {
    if blocks::count(&base.root.model) < 3 {
        return Ok(());
    }
    let (a, b) = (&tuned[0], &tuned[1]);
    let plan = [(0, 0), (0, 1), (1, 1), (1, 2)];
    let model = blocks::restack(&[&a.model, &b.model], &plan);
    zoo.child(base, &[a, b], made("merge", "passthrough", json!({})), model)?;
    let root = base.root.clone();
    let experts = 2 + 2 * (base.index % 2);
    let model = blocks::upcycle(&[&root.model], experts, &mut zoo.random);
    zoo.child(
        base,
        &[&root],
        made("expanded", "moe", json!({ "experts": experts })),
        model,
    )?;
    let model = blocks::upcycle(&[&a.model], 4, &mut zoo.random);
    zoo.child(
        base,
        &[a],
        made("expanded", "moe", json!({ "experts": 4 })),
        model,
    )?;
    Ok(())
}

fn two_steps(zoo: &mut Zoo, base: &Base, tuned: &[Node]) -> anyhow::Result<()> {
    let root = base.root.clone();
    let trained = |name: &str| base.family.is_trained(name);
    match base.index % 3 {
        0 => {
            let model = full_finetune(zoo, base, &root.model);
            let scheme = Scheme {
                bits: 8,
                share: Share::Channel,
                symmetric: true,
            };
            let params = json!({ "bits": 8, "granularity": "channel", "symmetric": true, "steps": ["finetune", "quantized"] });
            zoo.child(
                base,
                &[&root],
                made("quantized", "rtn", params),
                round_to_nearest(&model, scheme, trained),
            )?;
        }
        1 => {
            let model = merge::linear(&[(&tuned[0].model, 0.5), (&tuned[1].model, 0.5)]);
            let params = json!({ "sparsity": 0.5, "steps": ["merge", "pruned"] });
            zoo.child(
                base,
                &[&tuned[0], &tuned[1]],
                made("pruned", "unstructured", params),
                prune::unstructured(&model, 0.5, trained),
            )?;
        }
        _ => {
            let model = finetune::add_low_rank(&root.model, 4, 0.05, trained, &mut zoo.random);
            let params = json!({ "dtype": "bf16", "rank": 4, "steps": ["finetune", "duplicate"] });
            zoo.child(
                base,
                &[&root],
                made("duplicate", "cast", params),
                duplicate::cast(&model, Dtype::BF16),
            )?;
        }
    }
    Ok(())
}

/// Multimodal models: a vision tower and a language model of the zoo, whole, under their own prefixes.
pub fn compositions(zoo: &mut Zoo, bases: &[Base]) -> anyhow::Result<()> {
    let towers = bases
        .iter()
        .filter(|base| base.family.model_type == "digits-cnn")
        .cycle();
    let languages = bases.iter().filter(|base| base.family.model_type == "bert");
    for (vision, language) in towers.zip(languages) {
        let parts = [
            ("vision_tower", &vision.root.model),
            ("language_model", &language.root.model),
        ];
        let model = blocks::compose(&parts, (64, 64), &mut zoo.random);
        let parents = [&vision.root, &language.root];
        zoo.child_with(
            language,
            &parents,
            made("component", "component", json!({})),
            model,
            |model, card| single_file(model, "two-towers", card),
        )?;
    }
    Ok(())
}
