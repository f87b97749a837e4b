//! Holds a plan against its rules, from the answer's names and amounts alone: nothing of the search is believed.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use novacron_catalog::Pricing;
use novacron_placement::{Ask, Candidate, Counted, Market, Settings};
use novacron_types::{
    GIB,
    placement::{PlacementRequest, PlannedMove, PlannedPlace, RebalancePlan, Strategy},
};

use super::{Machine, RebalanceOptions, Whereabouts};
use crate::{
    HOURS,
    groups::{Dimension, Group, groups},
    questions::Questions,
    zones::zone_of,
};

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
    let first: Vec<Option<Candidate>> = machines.iter().map(|machine| found(market, &machine.at)).collect();
    let mut state = State { market, questions, machines, at: first.clone(), moved: BTreeSet::new() };
    let groups = groups(settings, &questions.names, &questions.labels);
    let spread: Vec<usize> = groups.iter().map(|group| state.domains(group).min(group.least as usize)).collect();
    let quotas: Vec<Counted> = settings.quotas.iter().filter_map(|quota| quota.counted(market).ok()).collect();
    let room: Vec<[u128; 3]> = state.used_of_hosts();
    let (mut once, mut planned) = (0, BTreeMap::new());
    for (i, step) in plan.moves.iter().enumerate() {
        let fault = |why: &str| Err(format!("step {}: {} {why}", i + 1, step.vm_id));
        let Some(&machine) = number.get(step.vm_id.as_str()) else { return fault("is no machine") };
        let Some(to) = candidate(market, &step.to) else { return fault("goes to a place that is not known") };
        let Some(from) = state.at[machine] else { return fault("comes from a place that is not known") };
        if step.step as usize != i + 1 || !machines[machine].movable || candidate(market, &step.from) != Some(from) {
            return fault("can't be moved, or is not where it is moved from");
        }
        let ask = questions.ask(machine);
        if !ask.rules_broken(to).is_empty() {
            return fault("breaks its rules");
        }
        let before: Vec<[i128; 3]> = quotas.iter().map(|within| state.used_of(within, settings)).collect();
        // It leaves its old room only once it is there, so that no state between two steps needs more than both.
        state.at[machine] = Some(to);
        state.moved.insert(machine);
        for ((host, used), first) in market.hosts().iter().zip(state.used_of_hosts()).zip(&room) {
            let have = [host.vcpus.into(), host.memory_bytes.into(), u128::from(host.disk_bytes)];
            if (0..3).any(|r| used[r] > have[r] && used[r] > first[r]) {
                return fault(&format!("does not fit on {}", host.provider));
            }
        }
        for ((quota, within), before) in settings.quotas.iter().zip(&quotas).zip(before) {
            let after = state.used_of(within, settings);
            let most = [quota.vcpus.map(i128::from), quota.instances.map(i128::from), quota.monthly_nanos];
            if (0..3).any(|r| after[r] > before[r] && most[r].is_some_and(|most| after[r] > most)) {
                return fault(&format!("breaks the quota of {}", quota.place()));
            }
        }
        for (group, least) in groups.iter().zip(&spread) {
            if state.domains(group) < *least {
                return fault(&format!("breaks {}", group.words()));
            }
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

struct State<'a, 'm> {
    market: &'a Market,
    questions: &'a Questions<'m>,
    machines: &'a [Machine],
    at: Vec<Option<Candidate>>,
    moved: BTreeSet<usize>,
}

impl State<'_, '_> {
    fn used_of_hosts(&self) -> Vec<[u128; 3]> {
        let mut used = vec![[0u128; 3]; self.market.hosts().len()];
        for (machine, at) in self.at.iter().enumerate() {
            if let Some(Candidate::Host(host)) = at {
                let (vcpus, memory, disk) = self.questions.ask(machine).size();
                let needs = [vcpus.into(), memory.into(), u128::from(disk) * u128::from(GIB)];
                used[*host].iter_mut().zip(needs).for_each(|(used, need)| *used += need);
            }
        }
        used
    }

    /// vCPUs, machines and money a month.
    fn used_of(&self, within: &Counted, settings: &Settings) -> [i128; 3] {
        let mut used = [0i128; 3];
        let mut add = |takes: [i128; 3]| used.iter_mut().zip(takes).for_each(|(used, take)| *used += take);
        for (machine, at) in self.at.iter().enumerate() {
            let Some(at) = at.filter(|at| self.counts(within, machine, *at)) else { continue };
            let ask = self.questions.ask(machine);
            let vcpus = match at {
                Candidate::Host(_) => ask.size().0,
                Candidate::Offer(id) => {
                    let catalog = self.market.catalog();
                    catalog.instance_type(catalog.offers().ty[id.0 as usize]).vcpus
                }
            };
            add([vcpus.into(), 1, hourly(ask, at).unwrap_or(0) * HOURS]);
        }
        let own: BTreeSet<&str> = self.questions.names.iter().map(String::as_str).collect();
        for peer in settings.peers.iter().filter(|peer| !own.contains(peer.vm_id.as_str())) {
            if within.holds_peer(self.market, peer) {
                add([peer.vcpus.into(), 1, peer.monthly_nanos]);
            }
        }
        used
    }

    fn counts(&self, within: &Counted, machine: usize, at: Candidate) -> bool {
        match &self.machines[machine].at {
            Whereabouts::Cloud { kind, region, provider, .. } if !self.moved.contains(&machine) => {
                within.holds_machine(self.market, *kind, region, provider.as_ref())
            }
            _ => within.holds(self.market, at),
        }
    }

    /// In how many domains a group stands, as far as they are known: the zone of a machine that was moved is not.
    fn domains(&self, group: &Group<'_>) -> usize {
        let of_peers = group.peers.iter().filter_map(|peer| group.dimension.of_peer(self.market, peer));
        let of_members = group.members.iter().filter_map(|machine| self.domain(*machine, group.dimension));
        of_peers.chain(of_members).collect::<BTreeSet<String>>().len()
    }

    fn domain(&self, machine: usize, dimension: Dimension) -> Option<String> {
        let moved = self.moved.contains(&machine);
        match (dimension, &self.machines[machine].at) {
            (Dimension::Providers, _) if moved => self.at[machine].map(|at| self.market.provider_key(at)),
            (Dimension::Zones, _) if moved => None,
            (Dimension::Providers, Whereabouts::Host(name)) => Some(name.to_string()),
            (Dimension::Providers, Whereabouts::Cloud { kind, region, provider, .. }) => {
                Some(self.market.provider_of(*kind, region, provider.as_ref()))
            }
            (Dimension::Zones, Whereabouts::Host(name)) => {
                let host = self.market.hosts().iter().find(|host| host.provider == *name)?;
                zone_of(self.market, host.kind, &host.region, None, Some(name)).map(|zone| zone.to_string())
            }
            (Dimension::Zones, Whereabouts::Cloud { kind, region, zone, provider, .. }) => {
                zone_of(self.market, *kind, region, zone.as_deref(), provider.as_ref()).map(|zone| zone.to_string())
            }
        }
    }
}

fn hourly(ask: &Ask<'_>, at: Candidate) -> Option<i128> {
    let cost = ask.candidate_cost(at);
    cost.known.then(|| cost.hourly_nanos.into())
}

fn found(market: &Market, at: &Whereabouts) -> Option<Candidate> {
    match at {
        Whereabouts::Host(name) => market.hosts().iter().position(|host| host.provider == *name).map(Candidate::Host),
        Whereabouts::Cloud { kind, region, instance_type, pricing, .. } => {
            let catalog = market.catalog();
            let (region, ty) = (catalog.find_region(*kind, region)?, catalog.find_type(*kind, instance_type)?);
            let (id, _) = catalog.find_offer(ty, region, *pricing)?;
            (catalog.hourly(id).currency == *b"USD").then_some(Candidate::Offer(id))
        }
    }
}

fn candidate(market: &Market, place: &PlannedPlace) -> Option<Candidate> {
    match place.pricing.parse::<Pricing>() {
        Ok(pricing) => found(
            market,
            &Whereabouts::Cloud {
                kind: place.kind,
                provider: None,
                region: place.region.clone(),
                zone: None,
                instance_type: place.instance_type.clone(),
                pricing,
            },
        ),
        Err(_) => found(market, &Whereabouts::Host(place.provider.clone()?)),
    }
}
