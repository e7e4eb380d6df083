//! `heirloom backup FILE`: the whole database into one file, while others go on working.

use super::{Global, print_json, print_text};
use crate::postgres;
use anyhow::{Context, ensure};
use indicatif::HumanBytes;
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  heirloom backup /backups/heirloom-2026-11-25.dump
  heirloom restore /backups/heirloom-2026-11-25.dump

The file is pg_dump's custom format: one consistent moment, taken while the service runs. It holds the catalogue, the queue, the
schedules and the digests of API keys; protect it like the database.")]
pub struct Args {
    /// File to write; it must not exist.
    file: PathBuf,
}

pub async fn run(args: Args, global: &Global) -> anyhow::Result<ExitCode> {
    ensure!(
        !args.file.exists(),
        "{} exists; choose another name, for a backup is never overwritten",
        args.file.display()
    );
    let database = postgres::open(&global.data_dir, global.database_url.as_deref()).await?;
    let dumped = postgres::dump(&database.url, &args.file).await;
    database.close().await?;
    dumped?;
    let size = std::fs::metadata(&args.file)
        .with_context(|| format!("cannot read {}", args.file.display()))?
        .len();
    match global.json {
        true => print_json(&json!({ "file": args.file, "bytes": size }))?,
        false => print_text(&format!("{} in {}\n", HumanBytes(size), args.file.display()))?,
    }
    Ok(ExitCode::SUCCESS)
}
