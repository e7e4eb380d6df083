//! Fine-tunes of chosen parts, adapters, and stacks with blocks dropped or added.

use super::builder::{Base, Zoo, made};
use crate::technique::{adapter, blocks, finetune, tuning};
use rand::Rng;
use serde_json::json;

pub fn add(zoo: &mut Zoo, base: &Base) -> anyhow::Result<()> {
    low_rank(zoo, base)?;
    chosen_tensors(zoo, base)?;
    chosen_elements(zoo, base)?;
    edits(zoo, base)?;
    adapters(zoo, base)?;
    stacks(zoo, base)
}

fn low_rank(zoo: &mut Zoo, base: &Base) -> anyhow::Result<()> {
    let root = base.root.clone();
    let rank = [1, 2, 4, 8, 16][zoo.random.random_range(0..5)];
    let strength = zoo.random.random_range(0.01..0.08);
    let targets = base.family.adapter_targets();
    // Half of the families: what adapters target. The others: every matrix that is wide enough.
    let targeted = !targets.is_empty() && base.index.is_multiple_of(2);
    let selects = |name: &str| {
        base.family.is_trained(name) && (!targeted || targets.iter().any(|target| target == name))
    };
    let model = finetune::add_low_rank(&root.model, rank, strength, selects, &mut zoo.random);
    zoo.child(
        base,
        &[&root],
        made("finetune", "lora-merged", json!({ "rank": rank })),
        model,
    )?;
    if base.index.is_multiple_of(3) {
        let rank = 4;
        let trained = |name: &str| base.family.is_trained(name);
        let model = finetune::add_low_rank(&root.model, rank, 0.03, trained, &mut zoo.random);
        let density = 0.01;
        let model = tuning::sparse(&model, density, 0.03, trained, &mut zoo.random);
        let truth = made(
            "finetune",
            "sparse-lowrank",
            json!({ "rank": rank, "density": density }),
        );
        zoo.child(base, &[&root], truth, model)?;
    }
    Ok(())
}

fn chosen_tensors(zoo: &mut Zoo, base: &Base) -> anyhow::Result<()> {
    let (root, family) = (base.root.clone(), &base.family);
    let strength = zoo.random.random_range(0.02..0.08);
    if base.index.is_multiple_of(2) && !family.head.is_empty() {
        let model = finetune::perturb(
            &root.model,
            strength,
            |name| family.is_head(name),
            &mut zoo.random,
        );
        zoo.child(base, &[&root], made("finetune", "head", json!({})), model)?;
    } else {
        let is_bias =
            |name: &str| name.ends_with("bias") || name.contains("bias_") || name.contains("BiasAdd");
        if root.model.tensors.keys().any(|name| is_bias(name)) {
            let model = finetune::perturb(&root.model, 4.0 * strength, is_bias, &mut zoo.random);
            zoo.child(base, &[&root], made("finetune", "bias", json!({})), model)?;
        }
    }
    let layers = middle_tensors(base);
    let in_layers = |name: &str| layers.iter().any(|layer| layer == name);
    let model = finetune::perturb(&root.model, strength, in_layers, &mut zoo.random);
    zoo.child(
        base,
        &[&root],
        made("finetune", "layers", json!({ "layers": layers })),
        model,
    )?;
    Ok(())
}

/// The trained tensors of the second quarter, in name order: some layers, not the head.
fn middle_tensors(base: &Base) -> Vec<String> {
    let (model, family) = (&base.root.model, &base.family);
    let trained = model.tensors.iter().filter(|(name, tensor)| {
        tensor.floats().is_some() && family.is_trained(name) && !family.is_head(name)
    });
    let names: Vec<String> = trained.map(|(name, _)| name.clone()).collect();
    let quarter = names.len() / 4;
    names[quarter..names.len() - quarter].to_vec()
}

fn chosen_elements(zoo: &mut Zoo, base: &Base) -> anyhow::Result<()> {
    let (root, family) = (base.root.clone(), &base.family);
    let trained = |name: &str| family.is_trained(name);
    match base.index % 3 {
        0 => {
            let model = tuning::scale_rows(&root.model, 0.05, trained, &mut zoo.random);
            zoo.child(base, &[&root], made("finetune", "scale-shift", json!({})), model)?;
        }
        1 => {
            let density = [0.005, 0.01, 0.05][zoo.random.random_range(0..3)];
            let model = tuning::sparse(&root.model, density, 0.03, trained, &mut zoo.random);
            zoo.child(
                base,
                &[&root],
                made("finetune", "sparse", json!({ "density": density })),
                model,
            )?;
        }
        _ => {
            // A small patch of the first layers only.
            let first: Vec<&String> = root
                .model
                .tensors
                .keys()
                .filter(|name| trained(name) && !family.is_head(name))
                .take(2)
                .collect();
            let model = finetune::perturb(
                &root.model,
                0.01,
                |name| first.iter().any(|f| *f == name),
                &mut zoo.random,
            );
            zoo.child(
                base,
                &[&root],
                made("finetune", "shallow-patch", json!({})),
                model,
            )?;
        }
    }
    Ok(())
}

fn edits(zoo: &mut Zoo, base: &Base) -> anyhow::Result<()> {
    let root = base.root.clone();
    let matrices =
        root.model.tensors.iter().filter(|(name, tensor)| {
            tensor.is_matrix() && tensor.rows() >= 16 && base.family.is_trained(name)
        });
    let Some(target) = matrices
        .max_by_key(|(_, tensor)| tensor.rows() * tensor.columns())
        .map(|(name, _)| name.clone())
    else {
        return Ok(());
    };
    if base.index.is_multiple_of(2) {
        let count = zoo.random.random_range(1..=4);
        let zero = zoo.random.random_bool(0.3);
        let model = tuning::edit_neurons(&root.model, &target, count, zero, &mut zoo.random);
        zoo.child(
            base,
            &[&root],
            made("finetune", "neuron-edit", json!({ "neurons": count })),
            model,
        )?;
    } else {
        let count = zoo.random.random_range(4..=32);
        let model = tuning::tamper(&root.model, &target, count);
        zoo.child(
            base,
            &[&root],
            made("finetune", "tampered", json!({ "elements": count })),
            model,
        )?;
    }
    Ok(())
}

fn adapters(zoo: &mut Zoo, base: &Base) -> anyhow::Result<()> {
    let root = base.root.clone();
    if base.family.model_type == "gru-lm" || base.family.model_type == "silero-vad" {
        let model = adapter::state(
            96 + 32 * usize::from(base.family.model_type == "silero-vad"),
            &mut zoo.random,
        );
        zoo.adapter(
            base,
            made("adapter", "state", json!({})),
            json!({ "peft_type": "STATE" }),
            model,
        )?;
    }
    let targets = base.family.adapter_targets();
    if targets.is_empty() {
        return Ok(());
    }
    let rank = [2, 4, 8][zoo.random.random_range(0..3)];
    let (lora, dora) = if base.index.is_multiple_of(2) {
        (true, base.family.model_type == "bert")
    } else {
        (true, true)
    };
    if lora {
        let config = json!({ "peft_type": "LORA", "r": rank, "lora_alpha": 2 * rank });
        let model = adapter::lora(&root.model, &targets, rank, &mut zoo.random);
        zoo.adapter(
            base,
            made("adapter", "lora", json!({ "rank": rank, "alpha": 2 * rank })),
            config,
            model,
        )?;
    }
    if dora {
        let config = json!({ "peft_type": "LORA", "use_dora": true, "r": rank, "lora_alpha": rank });
        let model = adapter::dora(&root.model, &targets, rank, &mut zoo.random);
        zoo.adapter(
            base,
            made("adapter", "dora", json!({ "rank": rank, "alpha": rank })),
            config,
            model,
        )?;
    }
    let model = adapter::ia3(&root.model, &targets, &mut zoo.random);
    zoo.adapter(
        base,
        made("adapter", "ia3", json!({})),
        json!({ "peft_type": "IA3" }),
        model,
    )?;
    if let Some(embedding) = base.family.vocabulary.first() {
        let tokens = [4, 8, 16][zoo.random.random_range(0..3)];
        let config = json!({ "peft_type": "PROMPT_TUNING", "num_virtual_tokens": tokens });
        let model = adapter::prompt(&root.model, embedding, tokens, &mut zoo.random);
        zoo.adapter(
            base,
            made("adapter", "prompt", json!({ "tokens": tokens })),
            config,
            model,
        )?;
    }
    Ok(())
}

fn stacks(zoo: &mut Zoo, base: &Base) -> anyhow::Result<()> {
    let root = base.root.clone();
    if !base.family.vocabulary.is_empty() {
        let extra = [2, 8, 16][zoo.random.random_range(0..3)];
        let model = blocks::extend_vocabulary(&root.model, base.family.vocabulary, extra, &mut zoo.random);
        zoo.child(
            base,
            &[&root],
            made("expanded", "vocabulary", json!({ "added": extra })),
            model,
        )?;
    }
    if blocks::count(&root.model) < 3 {
        return Ok(());
    }
    let dropped = zoo.random.random_range(0..3);
    let kept: Vec<(usize, usize)> = (0..3)
        .filter(|block| *block != dropped)
        .map(|block| (0, block))
        .collect();
    let model = blocks::restack(&[&root.model], &kept);
    zoo.child(
        base,
        &[&root],
        made("pruned", "depth", json!({ "layers": [dropped] })),
        model,
    )?;
    let repeated = zoo.random.random_range(0..3);
    let plan: Vec<(usize, usize)> = (0..3)
        .flat_map(|block| std::iter::repeat_n((0, block), 1 + usize::from(block == repeated)))
        .collect();
    let model = blocks::restack(&[&root.model], &plan);
    zoo.child(
        base,
        &[&root],
        made("expanded", "depth", json!({ "layers": [repeated] })),
        model,
    )?;
    let matrix = |name: &str| {
        name.ends_with("weight")
            && (name.contains("layer.1.") || name.contains("layers.1."))
            && name.contains("proj")
    };
    let replaced = |name: &str| matrix(name) || (name.contains("layer.1.") && name.contains("dense"));
    zoo.child(
        base,
        &[&root],
        made("transformed", "layer-replaced", json!({})),
        blocks::replace_layers(&root.model, replaced),
    )?;
    Ok(())
}
