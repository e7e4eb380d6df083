//! `heirloom export`: the whole database as Parquet, or in PTMTorrent's JSON layout.

use super::{Global, print_json, print_text};
use crate::{bulk, postgres};
use clap::ValueEnum;
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Keys, webhooks and the audit log stay here.\n\nExamples:\n  heirloom export out\n  heirloom export out --format ptmtorrent --public"
)]
pub struct Args {
    /// Folder to write into; made when missing.
    dir: PathBuf,
    #[arg(long, value_enum, default_value = "parquet")]
    format: Format,
    /// Leave out what gated and private packages hold.
    #[arg(long)]
    public: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// One Parquet file a table; `heirloom import` reads it.
    Parquet,
    /// The layout and the schema of the PTMTorrent data set.
    Ptmtorrent,
}

pub async fn run(args: Args, global: &Global) -> anyhow::Result<ExitCode> {
    let database = postgres::open(&global.data_dir, global.database_url.as_deref()).await?;
    let store = match args.public {
        true => database.store.public(),
        false => database.store.clone(),
    };
    match args.format {
        Format::Parquet => {
            let manifest = bulk::export(&store, &args.dir).await?;
            match global.json {
                true => print_json(&manifest)?,
                false => print_text(&super::import::lines(&manifest))?,
            }
        }
        Format::Ptmtorrent => {
            let packages = bulk::export_ptmtorrent(&store, &args.dir).await?;
            match global.json {
                true => print_json(&json!({"packages": packages}))?,
                false => print_text(&format!("{packages} packages\n"))?,
            }
        }
    }
    database.close().await?;
    Ok(ExitCode::SUCCESS)
}
