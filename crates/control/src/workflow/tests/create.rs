//! Machines made from nothing: nothing is made twice or left behind. Where places fail is in [`elsewhere`](super::elsewhere).

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
    Architecture, GIB, Money, ProviderKind, ProviderName, VmId,
    placement::{Decision, PlacementRecord, PlacementRequest, PlacementStatus, PlanMode},
};

use super::{Clones, PlainMover, catalog};
use crate::{
    Directory, HostSettings, PlacingSettings,
    placing::Placing,
    workflow::{Create, CreateState, Making, Tools},
};

/// Two hosts, of which the cheaper has no room whatever it says.
pub(super) struct Hosts {
    pub tools: Tools,
    pub full: MemoryProvider,
    pub roomy: MemoryProvider,
    pub records: Vec<PlacementRecord>,
    _folder: tempfile::TempDir,
}

pub(super) struct TwoMachines;

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

pub(super) async fn hosts() -> Hosts {
    hosts_within(0, |provider| at_full(&provider, [("create", ALWAYS, Fault::FailBefore(ErrorKind::NoCapacity))])).await
}

pub(super) const ALWAYS: When = When::Chance(1.0);

/// What fails at the cheaper host.
pub(super) fn at_full(
    provider: &MemoryProvider,
    fails: impl IntoIterator<Item = (&'static str, When, Fault)>,
) -> Chaos {
    let full = provider.identity().name.as_str() == "full";
    let rule = |(operation, when, fault)| Rule { operation: Some(operation), when, fault };
    Chaos::new(1, fails.into_iter().map(rule).filter(|_| full))
}

/// Providers in a layer; machines at the cheaper host take so many questions to run.
pub(super) async fn hosts_within(settle_after: u32, layer: fn(MemoryProvider) -> Chaos) -> Hosts {
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
pub(super) fn decided(vm_id: &str) -> PlacementRecord {
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
