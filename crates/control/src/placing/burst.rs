//! Overflow: machines that the local hosts have no room for go to clouds, placed together.

mod moving;
#[cfg(test)]
mod tests;

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use jiff::Timestamp;
use novacron_catalog::Pricing;
use novacron_placement::{Ask, Market, Settings, explain};
use novacron_planner::{ManyOptions, Search, place_many};
use novacron_types::{
    ProviderName, VmRecord,
    placement::{
        BurstAnswer, BurstPlaced, BurstRequest, Constraint, ConstraintKind, Gigabytes, ManyPlan, Operator,
        PlacementRecord, PlacementRequest, PlacementStatus, PlanMode, Scalar,
    },
};
use serde_json::json;

use self::moving::Moving;
use super::{answered, decide, records::Keep, statistics::BURST_LABEL};
use crate::{Caller, Control, ControlError, ErrorClass, request, workflow::Making};

const MOST_MACHINES: usize = 1000;
const CLOUDS: [&str; 4] = ["aws", "azure", "gcp", "oci"];
/// How long the places of a burst are weighed together at most: so long, and a little for each machine.
const SEARCH: Duration = Duration::from_secs(1);
const SEARCH_EACH: Duration = Duration::from_millis(5);

/// A machine of a burst: one that is new, or one that moves.
struct Bursting {
    /// As it is asked for, and kept.
    asked: PlacementRequest,
    /// The same within the burst: only at its targets.
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
        let answer = self.burst_once(request, &caller, dry_run).await;
        if !dry_run {
            let detail = json!({ "machines": count });
            let target = answer.as_ref().map_or("", |answer| answer.burst_id.as_str());
            self.note(&caller.actor, "burst", target, detail, answer.as_ref().err()).await;
        }
        answer
    }

    /// The same key and request are answered as they were.
    async fn burst_once(
        &self,
        asked: BurstRequest,
        caller: &Caller,
        dry_run: bool,
    ) -> Result<BurstAnswer, ControlError> {
        let Some(key) = request::idempotency(caller, &asked)?.filter(|_| !dry_run) else {
            let burst_id = format!("burst-{}", uuid::Uuid::now_v7().simple());
            return self.bursted(asked, burst_id, caller, dry_run, None).await;
        };
        let burst_id = format!("burst-{}", answered::token(&key));
        if let Some(answer) = self.answered(&kept_as(&burst_id), &key).await? {
            return Ok(answer);
        }
        let answer = self.bursted(asked, burst_id.clone(), caller, dry_run, None).await?;
        self.keep_answer(kept_as(&burst_id), key, &answer).await?;
        Ok(answer)
    }

    /// `sent_by`: the host that sends its machines away, to take them back when there is room.
    pub(super) async fn bursted(
        &self,
        asked: BurstRequest,
        burst_id: String,
        caller: &Caller,
        dry_run: bool,
        sent_by: Option<&ProviderName>,
    ) -> Result<BurstAnswer, ControlError> {
        let mode = asked.mode.unwrap_or(self.inner.tools.placing.settings.bursting.mode);
        let key = |ids: &[&str]| request::idempotency(caller, &ids);
        let before = match key(&ids(&asked.requests))?.filter(|_| !dry_run) {
            Some(key) => self.inner.engine.requested(&key).await?,
            None => None,
        };
        let machines = self.machines(asked.requests, &burst_id, before.is_some()).await?;
        let requests: Vec<PlacementRequest> = machines.iter().map(|machine| machine.request.clone()).collect();
        let idempotency = key(&ids(&requests))?;
        let now = Timestamp::now();
        let (market, mut settings) = self.question(now).await?;
        // Who moves does not stand in their own way.
        let moves = |vm_id: &str| machines.iter().any(|machine| machine.moves.is_some() && machine.is(vm_id));
        settings.peers.retain(|peer| !moves(&peer.vm_id));
        let computing = &self.inner.tools.placing.computing;
        let (plan, records) = computing.run(move |stop| plan(&market, &settings, &requests, mode, now, stop)).await?;
        let mut answer = BurstAnswer { burst_id, mode, operation_id: None, placed: Vec::new(), plan };
        let (mut making, mut keep, mut moving) = (Vec::new(), Keep::default(), Vec::new());
        for mut record in records {
            let Some(placement) = record.decision.primary_placement.clone() else { continue };
            let machine = machines.iter().find(|machine| machine.is(&record.vm_id));
            answer.placed.push(BurstPlaced { vm_id: record.vm_id.clone(), placement, migration_id: None });
            if let Some(Bursting { asked, moves: Some(vm), .. }) = machine {
                record.request = asked.clone();
                moving.push(Moving::new(vm, record, sent_by));
            } else {
                if record.request.create {
                    record.status = PlacementStatus::Creating;
                    making.push(Making::new(&record, decide::vm_id(Some(&record.vm_id))?));
                }
                keep.placements.push(record);
            }
        }
        let moving = self.movable(moving, &mut answer).await?;
        if dry_run {
            return Ok(answer);
        }
        if making.is_empty() {
            for record in &keep.placements {
                self.store().placements().put_placement(record).await?;
            }
        } else {
            let submitted = self.make(making, mode, idempotency, &keep).await?;
            if submitted.existing {
                for made in self.made_by(&submitted.record).await? {
                    let placed = answer.placed.iter_mut().find(|placed| placed.vm_id == made.vm_id);
                    if let (Some(placed), Some(placement)) = (placed, made.decision.primary_placement) {
                        placed.placement = placement;
                    }
                }
            }
            answer.operation_id = Some(submitted.record.id);
        }
        self.move_all(moving, &mut answer, caller).await?;
        Ok(answer)
    }

    /// Each request made whole: of a VM that there is, what it was placed by and its size; for all, only clouds.
    async fn machines(
        &self,
        requests: Vec<PlacementRequest>,
        burst_id: &str,
        again: bool,
    ) -> Result<Vec<Bursting>, ControlError> {
        if requests.is_empty() || requests.len() > MOST_MACHINES {
            let message = format!("a burst has 1 to {MOST_MACHINES} machines, not {}", requests.len());
            return Err(ControlError::invalid("invalid_burst", message));
        }
        let bursting = &self.inner.tools.placing.settings.bursting;
        let clouds: Vec<Scalar> = match bursting.targets.is_empty() {
            true => CLOUDS.map(|kind| Scalar::Text(kind.to_owned())).to_vec(),
            false => bursting.targets.iter().cloned().map(Scalar::Text).collect(),
        };
        let mut machines = Vec::new();
        for (index, mut asked) in requests.into_iter().enumerate() {
            decide::check(&asked)?;
            // Of a repeated request the same, whoever repeats it.
            let unnamed = format!("{burst_id}-{index}");
            let vm_id = decide::vm_id(Some(asked.vm_id.as_deref().unwrap_or(&unnamed)))?;
            // A repeated request finds the machines that it made.
            let moves = self.store().vms().vm(&vm_id).await?.filter(|_| !(again && asked.create));
            if let Some(record) = &moves {
                self.check_moves(record, &asked)?;
                asked = self.placed_by(asked, record).await?;
            }
            asked.vm_id = Some(vm_id.to_string());
            let mut request = asked.clone();
            if moves.is_some() || request.create {
                request.configured_only = Some(true);
            }
            if moves.is_some() {
                // A migration makes its machine so, whatever was asked for.
                request.pricing = vec![Pricing::OnDemand.to_string()];
            }
            request.tags.insert(BURST_LABEL.to_owned(), burst_id.to_owned());
            request.constraints.push(Constraint {
                kind: ConstraintKind::Provider,
                operator: Operator::In,
                value: None,
                values: clouds.clone(),
                max_latency: None,
            });
            machines.push(Bursting { asked, request, moves });
        }
        Ok(machines)
    }

    fn check_moves(&self, record: &VmRecord, asked: &PlacementRequest) -> Result<(), ControlError> {
        if asked.create {
            let message = format!("there is a VM {} already", record.vm_id);
            return Err(ControlError::new(ErrorClass::Conflict, "vm_exists", message)
                .advice("Choose another `vm_id`, or leave out `create` to move the one that there is."));
        }
        let hosts = &self.inner.tools.placing.settings.hosts;
        if hosts.iter().all(|host| host.provider != record.provider) {
            let message = format!("{} is at {}, and not on a host of one's own", record.vm_id, record.provider);
            return Err(ControlError::new(ErrorClass::Conflict, "not_local", message).advice(
                "A burst moves what runs on local hosts. `novacron plan` looks for better places for all machines.",
            ));
        }
        Ok(())
    }

    /// A VM that is only named is still bound by what it was placed by.
    async fn placed_by(&self, asked: PlacementRequest, record: &VmRecord) -> Result<PlacementRequest, ControlError> {
        let only_named = asked == PlacementRequest { vm_id: asked.vm_id.clone(), ..PlacementRequest::default() };
        let known = match only_named {
            true => self.store().placements().placement_of(record.vm_id.as_str()).await?,
            false => None,
        };
        let mut request = known.map_or(asked, |known| known.request);
        fill(&mut request, record);
        Ok(request)
    }
}

/// No machine can have this name.
fn kept_as(burst_id: &str) -> String {
    format!("burst:{burst_id}")
}

impl Bursting {
    fn is(&self, vm_id: &str) -> bool {
        self.request.vm_id.as_deref() == Some(vm_id)
    }
}

fn ids(requests: &[PlacementRequest]) -> Vec<&str> {
    requests.iter().filter_map(|request| request.vm_id.as_deref()).collect()
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
fn plan(
    market: &Market,
    settings: &Settings,
    requests: &[PlacementRequest],
    mode: PlanMode,
    now: Timestamp,
    stop: &AtomicBool,
) -> Result<(ManyPlan, Vec<PlacementRecord>), ControlError> {
    let until = Some(Instant::now() + SEARCH + SEARCH_EACH * requests.len() as u32);
    let search = Search { until, steps: None, seed: 1, threads: 2, stop };
    let options = ManyOptions { mode, budgets: Vec::new(), gap: 0.0001, search };
    let plan = place_many(market, settings, requests, &options)?;
    let mut records = Vec::new();
    for placed in &plan.placements {
        let asked = requests.iter().find(|request| request.vm_id.as_deref() == Some(&placed.vm_id));
        let Some(request) = asked.filter(|_| !stop.load(Ordering::Relaxed)) else { continue };
        let mut decision = explain(&Ask::new(market, settings, request)?);
        let alone = decision.primary_placement.replace(placed.clone());
        if alone.as_ref().is_some_and(|alone| alone != placed) {
            decision.notes.push(
                "The place was chosen together with the others of the burst; alone another would have won.".to_owned(),
            );
        }
        records.push(decide::record(decide::vm_id(Some(&placed.vm_id))?, request.clone(), decision, now));
    }
    Ok((plan, records))
}
