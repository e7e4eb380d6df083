//! `heirloom worker`: works on the queue of a shared database until SIGTERM or Ctrl-C, and answers for its health.

use super::Global;
use super::serve::{stop_signal, worker_options};
use crate::api::connections::{self, HEAD_LIMIT};
use crate::api::{AppState, Config, operations};
use crate::jobs::Workers;
use crate::postgres;
use anyhow::Context;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// How long open requests may take after the signal to stop.
const DRAIN: Duration = Duration::from_secs(2);

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  DATABASE_URL=postgres://heirloom@db/heirloom heirloom worker
  heirloom worker --concurrency 16 --listen 0.0.0.0:7880

Start as many as there is work for, on as many machines; `heirloom serve --no-workers` answers requests beside them. A worker that is
told to stop finishes its jobs or hands them back within 20 seconds; the jobs of one that dies are taken over by the others.")]
pub struct Args {
    /// Jobs at the same time; 4 by default, or $HEIRLOOM_CONCURRENCY.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    concurrency: Option<u16>,
    /// Address of /metrics, /health/live and /health/ready; 127.0.0.1:7880 by default, or $HEIRLOOM_METRICS_LISTEN.
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
}

pub async fn run(args: Args, global: &Global) -> anyhow::Result<ExitCode> {
    let listen = args.listen.unwrap_or(global.settings.workers.metrics_listen);
    let listener = TcpListener::bind(listen)
        .await
        .with_context(|| format!("cannot listen on {listen}; choose another with --listen"))?;
    let address = listener.local_addr()?;
    let database = postgres::open(&global.data_dir, global.database_url.as_deref()).await?;
    let mut options = worker_options(global);
    if let Some(concurrency) = args.concurrency {
        options.concurrency = usize::from(concurrency);
    }
    let stop = CancellationToken::new();
    let workers = Workers::start(&database.store, options, stop.clone()).await?;
    let state = AppState::new(database.store.clone(), Config::default());
    let router = operations(state);
    let serving = tokio::spawn(connections::serve(listener, router, HEAD_LIMIT, stop.clone()));
    eprintln!("working; health and metrics are at http://{address}");
    tokio::select! {
        () = stop_signal() => {}
        () = database.keep_running() => {}
    }
    tracing::info!("stopping");
    stop.cancel();
    workers.finish().await?;
    if tokio::time::timeout(DRAIN, serving).await.is_err() {
        tracing::warn!("some requests took too long and were cut off");
    }
    database.close().await?;
    Ok(ExitCode::SUCCESS)
}
