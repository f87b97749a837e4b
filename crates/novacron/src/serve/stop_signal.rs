//! When to stop: ctrl-C or SIGTERM.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Listens from when it is made: a signal that comes before anyone waits is not lost, and does not kill.
pub struct StopSignals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl StopSignals {
    pub fn listen() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Returns at the next ctrl-C, SIGTERM or closed terminal.
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hangup.recv() => {}
        }
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
