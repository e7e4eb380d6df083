//! Starts and stops the two servers: the hub and its storage host.

use super::access::{Access, redirect_renamed};
use super::catalogue::Catalogue;
use super::faults::{FaultPlan, Faults, inject};
use super::state::Hub;
use super::{files, history, info, resolve, storage};
use anyhow::Context;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use heirloom_crawler::dir::DirHub;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tower_http::trace::TraceLayer;

const MAX_REQUEST_BYTES: usize = 1 << 20;

/// How to serve a folder. The defaults suit tests: a random loopback port, nothing gated.
#[derive(Debug, Clone)]
pub struct Options {
    pub listen: SocketAddr,
    /// The storage host's port, on the same address as `listen`; 0 for a random one.
    pub storage_port: u16,
    /// The longest page of any list, as the real hub's is 1000.
    pub page_size: usize,
    pub access: Access,
    /// Answers to spoil, of the hub and of its storage host alike.
    pub faults: FaultPlan,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0),
            storage_port: 0,
            page_size: 1000,
            access: Access::default(),
            faults: FaultPlan::default(),
        }
    }
}

/// A hub that runs until it is stopped or dropped.
#[derive(Debug)]
pub struct Running {
    /// The endpoint: `http://127.0.0.1:7879`.
    pub url: String,
    pub storage_url: String,
    stop: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
}

impl Running {
    /// Lets requests under way finish, then stops.
    pub async fn stop(mut self) {
        self.stop.cancel();
        for task in std::mem::take(&mut self.tasks) {
            if let Err(error) = task.await {
                tracing::warn!(%error, "the hub server did not stop in order");
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Serves `folder` on the running runtime.
pub async fn serve(folder: impl AsRef<Path>, options: Options) -> anyhow::Result<Running> {
    let hub = DirHub::open(folder)?;
    let front = bind(options.listen).await?;
    let back = bind(SocketAddr::new(options.listen.ip(), options.storage_port)).await?;
    let (address, storage_address) = (front.local_addr()?, back.local_addr()?);
    let state = Arc::new(Hub {
        catalogue: Catalogue::new(hub),
        access: options.access,
        page_size: options.page_size.max(1),
        storage_port: storage_address.port(),
        storage_key: uuid::Uuid::new_v4().simple().to_string(),
    });
    let stop = CancellationToken::new();
    let front_faults = Faults::new(options.faults.clone(), String::new());
    let back_faults = Faults::new(options.faults, format!("/{}", state.storage_key));
    let front_routes = front_routes(Arc::clone(&state)).layer(from_fn_with_state(front_faults, inject));
    let back_routes = storage_routes(state).layer(from_fn_with_state(back_faults, inject));
    let tasks = vec![
        spawn(front, front_routes, stop.clone()),
        spawn(back, back_routes, stop.clone()),
    ];
    Ok(Running {
        url: format!("http://{address}"),
        storage_url: format!("http://{storage_address}"),
        stop,
        tasks,
    })
}

async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}; choose another with --listen"))
}

fn spawn(listener: TcpListener, routes: Router, stop: CancellationToken) -> JoinHandle<()> {
    tokio::spawn(async move {
        let serving = axum::serve(listener, routes).with_graceful_shutdown(stop.cancelled_owned());
        if let Err(error) = serving.await {
            tracing::error!(%error, "the hub server stopped");
        }
    })
}

fn front_routes(hub: Arc<Hub>) -> Router {
    Router::new()
        .route("/api/models", get(info::list))
        .route("/api/models/{owner}/{name}", get(info::newest))
        .route(
            "/api/models/{owner}/{name}/revision/{revision}",
            get(info::at_revision),
        )
        .route("/api/models/{owner}/{name}/refs", get(history::refs))
        .route(
            "/api/models/{owner}/{name}/commits/{revision}",
            get(history::commits),
        )
        .route("/api/models/{owner}/{name}/tree/{revision}", get(files::tree))
        .route(
            "/api/models/{owner}/{name}/tree/{revision}/{*folder}",
            get(files::tree_below),
        )
        .route(
            "/api/models/{owner}/{name}/paths-info/{revision}",
            post(files::paths_info),
        )
        .route(
            "/{owner}/{name}/resolve/{revision}/{*path}",
            get(resolve::resolve),
        )
        .fallback(super::refuse::no_such_route)
        .layer(from_fn_with_state(Arc::clone(&hub), redirect_renamed))
        .layer(DefaultBodyLimit::max(MAX_REQUEST_BYTES))
        .layer(TraceLayer::new_for_http())
        .with_state(hub)
}

fn storage_routes(hub: Arc<Hub>) -> Router {
    Router::new()
        .route("/{key}/{owner}/{name}/{commit}/{*path}", get(storage::content))
        .fallback(super::refuse::no_such_route)
        .layer(TraceLayer::new_for_http())
        .with_state(hub)
}
