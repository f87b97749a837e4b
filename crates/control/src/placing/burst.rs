//! Overflow: machines that the local hosts have no room for go to clouds, placed together.

use std::{
    sync::atomic::AtomicBool,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use novacron_placement::{Ask, Market, Settings, explain};
use novacron_planner::{ManyOptions, Search, place_many};
use novacron_types::{
    ExportRequest, VmRecord,
    placement::{
        BurstAnswer, BurstPlaced, BurstRequest, Constraint, ConstraintKind, Gigabytes, ManyPlan, Operator,
        PlacementRecord, PlacementRequest, PlacementStatus, PlanMode, Scalar,
    },
};
use serde_json::{Map, Value, json};

use super::{decide, statistics::BURST_LABEL};
use crate::{Caller, Control, ControlError, MoveRequest, workflow::Making};

const MOST_MACHINES: usize = 1000;
const CLOUDS: [&str; 4] = ["aws", "azure", "gcp", "oci"];
/// How long the places of a burst are weighed together at most: so long, and a little for each machine.
const SEARCH: Duration = Duration::from_secs(1);
const SEARCH_EACH: Duration = Duration::from_millis(5);

/// A machine of a burst: one that is new, or one that moves.
struct Bursting {
    request: PlacementRequest,
    moves: Option<VmRecord>,
}

impl Control {
    /// Places machines at clouds together, at the least cost; makes those that are to be made, and moves those that run on
    /// a local host. A dry run says where they would go.
    pub async fn burst(
        &self,
        request: BurstRequest,
        caller: Caller,
        dry_run: bool,
    ) -> Result<BurstAnswer, ControlError> {
        let count = request.requests.len();
        let answer = self.bursted(request, &caller, dry_run).await;
        if !dry_run {
            let detail = json!({ "machines": count });
            let target = answer.as_ref().map_or("", |answer| answer.burst_id.as_str());
            self.note(&caller.actor, "burst", target, detail, answer.as_ref().err()).await;
        }
        answer
    }

    async fn bursted(&self, asked: BurstRequest, caller: &Caller, dry_run: bool) -> Result<BurstAnswer, ControlError> {
        let burst_id = format!("burst-{}", uuid::Uuid::now_v7().simple());
        let mode = asked.mode.unwrap_or(self.inner.tools.placing.settings.bursting.mode);
        let machines = self.machines(asked.requests, &burst_id).await?;
        let now = Timestamp::now();
        let (market, settings) = self.question(now).await?;
        let requests: Vec<PlacementRequest> = machines.iter().map(|machine| machine.request.clone()).collect();
        let (plan, records) = plan(market, settings, requests, mode, now).await?;
        let mut answer = BurstAnswer { burst_id, mode, operation_id: None, placed: Vec::new(), plan };
        let by_id = |vm_id: &str| machines.iter().find(|machine| machine.request.vm_id.as_deref() == Some(vm_id));
        let mut making = Vec::new();
        for mut record in records {
            let Some(placement) = record.decision.primary_placement.clone() else { continue };
            let machine = by_id(&record.vm_id);
            let mut migration_id = None;
            if !dry_run {
                if record.request.create {
                    record.status = PlacementStatus::Creating;
                    making.push(Making::new(&record, decide::vm_id(Some(&record.vm_id))?));
                }
                self.store().placements().put_placement(&record).await?;
                if let Some(vm) = machine.and_then(|machine| machine.moves.as_ref()) {
                    migration_id = Some(self.overflow(vm, &placement, &answer.burst_id, caller).await?);
                }
            }
            answer.placed.push(BurstPlaced { vm_id: record.vm_id, placement, migration_id });
        }
        if !making.is_empty() {
            answer.operation_id = Some(self.make(making, mode, caller).await?);
        }
        Ok(answer)
    }

    /// Each request made whole: of a VM that there is, its size; for all, only clouds.
    async fn machines(&self, requests: Vec<PlacementRequest>, burst_id: &str) -> Result<Vec<Bursting>, ControlError> {
        if requests.is_empty() || requests.len() > MOST_MACHINES {
            let message = format!("a burst has 1 to {MOST_MACHINES} machines, not {}", requests.len());
            return Err(ControlError::invalid("invalid_burst", message));
        }
        let targets = &self.inner.tools.placing.settings.bursting.targets;
        let clouds: Vec<Scalar> = match targets.is_empty() {
            true => CLOUDS.map(|kind| Scalar::Text(kind.to_owned())).to_vec(),
            false => targets.iter().cloned().map(Scalar::Text).collect(),
        };
        let mut machines = Vec::new();
        for mut request in requests {
            decide::check(&request)?;
            let vm_id = decide::vm_id(request.vm_id.as_deref())?;
            let moves = self.store().vms().vm(&vm_id).await?;
            if let Some(record) = &moves {
                fill(&mut request, record);
            }
            request.vm_id = Some(vm_id.to_string());
            if moves.is_some() || request.create {
                request.configured_only = Some(true);
            }
            request.tags.insert(BURST_LABEL.to_owned(), burst_id.to_owned());
            request.constraints.push(Constraint {
                kind: ConstraintKind::Provider,
                operator: Operator::In,
                value: None,
                values: clouds.clone(),
                max_latency: None,
            });
            machines.push(Bursting { request, moves });
        }
        Ok(machines)
    }

    /// Moves a VM off its host: the place is freed once the target is verified and the grace period has passed.
    async fn overflow(
        &self,
        vm: &VmRecord,
        placement: &novacron_types::placement::Placed,
        burst_id: &str,
        caller: &Caller,
    ) -> Result<novacron_types::OperationId, ControlError> {
        let Some(provider) = &placement.provider else {
            let message = format!("no provider is configured that {} could move to", vm.vm_id);
            return Err(ControlError::invalid("not_configured", message));
        };
        let options = Map::from_iter([
            ("instance_type".to_owned(), Value::from(placement.instance_type.clone())),
            ("delete_source".to_owned(), Value::from(true)),
        ]);
        let asked = MoveRequest::Export {
            provider: provider.to_string(),
            request: ExportRequest { vm_id: vm.vm_id.clone(), name: None, options },
        };
        let key = caller.idempotency_key.as_ref().map(|key| format!("{burst_id}-{key}"));
        let caller = Caller { actor: caller.actor.clone(), idempotency_key: key };
        Ok(self.take_on(asked, caller).await?.migration_id)
    }
}

/// What the request leaves open is as the machine has it.
fn fill(request: &mut PlacementRequest, record: &VmRecord) {
    let spec = &record.instance.spec;
    request.required_cpu = request.required_cpu.or(spec.vcpus);
    request.required_memory_gb = request.required_memory_gb.or(spec.memory_bytes.map(|bytes| Gigabytes { bytes }));
    let disks: u64 = record.instance.disks.iter().filter_map(|disk| disk.size_bytes).sum();
    request.required_disk_gb = request.required_disk_gb.or(Some(Gigabytes { bytes: disks }).filter(|_| disks > 0));
    request.architecture = request.architecture.or(Some(spec.architecture));
    request.create = false;
    for (key, value) in &spec.labels {
        request.tags.entry(key.clone()).or_insert_with(|| value.clone());
    }
}

/// The places, and a record of each with its own explanation.
async fn plan(
    market: Market,
    settings: Settings,
    requests: Vec<PlacementRequest>,
    mode: PlanMode,
    now: Timestamp,
) -> Result<(ManyPlan, Vec<PlacementRecord>), ControlError> {
    // Seconds of computing, which would keep this thread from all else.
    let computed = tokio::task::spawn_blocking(move || {
        let stop = AtomicBool::new(false);
        let search = Search {
            until: Some(Instant::now() + SEARCH + SEARCH_EACH * requests.len() as u32),
            steps: None,
            seed: 1,
            threads: 2,
            stop: &stop,
        };
        let options = ManyOptions { mode, budgets: Vec::new(), gap: 0.0001, search };
        let plan = place_many(&market, &settings, &requests, &options)?;
        let mut records = Vec::new();
        for placed in &plan.placements {
            let Some(request) = requests.iter().find(|request| request.vm_id.as_deref() == Some(&placed.vm_id)) else {
                continue;
            };
            let mut decision = explain(&Ask::new(&market, &settings, request)?);
            let alone = decision.primary_placement.replace(placed.clone());
            if alone.as_ref().is_some_and(|alone| alone != placed) {
                decision.notes.push(
                    "The place was chosen together with the others of the burst; alone another would have won."
                        .to_owned(),
                );
            }
            records.push(decide::record(decide::vm_id(Some(&placed.vm_id))?, request.clone(), decision, now));
        }
        Ok::<_, ControlError>((plan, records))
    });
    computed.await.map_err(|error| ControlError::new(crate::ErrorClass::Internal, "planner", error.to_string()))?
}
