//! A control plane over two providers in memory, a store in a folder of its own, and a mover that copies within the process.
#![allow(dead_code, clippy::unwrap_used)]

use std::sync::Arc;

use async_trait::async_trait;
use novacron_control::{Control, ControlSettings, DiskJob, DiskMover, DiskResult, EngineConfig};
use novacron_provider::{
    BuildFuture, KeyInfo, Provider, ProviderDefinition, ProviderError, ProviderFactory, Registry, Written,
    memory::{MemoryCloud, MemoryOptions, MemoryProvider},
};
use novacron_store::Store;
use novacron_types::{
    ContentRoot, InstanceId, MIB, ProviderKind, ProviderName, TransferOptions, TransferStats, VerifyLevel, VmSpec,
};
use tokio::sync::{Semaphore, watch};

pub struct World {
    pub control: Control,
    pub cloud: MemoryProvider,
    pub local: MemoryProvider,
    pub instances: Vec<InstanceId>,
    /// Each disk that is moved takes one; without any the mover waits.
    pub permits: Arc<Semaphore>,
    dir: tempfile::TempDir,
}

pub async fn world(machines: usize, permits: usize) -> World {
    world_with(machines, permits, 0).await
}

/// One whose machines change their state after so many questions.
pub async fn world_with(machines: usize, permits: usize, settle_after: u32) -> World {
    let options = |region: &str| MemoryOptions {
        region: region.to_owned(),
        page_size: 4,
        settle_after,
        ..MemoryOptions::default()
    };
    // Two regions of one vendor, between which `migrate` goes by image.
    let vendor = MemoryCloud::default();
    let cloud = MemoryProvider::in_cloud(&vendor, "cloud", options("east"));
    let local = MemoryProvider::in_cloud(&vendor, "local", options("here"));
    let bytes: Vec<u8> = (0..MIB as usize + 5000).map(|i| (i * 31 % 251) as u8).collect();
    let spec = VmSpec { vcpus: Some(2), ..VmSpec::default() };
    let instances = (0..machines).map(|n| cloud.seed_instance(&format!("web-{n}"), spec.clone(), &[&bytes])).collect();
    let providers = vec![cloud.clone(), local.clone()];
    let definitions = providers
        .iter()
        .map(|provider| ProviderDefinition {
            name: provider.identity().name.clone(),
            kind: ProviderKind::Memory,
            settings: serde_json::json!({}),
        })
        .collect();
    let permits = Arc::new(Semaphore::new(permits));
    let settings = ControlSettings {
        providers: definitions,
        local: ProviderName::new("local").unwrap(),
        defaults: TransferOptions::default(),
        grace: std::time::Duration::ZERO,
        engine: EngineConfig { poll: std::time::Duration::from_millis(50), ..EngineConfig::default() },
    };
    let dir = tempfile::tempdir().unwrap();
    let store = format!("sqlite://{}/placements.db", dir.path().display());
    let control = Control::start(
        settings,
        &Registry::default().with(Clones(providers.clone())),
        Store::open(&store).await.unwrap(),
        Arc::new(PlainMover { providers, permits: permits.clone() }),
    )
    .await
    .unwrap();
    World { control, cloud, local, instances, permits, dir }
}

struct Clones(Vec<MemoryProvider>);

impl ProviderFactory for Clones {
    fn kind(&self) -> ProviderKind {
        ProviderKind::Memory
    }
    fn keys(&self) -> &'static [KeyInfo] {
        &[]
    }
    fn build(&self, definition: ProviderDefinition) -> BuildFuture {
        let provider = self.0.iter().find(|provider| provider.identity().name == definition.name).cloned();
        Box::pin(async move { Ok(Arc::new(provider.unwrap()) as Arc<dyn Provider>) })
    }
}

struct PlainMover {
    providers: Vec<MemoryProvider>,
    permits: Arc<Semaphore>,
}

#[async_trait]
impl DiskMover for PlainMover {
    async fn run(
        &self,
        job: DiskJob,
        progress: watch::Sender<TransferStats>,
        _rate: watch::Receiver<Option<u64>>,
    ) -> Result<DiskResult, ProviderError> {
        self.permits.acquire().await.unwrap().forget();
        let provider =
            |name: &ProviderName| self.providers.iter().find(|provider| provider.identity().name == *name).unwrap();
        let source = provider(&job.source.name).disk_source().unwrap().open_reader(&job.snapshot).await?;
        let target = provider(&job.target.name).disk_sink().unwrap().open_writer(&job.disk).await?;
        let (mut before, mut after) = (blake3::Hasher::new(), blake3::Hasher::new());
        let mut stats = TransferStats { bytes_total: source.size(), ..TransferStats::default() };
        for offset in (0..source.size()).step_by(MIB as usize) {
            let len = (source.size() - offset).min(MIB) as usize;
            let buf = source.read(offset, novacron_provider::Buf::zeroed(len)).await?;
            before.update(&buf);
            let buf = target.write(offset, buf).await?;
            after.update(&target.read_back(offset, buf).await?);
            stats.bytes_done += len as u64;
            progress.send_replace(stats.clone());
        }
        target.flush().await?;
        let root = |hasher: blake3::Hasher| ContentRoot(*hasher.finalize().as_bytes());
        Ok(DiskResult {
            source_root: root(before),
            target_root: root(after),
            verified: VerifyLevel::Stored,
            method: "read back".to_owned(),
            written: Written { blocks: source.size().div_ceil(target.granularity()) },
            stats,
        })
    }
    async fn forget(&self, _key: &str) -> Result<(), ProviderError> {
        Ok(())
    }
    async fn is_alive(&self) -> bool {
        true
    }
}
