//! Holds a plan against its rules, from the answer's names and amounts alone: nothing of the search is believed.

use std::collections::{BTreeMap, HashMap};

use novacron_catalog::Pricing;
use novacron_placement::{Ask, Candidate, Market, Settings};
use novacron_types::{
    ProviderKind,
    placement::{PlacementRequest, PlannedMove, PlannedPlace, RebalancePlan, Strategy},
};

use super::{Machine, RebalanceOptions, Whereabouts, counted::State};
use crate::{HOURS, groups::groups, questions::Questions};

/// The first rule that a plan breaks, in words.
pub(super) fn verify(
    market: &Market,
    settings: &Settings,
    machines: &[Machine],
    questions: &Questions<'_>,
    options: &RebalanceOptions<'_>,
    plan: &RebalancePlan,
) -> Result<(), String> {
    let number: HashMap<&str, usize> = questions.names.iter().enumerate().map(|(i, name)| (name.as_str(), i)).collect();
    if options.max_moves.is_some_and(|most| plan.moves.len() > most as usize) {
        return Err(format!("{} moves are more than {:?}", plan.moves.len(), options.max_moves));
    }
    let hosts: HashMap<&str, usize> =
        market.hosts().iter().enumerate().map(|(i, host)| (host.provider.as_str(), i)).collect();
    let first: Vec<Option<Candidate>> = machines.iter().map(|machine| found(market, &hosts, &machine.at)).collect();
    let groups = groups(settings, &questions.names, &questions.labels);
    let mut state = State::new(market, settings, questions, machines, first.clone(), &groups);
    let (mut once, mut planned) = (0, BTreeMap::new());
    for (i, step) in plan.moves.iter().enumerate() {
        let fault = |why: &str| Err(format!("step {}: {} {why}", i + 1, step.vm_id));
        let Some(&machine) = number.get(step.vm_id.as_str()) else { return fault("is no machine") };
        let Some(to) = candidate(market, &hosts, &step.to) else { return fault("goes to a place that is not known") };
        let Some(from) = state.at[machine] else { return fault("comes from a place that is not known") };
        if step.step as usize != i + 1
            || !machines[machine].movable
            || candidate(market, &hosts, &step.from) != Some(from)
        {
            return fault("can't be moved, or is not where it is moved from");
        }
        let ask = questions.ask(machine);
        if !ask.rules_broken(to).is_empty() {
            return fault("breaks its rules");
        }
        if let Some(broken) = state.go(machine, from, to) {
            return fault(&broken);
        }
        let saves = hourly(ask, from).zip(hourly(ask, to)).map(|(from, to)| (from - to) * HOURS);
        if saves != step.saves_per_month.map(|money| money.nanos) {
            return fault("saves another amount");
        }
        let parts = &step.one_time_cost;
        let total = parts.transfer.map_or(0, |money| money.nanos) + parts.downtime.nanos + parts.risk.nanos;
        if total != parts.total.nanos {
            return fault("costs another amount");
        }
        once += total;
        planned.entry(machine).or_insert_with(Vec::new).push(step);
    }
    for (machine, steps) in &planned {
        pays(questions.ask(*machine), options, first[*machine], state.at[*machine], steps)?;
        let (request, ends) = (&machines[*machine].request, first[*machine].zip(state.at[*machine]));
        if let Some((first, last)) = ends.filter(|_| steps.iter().all(|step| step.mandatory_by.is_none())) {
            let once: i128 = steps.iter().map(|step| step.one_time_cost.total.nanos).sum();
            loses_nothing(market, settings, request, options, [first, last], once)?;
        }
    }
    if !state.adds_up(settings) {
        return Err("what hosts and quotas hold in the end is not what the steps come to".to_owned());
    }
    sums(questions, plan, &first, &state.at, once)
}

fn pays(
    ask: &Ask<'_>,
    options: &RebalanceOptions<'_>,
    first: Option<Candidate>,
    last: Option<Candidate>,
    steps: &[&PlannedMove],
) -> Result<(), String> {
    let Some((step, (first, last))) = steps.last().zip(first.zip(last)) else { return Ok(()) };
    if step.mandatory_by.is_some() {
        return Ok(());
    }
    let once: i128 = steps.iter().map(|step| step.one_time_cost.total.nanos).sum();
    let spare = 100 + i128::from(options.hysteresis_percent);
    let known = steps.iter().all(|step| step.one_time_cost.transfer.is_some());
    let pays = match options.strategy {
        Strategy::CostOptimized => hourly(ask, first).zip(hourly(ask, last)).is_some_and(|(first, last)| {
            let saves = first - last;
            saves > 0
                && saves * HOURS >= options.min_saving_monthly_nanos
                && saves * 24 * i128::from(options.payback_days) * 100 > once * spare
        }),
        _ => ask.candidate_score(last) * 100.0 > ask.candidate_score(first) * spare as f64,
    };
    if known && pays { Ok(()) } else { Err(format!("moving {} does not pay", step.vm_id)) }
}

/// By the strategies that come before the plan's.
fn loses_nothing(
    market: &Market,
    settings: &Settings,
    request: &PlacementRequest,
    options: &RebalanceOptions<'_>,
    ends: [Candidate; 2],
    once: i128,
) -> Result<(), String> {
    for strategy in options.not_worse {
        let request = PlacementRequest { strategy: Some(*strategy), weights: None, ..request.clone() };
        let settings = Settings { quotas: Vec::new(), peers: Vec::new(), ..settings.clone() };
        let ask = Ask::new(market, &settings, &request).map_err(|error| error.to_string())?;
        let kept = match strategy {
            Strategy::CostOptimized => {
                let [old, new] = ends.map(|end| hourly(&ask, end));
                old.zip(new).is_some_and(|(old, new)| (old - new) * 24 * i128::from(options.payback_days) >= once)
            }
            _ => ask.candidate_score(ends[1]) >= ask.candidate_score(ends[0]),
        };
        if !kept {
            return Err(format!("{:?} becomes worse by {strategy}", request.vm_id));
        }
    }
    Ok(())
}

fn sums(
    questions: &Questions<'_>,
    plan: &RebalancePlan,
    first: &[Option<Candidate>],
    last: &[Option<Candidate>],
    once: i128,
) -> Result<(), String> {
    let (mut now, mut then) = (0, 0);
    for (machine, (first, last)) in first.iter().zip(last).enumerate() {
        let ask = questions.ask(machine);
        let Some(cost) = first.and_then(|first| hourly(ask, first)) else { continue };
        now += cost * HOURS;
        then += last.and_then(|last| hourly(ask, last)).unwrap_or(cost) * HOURS;
    }
    let told = [plan.current_monthly, plan.planned_monthly, plan.saves_per_month, plan.one_time_cost];
    match told.map(|money| money.nanos) == [now, then, now - then, once] {
        true => Ok(()),
        false => Err("the sums are not those of the moves".to_owned()),
    }
}

fn hourly(ask: &Ask<'_>, at: Candidate) -> Option<i128> {
    let cost = ask.candidate_cost(at);
    cost.known.then(|| cost.hourly_nanos.into())
}

fn found(market: &Market, hosts: &HashMap<&str, usize>, at: &Whereabouts) -> Option<Candidate> {
    match at {
        Whereabouts::Host(name) => hosts.get(name.as_str()).copied().map(Candidate::Host),
        Whereabouts::Cloud { kind, region, instance_type, pricing, .. } => {
            offer(market, *kind, region, instance_type, *pricing)
        }
    }
}

fn candidate(market: &Market, hosts: &HashMap<&str, usize>, place: &PlannedPlace) -> Option<Candidate> {
    match place.pricing.parse::<Pricing>() {
        Ok(pricing) => offer(market, place.kind, &place.region, &place.instance_type, pricing),
        Err(_) => hosts.get(place.provider.as_ref()?.as_str()).copied().map(Candidate::Host),
    }
}

fn offer(
    market: &Market,
    kind: ProviderKind,
    region: &str,
    instance_type: &str,
    pricing: Pricing,
) -> Option<Candidate> {
    let catalog = market.catalog();
    let (region, ty) = (catalog.find_region(kind, region)?, catalog.find_type(kind, instance_type)?);
    let (id, _) = catalog.find_offer(ty, region, pricing)?;
    (catalog.hourly(id).currency == *b"USD").then_some(Candidate::Offer(id))
}
