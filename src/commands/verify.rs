//! `heirloom verify`: is what models.lock names still what was locked?

use super::{Global, lock, print_json, print_text};
use crate::versioning::lock::{Difference, differences};
use anyhow::ensure;
use serde::Serialize;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes:
  0  everything is as it was locked
  1  something changed, or could not be read
  2  usage

Examples:
  heirloom verify
  heirloom verify --file deploy/models.lock --json")]
pub struct Args {
    /// The lock file.
    #[arg(long, default_value = "models.lock", value_name = "FILE")]
    file: PathBuf,
}

/// The finding on one locked model.
#[derive(Serialize)]
struct Finding {
    reference: String,
    revision: Option<String>,
    ok: bool,
    differences: Vec<Difference>,
    /// Why it could not be read.
    error: Option<String>,
}

pub async fn run(args: Args, global: &Global) -> anyhow::Result<ExitCode> {
    let file = &args.file;
    ensure!(
        file.exists(),
        "there is no {}; write it with `heirloom lock`",
        file.display()
    );
    let locked = lock::read_lock(file)?;
    let mut findings = Vec::with_capacity(locked.models.len());
    for model in &locked.models {
        let now = lock::observe_again(model).await;
        let found = now
            .as_ref()
            .map(|now| differences(model, now))
            .unwrap_or_default();
        findings.push(Finding {
            reference: model.reference.clone(),
            revision: model.revision.clone(),
            ok: now.is_ok() && found.is_empty(),
            differences: found,
            error: now.err().map(|error| format!("{error:#}")),
        });
    }
    if global.json {
        print_json(&findings)?;
    } else {
        print_text(&findings.iter().map(Finding::text).collect::<String>())?;
    }
    let all_ok = findings.iter().all(|finding| finding.ok);
    Ok(if all_ok {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

impl Finding {
    fn text(&self) -> String {
        let mut text = format!(
            "{:<8} {}\n",
            if self.ok { "ok" } else { "CHANGED" },
            self.reference
        );
        for difference in &self.differences {
            text += &format!("    {}: {}\n", difference.what, difference.detail);
        }
        if let Some(error) = &self.error {
            text += &format!("    cannot be read: {error}\n");
        }
        text
    }
}
