//! Machines made from nothing: the next best place is taken where one fails, and nothing is made twice or left behind.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use novacron_catalog::{HALF, HostCost, LocalHost};
use novacron_operations::{
    Submission,
    testkit::{self, End, Scenario},
};
use novacron_provider::{
    ErrorKind, Provider, ProviderDefinition, Registry,
    chaos::{Chaos, Fault, Rule, When},
    memory::{MemoryCloud, MemoryOptions, MemoryProvider},
};
use novacron_store::Store;
use novacron_types::{
    Architecture, GIB, Money, ProviderKind, ProviderName, VmId, VmSpec,
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
        Create(world.tools.clone())
    }
    fn submission(&self, world: &Hosts) -> Submission<CreateState> {
        let making = |record: &PlacementRecord| Making::new(record, VmId::new(record.vm_id.clone()).unwrap());
        let machines = world.records.iter().map(making).collect();
        Submission::new("two", CreateState { mode: PlanMode::AllOrNothing, machines })
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
        if end == End::Done && statuses.iter().any(|found| *found != status) {
            wrongs.push(format!("the placements are {statuses:?}, not {status}"));
        }
        wrongs
    }
}

#[tokio::test]
async fn making_machines_survives_everything() {
    testkit::check_all(&TwoMachines).await;
}

#[tokio::test]
async fn the_next_place_is_tried_and_the_failure_remembered() {
    let world = hosts().await;
    let engine = novacron_operations::Engine::builder(Arc::new(novacron_operations::MemoryStore::new()))
        .register(Create(world.tools.clone()))
        .build();
    engine.start();
    let submitted = engine.submit::<Create>(TwoMachines.submission(&world)).await.unwrap();
    let ended = engine.wait(&submitted.record.id).await.unwrap();
    assert_eq!(ended.error, None);
    let told = ended.summary.unwrap();
    assert_eq!(told[0]["provider"], "roomy");
    assert_eq!(told[0]["tried"][0]["code"], "no_capacity");
    let failures = world.tools.store.placements().failures(Timestamp::UNIX_EPOCH).await.unwrap();
    assert_eq!(failures.iter().map(|failure| failure.region.as_str()).collect::<Vec<_>>(), ["full"]);
    let kept = world.tools.store.placements().placement_of("vm-0").await.unwrap().unwrap();
    assert!(kept.decision.notes.iter().any(|note| note.contains("tried at full")), "{:?}", kept.decision.notes);
    engine.shutdown(std::time::Duration::from_secs(5)).await;
}

async fn hosts() -> Hosts {
    let provider = |name: &str| {
        let options = MemoryOptions { region: name.to_owned(), ..MemoryOptions::default() };
        MemoryProvider::in_cloud(&MemoryCloud::default(), name, options)
    };
    let (full, roomy) = (provider("full"), provider("roomy"));
    let image = image_on(&roomy).await;
    let providers = vec![full.clone(), roomy.clone()];
    let layer = |provider: MemoryProvider| {
        let full = provider.identity().name.as_str() == "full";
        let rule = Rule {
            operation: Some("create"),
            when: When::Chance(if full { 1.0 } else { 0.0 }),
            fault: Fault::FailBefore(ErrorKind::NoCapacity),
        };
        Chaos::new(1, [rule])
    };
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
    let records: Vec<PlacementRecord> = (0..2).map(|i| decided(&format!("vm-{i}"), &image)).collect();
    for record in &records {
        tools.store.placements().put_placement(record).await.unwrap();
    }
    Hosts { tools, full, roomy, records, _folder: folder }
}

/// An image to start from.
async fn image_on(provider: &MemoryProvider) -> String {
    let tag = novacron_provider::OperationTag(novacron_types::OperationId::new("seed").unwrap());
    let seed = provider.seed_instance("seed", VmSpec::default(), &[b"bytes"]);
    let image = provider.images().unwrap().create_image(&tag, &seed, true).await.unwrap();
    provider.delete(&seed).await.unwrap();
    image.to_string()
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
fn decided(vm_id: &str, image: &str) -> PlacementRecord {
    let request: PlacementRequest = serde_json::from_value(serde_json::json!({
        "vm_id": vm_id, "required_cpu": 1, "required_memory_gb": 1, "strategy": "cost", "create": true, "image": image,
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
