//! Packages whose card is wrong, silent or beyond checking, and one whose file is damaged.

use super::{BASIC_PITCH, Child, Demo, SILERO, SILERO_5, stream};
use crate::hub::{Declares, Origin, revision};
use crate::package::Package;
use crate::technique::{finetune, fresh};
use serde_json::json;

pub(super) fn add(demo: &mut Demo) -> anyhow::Result<()> {
    claims_a_stranger(demo)?;
    claims_the_old_line(demo)?;
    claims_an_absent_base(demo)?;
    damaged(demo)
}

/// Same shapes, same statistics, fresh weights, and a card that says otherwise.
fn claims_a_stranger(demo: &mut Demo) -> anyhow::Result<()> {
    let silero = demo.silero.clone();
    let name = "heirloom-demo/silero-vad-studio";
    let model = fresh::reinitialise(
        &silero.model,
        |tensor| silero.is_trained(tensor),
        &mut stream(name),
    );
    demo.add(Child {
        name,
        family: &silero,
        model: &model,
        origin: Origin {
            parents: &[],
            relation: "unrelated",
            technique: "unrelated",
            declares: Declares::Wrong(&[SILERO]),
        },
        params: json!({}),
        text: "Says that it is Silero VAD tuned on studio recordings. Its weights were drawn afresh with the same mean and spread.",
    })?;
    demo.hub.unrelated(name, SILERO);
    demo.hub.unrelated(name, SILERO_5);
    Ok(())
}

fn claims_the_old_line(demo: &mut Demo) -> anyhow::Result<()> {
    let silero = demo.silero.clone();
    let name = "heirloom-demo/silero-vad-5.1-broadcast";
    let model = finetune::perturb(
        &silero.model,
        0.025,
        |tensor| silero.is_trained(tensor),
        &mut stream(name),
    );
    demo.add(Child {
        name,
        family: &silero,
        model: &model,
        origin: Origin {
            parents: &[SILERO],
            relation: "finetune",
            technique: "full",
            declares: Declares::Wrong(&[SILERO_5]),
        },
        params: json!({}),
        text: "Says that it was tuned from the 5.1 line. It was tuned from 6.2.",
    })?;
    demo.hub.unrelated(name, SILERO_5);
    Ok(())
}

fn claims_an_absent_base(demo: &mut Demo) -> anyhow::Result<()> {
    let pitch = demo.basic_pitch.clone();
    let name = "heirloom-demo/note-transcriber";
    let model = fresh::reinitialise(&pitch.model, |tensor| pitch.is_trained(tensor), &mut stream(name));
    demo.add(Child {
        name,
        family: &pitch,
        model: &model,
        origin: Origin {
            parents: &[],
            relation: "unrelated",
            technique: "unrelated",
            declares: Declares::Absent("heirloom-demo/note-transcriber-base"),
        },
        params: json!({}),
        text: "Declares a base model that is not on this hub.",
    })?;
    demo.hub.unrelated(name, BASIC_PITCH);
    Ok(())
}

/// A safetensors file cut off in the middle of its tensors, as a failed upload leaves it.
fn damaged(demo: &mut Demo) -> anyhow::Result<()> {
    let pitch = demo.basic_pitch.clone();
    let name = "heirloom-demo/basic-pitch-broken-upload";
    let child = Child {
        name,
        family: &pitch,
        model: &pitch.model,
        origin: Origin {
            parents: &[],
            relation: "unrelated",
            technique: "unrelated",
            declares: Declares::Nothing,
        },
        params: json!({}),
        text: "The upload stopped half-way: the weight file is truncated. A crawl reports it and goes on.",
    };
    let mut files = crate::hub::single_file(&pitch.model, pitch.model_type, &child.card())?;
    if let Some(file) = files.get_mut("model.safetensors") {
        file.truncate(file.len() / 2);
    }
    let package = Package {
        name: name.to_owned(),
        history: vec![revision(&demo.next_date(), "Initial upload", files)],
    };
    demo.hub.add(package, None);
    demo.hub.truth.unlabelled.push(name.to_owned());
    Ok(())
}
