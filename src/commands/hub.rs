//! `heirloom hub DIR`: serves a folder as a hub until it is told to stop.

use super::{Global, print_json, print_text};
use crate::hubserver::{Access, Fault, FaultPlan, Options, serve};
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
  heirloom hub ./models --fault 429=0.2 --fault truncated=0.5@/resolve/

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
    /// Refuse this package to everybody, as hubs do after a complaint.
    #[arg(long, value_name = "OWNER/NAME")]
    disable: Vec<String>,
    /// Send requests for a package's old name to its new one.
    #[arg(long, value_name = "OLD=NEW", value_parser = parse_rename)]
    rename: Vec<(String, String)>,
    /// Spoil this share of the answers, to try clients on: KIND is 429, 5xx, slow, truncated or corrupt. May be repeated.
    #[arg(long, value_name = "KIND=SHARE[@PATH]")]
    fault: Vec<Fault>,
    /// Decides which answers are spoilt.
    #[arg(long, default_value_t = 0, value_name = "N")]
    fault_seed: u64,
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
            disabled: args.disable.into_iter().collect(),
            renamed: args.rename.into_iter().collect(),
        },
        faults: FaultPlan {
            faults: args.fault,
            seed: args.fault_seed,
            ..FaultPlan::default()
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

fn parse_rename(text: &str) -> Result<(String, String), String> {
    text.split_once('=')
        .map(|(old, new)| (old.to_owned(), new.to_owned()))
        .ok_or_else(|| "write OLD=NEW".to_owned())
}

async fn wait_for_stop() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for signals")?;
    tokio::select! {
        _ = terminate.recv() => {}
        pressed = tokio::signal::ctrl_c() => pressed.context("cannot wait for signals")?,
    }
    Ok(())
}
