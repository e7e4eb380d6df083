//! Packages with several revisions: a silent change, one of each step, and a line of releases in packages of their own.

use super::{BASIC_PITCH, Child, Demo, SILERO, stream};
use crate::hub::{Declares, Origin, revision, sharded, single_file};
use crate::model::Model;
use crate::package::{Files, Package, Revision, to_json};
use crate::technique::{duplicate, finetune};
use crate::truth::Bump;
use serde_json::json;

pub(super) fn add(demo: &mut Demo) -> anyhow::Result<()> {
    silent_change(demo)?;
    every_step(demo)?;
    release_line(demo)
}

/// Two releases, each a package of its own: trained further, which is a minor step, under a name that declares a major one.
fn release_line(demo: &mut Demo) -> anyhow::Result<()> {
    const FIRST: &str = "heirloom-demo/basic-pitch-bass-v0.1";
    const SECOND: &str = "heirloom-demo/basic-pitch-bass-v0.2";
    let pitch = demo.basic_pitch.clone();
    let mut random = stream(FIRST);
    let trained = |tensor: &str| pitch.is_trained(tensor);
    let first = finetune::perturb(&pitch.model, 0.03, trained, &mut random);
    let second = finetune::perturb(&first, 0.01, trained, &mut random);
    let releases: [(&str, &Model, &[&str]); 2] =
        [(FIRST, &first, &[BASIC_PITCH]), (SECOND, &second, &[FIRST])];
    for (name, model, parents) in releases {
        demo.add(Child {
            name,
            family: &pitch,
            model,
            origin: Origin {
                parents,
                relation: "finetune",
                technique: "full",
                declares: Declares::Parents,
            },
            params: json!({}),
            text: "basic-pitch tuned on bass guitars.",
        })?;
    }
    Ok(())
}

/// Weights replaced under the message "Fix typo in README".
fn silent_change(demo: &mut Demo) -> anyhow::Result<()> {
    let silero = demo.silero.clone();
    let name = "heirloom-demo/silero-vad-callcenter";
    let mut random = stream(name);
    let trained = |tensor: &str| silero.is_trained(tensor);
    let first = finetune::perturb(&silero.model, 0.025, trained, &mut random);
    let second = finetune::perturb(&first, 0.01, trained, &mut random);
    let child = |model, text| Child {
        name,
        family: &silero,
        model,
        origin: Origin {
            parents: &[SILERO],
            relation: "finetune",
            technique: "full",
            declares: Declares::Parents,
        },
        params: json!({}),
        text,
    };
    let files = |model, text| single_file(model, silero.model_type, &child(model, text).card());
    let history = vec![
        tagged(
            demo,
            "Initial upload",
            Some("v1.0"),
            files(
                &first,
                "For call centre recordings. Works best with one spekaer a channel.",
            )?,
        ),
        tagged(
            demo,
            "Fix typo in README",
            None,
            files(
                &second,
                "For call centre recordings. Works best with one speaker a channel.",
            )?,
        ),
        tagged(
            demo,
            "Describe the recordings",
            None,
            files(
                &second,
                "For call centre recordings at 16 kHz. Works best with one speaker a channel.",
            )?,
        ),
    ];
    let origin = child(&second, "").origin;
    publish(demo, name, history, origin, &[("minor", true), ("patch", false)]);
    Ok(())
}

/// An output added (major), weights tuned further (minor), weights cut into shards (patch).
fn every_step(demo: &mut Demo) -> anyhow::Result<()> {
    let pitch = demo.basic_pitch.clone();
    let name = "heirloom-demo/basic-pitch-guitar";
    let mut random = stream(name);
    let trained = |tensor: &str| pitch.is_trained(tensor);
    let tuned = finetune::perturb(&pitch.model, 0.03, trained, &mut random);
    let further = finetune::perturb(&tuned, 0.01, trained, &mut random);
    let mut without_onsets = tuned.clone();
    without_onsets.tensors.retain(|tensor, _| !pitch.is_head(tensor));

    let child = Child {
        name,
        family: &pitch,
        model: &further,
        origin: Origin {
            parents: &[BASIC_PITCH],
            relation: "finetune",
            technique: "full",
            declares: Declares::Parents,
        },
        params: json!({}),
        text: "basic-pitch tuned on guitars.",
    };
    let card = child.card();
    let whole = |model: &Model| single_file(model, pitch.model_type, &card);
    let shards = sharded(&duplicate::reshard(&further, 2), pitch.model_type, &card)?;
    let steps = [
        (
            "Initial upload",
            "v1.0.0",
            whole(&without_onsets)?,
            vec!["contour", "note"],
        ),
        (
            "Add the onset output",
            "v2.0.0",
            whole(&tuned)?,
            vec!["contour", "note", "onset"],
        ),
        (
            "Train for ten more epochs",
            "v2.1.0",
            whole(&further)?,
            vec!["contour", "note", "onset"],
        ),
        (
            "Cut the weights into two shards",
            "v2.1.1",
            shards,
            vec!["contour", "note", "onset"],
        ),
    ];
    let mut history = Vec::new();
    for (message, tag, mut files, outputs) in steps {
        let config = to_json(&json!({ "model_type": pitch.model_type, "outputs": outputs }))?;
        files.insert("config.json".to_owned(), config);
        history.push(tagged(demo, message, Some(tag), files));
    }
    publish(
        demo,
        name,
        history,
        child.origin,
        &[("major", false), ("minor", false), ("patch", false)],
    );
    Ok(())
}

fn tagged(demo: &mut Demo, message: &str, tag: Option<&str>, files: Files) -> Revision {
    Revision {
        tags: tag.map(str::to_owned).into_iter().collect(),
        ..revision(&demo.next_date(), message, files)
    }
}

fn publish(
    demo: &mut Demo,
    name: &str,
    history: Vec<Revision>,
    origin: Origin<'_>,
    steps: &[(&'static str, bool)],
) {
    let package = Package {
        name: name.to_owned(),
        history,
    };
    for (ids, (bump, silent)) in package.shas().windows(2).zip(steps) {
        demo.hub.truth.bumps.push(Bump {
            package: name.to_owned(),
            from: ids[0].clone(),
            to: ids[1].clone(),
            bump,
            silent: *silent,
        });
    }
    demo.hub.add(package, Some((origin, json!({}))));
}
