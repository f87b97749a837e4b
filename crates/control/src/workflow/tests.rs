//! The workflows under the generated tests: failure, death, cancel and takeover at every step.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use novacron_operations::{
    Engine, ManualClock, MemoryStore, OperationId, OperationRecord, Status, Submission, Workflow,
    testkit::{self, End, Scenario},
};
use novacron_provider::{
    BuildFuture, Call, ErrorKind, KeyInfo, Layer, Provider, ProviderDefinition, ProviderError, ProviderFactory,
    Registry, Wrapped, Written,
    chaos::{Chaos, Fault, Rule, When},
    memory::{MemoryCloud, MemoryOptions, MemoryProvider},
};
use novacron_store::Store;
use novacron_types::{
    ContentRoot, DiskSpec, InstanceId, InstanceState, MIB, MigrationType, NetworkSpec, ProviderKind, ProviderName,
    TransferOptions, TransferStats, VerifyLevel, VmSpec,
};
use tokio::sync::watch;

use super::{Import, Migrate, MoveParams, MoveState, StartPolicy, Tools};
use crate::{Directory, DiskJob, DiskMover, DiskResult};

/// The providers, each within a layer.
struct Clones<L>(Vec<MemoryProvider>, fn(MemoryProvider) -> L);

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
struct PlainMover(Vec<MemoryProvider>);

#[async_trait]
impl DiskMover for PlainMover {
    async fn run(
        &self,
        job: DiskJob,
        progress: watch::Sender<TransferStats>,
        _rate: watch::Receiver<Option<u64>>,
    ) -> Result<DiskResult, ProviderError> {
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
    let tools = Tools {
        directory: Arc::new(Directory::build(definitions.collect(), &registry).await.unwrap()),
        store: Store::open(&format!("sqlite://{}/placements.db", folder.path().display())).await.unwrap(),
        mover: Arc::new(PlainMover(providers)),
    };
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

/// Waits, bounded, until the operation is held for a reason that contains `text`.
async fn held(engine: &Engine, id: &OperationId, text: &str) {
    let mut watch = engine.watch(id).await.unwrap();
    let found = tokio::time::timeout(Duration::from_secs(30), async {
        while let Some(record) = watch.next().await {
            let record = record.unwrap();
            if record.hold.is_some_and(|hold| hold.reason.contains(text)) {
                return true;
            }
        }
        false
    });
    assert!(found.await.unwrap(), "it was never held for {text:?}");
}

/// An engine at work on one import, by a clock that stands still until it is moved.
async fn begun(
    world: &World,
    params: MoveParams,
    timeout: Option<Duration>,
) -> (Engine, OperationId, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new(jiff::Timestamp::UNIX_EPOCH));
    let builder = Engine::builder(Arc::new(MemoryStore::new())).clock(clock.clone());
    let engine = builder.register(Import(world.tools.clone())).build();
    engine.start();
    let mut submission = Submission::new(world.instance.to_string(), MoveState::new(params));
    submission.options.timeout = timeout;
    let id = engine.submit::<Import>(submission).await.unwrap().record.id;
    (engine, id, clock)
}

async fn ended(engine: &Engine, id: &OperationId) -> OperationRecord {
    tokio::time::timeout(Duration::from_secs(30), engine.wait(id)).await.expect("it does not end").unwrap()
}

/// Snapshots can't be deleted, so many times.
fn may_not_delete<const TIMES: u32>(_: MemoryProvider) -> Chaos {
    let fault = Fault::FailBefore(ErrorKind::Unauthorised);
    Chaos::new(0, (0..TIMES).map(|n| Rule { operation: Some("delete_snapshot"), when: When::Nth(n), fault }))
}

#[tokio::test]
async fn what_may_not_be_cleaned_up_waits_and_does_not_cost_the_target() {
    let world = world_within(false, 0, may_not_delete::<1>).await;
    let (engine, id, clock) = begun(&world, params(&world), None).await;
    held(&engine, &id, "can't be removed yet").await;
    assert_eq!((world.source.counts().snapshots, world.target.counts().instances), (2, 1));

    // The permission is back, and nobody needs to say so.
    clock.advance(Duration::from_secs(600));
    assert_eq!(ended(&engine, &id).await.status, Status::Completed);
    assert_eq!(wrongs(&world, End::Done).await, Vec::<String>::new());
}

#[tokio::test]
async fn what_may_not_be_cleaned_up_stays_when_a_person_says_so() {
    let world = world_within(false, 0, may_not_delete::<2>).await;
    let (engine, id, _clock) = begun(&world, params(&world), None).await;
    held(&engine, &id, "can't be removed yet").await;
    engine.continue_(&id, "someone").await.unwrap();
    assert_eq!(ended(&engine, &id).await.status, Status::Completed);
    let events = engine.events(&id, 0, 500).await.unwrap();
    assert!(events.iter().any(|event| event.kind == "log" && event.message.contains("left behind")), "{events:#?}");
    assert_eq!((world.source.counts().snapshots, world.target.counts().instances), (2, 1));
}

/// Lets a snapshot be made of a machine that is stopped, and of no other.
struct OnlyStopped(MemoryProvider);

impl Layer for OnlyStopped {
    async fn call<T, F, Fut>(&self, call: Call, attempt: F) -> Result<T, ProviderError>
    where
        T: Send,
        F: Fn() -> Fut + Send + Sync,
        Fut: Future<Output = Result<T, ProviderError>> + Send,
    {
        if call.operation == "snapshot" {
            for machine in self.0.list_page(&Default::default(), None).await?.items {
                assert_eq!(
                    machine.state,
                    InstanceState::Stopped,
                    "a snapshot is made of a machine that is not stopped"
                );
            }
        }
        attempt().await
    }
}

#[tokio::test]
async fn a_cold_move_of_what_just_starts_waits_and_then_stops_it() {
    let world = world_within(false, 4, OnlyStopped).await;
    let state = async || world.source.get(&world.instance).await.unwrap().state;
    world.source.stop(&world.instance).await.unwrap();
    while state().await != InstanceState::Stopped {}
    world.source.start(&world.instance).await.unwrap();

    let (engine, id, _clock) = begun(&world, params(&world), None).await;
    let record = ended(&engine, &id).await;
    assert_eq!(record.status, Status::Completed, "{record:#?}");
    assert_eq!(wrongs(&world, End::Done).await, Vec::<String>::new());
    assert_eq!(state().await, InstanceState::Stopped);
    let vms = world.tools.store.vms().vms(&Default::default()).await.unwrap().items;
    assert_eq!(vms[0].instance.state, InstanceState::Running, "it runs there as it would have run here");
}

#[tokio::test]
async fn a_verified_move_is_not_undone_for_being_late() {
    for gone in [false, true] {
        let world = world(false).await;
        let params = MoveParams { delete_source: true, grace_seconds: 3600, ..params(&world) };
        let (engine, id, clock) = begun(&world, params, Some(Duration::from_secs(600))).await;
        held(&engine, &id, "is deleted at").await;
        if gone {
            world.source.delete(&world.instance).await.unwrap();
        }
        clock.advance(Duration::from_secs(7200));
        let record = ended(&engine, &id).await;
        assert_eq!((record.status, record.error), (Status::Completed, None));
        assert_eq!((world.source.counts().instances, world.target.counts().instances), (0, 1));
    }
}

/// Can't be asked how a machine is, while `AWAY`.
struct Away;
static AWAY: AtomicBool = AtomicBool::new(false);

impl Layer for Away {
    async fn call<T, F, Fut>(&self, call: Call, attempt: F) -> Result<T, ProviderError>
    where
        T: Send,
        F: Fn() -> Fut + Send + Sync,
        Fut: Future<Output = Result<T, ProviderError>> + Send,
    {
        if call.operation == "get" && AWAY.load(Ordering::SeqCst) {
            return Err(ProviderError::new(ErrorKind::Unauthorised, "get", "not today"));
        }
        attempt().await
    }
}

#[tokio::test]
async fn a_source_that_cannot_be_looked_at_is_not_deleted_and_does_not_cost_the_target() {
    let world = world_within(false, 0, |_| Away).await;
    let params = MoveParams { delete_source: true, grace_seconds: 3600, ..params(&world) };
    let (engine, id, clock) = begun(&world, params, None).await;
    held(&engine, &id, "is deleted at").await;
    AWAY.store(true, Ordering::SeqCst);
    engine.continue_(&id, "someone").await.unwrap();
    held(&engine, &id, "can't be looked at").await;
    assert_eq!((world.source.counts().instances, world.target.counts().instances), (1, 1));

    AWAY.store(false, Ordering::SeqCst);
    clock.advance(Duration::from_secs(7200));
    assert_eq!(ended(&engine, &id).await.status, Status::Completed);
    assert_eq!((world.source.counts().instances, world.target.counts().instances), (0, 1));
}

#[tokio::test]
async fn a_source_is_not_deleted_when_its_target_is_gone() {
    let world = world(false).await;
    let params = MoveParams { delete_source: true, grace_seconds: 3600, ..params(&world) };
    let (engine, id, clock) = begun(&world, params, None).await;
    held(&engine, &id, "is deleted at").await;
    let made = world.target.list_page(&Default::default(), None).await.unwrap().items;
    world.target.delete(&made[0].instance_id).await.unwrap();
    clock.advance(Duration::from_secs(7200));
    engine.continue_(&id, "someone who does not know").await.unwrap();
    held(&engine, &id, "is the only copy").await;
    engine.cancel(&id, "someone").await.unwrap();
    assert_eq!(ended(&engine, &id).await.status, Status::Cancelled);
    assert_eq!(world.source.counts().instances, 1);
}

#[tokio::test]
async fn cancelling_does_not_remove_the_only_copy() {
    let world = world(false).await;
    let params = MoveParams { delete_source: true, grace_seconds: 3600, ..params(&world) };
    let (engine, id, clock) = begun(&world, params, None).await;
    held(&engine, &id, "is deleted at").await;
    world.source.delete(&world.instance).await.unwrap();
    engine.cancel(&id, "someone who does not know").await.unwrap();
    let end = tokio::time::timeout(Duration::from_secs(30), async {
        loop {
            clock.advance(Duration::from_secs(600));
            let record = engine.get(&id).await.unwrap().unwrap();
            if record.status.is_terminal() {
                return record;
            }
            tokio::task::yield_now().await;
        }
    });
    let end = end.await.expect("it does not end");
    assert_eq!(end.status, Status::Failed);
    assert!(end.error.unwrap().message.contains("the target is the only copy"));
    assert_eq!(world.target.counts().instances, 1);
}

#[tokio::test]
async fn a_source_that_ran_again_is_deleted_only_when_a_person_who_knows_says_so() {
    let world = world(false).await;
    let engine = Engine::builder(Arc::new(MemoryStore::new())).register(Import(world.tools.clone())).build();
    engine.start();
    let params = MoveParams { delete_source: true, grace_seconds: 3600, ..params(&world) };
    let submission = Submission::new(world.instance.to_string(), MoveState::new(params));
    let id = engine.submit::<Import>(submission).await.unwrap().record.id;
    held(&engine, &id, "is deleted at").await;

    world.source.start(&world.instance).await.unwrap();
    engine.continue_(&id, "someone").await.unwrap();
    held(&engine, &id, "was started or written").await;
    assert_eq!(world.source.get(&world.instance).await.unwrap().state, InstanceState::Running);

    engine.continue_(&id, "someone who was told").await.unwrap();
    assert_eq!(engine.wait(&id).await.unwrap().status, Status::Completed);
    assert_eq!(world.source.counts().instances, 0);
}

#[tokio::test]
async fn a_source_that_somebody_else_deleted_does_not_cost_the_target() {
    let world = world(false).await;
    let engine = Engine::builder(Arc::new(MemoryStore::new())).register(Import(world.tools.clone())).build();
    engine.start();
    let params = MoveParams { delete_source: true, grace_seconds: 3600, ..params(&world) };
    let submission = Submission::new(world.instance.to_string(), MoveState::new(params));
    let id = engine.submit::<Import>(submission).await.unwrap().record.id;
    held(&engine, &id, "is deleted at").await;

    world.source.delete(&world.instance).await.unwrap();
    engine.continue_(&id, "someone").await.unwrap();
    assert_eq!(engine.wait(&id).await.unwrap().status, Status::Completed);
    assert_eq!(world.target.counts().instances, 1);
}
