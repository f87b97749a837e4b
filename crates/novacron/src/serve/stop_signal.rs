//! When to stop: ctrl-C or SIGTERM.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Returns at ctrl-C, SIGTERM or a closed terminal.
pub async fn asked() {
    tokio::select! {
        () = wait(SignalKind::interrupt()) => {}
        () = wait(SignalKind::terminate()) => {}
        () = wait(SignalKind::hangup()) => {}
    }
}

/// Returns at SIGTERM; ctrl-C is taken and does nothing.
pub async fn terminated() {
    tokio::select! {
        () = wait(SignalKind::terminate()) => {}
        () = ignore(SignalKind::interrupt()) => {}
        () = ignore(SignalKind::hangup()) => {}
    }
}

async fn wait(kind: SignalKind) {
    match signal(kind) {
        Ok(mut signal) => drop(signal.recv().await),
        Err(error) => never(&error).await,
    }
}

async fn ignore(kind: SignalKind) {
    let forever = async |mut signal: Signal| while signal.recv().await.is_some() {};
    match signal(kind) {
        Ok(signal) => {
            forever(signal).await;
            std::future::pending().await
        }
        Err(error) => never(&error).await,
    }
}

async fn never(error: &std::io::Error) {
    tracing::warn!(%error, "a signal can't be waited for");
    std::future::pending().await
}
