//! `heirloom hub DIR`: serves a folder as a hub until it is told to stop.

use super::{Global, print_json, print_text};
use crate::hubserver::{Access, Options, serve};
use anyhow::Context;
use serde_json::json;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  heirloom hub ./models
  HF_ENDPOINT=http://127.0.0.1:7879 heirloom crawl hf
  HF_ENDPOINT=http://127.0.0.1:7879 hf download acme/tiny

DIR/<owner>/<name>/ holds the files of one package; earlier revisions lie in .revisions/ (docs/hubs.md).")]
pub struct Args {
    /// Folder of packages.
    dir: PathBuf,
    /// Address of the hub.
    #[arg(long, default_value = "127.0.0.1:7879", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// Port of the storage host that weight files are served from; 0 for a free one.
    #[arg(long, default_value_t = 0, value_name = "PORT")]
    storage_port: u16,
    /// The longest page of any list.
    #[arg(long, default_value_t = 1000, value_name = "N")]
    page_size: usize,
    /// Open the files of this package to known tokens only.
    #[arg(long, value_name = "OWNER/NAME")]
    gate: Vec<String>,
    /// Hide this package from whoever has no known token.
    #[arg(long, value_name = "OWNER/NAME")]
    private: Vec<String>,
    /// A token that opens gated and private packages.
    #[arg(
        long,
        env = "HEIRLOOM_HUB_TOKENS",
        hide_env_values = true,
        value_delimiter = ',',
        value_name = "TOKEN"
    )]
    token: Vec<String>,
}

pub async fn run(args: Args, global: &Global) -> anyhow::Result<ExitCode> {
    let options = Options {
        listen: args.listen,
        storage_port: args.storage_port,
        page_size: args.page_size,
        access: Access {
            gated: args.gate.into_iter().collect(),
            private: args.private.into_iter().collect(),
            tokens: args.token.into_iter().collect(),
        },
    };
    let running = serve(&args.dir, options).await?;
    if global.json {
        print_json(&json!({ "url": running.url, "storage_url": running.storage_url }))?;
    } else {
        print_text(&format!(
            "{} is a hub at {}\nUse it with: HF_ENDPOINT={}\n",
            args.dir.display(),
            running.url,
            running.url
        ))?;
    }
    wait_for_stop().await?;
    running.stop().await;
    Ok(ExitCode::SUCCESS)
}

async fn wait_for_stop() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for signals")?;
    tokio::select! {
        _ = terminate.recv() => {}
        pressed = tokio::signal::ctrl_c() => pressed.context("cannot wait for signals")?,
    }
    Ok(())
}
