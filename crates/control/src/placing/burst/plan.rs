//! The places of a burst's machines, weighed together.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use jiff::Timestamp;
use novacron_placement::{Ask, Market, Settings, explain};
use novacron_planner::{ManyOptions, PlanError, Search, place_many};
use novacron_types::placement::{ManyPlan, PlacementRecord, PlacementRequest, PlanMode};

use super::super::decide;
use crate::ControlError;

/// How long the places of a burst are weighed together at most: so long, and a little for each machine.
const SEARCH: Duration = Duration::from_secs(1);
const SEARCH_EACH: Duration = Duration::from_millis(5);

/// The places alone. `called` is what the caller knows each request by.
pub(super) fn places(
    market: &Market,
    settings: &Settings,
    requests: &[PlacementRequest],
    called: &[String],
    mode: PlanMode,
    stop: &AtomicBool,
) -> Result<ManyPlan, ControlError> {
    let until = Some(Instant::now() + SEARCH + SEARCH_EACH * requests.len() as u32);
    let search = Search { until, steps: None, seed: 1, threads: 2, stop };
    let options = ManyOptions { mode, budgets: Vec::new(), gap: 0.0001, search };
    place_many(market, settings, requests, &options).map_err(|error| refused(error, requests, called))
}

/// The places, and a record of each with its own explanation.
pub(in super::super) fn plan(
    market: &Market,
    settings: &Settings,
    requests: &[PlacementRequest],
    called: &[String],
    mode: PlanMode,
    now: Timestamp,
    stop: &AtomicBool,
) -> Result<(ManyPlan, Vec<PlacementRecord>), ControlError> {
    let plan = places(market, settings, requests, called, mode, stop)?;
    let asked: HashMap<&str, &PlacementRequest> =
        requests.iter().filter_map(|request| Some((request.vm_id.as_deref()?, request))).collect();
    let mut records = Vec::new();
    for placed in &plan.placements {
        let asked = asked.get(placed.vm_id.as_str()).copied();
        let Some(request) = asked.filter(|_| !stop.load(Ordering::Relaxed)) else { continue };
        let mut decision = explain(&Ask::new(market, settings, request)?);
        let alone = decision.primary_placement.replace(placed.clone());
        if alone.as_ref().is_some_and(|alone| alone != placed) {
            decision
                .notes
                .push("The place was chosen together with the others; alone another would have won.".to_owned());
        }
        records.push(decide::record(decide::vm_id(Some(&placed.vm_id))?, request.clone(), decision, now));
    }
    Ok((plan, records))
}

fn refused(error: PlanError, requests: &[PlacementRequest], called: &[String]) -> ControlError {
    let PlanError::Machine { vm_id, error } = error else { return error.into() };
    let index = requests.iter().position(|request| request.vm_id.as_deref() == Some(&vm_id));
    let who = index.and_then(|index| called.get(index)).unwrap_or(&vm_id);
    ControlError { message: format!("{who}: {error}"), ..error.into() }
}
