//! The accept loop: bounds on connections and heads, TLS, and a stop that lets answers end.

use std::{future::Future, io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, extract::DefaultBodyLimit, middleware};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto::Builder, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use novacron_control::Control;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::{
    auth::authenticate,
    config::{ApiConfig, Exposed, check_exposure},
    guard::{LocalNamesOnly, guard},
    input::MAX_BODY,
    observe::{HttpMetrics, observe},
    routes,
    state::AppState,
    tls::{self, TlsError},
};

/// A head must have come by then, and a TLS handshake be done.
const HEAD_LIMIT: Duration = Duration::from_secs(15);
/// The head of a request, and what is buffered of a body.
const MAX_HEAD: usize = 64 * 1024;
const MAX_STREAMS: u32 = 64;

/// Why the API is not served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("{0} is in use by another program. Stop that one, or set `server.listen` to another port.")]
    InUse(SocketAddr),
    #[error("can't listen on {address}: {error}")]
    Bind { address: SocketAddr, error: io::Error },
    #[error(transparent)]
    Exposed(#[from] Exposed),
    #[error("TLS: {0}")]
    Tls(#[from] TlsError),
    #[error("the listener broke: {0}")]
    Listener(io::Error),
}

/// Whether the certificate and the key, if there are any, can be used.
pub fn check_tls(config: &ApiConfig) -> Result<(), TlsError> {
    config.tls.as_ref().map_or(Ok(()), |files| tls::acceptor(files).map(drop))
}

/// Listens, once it is known to be safe. The port can be asked of the listener.
pub async fn bind(address: SocketAddr, config: &ApiConfig) -> Result<TcpListener, ServeError> {
    check_exposure(address, config)?;
    check_tls(config)?;
    TcpListener::bind(address).await.map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => ServeError::InUse(address),
        _ => ServeError::Bind { address, error },
    })
}

/// The routes with all that stands before them.
pub fn router(control: Control, config: &ApiConfig, stopping: CancellationToken) -> Router {
    assemble(AppState::new(control, stopping), config)
}

fn assemble(state: AppState, config: &ApiConfig) -> Router {
    let tokens: Arc<[_]> = config.tokens.clone().into();
    let local_names = LocalNamesOnly(tokens.is_empty());
    let protected = routes::protected().0.route_layer(middleware::from_fn_with_state(tokens, authenticate));
    let metrics = state.metrics.clone();
    Router::new()
        .merge(protected)
        .merge(routes::open().0)
        .with_state(state)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(middleware::from_fn_with_state(local_names, guard))
        .layer(middleware::from_fn_with_state(metrics, observe))
}

/// Serves until `shutdown` is done, then lets answers end for as long as the configuration says; streams end at once.
pub async fn serve(
    listener: TcpListener,
    control: Control,
    config: ApiConfig,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), ServeError> {
    check_exposure(listener.local_addr().map_err(ServeError::Listener)?, &config)?;
    let tls = config.tls.as_ref().map(tls::acceptor).transpose()?;
    let stopping = CancellationToken::new();
    let state = AppState::new(control, stopping.clone());
    let metrics = state.metrics.clone();
    let router = assemble(state, &config);
    let graceful = GracefulShutdown::new();
    let slots = Arc::new(Semaphore::new(config.max_connections.clamp(1, Semaphore::MAX_PERMITS)));

    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let next = async {
            let slot = slots.clone().acquire_owned().await;
            (slot, listener.accept().await)
        };
        let (slot, accepted) = tokio::select! {
            next = next => next,
            () = &mut shutdown => break,
        };
        match accepted {
            Ok((stream, _)) => {
                let (tls, router, watcher, metrics) =
                    (tls.clone(), router.clone(), graceful.watcher(), metrics.clone());
                tokio::spawn(async move {
                    let _slot = slot;
                    connection(stream, tls, router, watcher, &metrics).await;
                });
            }
            // Too many open files, or a peer that left before it was accepted: neither ends the server.
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    drop(listener);
    stopping.cancel();
    if tokio::time::timeout(config.shutdown, graceful.shutdown()).await.is_err() {
        tracing::warn!("connections were still open when the time for a stop was over");
    }
    Ok(())
}

async fn connection(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    router: Router,
    watcher: hyper_util::server::graceful::Watcher,
    metrics: &HttpMetrics,
) {
    let _ = stream.set_nodelay(true);
    metrics.connections.inc();
    match tls {
        None => speak(stream, router, watcher).await,
        Some(tls) => match tokio::time::timeout(HEAD_LIMIT, tls.accept(stream)).await {
            Ok(Ok(stream)) => speak(stream, router, watcher).await,
            Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
            Err(_) => tracing::debug!("a TLS handshake took too long"),
        },
    }
    metrics.connections.dec();
}

async fn speak<S>(stream: S, router: Router, watcher: hyper_util::server::graceful::Watcher)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_LIMIT).max_buf_size(MAX_HEAD);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(MAX_HEAD as u32)
        .keep_alive_interval(Duration::from_secs(30));
    let connection = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    if let Err(error) = watcher.watch(connection.into_owned()).await {
        tracing::debug!(%error, "a connection ended early");
    }
}
