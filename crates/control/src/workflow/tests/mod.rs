//! The workflows under the generated tests: failure, death, cancel and takeover at every step.
//! What a move that is nearly over does when things change around it is in [`end`].

mod burst;
mod create;
mod elsewhere;
mod end;
mod rebalance;

use std::sync::Arc;

use async_trait::async_trait;
use novacron_catalog::Catalog;
use novacron_operations::{
    Submission, Workflow,
    testkit::{self, End, Scenario},
};
use novacron_provider::{
    BuildFuture, KeyInfo, Layer, Provider, ProviderDefinition, ProviderFactory, Registry, Wrapped, Written,
    chaos::Chaos,
    memory::{MemoryCloud, MemoryOptions, MemoryProvider},
};
use novacron_store::Store;
use novacron_types::{
    ContentRoot, DiskSpec, InstanceId, InstanceState, MIB, MigrationType, NetworkSpec, ProviderKind, ProviderName,
    TransferOptions, TransferStats, VerifyLevel, VmId, VmRecord, VmSpec,
};
use tokio::sync::watch;

use super::{Export, Import, Migrate, MoveParams, MoveState, StartPolicy, Tools};
use crate::{Directory, DiskJob, DiskMover, DiskResult, MoverFault, PlacingSettings, placing::Placing};

/// The catalog that ships, read once.
pub(crate) fn catalog() -> Arc<Catalog> {
    static CATALOG: std::sync::LazyLock<Arc<Catalog>> =
        std::sync::LazyLock::new(|| Arc::new(Catalog::from_snapshot(novacron_catalog::EMBEDDED).unwrap()));
    CATALOG.clone()
}

/// The providers, each within a layer.
pub(crate) struct Clones<L>(pub Vec<MemoryProvider>, pub fn(MemoryProvider) -> L);

impl<L: Layer> ProviderFactory for Clones<L> {
    fn kind(&self) -> ProviderKind {
        ProviderKind::Memory
    }
    fn keys(&self) -> &'static [KeyInfo] {
        &[]
    }
    fn build(&self, definition: ProviderDefinition) -> BuildFuture {
        let found = self.0.iter().find(|provider| provider.identity().name == definition.name);
        let provider = found.cloned().unwrap();
        let wrapped = Wrapped::new(Arc::new(provider.clone()), (self.1)(provider));
        Box::pin(async move { Ok(Arc::new(wrapped) as Arc<dyn Provider>) })
    }
}

/// Copies chunk by chunk within the process.
pub(crate) struct PlainMover(pub Vec<MemoryProvider>);

#[async_trait]
impl DiskMover for PlainMover {
    async fn run(
        &self,
        job: DiskJob,
        progress: watch::Sender<TransferStats>,
        _rate: watch::Receiver<Option<u64>>,
    ) -> Result<DiskResult, MoverFault> {
        let provider = |name: &ProviderName| self.0.iter().find(|provider| provider.identity().name == *name).unwrap();
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
            tokio::task::yield_now().await;
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

struct World {
    tools: Tools,
    source: MemoryProvider,
    target: MemoryProvider,
    instance: InstanceId,
    bytes: Vec<u8>,
    _folder: tempfile::TempDir,
}

async fn world(one_vendor: bool) -> World {
    world_within(one_vendor, 0, |_| Chaos::new(0, [])).await
}

/// The same, with providers that each are in a layer, and whose changes of state take so many questions.
async fn world_within<L: Layer>(one_vendor: bool, settle_after: u32, layer: fn(MemoryProvider) -> L) -> World {
    let (here, there) = (MemoryCloud::default(), MemoryCloud::default());
    let region = |region: &str| MemoryOptions { region: region.to_owned(), settle_after, ..MemoryOptions::default() };
    let source = MemoryProvider::in_cloud(&here, "cloud", region("east"));
    let target = MemoryProvider::in_cloud(if one_vendor { &here } else { &there }, "local", region("west"));
    let bytes: Vec<u8> = (0..200_000).map(|i| (i * 31 % 251) as u8).collect();
    let instance =
        source.seed_instance("web", VmSpec { vcpus: Some(2), ..VmSpec::default() }, &[&bytes, &bytes[..70_000]]);
    let providers = vec![source.clone(), target.clone()];
    let definitions = providers.iter().map(|provider| ProviderDefinition {
        name: provider.identity().name.clone(),
        kind: ProviderKind::Memory,
        settings: serde_json::json!({}),
    });
    let registry = Registry::default().with(Clones(providers.clone(), layer));
    let folder = tempfile::tempdir().unwrap();
    let directory = Arc::new(Directory::build(definitions.collect(), &registry).await.unwrap());
    let store = Store::open(&format!("sqlite://{}/placements.db", folder.path().display())).await.unwrap();
    let placing = Arc::new(Placing::new(PlacingSettings::new(catalog()), directory.clone(), store.clone()));
    let mover = Arc::new(PlainMover(providers));
    let tools = Tools { directory, store, mover, placing, control: Arc::default() };
    World { tools, source, target, instance, bytes, _folder: folder }
}

fn params(world: &World) -> MoveParams {
    MoveParams {
        source: world.source.identity().name.clone(),
        target: world.target.identity().name.clone(),
        instance: world.instance.clone(),
        vm_id: None,
        name: None,
        migration_type: MigrationType::Cold,
        by_image: false,
        start: StartPolicy::AsSource,
        delete_source: false,
        grace_seconds: 0,
        instance_type: None,
        disk: DiskSpec::default(),
        network: NetworkSpec::default(),
        ebs_optimized: None,
        transfer: TransferOptions::default(),
    }
}

/// What is wrong with the world after a move that keeps its source.
async fn wrongs(world: &World, end: End) -> Vec<String> {
    let mut wrongs = Vec::new();
    let mut expect = |what: &str, right: bool| {
        if !right {
            wrongs.push(what.to_owned());
        }
    };
    let source = world.source.get(&world.instance).await.unwrap();
    let left = world.source.counts();
    expect("the source has other disks or machines than before", (left.instances, left.disks) == (1, 2));
    expect("snapshots or images are left at the source", (left.snapshots, left.images) == (0, 0));
    let made = world.target.counts();
    expect("snapshots or images are left at the target", (made.snapshots, made.images) == (0, 0));
    let vms = world.tools.store.vms().vms(&Default::default()).await.unwrap().items;
    match end {
        End::Undone => {
            expect("the source does not run as before", source.state == InstanceState::Running);
            expect("something is left at the target", (made.instances, made.disks) == (0, 0));
            expect("a record is left", vms.is_empty());
        }
        End::Done => {
            expect("there is not one machine with two disks at the target", (made.instances, made.disks) == (1, 2));
            expect("there is not one record", vms.len() == 1);
            for vm in vms {
                let bytes = world.target.read_disk(&vm.instance.disks[0].disk_id).unwrap();
                expect("the boot disk differs", bytes[..world.bytes.len()] == world.bytes);
            }
        }
    }
    wrongs
}

macro_rules! scenario {
    ($name:ident, $workflow:ident, $one_vendor:expr, $params:expr) => {
        struct $name;

        #[async_trait]
        impl Scenario for $name {
            type Workflow = $workflow;
            type World = World;
            async fn world(&self) -> World {
                world($one_vendor).await
            }
            fn workflow(&self, world: &World) -> $workflow {
                $workflow(world.tools.clone())
            }
            fn submission(&self, world: &World) -> Submission<<$workflow as Workflow>::State> {
                let change: fn(MoveParams) -> MoveParams = $params;
                Submission::new(world.instance.to_string(), MoveState::new(change(params(world))))
            }
            async fn check(&self, world: &World, end: End) -> Vec<String> {
                wrongs(world, end).await
            }
        }
    };
}

scenario!(DiskByDisk, Import, false, |params| params);
scenario!(ByImage, Migrate, true, |params| MoveParams {
    by_image: true,
    migration_type: MigrationType::Snapshot,
    ..params
});

#[tokio::test]
async fn an_import_survives_everything() {
    testkit::check_all(&DiskByDisk).await;
}

#[tokio::test]
async fn a_move_by_image_survives_everything() {
    testkit::check_all(&ByImage).await;
}

/// A machine that has a record already, which follows it.
struct OfRecord;

#[async_trait]
impl Scenario for OfRecord {
    type Workflow = Export;
    type World = (World, VmRecord);
    async fn world(&self) -> Self::World {
        let world = world(false).await;
        let now = jiff::Timestamp::UNIX_EPOCH;
        let record = VmRecord {
            vm_id: VmId::new("vm-1").unwrap(),
            name: "web".to_owned(),
            provider: world.source.identity().name.clone(),
            instance: world.source.get(&world.instance).await.unwrap(),
            placed_by: None,
            created_at: now,
            updated_at: now,
        };
        world.tools.store.vms().put_vm(&record).await.unwrap();
        (world, record)
    }
    fn workflow(&self, (world, _): &Self::World) -> Export {
        Export(world.tools.clone())
    }
    fn submission(&self, (world, record): &Self::World) -> Submission<MoveState> {
        let params = MoveParams { vm_id: Some(record.vm_id.clone()), delete_source: true, ..params(world) };
        Submission::new(world.instance.to_string(), MoveState::new(params))
    }
    async fn check(&self, (world, before): &Self::World, end: End) -> Vec<String> {
        let vms = world.tools.store.vms().vms(&Default::default()).await.unwrap().items;
        let machines = (world.source.counts().instances, world.target.counts().instances);
        let right = match (end, vms.as_slice()) {
            (End::Undone, [vm]) => vm == before && machines == (1, 0),
            (End::Done, [vm]) => {
                let moved = (&vm.vm_id, &vm.provider) == (&before.vm_id, &world.target.identity().name);
                moved && vm.created_at == before.created_at && machines == (0, 1)
            }
            _ => false,
        };
        if right { Vec::new() } else { vec![format!("the records are {vms:#?}, the machines {machines:?}")] }
    }
}

#[tokio::test]
async fn a_record_follows_its_machine_or_is_as_it_was() {
    testkit::check_failure(&OfRecord).await;
    testkit::check_repeated_steps(&OfRecord).await;
    testkit::check_death_at_writes(&OfRecord).await;
}
