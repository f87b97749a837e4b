//! A control plane over two providers in memory, a store in a folder of its own, and a mover that copies within the process.
#![allow(dead_code, clippy::unwrap_used)]

pub mod http;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use novacron_catalog::{Catalog, EMBEDDED, HALF, HostCost, LocalHost};
use novacron_control::{
    Control, ControlSettings, DiskJob, DiskMover, DiskResult, EngineConfig, HostSettings, MoverFault, PlacingSettings,
};
use novacron_provider::{
    BuildFuture, ErrorKind, KeyInfo, Provider, ProviderDefinition, ProviderFactory, Registry, Wrapped, Written,
    chaos::{Chaos, Fault, Rule, When},
    memory::{MemoryCloud, MemoryOptions, MemoryProvider},
};
use novacron_store::Store;
use novacron_types::{
    Architecture, ContentRoot, GIB, InstanceId, MIB, Money, ProviderKind, ProviderName, TransferOptions, TransferStats,
    VerifyLevel, VmSpec,
};
use tokio::sync::{Semaphore, watch};

pub struct World {
    pub control: Control,
    pub cloud: MemoryProvider,
    pub local: MemoryProvider,
    pub instances: Vec<InstanceId>,
    /// Each disk that is moved takes one; without any the mover waits.
    pub permits: Arc<Semaphore>,
    pub store: Store,
    providers: Vec<MemoryProvider>,
    dir: tempfile::TempDir,
}

/// What a world is like, beside its machines.
#[derive(Default)]
pub struct Shape {
    /// How many disks may be moved.
    pub permits: usize,
    /// Machines change their state after so many questions.
    pub settle_after: u32,
    /// The cloud is configured once more, by this name.
    pub again: Option<&'static str>,
    /// The credentials at `local` are wrong.
    pub refused: bool,
}

pub async fn world(machines: usize, permits: usize) -> World {
    Shape { permits, ..Shape::default() }.world(machines).await
}

impl Shape {
    pub async fn world(self, machines: usize) -> World {
        let Self { permits, settle_after, again, refused } = self;
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
        let instances =
            (0..machines).map(|n| cloud.seed_instance(&format!("web-{n}"), spec.clone(), &[&bytes])).collect();
        let mut providers = vec![cloud.clone(), local.clone()];
        providers.extend(again.map(|name| MemoryProvider::in_cloud(&vendor, name, options("east"))));
        let permits = Arc::new(Semaphore::new(permits));
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&format!("sqlite://{}/placements.db", dir.path().display())).await.unwrap();
        let control = control(&providers, &permits, store.clone(), None, refused).await;
        World { control, cloud, local, instances, permits, store, providers, dir }
    }
}

async fn control(
    providers: &[MemoryProvider],
    permits: &Arc<Semaphore>,
    store: Store,
    retention: Option<Duration>,
    refused: bool,
) -> Control {
    let definition = |provider: &MemoryProvider| ProviderDefinition {
        name: provider.identity().name.clone(),
        kind: ProviderKind::Memory,
        settings: serde_json::json!({}),
    };
    let settings = ControlSettings {
        providers: providers.iter().map(definition).collect(),
        local: ProviderName::new("local").unwrap(),
        defaults: TransferOptions::default(),
        grace: Duration::ZERO,
        retention,
        placing: placing(),
        engine: EngineConfig { poll: Duration::from_millis(50), ..EngineConfig::default() },
    };
    let registry = Registry::default().with(Clones { providers: providers.to_vec(), refused });
    let mover = PlainMover { providers: providers.to_vec(), permits: permits.clone() };
    Control::start(settings, &registry, store, Arc::new(mover)).await.unwrap()
}

/// The catalog that ships, and `local` as a host with room for machines.
fn placing() -> PlacingSettings {
    let mut settings = PlacingSettings::new(Arc::new(Catalog::from_snapshot(EMBEDDED).unwrap()));
    settings.hosts = vec![HostSettings {
        provider: ProviderName::new("local").unwrap(),
        kind: ProviderKind::Memory,
        region: "local".to_owned(),
        host: LocalHost {
            name: "local".to_owned(),
            provider: "local".to_owned(),
            vcpus: 16,
            memory_bytes: 64 * GIB,
            disk_bytes: 1000 * GIB,
            architecture: Architecture::X86_64,
            cost: Some(HostCost::Hourly(Money::usd_nanos(50_000_000))),
            cpu_permille: HALF,
            power: None,
            grid_mg_per_kwh: None,
            country: String::new(),
            point: None,
            compliance: Vec::new(),
        },
        configured: true,
        runs_guests: true,
    }];
    settings
}

impl World {
    /// One more process of the same store, that forgets what ended so long ago.
    pub async fn another(&self, retention: Duration) -> Control {
        control(&self.providers, &self.permits, self.store.clone(), Some(retention), false).await
    }

    /// Does something to the database behind the store's back.
    pub async fn execute(&self, sql: &'static str) {
        use sqlx::Connection as _;
        let url = format!("sqlite://{}/placements.db", self.dir.path().display());
        let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
        sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }
}

struct Clones {
    providers: Vec<MemoryProvider>,
    refused: bool,
}

impl ProviderFactory for Clones {
    fn kind(&self) -> ProviderKind {
        ProviderKind::Memory
    }
    fn keys(&self) -> &'static [KeyInfo] {
        &[]
    }
    fn build(&self, definition: ProviderDefinition) -> BuildFuture {
        let found = self.providers.iter().find(|provider| provider.identity().name == definition.name);
        let provider: Arc<dyn Provider> = Arc::new(found.cloned().unwrap());
        let refuses = self.refused && definition.name.as_str() == "local";
        let rule = Rule { operation: None, when: When::Chance(1.0), fault: Fault::FailBefore(ErrorKind::Unauthorised) };
        let chaos = Chaos::new(0, refuses.then_some(rule));
        Box::pin(async move { Ok(Arc::new(Wrapped::new(provider, chaos)) as Arc<dyn Provider>) })
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
    ) -> Result<DiskResult, MoverFault> {
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
            target_root: Some(root(after)),
            verified: VerifyLevel::Stored,
            method: "read back".to_owned(),
            written: Written { blocks: source.size().div_ceil(target.granularity()) },
            stats,
        })
    }
    async fn forget(&self, _key: &str) -> Result<(), MoverFault> {
        Ok(())
    }
    async fn is_alive(&self) -> bool {
        true
    }
}
