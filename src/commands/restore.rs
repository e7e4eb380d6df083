//! `heirloom restore FILE`: a backup into an empty database, then up to today's schema.

use super::{Global, print_json, print_text};
use crate::postgres::{self, Cluster, Durability};
use crate::store::Store;
use anyhow::ensure;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  heirloom restore /backups/heirloom-2026-11-25.dump
  DATABASE_URL=postgres://me@db/fresh heirloom restore heirloom.dump

Stop servers and workers first. The database must be empty, or --replace given: then everything in it is dropped. The backup is read
whole or not at all, and a backup of an older release is brought up to date.")]
pub struct Args {
    /// A file that `heirloom backup` wrote.
    file: PathBuf,
    /// Drop what the database holds.
    #[arg(long)]
    replace: bool,
}

pub async fn run(args: Args, global: &Global) -> anyhow::Result<ExitCode> {
    ensure!(args.file.is_file(), "{} is no file", args.file.display());
    let (url, cluster) = match &global.database_url {
        Some(url) => (url.clone(), None),
        None => {
            let cluster = Cluster::start(&global.data_dir, Durability::Safe).await?;
            (cluster.url(), Some(cluster))
        }
    };
    let restored = restore(&url, &args.file, args.replace).await;
    if let Some(cluster) = cluster {
        cluster.stop().await?;
    }
    let models = restored?;
    match global.json {
        true => print_json(&json!({ "models": models }))?,
        false => print_text(&format!("restored {models} models\n"))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Says how many models there are then.
async fn restore(url: &str, file: &Path, replace: bool) -> anyhow::Result<i64> {
    let store = Store::connect(url).await?;
    if replace {
        store.drop_everything().await?;
    }
    ensure!(
        store.is_empty().await?,
        "the database holds tables already; give --replace to drop them, or DATABASE_URL of an empty database"
    );
    postgres::restore(url, file).await?;
    store.migrate().await?;
    store.analyze().await?;
    let counts = store.count_catalogue().await?;
    store.close().await;
    Ok(counts.packages)
}
