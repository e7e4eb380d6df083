//! `heirloom check`: the version step from one model to another, why, and a changelog draft. Made for continuous integration.

use super::{Global, print_json, print_text};
use crate::source::observation::Observation;
use crate::source::{Reference, Source};
use crate::versioning::{Bump, BumpDecision, changelog, decide_bump, next_version};
use anyhow::Context;
use semver::Version;
use serde::Serialize;
use std::process::ExitCode;

/// The rules are in docs/versioning.md.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes:
  0  the step is within what was allowed (or nothing was asked)
  1  an error: a reference could not be read
  2  usage
  3  the step is larger than --max-bump, or than what --declared over --previous admits
  4  --no-silent was given, and weights changed that nothing speaks of

Examples:
  heirloom check ./released ./candidate
  heirloom check hf:org/model@v1.2.0 ./candidate --max-bump minor
  heirloom check hf:org/model@v1.2.0 ./candidate --previous 1.2.0 --declared 1.3.0 --message \"Retrain on new data\"")]
pub struct Args {
    /// The model as released: a folder, a weight file, or hf:owner/name[@revision].
    old: String,
    /// The model to be released.
    new: String,
    /// Fail with exit code 3 when the step is larger: none, patch, minor or major.
    #[arg(long, value_name = "BUMP")]
    max_bump: Option<Bump>,
    /// Version of OLD: the next version is printed.
    #[arg(long, value_name = "VERSION")]
    previous: Option<Version>,
    /// Version planned for NEW: fail with exit code 3 when the changes ask for a higher one.
    #[arg(long, value_name = "VERSION", requires = "previous")]
    declared: Option<Version>,
    /// Message of the release or commit, where NEW is a folder: decides whether a change is silent.
    #[arg(long, value_name = "TEXT")]
    message: Option<String>,
    /// Fail with exit code 4 when weights changed silently.
    #[arg(long)]
    no_silent: bool,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report<'a> {
    old: &'a str,
    new: &'a str,
    #[serde(flatten)]
    decision: &'a BumpDecision,
    /// The lowest version NEW may have; with --previous.
    next: Option<String>,
    declared: Option<String>,
    changelog: String,
    accepted: bool,
}

const TOO_LARGE: u8 = 3;
const SILENT: u8 = 4;

pub async fn run(args: Args, global: &Global) -> anyhow::Result<ExitCode> {
    let (old, new) = (observe(&args.old).await?, observe(&args.new).await?);
    let (before, mut after) = (old.snapshot(), new.snapshot());
    if let Some(message) = &args.message {
        after.message = message.clone();
    }
    let decision = decide_bump(&before, &after);
    let next = args
        .previous
        .as_ref()
        .map(|previous| next_version(previous, decision.bump));
    let code = judge(&args, &decision, next.as_ref());
    let heading = match args.declared.as_ref().or(next.as_ref()) {
        Some(version) => version.to_string(),
        None => "Next release".to_owned(),
    };
    let report = Report {
        old: &old.source.label,
        new: &new.source.label,
        decision: &decision,
        next: next.map(|version| version.to_string()),
        declared: args.declared.map(|version| version.to_string()),
        changelog: changelog(&heading, &decision),
        accepted: code == 0,
    };
    if global.json {
        print_json(&report)?;
    } else {
        print_text(&report.text(code))?;
    }
    Ok(ExitCode::from(code))
}

/// Opens and reads one side. Weights that cannot be read are a finding: the files are compared by their digests.
async fn observe(text: &str) -> anyhow::Result<Observation> {
    let reference: Reference = text.parse()?;
    let source = Source::open(&reference).await?;
    let observation = Observation::read(source, |_| {})
        .await
        .with_context(|| format!("cannot read {text}"))?;
    if let Some(failure) = &observation.failure {
        tracing::warn!("compared by file digests alone: {failure}");
    }
    Ok(observation)
}

fn judge(args: &Args, decision: &BumpDecision, next: Option<&Version>) -> u8 {
    let too_large = args.max_bump.is_some_and(|allowed| decision.bump > allowed);
    let too_low = match (&args.declared, next) {
        (Some(declared), Some(next)) => declared < next,
        _ => false,
    };
    if too_large || too_low {
        TOO_LARGE
    } else if args.no_silent && decision.silent {
        SILENT
    } else {
        0
    }
}

impl Report<'_> {
    fn text(&self, code: u8) -> String {
        let mut text = format!("{}\n", self.decision.bump);
        for reason in &self.decision.reasons {
            text += &format!("  {:<5}  {:<13}  {}\n", reason.bump, reason.kind, reason.detail);
        }
        text += match self.decision.weights_changed {
            Some(true) if self.decision.silent => {
                "weights changed silently: no tag, message or card line says so\n"
            }
            Some(true) => "weights changed\n",
            Some(false) => "weights are the same\n",
            None => "weights could not be compared\n",
        };
        if let Some(next) = &self.next {
            text += &format!("next version: {next} or higher\n");
        }
        text += match code {
            TOO_LARGE => "refused: the changes ask for a larger step\n",
            SILENT => "refused: say in the message or the card what was done to the weights\n",
            _ => "",
        };
        format!("{text}\n{}", self.changelog)
    }
}
