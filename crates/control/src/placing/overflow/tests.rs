//! Hosts in memory that get too busy: what is sent, what stays, and what comes home.

use std::{collections::HashMap, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use novacron_catalog::{HALF, HostCost, LocalHost};
use novacron_operations::{Change, Claim, Claimed, EngineConfig, ListQuery, OperationId, OperationRecord, Status};
use novacron_provider::{
    Layer, Provider, ProviderDefinition, Registry,
    chaos::{Chaos, Fault, Rule, When},
    memory::{MemoryCloud, MemoryOptions, MemoryProvider},
};
use novacron_store::{AuditQuery, Store};
use novacron_types::{
    Architecture, GIB, Money, ProviderKind, ProviderName, TransferOptions, VmId, VmRecord, VmSpec,
    placement::PlacementRequest,
};

pub(crate) use super::super::decide::record;
use super::{
    BurstWatch, Since, look, sent,
    sent::{PAUSE, noted_as},
};
use crate::{
    Caller, Control, ControlSettings, HostSettings, PlacingSettings,
    workflow::tests::{Clones, PlainMover, catalog},
};

const EVERY: Duration = Duration::from_secs(60);
const WATCH: BurstWatch = BurstWatch { threshold_percent: 80, return_percent: 60, window: Duration::from_secs(120) };

/// A small host, `near`, and where its overflow goes: `far`.
pub(crate) struct Stage {
    pub control: Control,
    pub near: MemoryProvider,
    pub far: MemoryProvider,
    now: Timestamp,
    since: HashMap<ProviderName, Since>,
    _folder: tempfile::TempDir,
}

impl Stage {
    pub async fn new(far_vcpus: u32) -> Self {
        Self::within(far_vcpus, Duration::ZERO, |_| Chaos::new(0, [])).await
    }

    /// A source that moves is kept for `grace`; providers are in a layer.
    pub async fn within<L: Layer>(far_vcpus: u32, grace: Duration, layer: fn(MemoryProvider) -> L) -> Self {
        Self::at_once(far_vcpus, grace, layer, EngineConfig::default().concurrency).await
    }

    /// The same, with so many operations at once that do not only wait for others.
    pub async fn at_once<L: Layer>(
        far_vcpus: u32,
        grace: Duration,
        layer: fn(MemoryProvider) -> L,
        concurrency: usize,
    ) -> Self {
        let engine = EngineConfig { poll: Duration::from_millis(20), concurrency, ..EngineConfig::default() };
        Self::by(far_vcpus, grace, layer, engine).await
    }

    /// The same, by an engine of one's own.
    pub async fn by<L: Layer>(
        far_vcpus: u32,
        grace: Duration,
        layer: fn(MemoryProvider) -> L,
        engine: EngineConfig,
    ) -> Self {
        let provider = |name: &str| {
            let options = MemoryOptions { region: name.to_owned(), ..MemoryOptions::default() };
            MemoryProvider::in_cloud(&MemoryCloud::default(), name, options)
        };
        let (near, far) = (provider("near"), provider("far"));
        let providers = vec![near.clone(), far.clone()];
        let definition = |provider: &MemoryProvider| ProviderDefinition {
            name: provider.identity().name.clone(),
            kind: ProviderKind::Memory,
            settings: serde_json::json!({}),
        };
        let mut placing = PlacingSettings::new(catalog());
        placing.hosts = vec![host("near", 8), host("far", far_vcpus)];
        placing.bursting.targets = vec!["far".to_owned()];
        let settings = ControlSettings {
            providers: providers.iter().map(definition).collect(),
            local: near.identity().name.clone(),
            defaults: TransferOptions::default(),
            grace,
            retention: None,
            placing,
            engine,
        };
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&format!("sqlite://{}/placements.db", folder.path().display())).await.unwrap();
        let registry = Registry::default().with(Clones(providers.clone(), layer));
        let control = Control::start(settings, &registry, store, Arc::new(PlainMover(providers))).await.unwrap();
        let now = Timestamp::now();
        Self { control, near, far, now, since: HashMap::new(), _folder: folder }
    }

    /// A machine on `near`, younger than those before it.
    pub async fn machine(&self, name: &str, vcpus: u32) {
        self.machine_at(&self.near, name, vcpus).await;
    }

    async fn machine_at(&self, provider: &MemoryProvider, name: &str, vcpus: u32) {
        let bytes = bytes(name);
        let spec = VmSpec { vcpus: Some(vcpus), memory_bytes: Some(GIB), ..VmSpec::default() };
        let id = provider.seed_instance(name, spec, &[&bytes]);
        let count = self.control.inner.tools.placing.records().await.unwrap().len() as i64;
        let at = Timestamp::from_second(1_800_000_000 + count).unwrap();
        let record = VmRecord {
            vm_id: VmId::new(name).unwrap(),
            name: name.to_owned(),
            provider: provider.identity().name.clone(),
            instance: provider.get(&id).await.unwrap(),
            placed_by: None,
            created_at: at,
            updated_at: at,
        };
        self.control.store().vms().put_vm(&record).await.unwrap();
    }

    /// A minute goes by, and the hosts are looked at.
    async fn minute(&mut self) {
        self.now += SignedDuration::from_mins(1);
        look(&self.control, &WATCH, EVERY, self.now, &mut self.since).await.unwrap();
    }

    async fn minutes(&mut self, count: usize) {
        for _ in 0..count {
            self.minute().await;
            self.settled().await;
        }
    }

    /// All work, once it has ended, the oldest first.
    pub async fn settled(&self) -> Vec<OperationRecord> {
        self.all_ended(Vec::new()).await
    }

    /// All moves, away and home, once all work has ended.
    pub async fn moves(&self) -> Vec<OperationRecord> {
        self.settled().await;
        self.ended("export").await
    }

    /// All of a kind.
    pub async fn ended(&self, kind: &str) -> Vec<OperationRecord> {
        self.all_ended(vec![kind.to_owned()]).await
    }

    async fn all_ended(&self, kinds: Vec<String>) -> Vec<OperationRecord> {
        let engine = &self.control.inner.engine;
        let mut records = Vec::new();
        for record in engine.list(&ListQuery { kinds, ..ListQuery::default() }).await.unwrap().items {
            let ended = tokio::time::timeout(Duration::from_secs(60), engine.wait(&record.id)).await;
            records.push(ended.expect("it does not end").unwrap());
        }
        records.reverse();
        records
    }

    /// Where the record says that it is; its bytes are right there, and nowhere else is one like it.
    pub async fn at(&self, name: &str) -> String {
        let record = self.control.store().vms().vm(&VmId::new(name).unwrap()).await.unwrap().unwrap();
        let provider = if record.provider.as_str() == "near" { &self.near } else { &self.far };
        let held = provider.read_disk(&record.instance.disks[0].disk_id).unwrap();
        assert!(held[..bytes(name).len()] == bytes(name), "{name} has other bytes");
        record.provider.to_string()
    }

    /// Work that nobody does ends.
    pub async fn free(&self, id: &str) {
        let id = OperationId::new(id).unwrap();
        let operations = self.control.store().operations();
        let claim = Claim { owner: "test".to_owned(), ttl: EVERY, kinds: vec!["unknown".to_owned()] };
        let Claimed::Operation(claimed) = operations.claim(&claim, Timestamp::now()).await.unwrap() else { panic!() };
        let end = vec![Change::Ended { status: Status::Completed, fault: None, summary: None }];
        operations.apply(&id, claimed.lease.generation, end, Timestamp::now()).await.unwrap();
    }

    async fn noted(&self, name: &str) -> bool {
        let note = self.control.store().placements().declared(&noted_as(&VmId::new(name).unwrap())).await.unwrap();
        note.is_some_and(|note| note.manifest["home"].is_string())
    }

    async fn gone(&self, name: &str) {
        let id = VmId::new(name).unwrap();
        let record = self.control.store().vms().vm(&id).await.unwrap().unwrap();
        self.near.delete(&record.instance.instance_id).await.unwrap();
        self.control.store().vms().delete_vm(&id, self.now).await.unwrap();
    }
}

fn bytes(name: &str) -> Vec<u8> {
    name.bytes().cycle().take(70_000).collect()
}

pub(crate) fn caller(key: Option<&str>) -> Caller {
    Caller { actor: "someone".to_owned(), idempotency_key: key.map(str::to_owned) }
}

fn host(name: &str, vcpus: u32) -> HostSettings {
    HostSettings {
        provider: ProviderName::new(name).unwrap(),
        kind: ProviderKind::Memory,
        region: name.to_owned(),
        host: LocalHost {
            name: name.to_owned(),
            provider: name.to_owned(),
            vcpus,
            memory_bytes: 96 * GIB,
            disk_bytes: 1000 * GIB,
            architecture: Architecture::X86_64,
            cost: Some(HostCost::Hourly(Money::usd_nanos(10_000_000))),
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

#[tokio::test(flavor = "multi_thread")]
async fn what_was_sent_comes_home_when_there_is_room() {
    let mut stage = Stage::new(64).await;
    stage.machine("old", 4).await;
    stage.machine("new", 3).await;
    // 7 of 8: too busy, but not yet for two minutes.
    stage.minutes(2).await;
    assert!(stage.moves().await.is_empty());
    stage.minute().await;
    let sent = stage.moves().await;
    assert_eq!(sent.len(), 1, "{sent:#?}");
    assert_eq!((stage.at("old").await.as_str(), stage.at("new").await.as_str()), ("near", "far"));
    assert_eq!((stage.near.counts().instances, stage.far.counts().instances), (1, 1));
    assert!(stage.noted("new").await);
    // What it was sent by is stored with the move, and asks nothing of later decisions that the machine did not.
    let placed = stage.control.placement("new").await.unwrap();
    assert_eq!(placed.operation_id.as_ref(), Some(&sent[0].id));
    assert_eq!((placed.request.constraints.len(), placed.request.required_cpu), (0, Some(3)));

    // 4 of 8 is below the line of return, but with it the host would be too busy again.
    stage.minutes(5).await;
    assert_eq!(stage.moves().await.len(), 1, "it flaps");

    // There is room by now, and must have been for as long as it took to send it.
    stage.gone("old").await;
    stage.machine("other", 5).await;
    stage.minutes(3).await;
    stage.gone("other").await;
    stage.minutes(2).await;
    assert_eq!(stage.moves().await.len(), 1, "it comes home too soon");
    stage.minutes(1).await;
    assert_eq!(stage.at("new").await, "near");
    assert_eq!((stage.near.counts().instances, stage.far.counts().instances), (1, 0));
    stage.minutes(5).await;
    assert!(!stage.noted("new").await);
    assert_eq!(stage.moves().await.len(), 2, "it flaps");
    stage.control.shutdown(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_machine_is_on_its_way_at_a_time() {
    let mut stage = Stage::new(64).await;
    for name in ["a", "b", "c"] {
        stage.machine(name, 4).await;
    }
    for _ in 0..6 {
        stage.minute().await;
        let moves = ListQuery { kinds: vec!["export".to_owned()], ..ListQuery::default() };
        let running = stage.control.inner.engine.list(&moves).await.unwrap();
        assert!(running.items.iter().filter(|record| !record.status.is_terminal()).count() <= 1);
    }
    // Each needs its own time over the threshold; one stays.
    stage.minutes(8).await;
    assert_eq!(stage.moves().await.len(), 2);
    assert_eq!(stage.at("a").await, "near");
    stage.control.shutdown(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fits_nowhere_stays_and_leaves_no_note() {
    let mut stage = Stage::new(2).await;
    stage.machine("old", 4).await;
    stage.machine("new", 4).await;
    stage.minutes(6).await;
    assert!(stage.settled().await.is_empty());
    for name in ["old", "new"] {
        assert!(!stage.noted(name).await, "{name} is noted as sent");
        assert_eq!(stage.at(name).await, "near");
        assert!(stage.control.placement(name).await.is_err(), "a decision was kept that nobody carries out");
    }
    stage.control.shutdown(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_is_sent_where_the_newest_fits_nowhere() {
    let mut stage = Stage::new(2).await;
    stage.machine("small", 2).await;
    stage.machine("large", 5).await;
    stage.minutes(3).await;
    assert_eq!((stage.at("small").await.as_str(), stage.at("large").await.as_str()), ("far", "near"));
    assert!(!stage.noted("large").await);
    stage.control.shutdown(Duration::from_secs(5)).await;
}

/// A machine that may only run at home is not sent, however busy that is.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_machine_was_placed_by_still_binds_it() {
    let mut stage = Stage::new(64).await;
    stage.machine("free", 3).await;
    stage.machine("bound", 4).await;
    let request: PlacementRequest = serde_json::from_value(serde_json::json!({
        "vm_id": "bound", "required_cpu": 4, "required_memory_gb": 1,
        "constraints": [{ "type": "provider", "operator": "==", "value": "near" }],
    }))
    .unwrap();
    let kept = stage.control.decide(&request, Timestamp::now()).await.unwrap();
    let record = record(VmId::new("bound").unwrap(), request, kept, Timestamp::now());
    stage.control.store().placements().put_placement(&record).await.unwrap();
    stage.minutes(3).await;
    assert_eq!((stage.at("bound").await.as_str(), stage.at("free").await.as_str()), ("near", "far"));
    stage.control.shutdown(Duration::from_secs(5)).await;
}

/// Makes one machine fail to get its disks, and then no more.
fn fails_once(provider: MemoryProvider) -> Chaos {
    let far = provider.identity().name.as_str() == "far";
    let fault = Fault::FailBefore(novacron_provider::ErrorKind::Unauthorised);
    let rule = Rule { operation: Some("create_disk"), when: When::Nth(0), fault };
    Chaos::new(0, Some(rule).filter(|_| far))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_that_failed_is_not_tried_again_at_once() {
    let mut stage = Stage::within(64, Duration::ZERO, fails_once).await;
    stage.machine("only", 8).await;
    stage.minutes(10).await;
    let tried = stage.moves().await;
    assert_eq!(tried.iter().map(|record| record.status).collect::<Vec<_>>(), [Status::RolledBack], "{tried:#?}");
    assert_eq!(stage.at("only").await, "near");
    stage.now += PAUSE;
    stage.minutes(3).await;
    assert_eq!(stage.at("only").await, "far");
    stage.control.shutdown(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_can_not_come_home_keeps_no_other_away() {
    let mut stage = Stage::new(64).await;
    for name in ["lost", "fine"] {
        stage.machine_at(&stage.far, name, 1).await;
        let [home, to] = [&stage.near, &stage.far].map(|provider| provider.identity().name.clone());
        let note = sent(home, VmId::new(name).unwrap(), to)(&OperationId::new("export-long-ago").unwrap());
        stage.control.store().placements().put_declared(&note).await.unwrap();
    }
    let lost = stage.control.vm("lost").await.unwrap();
    stage.far.delete(&lost.instance.instance_id).await.unwrap();
    stage.minutes(3).await;
    assert_eq!((stage.moves().await.len(), stage.at("fine").await.as_str()), (1, "near"));
    // It is asked for again after a while, and not before.
    let query = AuditQuery { action: Some("export".to_owned()), ..AuditQuery::default() };
    let audit = stage.control.store().audit();
    stage.minutes(5).await;
    assert_eq!(audit.entries(&query).await.unwrap().items.len(), 2, "one is taken home and one refused");
    stage.now += PAUSE;
    stage.minutes(1).await;
    assert!(stage.noted("lost").await);
    assert_eq!(audit.entries(&query).await.unwrap().items.len(), 3);
    stage.control.shutdown(Duration::from_secs(5)).await;
}
