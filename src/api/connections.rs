//! TCP connections to the API: each must say what it wants in time, so that slow callers cannot hold them all (slow loris).

use axum::Router;
use axum::extract::ConnectInfo;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// How long the head of a request may take, and a kept connection may be silent.
pub const HEAD_LIMIT: Duration = Duration::from_secs(30);
/// After a connection that could not be accepted: the process is out of file descriptors, and some may be given back.
const AFTER_REFUSAL: Duration = Duration::from_millis(100);

/// Answers whoever connects until `stop`; then lets open requests finish. A head that takes longer than `head_limit` ends its connection.
pub async fn serve(listener: TcpListener, router: Router, head_limit: Duration, stop: CancellationToken) {
    let mut protocol = http1::Builder::new();
    protocol.timer(TokioTimer::new()).header_read_timeout(head_limit);
    let open = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!("a connection could not be accepted: {error}");
                tokio::time::sleep(AFTER_REFUSAL).await;
                continue;
            }
        };
        // Small answers are sent at once.
        let _ = stream.set_nodelay(true);
        let router = router.clone();
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(ConnectInfo(peer));
            router.clone().oneshot(request)
        });
        let connection = open.watch(protocol.serve_connection(TokioIo::new(stream), service));
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%peer, "a connection ended early: {error}");
            }
        });
    }
    drop(listener);
    open.shutdown().await;
}
