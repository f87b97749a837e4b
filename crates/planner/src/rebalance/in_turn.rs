//! Plans by several strategies, one after the other.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use novacron_catalog::Pricing;
use novacron_placement::{Market, Settings};
use novacron_types::{
    Money,
    placement::{Kept, PlannedPlace, RebalancePlan, Strategy},
};

use super::{Machine, RebalanceOptions, Whereabouts, rebalance};
use crate::{PlanError, Search};

/// Plans moves by each strategy in turn, the most important first. A later one finds the machines where those before it leave
/// them, moves none that they move, and makes none worse by any of them: one after cost is never paid for. The moves are one
/// plan, in an order in which every state fits. What is proven is told of each strategy by itself.
///
/// Without any strategy it is `options.strategy` alone.
///
/// # Errors
/// As of [`rebalance`].
pub fn rebalance_in_turn(
    market: &Market,
    settings: &Settings,
    machines: &[Machine],
    strategies: &[Strategy],
    options: &RebalanceOptions<'_>,
) -> Result<RebalancePlan, PlanError> {
    let mut order: Vec<Strategy> = Vec::new();
    strategies.iter().for_each(|strategy| {
        if !order.contains(strategy) {
            order.push(*strategy);
        }
    });
    let Some((first, later)) = order.split_first() else {
        return rebalance(market, settings, machines, options);
    };
    let part = |done: usize, max_moves| RebalanceOptions {
        strategy: order[done],
        not_worse: &order[..done],
        max_moves,
        search: Search { until: options.search.until.map(|end| share(end, order.len() - done)), ..options.search },
        ..*options
    };
    let mut plan = rebalance(market, settings, machines, &part(0, options.max_moves))?;
    if later.is_empty() {
        return Ok(plan);
    }
    let mut machines = machines.to_vec();
    let mut kept = BTreeMap::new();
    keep(&mut kept, *first, &plan.kept);
    for (done, strategy) in later.iter().enumerate() {
        let left = options.max_moves.map(|most| most.saturating_sub(plan.moves.len() as u32));
        if left == Some(0) {
            plan.notes.push(format!("No moves were left for {strategy}."));
            continue;
        }
        leave(&mut machines, &plan);
        let next = rebalance(market, settings, &machines, &part(done + 1, left))?;
        keep(&mut kept, *strategy, &next.kept);
        join(&mut plan, next);
    }
    let moved: BTreeSet<&str> = plan.moves.iter().map(|step| step.vm_id.as_str()).collect();
    plan.kept = kept.into_iter().filter(|(id, _)| !moved.contains(id.as_str())).map(told).collect();
    Ok(plan)
}

/// The end of one of so many parts of the time that is left.
fn share(end: Instant, parts: usize) -> Instant {
    let now = Instant::now();
    now + end.saturating_duration_since(now) / parts.max(1) as u32
}

/// Machines are where the plan leaves them; those that it moves have had their move.
fn leave(machines: &mut [Machine], plan: &RebalancePlan) {
    let at: BTreeMap<&str, &PlannedPlace> = plan.moves.iter().map(|step| (step.vm_id.as_str(), &step.to)).collect();
    for (number, machine) in machines.iter_mut().enumerate() {
        let name = machine.request.vm_id.clone().unwrap_or_else(|| format!("#{}", number + 1));
        let Some(place) = at.get(name.as_str()) else { continue };
        machine.movable = false;
        match (place.pricing.parse::<Pricing>(), &place.provider) {
            (Ok(pricing), provider) => {
                machine.at = Whereabouts::Cloud {
                    kind: place.kind,
                    provider: provider.clone(),
                    region: place.region.clone(),
                    zone: None,
                    instance_type: place.instance_type.clone(),
                    pricing,
                };
            }
            (Err(_), Some(host)) => machine.at = Whereabouts::Host(host.clone()),
            (Err(_), None) => {}
        }
    }
}

fn join(plan: &mut RebalancePlan, next: RebalancePlan) {
    let steps = plan.moves.len() as u32;
    plan.moves.extend(next.moves.into_iter().map(|mut step| {
        step.step += steps;
        step
    }));
    // What a machine costs now may be unknown at its first move, and is known at its second.
    plan.planned_monthly = Money::usd_nanos(plan.planned_monthly.nanos - next.saves_per_month.nanos);
    plan.saves_per_month = Money::usd_nanos(plan.saves_per_month.nanos + next.saves_per_month.nanos);
    plan.one_time_cost = Money::usd_nanos(plan.one_time_cost.nanos + next.one_time_cost.nanos);
    let bound = next.bound;
    plan.notes.push(format!(
        "By {}, after what was moved before it: {} {}, and no plan has less than {}.",
        next.strategy, bound.objective, bound.of, bound.lower_bound
    ));
    for note in next.notes {
        if !plan.notes.contains(&note) {
            plan.notes.push(note);
        }
    }
}

type Whys = Vec<(Strategy, String)>;

fn keep(kept: &mut BTreeMap<String, Whys>, strategy: Strategy, of: &[Kept]) {
    for Kept { vm_id, why } in of {
        kept.entry(vm_id.clone()).or_default().push((strategy, why.clone()));
    }
}

/// What is the same for all is told once.
fn told((vm_id, whys): (String, Whys)) -> Kept {
    let same = whys.windows(2).all(|pair| pair[0].1 == pair[1].1);
    let why = match whys.first() {
        Some((_, why)) if same => why.clone(),
        _ => whys.iter().map(|(strategy, why)| format!("{strategy}: {why}")).collect::<Vec<_>>().join("; "),
    };
    Kept { vm_id, why }
}
