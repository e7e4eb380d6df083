//! `heirloom jobs`: what waits, what runs, what was given up and why.

use super::{Global, print_json, print_text};
use crate::jobs::{cancel_job, retry_job};
use crate::postgres;
use crate::store::Store;
use crate::store::queued::QueuedJob;
use clap::Subcommand;
use std::fmt::Write;
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  heirloom jobs
  heirloom jobs retry 41
  heirloom jobs cancel 42")]
pub struct Args {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// All jobs that are not done (the default).
    List,
    /// Try a job again now that was given up or waits.
    Retry { id: i64 },
    /// Give up a job that waits.
    Cancel { id: i64 },
}

pub async fn run(args: Args, global: &Global) -> anyhow::Result<ExitCode> {
    let database = postgres::open(&global.data_dir, global.database_url.as_deref()).await?;
    let outcome = match args.action.unwrap_or(Action::List) {
        Action::List => list(&database.store, global).await,
        Action::Retry { id } => retry_job(&database.store, id).await,
        Action::Cancel { id } => cancel_job(&database.store, id).await,
    };
    database.close().await?;
    outcome.map(|()| ExitCode::SUCCESS)
}

async fn list(store: &Store, global: &Global) -> anyhow::Result<()> {
    let jobs = store.queued_jobs().await?;
    if global.json {
        return print_json(&jobs);
    }
    let mut text = String::new();
    for job in &jobs {
        describe(&mut text, job)?;
    }
    if jobs.is_empty() {
        text += "the queue is empty\n";
    }
    print_text(&text)
}

fn describe(text: &mut String, job: &QueuedJob) -> std::fmt::Result {
    let key = job.key.as_deref().unwrap_or(&job.kind);
    writeln!(
        text,
        "{:>6}  {:<8} {}/{}  {key}",
        job.id, job.state, job.attempts, job.max_attempts
    )?;
    match &job.reason {
        Some(reason) => writeln!(text, "        {reason}"),
        None => Ok(()),
    }
}
