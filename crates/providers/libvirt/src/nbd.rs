//! What QEMU and `qemu-nbd` serve, as disks.

use std::{sync::Arc, time::Duration};

use novacron_provider::{BlockReader, BlockWriter, ErrorKind, ExtentPage, ProviderError, Result};
use novacron_transfer::nbd::{NbdAddress, NbdOptions, NbdReader, NbdWriter};
use tokio::time::Instant;

use crate::xml::Server;

/// How often a server that is just coming up is tried.
const RETRY: Duration = Duration::from_millis(20);

fn address(server: &Server, export: &str) -> NbdAddress {
    match server {
        Server::Unix { path } => NbdAddress::unix(path, export),
        Server::Tcp { host, port } => {
            let host = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
            NbdAddress::Tcp { host, export: export.to_owned() }
        }
    }
}

/// Opens an export for reading.
pub async fn reader(server: &Server, export: &str) -> Result<Arc<dyn BlockReader>> {
    let reader = NbdReader::connect(address(server, export), NbdOptions::default()).await.map_err(allowed)?;
    Ok(Arc::new(reader))
}

/// What a dirty bitmap of an export says has changed, from `from` on.
pub async fn changed(server: &Server, export: &str, bitmap: &str, from: u64) -> Result<ExtentPage> {
    let bitmap = Some(format!("qemu:dirty-bitmap:{bitmap}"));
    let options = NbdOptions { connections: 1, bitmap };
    NbdReader::connect(address(server, export), options).await.map_err(allowed)?.dirty(from).await
}

/// Opens the one export of a server that is just coming up, for writing.
pub async fn writer(server: &Server, starts_zeroed: bool, limit: Duration) -> Result<Arc<dyn BlockWriter>> {
    let deadline = Instant::now() + limit;
    loop {
        match NbdWriter::connect(address(server, ""), NbdOptions::default(), starts_zeroed).await {
            Ok(writer) => return Ok(Arc::new(writer)),
            Err(error) if error.kind.is_transient() && Instant::now() < deadline => tokio::time::sleep(RETRY).await,
            Err(error) => return Err(allowed(error)),
        }
    }
}

/// The client says of all sockets that can't be opened that they can't be reached.
fn allowed(error: ProviderError) -> ProviderError {
    if !error.message.contains("Permission denied") {
        return error;
    }
    ProviderError { kind: ErrorKind::Unauthorised, ..error }
        .advice("Run the mover as root, or as a user in the group that QEMU runs as (Debian and Ubuntu: kvm).")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let tcp = |host: &str| Server::Tcp { host: host.to_owned(), port: 10809 };
        assert_eq!(address(&tcp("198.18.0.1"), "vda").to_string(), "nbd://198.18.0.1:10809/vda");
        assert_eq!(address(&tcp("fd00::1"), "vda").to_string(), "nbd://[fd00::1]:10809/vda");
        let unix = Server::Unix { path: "/run/x.sock".to_owned() };
        assert_eq!(address(&unix, "vda").to_string(), "nbd+unix:///vda?socket=/run/x.sock");
    }
}
