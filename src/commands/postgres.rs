//! `heirloom postgres -- CMD`: runs a command with DATABASE_URL of the private cluster, and passes its exit code on.

use super::Global;
use crate::postgres::{Cluster, Durability};
use anyhow::Context;
use std::process::ExitCode;
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  heirloom postgres -- psql\n  heirloom postgres --throwaway -- cargo test"
)]
pub struct Args {
    /// Flush nothing to disk: fast, and lost in a power cut. For test databases.
    #[arg(long)]
    throwaway: bool,
    /// The command and its arguments; psql finds the database by PGHOST and friends, others by DATABASE_URL.
    #[arg(last = true, required = true, value_name = "CMD")]
    command: Vec<String>,
}

pub async fn run(args: Args, global: &Global) -> anyhow::Result<ExitCode> {
    let durability = if args.throwaway {
        Durability::Throwaway
    } else {
        Durability::Safe
    };
    let cluster = Cluster::start(&global.data_dir, durability).await?;
    let (program, arguments) = args.command.split_first().context("no command was given")?;
    let child = Command::new(program)
        .args(arguments)
        .env("DATABASE_URL", cluster.url())
        .envs(cluster.libpq_environment())
        .spawn()
        .with_context(|| format!("cannot run {program}"))?;
    let code = wait(child).await;
    cluster.stop().await?;
    code
}

/// Waits for the child. Ctrl-C reaches it by itself; SIGTERM is passed on.
async fn wait(mut child: Child) -> anyhow::Result<ExitCode> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    loop {
        tokio::select! {
            status = child.wait() => {
                let code = status?.code().and_then(|code| u8::try_from(code).ok());
                return Ok(code.map_or(ExitCode::FAILURE, ExitCode::from));
            }
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {
                if let Some(pid) = child.id().and_then(|pid| rustix::process::Pid::from_raw(pid.cast_signed())) {
                    rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
                }
            }
        }
    }
}
