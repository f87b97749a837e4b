//! Better places for machines that there are: a plan, and carrying it out.

use std::{
    sync::atomic::AtomicBool,
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Timestamp};
use novacron_catalog::Pricing;
use novacron_operations::Submission;
use novacron_placement::{Host, Market, Settings};
use novacron_planner::{Downtime, Machine, RebalanceOptions, Search, Whereabouts, rebalance_in_turn};
use novacron_store::Declared;
use novacron_types::{
    VmId, VmRecord,
    placement::{Kept, OptimizationRequest, PlacementRequest, PlanRecord, RebalancePlan, Strategy, Work},
};
use serde_json::json;

use super::{
    OptimizationSettings,
    decide::fill,
    known::{Placing, Question},
    settings::whole_gib,
};
use crate::{
    Caller, Control, ControlError, ErrorClass, request,
    work::work,
    workflow::{Moving, Rebalance, RebalanceState},
};

/// How long is searched.
const SEARCH: Duration = Duration::from_secs(10);
/// A plan that is older is of a federation that is no more.
const PLAN_AGE: SignedDuration = SignedDuration::from_hours(24);

impl Control {
    /// Plans moves of the federation's machines, and keeps the plan so that it can be applied as it is.
    pub async fn plan_optimization(&self, asked: OptimizationRequest) -> Result<PlanRecord, ControlError> {
        check(&asked)?;
        let placing = &self.inner.tools.placing;
        let now = Timestamp::now();
        let Question { market, settings, records } = placing.question(now).await?;
        let market = with_their_own(&market, &records);
        let (mut machines, mut kept) = (Vec::new(), Vec::new());
        let mut asked_of = self.store().placements().asked_of_vms().await?;
        for record in &records {
            match machine(placing, record, asked_of.remove(record.vm_id.as_str())) {
                Ok(machine) => machines.push(machine),
                Err(why) => kept.push(Kept { vm_id: record.vm_id.to_string(), why }),
            }
        }
        let options = merged(&placing.settings.optimization, &asked);
        let computing = &placing.computing;
        let mut plan = computing.run(move |stop| compute(&market, &settings, &machines, options, stop)).await?;
        plan.kept.extend(kept);
        let plan_id = format!("plan-{}", uuid::Uuid::now_v7().simple());
        let record = PlanRecord { plan_id, made_at: now, plan };
        let manifest = serde_json::to_value(&record)
            .map_err(|error| ControlError::new(ErrorClass::Internal, "store", error.to_string()))?;
        let kept = Declared { name: kept_as(&record.plan_id), manifest, updated_at: now };
        self.store().placements().put_declared(&kept).await?;
        Ok(record)
    }

    /// Carries a plan out, move by move.
    pub async fn apply_plan(&self, plan_id: &str, caller: Caller) -> Result<Work, ControlError> {
        let applied = self.applied_plan(plan_id, &caller).await;
        self.note(&caller.actor, "apply_plan", plan_id, json!({}), applied.as_ref().err()).await;
        applied
    }

    async fn applied_plan(&self, plan_id: &str, caller: &Caller) -> Result<Work, ControlError> {
        let unknown = || {
            ControlError::not_found("unknown_plan", format!("there is no plan {plan_id:?}"))
                .advice("`novacron plan` makes one.")
        };
        let kept = self.store().placements().declared(&kept_as(plan_id)).await?.ok_or_else(unknown)?;
        let record: PlanRecord = serde_json::from_value(kept.manifest).map_err(|_| unknown())?;
        if Timestamp::now().duration_since(record.made_at) > PLAN_AGE {
            let message = format!("{plan_id} was made at {}, and the federation has changed since", record.made_at);
            return Err(ControlError::new(ErrorClass::Conflict, "plan_too_old", message).advice("Plan again."));
        }
        if record.plan.moves.is_empty() {
            return Err(ControlError::invalid("nothing_to_do", format!("{plan_id} has no moves")));
        }
        let mut moves = Vec::new();
        for planned in &record.plan.moves {
            let vm_id = VmId::new(planned.vm_id.clone())
                .map_err(|error| ControlError::invalid("invalid_plan", error.to_string()))?;
            let known = self.store().vms().vm(&vm_id).await?;
            let stays = known.as_ref().is_some_and(|known| Some(&known.provider) == planned.from.provider.as_ref());
            // A machine with a stop on its way is where the plan's earlier step left it.
            let moved_before = moves.iter().any(|moving: &Moving| moving.vm_id == vm_id);
            if !stays && !moved_before {
                let message = format!("{vm_id} is no longer where {plan_id} found it");
                return Err(ControlError::new(ErrorClass::Conflict, "plan_outdated", message).advice("Plan again."));
            }
            let Some(to) = planned.to.provider.clone() else {
                let message = format!("no provider is configured for {} in {}", planned.to.kind, planned.to.region);
                return Err(ControlError::invalid("not_configured", message)
                    .advice("Configure one, or plan with `configured` places only."));
            };
            let own = planned.to.pricing == "own";
            let instance_type = (!own).then(|| planned.to.instance_type.clone());
            moves.push(Moving { vm_id, to, instance_type, migration_id: None });
        }
        let state = RebalanceState { plan_id: plan_id.to_owned(), actor: caller.actor.clone(), moves, done: 0 };
        let mut submission = Submission::new(plan_id, state);
        submission.exclusive = vec!["rebalance".to_owned()];
        // Of the store's troubles none is the end of a move that is on its way.
        submission.options.retry_on_failure = true;
        submission.idempotency = request::idempotency(caller, &plan_id)?;
        Ok(work(self.inner.engine.submit::<Rebalance>(submission).await?.record))
    }
}

/// A machine as the planner knows it, or why it is not planned for.
///
/// `asked`: what it was placed by last.
fn machine(placing: &Placing, record: &VmRecord, asked: Option<PlacementRequest>) -> Result<Machine, String> {
    let spec = &record.instance.spec;
    let mut request = asked.unwrap_or_else(|| {
        let mut request = PlacementRequest::default();
        fill(&mut request, record);
        request
    });
    if request.required_cpu.is_none() && request.required_memory_gb.is_none() && request.instance_type.is_none() {
        return Err("its size is not known".to_owned());
    }
    request.vm_id = Some(record.vm_id.to_string());
    // A plan that nobody can carry out is none.
    (request.configured_only, request.create) = (Some(true), false);
    let kind = placing.kind(&record.provider);
    let at = match (kind.is_cloud(), &spec.instance_type) {
        (false, _) => Whereabouts::Host(record.provider.clone()),
        (true, None) => return Err("its instance type is not known".to_owned()),
        (true, Some(instance_type)) => Whereabouts::Cloud {
            kind,
            provider: Some(record.provider.clone()),
            region: placing.region(record),
            zone: record.instance.zone.clone(),
            instance_type: instance_type.clone(),
            pricing: if spec.spot.is_some() { Pricing::Spot } else { Pricing::OnDemand },
        },
    };
    Ok(Machine { request, at, disk_gb: whole_gib(record.instance.disk_bytes()), movable: true })
}

fn check(asked: &OptimizationRequest) -> Result<(), ControlError> {
    for (field, value, low, high) in [
        ("max_moves", asked.max_moves, 0, 100_000),
        ("payback_days", asked.payback_days, 1, 3650),
        ("hysteresis_percent", asked.hysteresis_percent, 0, 1000),
    ] {
        if value.is_some_and(|value| value < low || value > high) {
            let message = format!("`{field}` must be between {low} and {high}");
            return Err(ControlError::invalid("invalid_optimization", message));
        }
    }
    if asked.min_saving.is_some_and(|least| least.nanos < 0) {
        return Err(ControlError::invalid("invalid_optimization", "`min_saving` must be 0 or more"));
    }
    Ok(())
}

fn kept_as(plan_id: &str) -> String {
    format!("plan:{plan_id}")
}

/// The planner takes hosts as they would be without the machines that it plans for.
fn with_their_own(market: &Market, records: &[VmRecord]) -> Market {
    let freed = |host: &Host| {
        let mut host = host.clone();
        for record in records.iter().filter(|record| record.provider == host.provider) {
            let spec = &record.instance.spec;
            host.vcpus = host.vcpus.saturating_add(spec.vcpus.unwrap_or(0));
            host.memory_bytes = host.memory_bytes.saturating_add(spec.memory_bytes.unwrap_or(0));
            host.disk_bytes = host.disk_bytes.saturating_add(record.instance.disk_bytes());
        }
        host
    };
    market.with_hosts(market.hosts().iter().map(freed).collect())
}

fn merged(configured: &OptimizationSettings, asked: &OptimizationRequest) -> OptimizationSettings {
    OptimizationSettings {
        strategies: asked.strategy.map_or_else(|| configured.strategies.clone(), |strategy| vec![strategy]),
        max_moves: asked.max_moves.unwrap_or(configured.max_moves),
        min_saving_nanos: asked.min_saving.map_or(configured.min_saving_nanos, |saving| saving.nanos),
        payback_days: asked.payback_days.unwrap_or(configured.payback_days),
        hysteresis_percent: asked.hysteresis_percent.unwrap_or(configured.hysteresis_percent),
        ..configured.clone()
    }
}

fn compute(
    market: &Market,
    settings: &Settings,
    machines: &[Machine],
    options: OptimizationSettings,
    stop: &AtomicBool,
) -> Result<RebalancePlan, ControlError> {
    let strategies = options.strategies;
    let options = RebalanceOptions {
        strategy: Strategy::CostOptimized,
        not_worse: &[],
        max_moves: Some(options.max_moves),
        hysteresis_percent: options.hysteresis_percent,
        min_saving_monthly_nanos: options.min_saving_nanos,
        payback_days: options.payback_days,
        downtime: Downtime::default(),
        risk_percent: 0,
        search: Search {
            until: Some(Instant::now() + SEARCH),
            // Few machines need not be searched for so long.
            steps: Some(50_000 + 20_000 * machines.len() as u64),
            seed: 1,
            threads: 2,
            stop,
        },
    };
    Ok(rebalance_in_turn(market, settings, machines, &strategies, &options)?)
}
