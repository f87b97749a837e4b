//! NovaCron's provider for Amazon EC2 and EBS.
//!
//! Machines are EC2's. Disk bytes go through the EBS direct APIs, without a machine in between: a disk is read from
//! a snapshot, block by block, and written into one that an image is then registered from.
//!
//! ```text
//! instance ─ CreateSnapshots ─► snapshots ─ ListSnapshotBlocks, GetSnapshotBlock ─► bytes
//! bytes ─ StartSnapshot, PutSnapshotBlock, CompleteSnapshot ─► snapshot ─ RegisterImage, RunInstances ─► instance
//! ```
//!
//! Everything that is made carries the operation's tag from the request that makes it, so that a repeated call finds
//! it, and a sweep removes it. Where EC2 has client tokens, they are made from the same tag.

mod boot;
mod capability;
mod client;
mod create;
mod digest;
mod error;
mod filters;
mod images;
mod instance;
mod metrics;
mod network;
mod pace;
mod prices;
mod provider;
mod reader;
mod settings;
mod sink;
mod sizes;
mod snapshots;
mod source;
mod sweep;
mod tags;
mod wait;
mod writer;

use std::sync::Arc;

use novacron_provider::{BuildFuture, Identity, KeyInfo, Provider, ProviderDefinition, ProviderFactory, Realm, Result};
use novacron_types::{ProviderKind, ProviderName};

pub use prices::{Product, Reading, Volume, price_source, read_product, read_volume};

use client::Clients;
use pace::Pace;
use settings::Settings;
use sizes::Sizes;

/// Makes providers of kind `aws`.
pub fn factory() -> impl ProviderFactory {
    Factory
}

struct Factory;

impl ProviderFactory for Factory {
    fn kind(&self) -> ProviderKind {
        ProviderKind::Aws
    }

    fn keys(&self) -> &'static [KeyInfo] {
        settings::KEYS
    }

    fn build(&self, definition: ProviderDefinition) -> BuildFuture {
        Box::pin(async move {
            let provider = AwsProvider::new(definition.name, Settings::parse(&definition.settings)?).await?;
            Ok(Arc::new(provider) as Arc<dyn Provider>)
        })
    }
}

/// A region of an account. Clones share everything.
#[derive(Clone)]
pub(crate) struct AwsProvider {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    identity: Identity,
    settings: Settings,
    clients: Clients,
    realm: tokio::sync::OnceCell<Realm>,
    sizes: Sizes,
    read_pace: Pace,
    write_pace: Pace,
}

impl std::ops::Deref for AwsProvider {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.inner
    }
}

/// Amazon's quota for GetSnapshotBlock and for PutSnapshotBlock, each, in most regions.
const BLOCK_REQUESTS_PER_SECOND: f64 = 1000.0;

impl AwsProvider {
    async fn new(name: ProviderName, settings: Settings) -> Result<Self> {
        let clients = Clients::new(&settings).await?;
        let rate = settings.ebs_requests_per_second.unwrap_or(BLOCK_REQUESTS_PER_SECOND);
        let identity = Identity {
            name,
            kind: ProviderKind::Aws,
            region: Some(clients.region.clone()),
            runs_guests: true,
            emulated: settings.is_custom(),
        };
        let inner = Inner {
            identity,
            settings,
            clients,
            realm: tokio::sync::OnceCell::new(),
            sizes: Sizes::default(),
            read_pace: Pace::new(rate),
            write_pace: Pace::new(rate),
        };
        Ok(Self { inner: Arc::new(inner) })
    }
}
