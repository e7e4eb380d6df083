//! `heirloom man`: manual pages, one a command, made from the same text as `--help`.

use super::{Cli, Global, print_text};
use anyhow::Context;
use clap::CommandFactory;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  heirloom man ~/.local/share/man/man1")]
pub struct Args {
    /// Folder for the pages (heirloom.1, heirloom-crawl.1, …); made when missing.
    dir: PathBuf,
}

pub async fn run(args: Args, global: &Global) -> anyhow::Result<ExitCode> {
    let dir = &args.dir;
    std::fs::create_dir_all(dir).with_context(|| format!("cannot make the folder {}", dir.display()))?;
    clap_mangen::generate_to(Cli::command(), dir)
        .with_context(|| format!("cannot write the pages to {}", dir.display()))?;
    if global.json {
        super::print_json(&serde_json::json!({ "folder": dir }))?;
    } else {
        print_text(&format!("{}\n", dir.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}
