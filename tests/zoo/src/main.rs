//! `heirloom-zoo`: writes hub folders with known lineage.

use clap::{Parser, Subcommand};
use std::path::PathBuf;

/// Writes model hubs whose lineage is known.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write the demo hub: real releases and a derivation by each common technique.
    Demo {
        /// Folder to write to; created when missing.
        out: PathBuf,
    },
    /// Write the ground-truth zoo: every technique several times over unrelated families. About 150 MB.
    Zoo {
        /// Folder to write to; created when missing.
        out: PathBuf,
        /// Parameters, directions, names and declarations follow from it.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
}

fn main() -> anyhow::Result<()> {
    match Cli::parse().command {
        Command::Demo { out } => heirloom_zoo::demo::write(&out),
        Command::Zoo { out, seed } => heirloom_zoo::zoo::write(&out, seed),
    }
}
