//! The mover's side: connections, and what all its jobs share.

use std::{
    collections::HashMap,
    io,
    os::unix::fs::{DirBuilderExt, FileTypeExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, Weak},
    time::{Duration, SystemTime},
};

use novacron_provider::{
    Provider, ProviderDefinition, ProviderError, Registry, Wrapped,
    retry::{Retry, RetryPolicy},
};
use tokio::{
    net::{UnixListener, UnixStream},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use super::{
    FromMover, JobFault, ToMover, WireDefinition, frame, job,
    ledgers::{LOOK, ledger_path, sweep},
};
use crate::budget::Budget;

/// How long jobs may take to make safe what they moved, when the mover is told to stop.
const FAREWELL: Duration = Duration::from_secs(30);
/// A connection has to say what it wants within this.
const FIRST_FRAME: Duration = Duration::from_secs(10);
/// Providers that are kept connected.
const PROVIDERS: usize = 64;

#[derive(Debug, Clone)]
pub struct MoverConfig {
    /// Where ledgers are kept: `<data directory>/ledgers`.
    pub ledgers: PathBuf,
    /// Bytes in flight over all jobs.
    pub memory_bytes: u64,
    /// Connections at once.
    pub connections: usize,
}

impl MoverConfig {
    pub fn new(ledgers: impl Into<PathBuf>) -> Self {
        Self { ledgers: ledgers.into(), memory_bytes: 64 << 20, connections: 256 }
    }
}

/// Makes the socket, in a directory that only this user may enter; replaces one that a dead mover left behind.
pub fn bind(path: &Path) -> io::Result<UnixListener> {
    if let Some(parent) = path.parent() {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
    }
    match std::fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => {
            if std::os::unix::net::UnixStream::connect(path).is_ok() {
                return Err(io::Error::new(io::ErrorKind::AddrInUse, "another mover listens there"));
            }
            std::fs::remove_file(path)?;
        }
        Ok(_) => return Err(io::Error::new(io::ErrorKind::AlreadyExists, "there is something that is no socket")),
        Err(_) => {}
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Serves until `stop` is cancelled; then the jobs that run are stopped, with what they moved in their ledgers.
pub async fn serve(
    listener: UnixListener,
    registry: Registry,
    config: MoverConfig,
    stop: CancellationToken,
) -> io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&config.ledgers)?;
    let most = config.connections;
    let shared = Arc::new(Shared {
        registry,
        budget: Arc::new(Budget::new(config.memory_bytes)),
        ledgers: config.ledgers,
        providers: Mutex::default(),
        turns: Mutex::default(),
        stop: stop.clone(),
    });
    let own = rustix::process::geteuid().as_raw();
    let mut connections = JoinSet::new();
    let mut days = tokio::time::interval(LOOK);
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            _ = days.tick() => {
                let ledgers = shared.ledgers.clone();
                tokio::task::spawn_blocking(move || match sweep(&ledgers, SystemTime::now()) {
                    Ok(0) => {}
                    Ok(removed) => tracing::info!(removed, "ledgers that nobody asked for any more were removed"),
                    Err(error) => tracing::warn!(%error, "old ledgers can't be removed"),
                });
            }
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            accepted = listener.accept(), if connections.len() < most => match accepted {
                Ok((stream, _)) => match stream.peer_cred() {
                    Ok(peer) if peer.uid() == own || peer.uid() == 0 => {
                        connections.spawn(talk(stream, shared.clone()));
                    }
                    _ => tracing::warn!("a connection from another user was refused"),
                },
                Err(error) => {
                    tracing::warn!(%error, "can't take a connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            },
        }
    }
    let _ = tokio::time::timeout(FAREWELL, async { while connections.join_next().await.is_some() {} }).await;
    Ok(())
}

/// What the jobs of a mover have in common.
pub(super) struct Shared {
    registry: Registry,
    pub budget: Arc<Budget>,
    pub ledgers: PathBuf,
    providers: Mutex<Vec<(ProviderDefinition, Arc<dyn Provider>)>>,
    turns: Mutex<HashMap<String, Weak<tokio::sync::Mutex<()>>>>,
    pub stop: CancellationToken,
}

impl Shared {
    /// The provider of a definition, made once.
    pub async fn provider(&self, definition: &WireDefinition) -> Result<Arc<dyn Provider>, ProviderError> {
        let definition = ProviderDefinition::from(definition.clone());
        let found = |providers: &[(ProviderDefinition, Arc<dyn Provider>)]| {
            providers.iter().find(|(known, _)| *known == definition).map(|(_, provider)| provider.clone())
        };
        if let Some(provider) = found(&lock(&self.providers)) {
            return Ok(provider);
        }
        let provider = self.registry.build(definition.clone()).await?;
        let provider: Arc<dyn Provider> = Arc::new(Wrapped::new(provider, Retry::new(RetryPolicy::default())));
        let mut providers = lock(&self.providers);
        if let Some(provider) = found(&providers) {
            return Ok(provider);
        }
        if providers.len() >= PROVIDERS {
            providers.remove(0);
        }
        providers.push((definition, provider.clone()));
        Ok(provider)
    }

    /// Jobs with the same ledger take turns: one whose connection was lost may still be ending.
    pub fn turn(&self, ledger_key: &str) -> Arc<tokio::sync::Mutex<()>> {
        let mut turns = lock(&self.turns);
        turns.retain(|_, turn| turn.strong_count() > 0);
        if let Some(turn) = turns.get(ledger_key).and_then(Weak::upgrade) {
            return turn;
        }
        let turn = Arc::<tokio::sync::Mutex<()>>::default();
        turns.insert(ledger_key.to_owned(), Arc::downgrade(&turn));
        turn
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

async fn talk(mut stream: UnixStream, shared: Arc<Shared>) {
    let first = tokio::time::timeout(FIRST_FRAME, frame::read::<ToMover>(&mut stream)).await;
    let answer = match first {
        Ok(Ok(Some(ToMover::Start(spec)))) => return job::run(stream, *spec, shared).await,
        Ok(Ok(Some(ToMover::Forget { ledger_key }))) => forget(&shared, &ledger_key),
        Ok(Ok(Some(ToMover::Ping))) => FromMover::Pong { version: env!("CARGO_PKG_VERSION").into() },
        Ok(Ok(Some(_))) => FromMover::Failed(JobFault::new("invalid", "there is no job on this connection")),
        Ok(Err(error)) => FromMover::Failed(JobFault::new("invalid", error.to_string())),
        Ok(Ok(None)) | Err(_) => return,
    };
    let _ = frame::write(&mut stream, &answer).await;
}

fn forget(shared: &Shared, ledger_key: &str) -> FromMover {
    match std::fs::remove_file(ledger_path(&shared.ledgers, ledger_key)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            FromMover::Failed(JobFault::new("ledger", format!("can't remove the ledger: {error}")))
        }
        _ => FromMover::Forgotten,
    }
}
