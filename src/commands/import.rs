//! `heirloom import`: loads what `heirloom export` wrote into an empty database.

use super::{Global, print_json, print_text};
use crate::bulk::{self, Manifest};
use crate::postgres;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  heirloom --data-dir copy import out")]
pub struct Args {
    /// Folder that `heirloom export` wrote.
    dir: PathBuf,
}

pub async fn run(args: Args, global: &Global) -> anyhow::Result<ExitCode> {
    let database = postgres::open(&global.data_dir, global.database_url.as_deref()).await?;
    let manifest = bulk::import(&database.store, &args.dir).await?;
    match global.json {
        true => print_json(&manifest)?,
        false => print_text(&lines(&manifest))?,
    }
    database.close().await?;
    Ok(ExitCode::SUCCESS)
}

/// One line a table.
pub fn lines(manifest: &Manifest) -> String {
    let lines = manifest
        .tables
        .iter()
        .map(|table| format!("{:>12} {}\n", table.rows, table.name));
    lines.collect()
}
