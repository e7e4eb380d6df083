//! Children of one parent by one technique: duplicates, whole fine-tunes, quantized and pruned versions.

use super::builder::{Base, Node, Zoo, made};
use crate::hub::sharded;
use crate::model::Model;
use crate::technique::quantize::{Scheme, Share, round_to_nearest};
use crate::technique::{duplicate, finetune, packed, prune, symmetry, tuning};
use rand::Rng;
use rand::seq::IndexedRandom;
use safetensors::tensor::Dtype;
use serde_json::json;

pub fn add(zoo: &mut Zoo, base: &Base) -> anyhow::Result<()> {
    duplicates(zoo, base)?;
    symmetries(zoo, base)?;
    chain(zoo, base)?;
    quantized(zoo, base)?;
    stored_codes(zoo, base)?;
    pruned(zoo, base)
}

/// A full fine-tune: with a real delta's statistics where the family has one, else with noise of uneven strength.
pub fn full_finetune(zoo: &mut Zoo, base: &Base, parent: &Model) -> Model {
    let rng = &mut zoo.random;
    match &base.real {
        Some((before, after)) => {
            let scale = rng.random_range(0.3..1.0);
            tuning::like_real(parent, before, after, scale, rng)
        }
        None => {
            let strength = rng.random_range(0.01..0.06);
            finetune::perturb(parent, strength, |name| base.family.is_trained(name), rng)
        }
    }
}

fn duplicates(zoo: &mut Zoo, base: &Base) -> anyhow::Result<()> {
    let root = base.root.clone();
    if base.index.is_multiple_of(3) {
        zoo.child(
            base,
            &[&root],
            made("duplicate", "copy", json!({})),
            root.model.clone(),
        )?;
        let renamed = duplicate::rename(&root.model, |name| {
            format!("net.{}", name.replace("weight", "kernel"))
        });
        zoo.child(base, &[&root], made("duplicate", "rename", json!({})), renamed)?;
    }
    if base.index % 3 == 1 {
        let shards = zoo.random.random_range(2..5);
        let truth = made("duplicate", "reshard", json!({ "shards": shards }));
        let model_type = base.family.model_type;
        zoo.child_with(base, &[&root], truth, root.model.clone(), |model, card| {
            sharded(&duplicate::reshard(model, shards), model_type, card)
        })?;
    }
    if root
        .model
        .tensors
        .values()
        .any(|tensor| tensor.dtype == Dtype::F32)
    {
        let (dtype, word) = if base.index.is_multiple_of(2) {
            (Dtype::BF16, "bf16")
        } else {
            (Dtype::F16, "f16")
        };
        let truth = made("duplicate", "cast", json!({ "dtype": word }));
        zoo.child(base, &[&root], truth, duplicate::cast(&root.model, dtype))?;
    }
    Ok(())
}

fn symmetries(zoo: &mut Zoo, base: &Base) -> anyhow::Result<()> {
    let (root, neurons) = (base.root.clone(), &base.family.neurons);
    if !neurons.is_empty() && base.index.is_multiple_of(2) {
        let permuted = symmetry::permute(&root.model, neurons, &mut zoo.random);
        zoo.child(base, &[&root], made("duplicate", "permuted", json!({})), permuted)?;
    }
    if neurons.iter().any(|layer| !layer.scalable.is_empty()) {
        let scale = zoo.random.random_range(1.5..3.0);
        zoo.child(
            base,
            &[&root],
            made("duplicate", "rescaled", json!({})),
            symmetry::rescale(&root.model, neurons, scale),
        )?;
    }
    Ok(())
}

/// Two siblings, and a chain of three generations below the first, the last one quantized or pruned.
fn chain(zoo: &mut Zoo, base: &Base) -> anyhow::Result<()> {
    let root = base.root.clone();
    let tune = |zoo: &mut Zoo, parent: &Node| {
        let model = full_finetune(zoo, base, &parent.model);
        zoo.child(base, &[parent], made("finetune", "full", json!({})), model)
    };
    let first = tune(zoo, &root)?;
    tune(zoo, &root)?;
    let second = tune(zoo, &first)?;
    let trained = |name: &str| base.family.is_trained(name);
    if base.index.is_multiple_of(2) {
        let scheme = Scheme {
            bits: 8,
            share: Share::Channel,
            symmetric: true,
        };
        let truth = made(
            "quantized",
            "rtn",
            json!({ "bits": 8, "granularity": "channel", "symmetric": true }),
        );
        zoo.child(
            base,
            &[&second],
            truth,
            round_to_nearest(&second.model, scheme, trained),
        )?;
    } else {
        let sparsity = 0.4;
        let truth = made("pruned", "unstructured", json!({ "sparsity": sparsity }));
        zoo.child(
            base,
            &[&second],
            truth,
            prune::unstructured(&second.model, sparsity, trained),
        )?;
    }
    Ok(())
}

fn quantized(zoo: &mut Zoo, base: &Base) -> anyhow::Result<()> {
    let root = base.root.clone();
    for _ in 0..2 {
        let bits = zoo.random.random_range(2..=8);
        let symmetric = zoo.random.random_bool(0.5);
        let sizes = [16, 32, 64];
        let (share, mut params) = match zoo.random.random_range(0..3) {
            0 => (Share::Tensor, json!({ "granularity": "tensor" })),
            1 => (Share::Channel, json!({ "granularity": "channel" })),
            _ => {
                let size = sizes.choose(&mut zoo.random).copied().unwrap_or(32);
                (
                    Share::Group(size),
                    json!({ "granularity": "group", "group_size": size }),
                )
            }
        };
        params["bits"] = json!(bits);
        params["symmetric"] = json!(symmetric);
        let model = round_to_nearest(
            &root.model,
            Scheme {
                bits,
                share,
                symmetric,
            },
            |name| base.family.is_trained(name),
        );
        zoo.child(base, &[&root], made("quantized", "rtn", params), model)?;
    }
    Ok(())
}

/// Layouts with codes and scales apart: two a family, in turn.
fn stored_codes(zoo: &mut Zoo, base: &Base) -> anyhow::Result<()> {
    let root = base.root.clone();
    let selects = |name: &str| base.family.is_trained(name);
    for turn in [base.index, base.index + 1] {
        let (technique, params, model) = match turn % 4 {
            0 => ("int8", json!({ "bits": 8 }), packed::int8(&root.model, selects)),
            1 => ("fp8", json!({ "bits": 8 }), packed::fp8(&root.model, selects)),
            2 => (
                "nf4",
                json!({ "bits": 4, "group_size": 64 }),
                packed::nf4(&root.model, selects),
            ),
            _ => (
                "gptq",
                json!({ "bits": 4, "group_size": 16 }),
                packed::gptq(&root.model, 16, selects),
            ),
        };
        zoo.child(base, &[&root], made("quantized", technique, params), model)?;
    }
    Ok(())
}

fn pruned(zoo: &mut Zoo, base: &Base) -> anyhow::Result<()> {
    let root = base.root.clone();
    let trained = |name: &str| base.family.is_trained(name);
    let sparsity = f64::from(zoo.random.random_range(3..10)) / 10.0;
    let truth = made("pruned", "unstructured", json!({ "sparsity": sparsity }));
    zoo.child(
        base,
        &[&root],
        truth,
        prune::unstructured(&root.model, sparsity, trained),
    )?;
    if base.index.is_multiple_of(2) {
        let (keep, group) = if base.index.is_multiple_of(4) {
            (2, 4)
        } else {
            (4, 8)
        };
        let truth = made("pruned", "n:m", json!({ "n": keep, "m": group }));
        zoo.child(
            base,
            &[&root],
            truth,
            prune::n_of_m(&root.model, keep, group, trained),
        )?;
    }
    if !base.family.neurons.is_empty() && base.index % 2 == 1 {
        let ratio = 0.75;
        let mut narrow = root.model.clone();
        for layer in &base.family.neurons {
            symmetry::select(&mut narrow, layer, &strongest(&root.model, layer, ratio));
        }
        zoo.child(
            base,
            &[&root],
            made("pruned", "width", json!({ "kept": ratio })),
            narrow,
        )?;
    }
    Ok(())
}

/// The `ratio` of a layer's neurons with the largest weights, in their order.
fn strongest(model: &Model, layer: &symmetry::Neurons, ratio: f64) -> Vec<usize> {
    let first = &layer.rows[0];
    let columns = model.tensors[first].columns();
    let norms: Vec<f64> = model
        .values(first)
        .chunks_exact(columns)
        .map(finetune::norm)
        .collect();
    let mut order: Vec<usize> = (0..norms.len()).collect();
    order.sort_by(|&a, &b| norms[b].total_cmp(&norms[a]));
    order.truncate((ratio * norms.len() as f64).round() as usize);
    order.sort_unstable();
    order
}
