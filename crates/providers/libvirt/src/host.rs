//! The connection to a host: opened when first needed, kept, and opened again when it is dead.

use std::{
    sync::{Arc, Mutex, Once, PoisonError},
    time::Duration,
};

use novacron_provider::{ErrorKind, ProviderError, Result};
use virt::{connect::Connect, event};

use crate::fault::{fault, unavailable};

/// libvirt may start a daemon, and that probe every QEMU on the host, before it answers.
const OPEN_LIMIT: Duration = Duration::from_secs(45);
/// libvirt gives up on a domain that is busy after 30 seconds.
const CALL_LIMIT: Duration = Duration::from_secs(180);
/// A remote host that has not answered for this many seconds, this many times, is gone.
const KEEPALIVE: (i32, u32) = (5, 6);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    Read,
    Write,
}

/// A host by its address. Calls run on threads for blocking work, each bounded by a limit.
pub struct Host {
    uri: String,
    read: Slot,
    write: Slot,
}

type Slot = Arc<Mutex<Option<Arc<Open>>>>;

struct Open(Connect);

impl Drop for Open {
    fn drop(&mut self) {
        if let Err(error) = self.0.close() {
            tracing::debug!(%error, "closing a connection to libvirt");
        }
    }
}

impl Host {
    pub fn new(uri: &str) -> Self {
        // It would print every error to the terminal.
        virt::error::clear_error_callback();
        Self { uri: quiet(uri), read: Slot::default(), write: Slot::default() }
    }

    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// The host's name in the address; absent for this very host.
    pub fn remote_name(&self) -> Option<&str> {
        remote_name(&self.uri)
    }

    /// An emulation by libvirt's own driver for tests.
    pub fn is_mock(&self) -> bool {
        self.uri.starts_with("test:")
    }

    /// Runs `work` with a connection. Work that failed because the connection was dead is run once more with a
    /// new one, so it must be safe to repeat.
    pub async fn run<T: Send + 'static>(
        &self,
        access: Access,
        operation: &'static str,
        work: impl Fn(&Connect) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let slot = match access {
            Access::Read => self.read.clone(),
            Access::Write => self.write.clone(),
        };
        let uri = self.uri.clone();
        let open_first = lock(&slot).is_none();
        let limit = CALL_LIMIT + if open_first { OPEN_LIMIT } else { Duration::ZERO };
        let done = tokio::task::spawn_blocking(move || {
            let connection = connection(&slot, &uri, access)?;
            let error = match work(&connection.0) {
                Err(error) if !connection.0.is_alive().unwrap_or(false) => error,
                result => return result,
            };
            tracing::debug!(uri, %error, "the connection to libvirt is dead; opening another");
            forget(&slot, &connection);
            drop(connection);
            work(&self::connection(&slot, &uri, access)?.0)
        });
        match tokio::time::timeout(limit, done).await {
            Ok(Ok(result)) => result,
            Ok(Err(error)) => Err(unavailable(operation, format!("a worker thread ended early: {error}"))),
            Err(_) => Err(unavailable(operation, format!("libvirt gave no answer in {} s", limit.as_secs()))),
        }
    }
}

fn lock(slot: &Slot) -> std::sync::MutexGuard<'_, Option<Arc<Open>>> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}

fn forget(slot: &Slot, dead: &Arc<Open>) {
    let mut kept = lock(slot);
    if kept.as_ref().is_some_and(|kept| Arc::ptr_eq(kept, dead)) {
        *kept = None;
    }
}

/// The kept connection, or a new one. Several threads may open one each at the same time; the last is kept.
fn connection(slot: &Slot, uri: &str, access: Access) -> Result<Arc<Open>> {
    if let Some(open) = lock(slot).as_ref() {
        return Ok(open.clone());
    }
    let remote = remote_name(uri).is_some();
    if remote {
        run_events();
    }
    let (call, opened) = match access {
        Access::Read => ("virConnectOpenReadOnly", Connect::open_read_only(Some(uri))),
        Access::Write => ("virConnectOpen", Connect::open(Some(uri))),
    };
    let open = Arc::new(Open(opened.map_err(fault(call)).map_err(|error| reachable(uri, error))?));
    if remote && let Err(error) = open.0.set_keep_alive(KEEPALIVE.0, KEEPALIVE.1) {
        tracing::debug!(uri, %error, "the host does not support keep-alive");
    }
    *lock(slot) = Some(open.clone());
    Ok(open)
}

/// What went wrong while a connection was opened may be over later, but for a lack of rights.
fn reachable(uri: &str, mut error: ProviderError) -> ProviderError {
    if !matches!(error.kind, ErrorKind::Unauthorised | ErrorKind::Invalid) {
        error.kind = ErrorKind::Unavailable;
    }
    error.message = format!("{uri}: {}", error.message);
    error
}

/// Keep-alive messages are sent and read by libvirt's event loop, of which a process has one.
fn run_events() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if let Err(error) = event::event_register_default_impl() {
            tracing::warn!(%error, "libvirt's event loop can't be used; dead connections are noticed late");
            return;
        }
        let events = || while event::event_run_default_impl().is_ok() {};
        if let Err(error) = std::thread::Builder::new().name("libvirt-events".to_owned()).spawn(events) {
            tracing::warn!(%error, "libvirt's event loop has no thread; dead connections are noticed late");
        }
    });
}

fn remote_name(uri: &str) -> Option<&str> {
    let rest = uri.split_once("://")?.1;
    let authority = rest.split(['/', '?']).next()?;
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let host = match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next()?,
        None => host.split(':').next()?,
    };
    (!host.is_empty()).then_some(host)
}

/// A service has no terminal at which ssh could ask for a password.
fn quiet(uri: &str) -> String {
    let scheme = uri.split("://").next().unwrap_or_default();
    if !scheme.contains("+ssh") || uri.contains("no_tty=") {
        return uri.to_owned();
    }
    format!("{uri}{}no_tty=1", if uri.contains('?') { '&' } else { '?' })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_other_hosts() {
        for (uri, host) in [
            ("qemu:///system", None),
            ("qemu+unix:///system?socket=/run/x", None),
            ("test:///default", None),
            ("qemu+tcp://198.18.0.1/system", Some("198.18.0.1")),
            ("qemu+ssh://root@kvm7:22/system?no_tty=1", Some("kvm7")),
            ("qemu+tls://[fd00::1]:16514/system", Some("fd00::1")),
        ] {
            assert_eq!(remote_name(uri), host, "{uri}");
        }
        assert_eq!(quiet("qemu+ssh://a/system"), "qemu+ssh://a/system?no_tty=1");
        assert_eq!(quiet("qemu+ssh://a/system?x=1"), "qemu+ssh://a/system?x=1&no_tty=1");
        assert_eq!(quiet("qemu:///system"), "qemu:///system");
    }

    #[tokio::test]
    async fn a_host_that_is_not_there() {
        let host = Host::new("qemu+unix:///system?socket=/nonexistent/libvirt-sock");
        let error = host.run(Access::Read, "health", |_| Ok(())).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unavailable, "{error}");
        assert!(error.advice.unwrap().contains("libvirt-daemon-system"));
    }
}
