//! `heirloom serve`: the API, the dashboard and the workers in one process, until SIGTERM or Ctrl-C.

use super::Global;
use crate::api::connections::{self, HEAD_LIMIT};
use crate::api::{AppState, Config, LocalTrust, router};
use crate::fingerprint::Level;
use crate::jobs::{WebhookPolicy, WorkerOptions, Workers};
use crate::store::Store;
use crate::store::crawls::CrawlPlan;
use crate::{hubserver, postgres};
use anyhow::Context;
use axum::http::HeaderValue;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// How long open requests may take after the signal to stop.
const DRAIN: Duration = Duration::from_secs(10);

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  heirloom serve\n  heirloom serve --listen 0.0.0.0:7878 --demo ./models")]
pub struct Args {
    /// Address of the dashboard and the API; 127.0.0.1:7878 by default, or $HEIRLOOM_LISTEN.
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Answer requests only; `heirloom worker` does the work.
    #[arg(long, conflicts_with = "demo")]
    no_workers: bool,
    /// Also serve this folder of packages as a hub of its own, and crawl it.
    #[arg(long, value_name = "DIR")]
    demo: Option<PathBuf>,
    /// Whether requests from this machine may write and see everything without a key (on a loopback address only, unless always).
    #[arg(long, value_enum, default_value = "until-key", value_name = "WHEN")]
    trust_local: LocalTrust,
    /// Let pages of this site read the API, such as https://example.org; may be given again.
    #[arg(long = "cors-origin", value_name = "ORIGIN")]
    cors_origins: Vec<HeaderValue>,
}

pub async fn run(args: Args, global: &Global) -> anyhow::Result<ExitCode> {
    let listen = args.listen.unwrap_or(global.settings.listen);
    let listener = TcpListener::bind(listen)
        .await
        .with_context(|| format!("cannot listen on {listen}; choose another with --listen"))?;
    let address = listener.local_addr()?;
    let database = postgres::open(&global.data_dir, global.database_url.as_deref()).await?;
    let stop = CancellationToken::new();
    // Callers of the API, however many, leave the workers their connections.
    let work = database.store.with_own_connections();
    let workers = match args.no_workers {
        true => None,
        false => Some(Workers::start(&work, worker_options(global), stop.clone()).await?),
    };
    let demo = match (&args.demo, &workers) {
        (Some(folder), Some(workers)) => {
            Some(start_demo(folder, &database.store, workers, &global.data_dir).await?)
        }
        _ => None,
    };

    let config = Config {
        only_loopback: address.ip().is_loopback(),
        local_trust: args.trust_local,
        cors_origins: args.cors_origins,
        webhooks: webhook_policy(global),
        stop: stop.clone(),
    };
    let router = router(AppState::new(database.store.clone(), config));
    let serving = tokio::spawn(connections::serve(listener, router, HEAD_LIMIT, stop.clone()));
    eprintln!("Heirloom is at http://{address}");
    tokio::select! {
        () = stop_signal() => {}
        () = database.keep_running() => {}
    }
    tracing::info!("stopping");
    stop.cancel();
    if tokio::time::timeout(DRAIN, serving).await.is_err() {
        tracing::warn!("some requests took too long and were cut off");
    }
    if let Some(workers) = workers {
        workers.finish().await?;
    }
    if let Some(demo) = demo {
        demo.stop().await;
    }
    work.close().await;
    database.close().await?;
    Ok(ExitCode::SUCCESS)
}

/// Where the settings let webhooks be.
fn webhook_policy(global: &Global) -> WebhookPolicy {
    WebhookPolicy {
        allowed_hosts: global.settings.webhook_hosts(),
    }
}

/// How the settings have workers work.
pub fn worker_options(global: &Global) -> WorkerOptions {
    let settings = &global.settings.workers;
    WorkerOptions {
        concurrency: settings.concurrency,
        hub_concurrency: settings.hub_concurrency,
        dead_after: settings.dead_after(),
        webhooks: webhook_policy(global),
        ..WorkerOptions::new(global.data_dir.join("downloads"))
    }
}

/// Serves `folder` on a random loopback port and queues a crawl of it. What an earlier start crawled follows to the new address.
async fn start_demo(
    folder: &Path,
    store: &Store,
    workers: &Workers,
    data_dir: &Path,
) -> anyhow::Result<hubserver::Running> {
    let hub = hubserver::serve(folder, hubserver::Options::default()).await?;
    let endpoint = heirloom_crawler::open("hf", Some(&hub.url))?.endpoint();
    std::fs::create_dir_all(data_dir).with_context(|| format!("cannot create {}", data_dir.display()))?;
    let remembered = data_dir.join("demo-endpoint");
    if let Ok(old) = std::fs::read_to_string(&remembered) {
        store.move_endpoint("hf", &old, &endpoint).await?;
    }
    std::fs::write(&remembered, &endpoint)
        .with_context(|| format!("cannot write {}", remembered.display()))?;
    let plan = CrawlPlan {
        hub: "hf".to_owned(),
        endpoint,
        author: None,
        search: None,
        limit: None,
        level: Level::Full,
    };
    workers.queue_crawl(plan).await?;
    Ok(hub)
}

/// Resolves at the first SIGTERM or Ctrl-C.
pub async fn stop_signal() {
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        tracing::warn!("signals cannot be caught; stop this process with kill -9");
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
