//! An AWS in a box. One HTTP server on loopback that speaks the vendor's own wire protocols: EC2 Query, EBS
//! direct, STS and CloudWatch, with signatures verified and real disk blocks behind the volumes and snapshots.
//! The vendor's own clients (boto3, the Rust SDK) drive it unchanged; they are given its address and its key.
//!
//! Beside AWS it serves the price lists of Azure, Google and Oracle, see the `prices` module.
//!
//! It is an emulation and says so: every answer carries the header `x-novacron-sandbox: true`. No guest runs in
//! its instances, no metric is invented, and states change by the clock ([`Latency`]). What can go wrong at the
//! real thing can be made to go wrong here: [`Throttle`], [`Fault`].
//!
//! ```no_run
//! # async fn example() -> Result<(), novacron_sandbox::SandboxError> {
//! use novacron_sandbox::{DiskSeed, InstanceSeed, Sandbox, SandboxConfig};
//!
//! let sandbox = Sandbox::start(SandboxConfig::default()).await?;
//! let web = InstanceSeed { disks: vec![DiskSeed::image("/tmp/web.raw")], ..InstanceSeed::named("web") };
//! let id = sandbox.seed_instance("us-east-1", web).await?;
//! println!("{id} at {}, key {}", sandbox.endpoint(), sandbox.credentials().access_key);
//! sandbox.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! Beside the vendor's protocols the port serves `/_sandbox/…`, see the `admin` module: faults, counts of what
//! exists, and the bytes of volumes.
//!
//! Where it is more lenient than the real thing: any key pair and instance profile may be named (neither service
//! is here), and a metric's data points are kept at the resolution they came in.

mod admin;
mod auth;
mod blocks;
mod clock;
mod cloudwatch;
mod config;
mod core;
mod ebs;
mod ec2;
mod error;
mod faults;
mod identity;
mod model;
mod params;
mod pattern;
mod prices;
mod reply;
mod seed;
mod server;
mod sigv4;
mod sts;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod throttle;
mod volume_io;
mod xml;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use novacron_catalog::Pricing;
use novacron_types::ProviderKind;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use blocks::BLOCK;
pub use config::{Credentials, Identity, Latency, Rate, SandboxConfig, Throttle};
pub use faults::{Effect, Fault, FaultStatus};
pub use model::Counts;
pub use prices::{PriceDrift, PriceFault};
pub use seed::{DiskSeed, InstanceSeed, SeedState, Source};

use crate::core::Core;

/// Why the sandbox could not do what its owner asked.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    #[error("the sandbox listens on loopback only, not on {0}")]
    NotLoopback(SocketAddr),
    #[error("cannot listen on {address}: {source}")]
    Listen { address: SocketAddr, source: io::Error },
    #[error("cannot use the data directory: {0}")]
    DataDir(#[source] io::Error),
    #[error("cannot read the disk image {path}: {source}")]
    Image { path: String, source: io::Error },
    #[error("disk data could not be read or written: {0}")]
    Disk(#[from] io::Error),
    #[error("the sandbox has no {0}")]
    NotFound(String),
    #[error("{0}")]
    Invalid(String),
}

/// A running sandbox. Dropping it stops the server and removes its temporary directory.
#[derive(Debug)]
pub struct Sandbox {
    core: Arc<Core>,
    address: SocketAddr,
    stop: watch::Sender<bool>,
    server: Option<JoinHandle<()>>,
}

impl Sandbox {
    /// Starts to listen, and serves until [`Sandbox::shutdown`] or drop.
    pub async fn start(config: SandboxConfig) -> Result<Self, SandboxError> {
        if !config.listen.ip().is_loopback() {
            return Err(SandboxError::NotLoopback(config.listen));
        }
        let wanted = config.listen;
        let listen_error = |source| SandboxError::Listen { address: wanted, source };
        let listener = tokio::net::TcpListener::bind(wanted).await.map_err(listen_error)?;
        let address = listener.local_addr().map_err(listen_error)?;
        let core = Arc::new(Core::new(config).map_err(SandboxError::DataDir)?);
        let (stop, stopped) = watch::channel(false);
        let server = tokio::spawn(server::run(listener, Arc::clone(&core), stopped));
        Ok(Self { core, address, stop, server: Some(server) })
    }

    /// The URL to give to the vendor's clients as their endpoint, for every service.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The directory of the blocks, which goes with the sandbox.
    pub fn data_dir(&self) -> std::path::PathBuf {
        self.core.dir.path().to_owned()
    }

    /// The key that may do everything.
    pub fn credentials(&self) -> Credentials {
        self.core.identities.root().clone()
    }

    /// How much of everything there is now, over all regions.
    pub fn counts(&self) -> Counts {
        self.core.counts()
    }

    /// Puts a fault in force; its number can be given to [`Sandbox::remove_fault`].
    pub fn inject(&self, fault: Fault) -> u64 {
        self.core.faults().add(fault)
    }

    pub fn remove_fault(&self, id: u64) -> bool {
        self.core.faults().remove(id)
    }

    pub fn clear_faults(&self) {
        self.core.faults().clear();
    }

    /// The faults in force, and how often each has happened.
    pub fn faults(&self) -> Vec<FaultStatus> {
        self.core.faults().status()
    }

    /// Sets new limits; the buckets start full.
    pub fn set_throttle(&self, limits: Throttle) {
        self.core.buckets().set(limits);
    }

    /// Moves some of the prices that the price lists state away from the catalog's.
    pub fn set_price_drift(&self, drift: PriceDrift) {
        self.core.prices_mut().drift = drift;
    }

    /// The most rows on a page of a price list.
    pub fn set_price_page(&self, rows: usize) {
        self.core.prices_mut().page = rows.max(1);
    }

    /// What the price lists state for an hour of a machine, in 10⁻⁹ USD.
    pub fn price(&self, kind: ProviderKind, region: &str, ty: &str, pricing: Pricing) -> Option<u64> {
        self.core.prices().price(kind, region, ty, pricing)
    }

    /// Moves the clock by which states change and tokens expire. Signatures go by the machine's own clock.
    pub fn advance_clock(&self, by: Duration) {
        self.core.clock.advance(by);
    }

    /// Answers one request of the vendor's protocols as the server would, but without a connection: for tests that
    /// send many requests, and such as no client would send. Absent where a fault drops the connection or cuts the
    /// answer short. What is under `/_sandbox/` is not answered here.
    pub async fn answer(&self, request: http::Request<Bytes>) -> Option<http::Response<Bytes>> {
        let request = request.map(http_body_util::Full::new);
        let (parts, body) = server::respond(&self.core, request).await.ok()?.into_parts();
        let body = body.collect().await.ok()?.to_bytes();
        Some(http::Response::from_parts(parts, body))
    }

    /// Stops the server: no new connections, and open ones are closed after the request that they are in,
    /// or after two seconds.
    pub async fn shutdown(mut self) {
        let _ = self.stop.send(true);
        if let Some(server) = self.server.take() {
            let _ = server.await;
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let _ = self.stop.send(true);
        if let Some(server) = self.server.take() {
            server.abort();
        }
    }
}
