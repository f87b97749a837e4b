//! Machines made from nothing: the next best place is taken where one fails, and nothing is made twice or left behind.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use jiff::Timestamp;
use novacron_catalog::{HALF, HostCost, LocalHost};
use novacron_operations::{
    Backoff, Engine, EngineConfig, MemoryStore, OperationRecord, RetryPolicy, Status, Submission,
    testkit::{self, End, Scenario},
};
use novacron_provider::{
    ErrorKind, Patience, Provider, ProviderDefinition, Registry,
    chaos::{Chaos, Fault, Rule, When},
    memory::{MemoryCloud, MemoryOptions, MemoryProvider},
};
use novacron_store::Store;
use novacron_types::{
    Architecture, GIB, Money, ProviderKind, ProviderName, VmId, VmRecord, VmSpec,
    placement::{Decision, PlacementRecord, PlacementRequest, PlacementStatus, PlanMode},
};

use super::{Clones, PlainMover, catalog};
use crate::{
    Directory, HostSettings, PlacingSettings,
    placing::Placing,
    workflow::{Create, CreateState, Making, Tools},
};

/// Two hosts, of which the cheaper has no room whatever it says.
struct Hosts {
    tools: Tools,
    full: MemoryProvider,
    roomy: MemoryProvider,
    records: Vec<PlacementRecord>,
    _folder: tempfile::TempDir,
}

struct TwoMachines;

#[async_trait]
impl Scenario for TwoMachines {
    type Workflow = Create;
    type World = Hosts;

    async fn world(&self) -> Hosts {
        hosts().await
    }
    fn workflow(&self, world: &Hosts) -> Create {
        Create::new(world.tools.clone())
    }
    fn submission(&self, world: &Hosts) -> Submission<CreateState> {
        let making = |record: &PlacementRecord| Making::new(record, VmId::new(record.vm_id.clone()).unwrap());
        let machines = world.records.iter().map(making).collect();
        Submission::new("two", CreateState::new(PlanMode::AllOrNothing, machines))
    }
    async fn check(&self, world: &Hosts, end: End) -> Vec<String> {
        let mut wrongs = Vec::new();
        let made = (world.full.counts().instances, world.roomy.counts().instances);
        let vms = world.tools.store.vms().vms(&Default::default()).await.unwrap().items;
        let mut statuses = Vec::new();
        for record in &world.records {
            let kept = world.tools.store.placements().placement(&record.placement_id).await.unwrap().unwrap();
            statuses.push(kept.status);
        }
        let (machines, records, status) = match end {
            End::Done => ((0, 2), 2, PlacementStatus::Created),
            End::Undone => ((0, 0), 0, PlacementStatus::Failed),
        };
        if made != machines {
            wrongs.push(format!("there are {made:?} machines, not {machines:?}"));
        }
        if vms.len() != records {
            wrongs.push(format!("there are {} records, not {records}", vms.len()));
        }
        if statuses.iter().any(|found| *found != status) {
            wrongs.push(format!("the placements are {statuses:?}, not {status}"));
        }
        wrongs
    }
}

#[tokio::test]
async fn making_machines_survives_everything() {
    testkit::check_all(&TwoMachines).await;
}

/// With little patience.
fn engine(world: &Hosts) -> Engine {
    let moments = |first, most| (Duration::from_millis(first), Duration::from_millis(most));
    let ((first, most), limit) = (moments(1, 5), Duration::from_millis(300));
    let backoff = Backoff { first, longest: most };
    let retry = RetryPolicy { permanent: 1, backoff, ..RetryPolicy::default() };
    let engine = Engine::builder(Arc::new(MemoryStore::new()))
        .config(EngineConfig { poll: most, retry, ..EngineConfig::default() })
        .register(Create { patience: Patience { first, most, limit }, ..Create::new(world.tools.clone()) })
        .build();
    engine.start();
    engine
}

/// What comes of making the machines of this world.
async fn made(world: &Hosts, mode: PlanMode) -> OperationRecord {
    let engine = engine(world);
    let submission = TwoMachines.submission(world);
    let submission = Submission { state: CreateState { mode, ..submission.state.clone() }, ..submission };
    let id = engine.submit::<Create>(submission).await.unwrap().record.id;
    let ended = tokio::time::timeout(Duration::from_secs(60), engine.wait(&id)).await;
    engine.shutdown(Duration::from_secs(5)).await;
    ended.expect("it does not end").unwrap()
}

async fn remembered(world: &Hosts) -> Vec<String> {
    let failures = world.tools.store.placements().failures(Timestamp::UNIX_EPOCH).await.unwrap();
    failures.into_iter().map(|failure| failure.region).collect()
}

#[tokio::test]
async fn the_next_place_is_tried_and_the_failure_remembered() {
    let world = hosts().await;
    let ended = made(&world, PlanMode::AllOrNothing).await;
    assert_eq!(ended.error, None);
    let told = ended.summary.unwrap();
    assert_eq!(told[0]["provider"], "roomy");
    assert_eq!(told[0]["tried"][0]["code"], "no_capacity");
    assert_eq!(remembered(&world).await, ["full"]);
    let kept = world.tools.store.placements().placement_of("vm-0").await.unwrap().unwrap();
    assert!(kept.decision.notes.iter().any(|note| note.contains("tried at full")), "{:?}", kept.decision.notes);
}

/// The cheaper host does not answer when it is asked for a machine.
fn away(provider: MemoryProvider) -> Chaos {
    at_full(&provider, [("create", ALWAYS, Fault::FailBefore(ErrorKind::Unavailable))])
}

#[tokio::test]
async fn a_place_that_does_not_answer_is_left_for_the_next() {
    let world = hosts_within(0, away).await;
    let ended = made(&world, PlanMode::AllOrNothing).await;
    assert_eq!(ended.error, None);
    let told = ended.summary.unwrap();
    for machine in told.as_array().unwrap() {
        assert_eq!((&machine["provider"], &machine["tried"][0]["code"]), (&"roomy".into(), &"unavailable".into()));
    }
    assert_eq!((world.full.counts().instances, world.roomy.counts().instances), (0, 2));
    assert_eq!(remembered(&world).await, ["full"]);
}

/// The cheaper host stumbles for longer than a call is repeated, and then no more.
fn stumbles(provider: MemoryProvider) -> Chaos {
    let first = (0..7).map(|call| ("create", When::Nth(call), Fault::FailBefore(ErrorKind::Unavailable)));
    at_full(&provider, first)
}

#[tokio::test]
async fn a_place_that_stumbles_is_asked_again() {
    let world = hosts_within(0, stumbles).await;
    let ended = made(&world, PlanMode::AllOrNothing).await;
    assert_eq!(ended.error, None);
    let told = ended.summary.unwrap();
    assert_eq!((&told[0]["provider"], &told[0]["tried"]), (&"full".into(), &serde_json::json!([])));
    assert_eq!((world.full.counts().instances, world.roomy.counts().instances), (2, 0));
}

#[tokio::test]
async fn a_machine_that_never_runs_is_made_elsewhere() {
    let world = hosts_within(u32::MAX, |_| Chaos::new(1, [])).await;
    let ended = made(&world, PlanMode::AllOrNothing).await;
    assert_eq!(ended.error, None);
    let told = ended.summary.unwrap();
    assert_eq!((&told[0]["provider"], &told[0]["tried"][0]["code"]), (&"roomy".into(), &"unavailable".into()));
    assert_eq!((world.full.counts().instances, world.roomy.counts().instances), (0, 2), "what never ran is left");
}

/// The cheaper host refuses everything, as one does whose credentials were revoked.
fn refuses(provider: MemoryProvider) -> Chaos {
    at_full(&provider, ["create", "sweep"].map(|call| (call, ALWAYS, Fault::FailBefore(ErrorKind::Unauthorised))))
}

#[tokio::test]
async fn a_place_that_refuses_to_be_swept_is_left_all_the_same() {
    let world = hosts_within(0, refuses).await;
    let ended = made(&world, PlanMode::AllOrNothing).await;
    assert_eq!((ended.status, ended.error), (Status::Completed, None));
    assert_eq!((world.full.counts().instances, world.roomy.counts().instances), (0, 2));
    let told = ended.summary.unwrap();
    assert_eq!(told[0]["tried"][0]["may_be_left"], true);
    let kept = world.tools.store.placements().placement_of("vm-0").await.unwrap().unwrap();
    let note = "something may be left at full, which could not be swept";
    assert!(kept.decision.notes.iter().any(|found| found.starts_with(note)), "{:?}", kept.decision.notes);
}

#[tokio::test]
async fn where_no_other_place_would_do_a_place_that_refuses_is_the_end() {
    let mut world = hosts_within(0, refuses).await;
    for record in &mut world.records {
        record.request.constraints = vec![
            serde_json::from_value(serde_json::json!(
                { "type": "provider", "operator": "==", "value": "full" }
            ))
            .unwrap(),
        ];
    }
    let ended = made(&world, PlanMode::BestEffort).await;
    assert_eq!((ended.status, ended.error), (Status::Completed, None));
    let told = ended.summary.unwrap();
    assert!(told[0]["given_up"].as_str().unwrap().contains("no place is left for vm-0 after 1 failed"), "{told}");
}

/// The cheaper host makes machines, but its answers are lost, and for a while it does not answer at all.
fn loses_answers(provider: MemoryProvider) -> Chaos {
    let lost = ("create", ALWAYS, Fault::FailAfter(ErrorKind::Unavailable));
    let first = (0..5).map(|call| ("sweep", When::Nth(call), Fault::FailBefore(ErrorKind::Unavailable)));
    at_full(&provider, first.chain([lost]))
}

#[tokio::test]
async fn what_could_not_be_swept_at_once_is_swept_at_the_end() {
    let world = hosts_within(0, loses_answers).await;
    let ended = made(&world, PlanMode::AllOrNothing).await;
    assert_eq!(ended.error, None);
    assert_eq!((world.full.counts().instances, world.roomy.counts().instances), (0, 2));
    assert_eq!(ended.summary.unwrap()[0]["tried"][0]["may_be_left"], false);
}

/// The cheaper host makes machines, but their answers are lost, and then it does not answer any more.
fn goes_away(provider: MemoryProvider) -> Chaos {
    let lost = ("create", ALWAYS, Fault::FailAfter(ErrorKind::Unavailable));
    at_full(&provider, [lost, ("sweep", ALWAYS, Fault::FailBefore(ErrorKind::Unavailable))])
}

#[tokio::test]
async fn what_can_not_be_swept_holds_the_work_but_undoes_nothing() {
    let world = hosts_within(0, goes_away).await;
    let engine = engine(&world);
    let id = engine.submit::<Create>(TwoMachines.submission(&world)).await.unwrap().record.id;
    let mut watch = engine.watch(&id).await.unwrap();
    let held = async {
        loop {
            let record = watch.next().await.expect("it ends").unwrap();
            if record.status == Status::Held {
                return record;
            }
        }
    };
    let held = tokio::time::timeout(Duration::from_secs(60), held).await.expect("it is not held");
    assert!(held.hold.unwrap().reason.contains("can't be removed yet"));
    assert_eq!(world.tools.store.vms().vms(&Default::default()).await.unwrap().items.len(), 2);
    engine.continue_(&id, "someone").await.unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(60), engine.wait(&id)).await.expect("it hangs").unwrap();
    assert_eq!((ended.status, ended.error), (Status::Completed, None));
    engine.shutdown(Duration::from_secs(5)).await;
}

/// The cheaper host makes one machine, and then refuses all that is asked.
fn one_and_no_more(provider: MemoryProvider) -> Chaos {
    let full = ("create", When::Nth(1), Fault::FailBefore(ErrorKind::NoCapacity));
    at_full(&provider, [full, ("sweep", ALWAYS, Fault::FailBefore(ErrorKind::Unauthorised))])
}

#[tokio::test]
async fn what_can_not_be_removed_keeps_nothing_else() {
    let mut world = hosts_within(0, one_and_no_more).await;
    let mut huge = decided("vm-2");
    huge.request.required_cpu = Some(1_000_000);
    world.records.push(huge);
    let ended = made(&world, PlanMode::AllOrNothing).await;
    assert_eq!(ended.status, Status::Failed, "a person is needed for what is left at one place");
    assert_eq!((world.full.counts().instances, world.roomy.counts().instances), (1, 0));
}

/// Somebody else has made a machine of that name since this was asked for.
async fn taken(world: &Hosts) -> VmRecord {
    let id = world.roomy.seed_instance("vm-0", VmSpec::default(), &[b"bytes"]);
    let record = VmRecord {
        vm_id: VmId::new("vm-0").unwrap(),
        name: "vm-0".to_owned(),
        provider: world.roomy.identity().name.clone(),
        instance: world.roomy.get(&id).await.unwrap(),
        placed_by: None,
        created_at: Timestamp::UNIX_EPOCH,
        updated_at: Timestamp::UNIX_EPOCH,
    };
    world.tools.store.vms().put_vm(&record).await.unwrap();
    record
}

#[tokio::test]
async fn a_name_that_was_taken_since_is_no_name_for_a_second_machine() {
    let world = hosts().await;
    let record = taken(&world).await;
    let ended = made(&world, PlanMode::AllOrNothing).await;
    assert_eq!((ended.status, ended.error.unwrap().code.as_str()), (Status::RolledBack, "vm_exists"));
    assert_eq!((world.full.counts().instances, world.roomy.counts().instances), (0, 1));
    assert_eq!(world.tools.store.vms().vm(&record.vm_id).await.unwrap(), Some(record));
}

#[tokio::test]
async fn with_best_effort_a_taken_name_keeps_no_other() {
    let world = hosts().await;
    let record = taken(&world).await;
    let ended = made(&world, PlanMode::BestEffort).await;
    assert_eq!((ended.status, ended.error), (Status::Completed, None));
    let told = ended.summary.unwrap();
    assert!(told[0]["given_up"].as_str().unwrap().contains("there is a VM vm-0 already"), "{told}");
    assert_eq!((world.full.counts().instances, world.roomy.counts().instances), (0, 2));
    assert_eq!(world.tools.store.vms().vm(&record.vm_id).await.unwrap(), Some(record));
}

async fn hosts() -> Hosts {
    hosts_within(0, |provider| at_full(&provider, [("create", ALWAYS, Fault::FailBefore(ErrorKind::NoCapacity))])).await
}

const ALWAYS: When = When::Chance(1.0);

/// What fails at the cheaper host.
fn at_full(provider: &MemoryProvider, fails: impl IntoIterator<Item = (&'static str, When, Fault)>) -> Chaos {
    let full = provider.identity().name.as_str() == "full";
    let rule = |(operation, when, fault)| Rule { operation: Some(operation), when, fault };
    Chaos::new(1, fails.into_iter().map(rule).filter(|_| full))
}

/// Providers in a layer; machines at the cheaper host take so many questions to run.
async fn hosts_within(settle_after: u32, layer: fn(MemoryProvider) -> Chaos) -> Hosts {
    let provider = |name: &str, settle_after| {
        let options = MemoryOptions { region: name.to_owned(), settle_after, ..MemoryOptions::default() };
        MemoryProvider::in_cloud(&MemoryCloud::default(), name, options)
    };
    let (full, roomy) = (provider("full", settle_after), provider("roomy", 0));
    let providers = vec![full.clone(), roomy.clone()];
    for provider in &providers {
        provider.seed_image("debian", b"an image");
    }
    let registry = Registry::default().with(Clones(providers.clone(), layer));
    let definition = |name: &str| ProviderDefinition {
        name: ProviderName::new(name).unwrap(),
        kind: ProviderKind::Memory,
        settings: serde_json::json!({}),
    };
    let folder = tempfile::tempdir().unwrap();
    let directory = Arc::new(Directory::build(vec![definition("full"), definition("roomy")], &registry).await.unwrap());
    let store = Store::open(&format!("sqlite://{}/placements.db", folder.path().display())).await.unwrap();
    let mut settings = PlacingSettings::new(catalog());
    settings.hosts = vec![host("full", 1), host("roomy", 2)];
    let placing = Arc::new(Placing::new(settings, directory.clone(), store.clone()));
    let mover = Arc::new(PlainMover(providers));
    let tools = Tools { directory, store, mover, placing, control: Arc::default() };
    let records: Vec<PlacementRecord> = (0..2).map(|i| decided(&format!("vm-{i}"))).collect();
    for record in &records {
        tools.store.placements().put_placement(record).await.unwrap();
    }
    Hosts { tools, full, roomy, records, _folder: folder }
}

fn host(name: &str, cents: i128) -> HostSettings {
    HostSettings {
        provider: ProviderName::new(name).unwrap(),
        kind: ProviderKind::Memory,
        region: name.to_owned(),
        host: LocalHost {
            name: name.to_owned(),
            provider: name.to_owned(),
            vcpus: 16,
            memory_bytes: 64 * GIB,
            disk_bytes: 1000 * GIB,
            architecture: Architecture::X86_64,
            cost: Some(HostCost::Hourly(Money::usd_nanos(cents * 10_000_000))),
            cpu_permille: HALF,
            power: None,
            grid_mg_per_kwh: None,
            country: String::new(),
            point: None,
            compliance: Vec::new(),
        },
        configured: true,
        runs_guests: true,
    }
}

/// As if nothing had been chosen yet: the workflow chooses.
fn decided(vm_id: &str) -> PlacementRecord {
    let request: PlacementRequest = serde_json::from_value(serde_json::json!({
        "vm_id": vm_id, "required_cpu": 1, "required_memory_gb": 1, "strategy": "cost", "create": true, "image": "debian",
    }))
    .unwrap();
    let decision: Decision = serde_json::from_value(serde_json::json!({
        "primary_placement": null, "alternative_placements": [], "strategy": "cost-optimized", "weights": {},
        "considered": [], "rejections": [], "relaxations": [], "policies": [], "notes": [], "sources": [],
    }))
    .unwrap();
    PlacementRecord {
        placement_id: format!("placement-{vm_id}"),
        vm_id: vm_id.to_owned(),
        status: PlacementStatus::Creating,
        operation_id: None,
        created_at: Timestamp::UNIX_EPOCH,
        updated_at: Timestamp::UNIX_EPOCH,
        decision,
        request,
    }
}
