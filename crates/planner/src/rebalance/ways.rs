//! For each machine the places that it might go to, and what each is worth.

use std::collections::HashMap;

use novacron_catalog::RegionId;
use novacron_placement::{Ask, Candidate, Market, Settings};
use novacron_types::placement::Strategy;

use super::{
    Machine, RebalanceOptions, Whereabouts,
    floor::Floor,
    now::{Home, home, known_cost},
    once::Once,
};
use crate::{HOURS, PlanError, questions::Questions};

/// A place that a machine could be moved to.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Way {
    pub candidate: Candidate,
    /// What is minimised, with the move to it: 10⁻¹¹ USD over the window, or
    /// millionths of a point less than none.
    pub weight: i128,
    /// Whether going there is worth it; the others are good for a stop only.
    pub pays: bool,
    /// Whether what it costs there, and to go there, is known.
    pub known: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Mover {
    pub home: Home,
    /// Of staying; 0 where the cost is not known.
    pub weight: i128,
    /// No two of one region or host.
    pub ways: Vec<Way>,
    /// What wants it elsewhere, whatever it costs.
    pub mandatory: Option<Demand>,
    /// Why it stays, whatever the plan.
    pub pinned: Option<String>,
}

/// Why a machine has to be elsewhere.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Demand {
    /// By name.
    Policy(String),
    /// Rules that it was declared with and that its place breaks, by name.
    Declared(Vec<String>),
}

impl Demand {
    /// `policy "out" wants it elsewhere`.
    pub fn words(&self) -> String {
        match self {
            Self::Policy(policy) => format!("policy {policy:?} wants it elsewhere"),
            Self::Declared(rules) => format!("it has to be elsewhere: where it is, it breaks {}", rules.join(", ")),
        }
    }

    /// As answers name it.
    pub fn by(&self) -> String {
        match self {
            Self::Policy(policy) => policy.clone(),
            Self::Declared(rules) => format!("what it was declared with: {}", rules.join(", ")),
        }
    }
}

/// Rules by which a machine says, or the configuration of all, where it has to be. What only its price or size breaks is for
/// savings and policies to say.
fn is_of_place(rule: &str) -> bool {
    rule.starts_with("compliance:")
        || ["provider", "region", "compliance-zones", "latency", "sla", "instance-type", "steady"].contains(&rule)
}

/// So many regions of one provider are considered for a machine, the best.
pub(super) const REGIONS: usize = 4;
/// Hosts times machines: each host is a way for each machine, and all are in memory at once, 48 bytes each.
const WAYS: usize = 1 << 24;

pub(super) fn movers(
    market: &Market,
    settings: &Settings,
    machines: &[Machine],
    questions: &Questions<'_>,
    options: &RebalanceOptions<'_>,
) -> Result<Vec<Mover>, PlanError> {
    let hosts = market.hosts().len();
    if hosts * machines.len() > WAYS {
        let why = format!("{} machines and {hosts} hosts are more than are planned at once", machines.len());
        return Err(PlanError::Option { option: "machines", why });
    }
    let floor = Floor::new(market, settings, machines, options)?;
    let mut places = HashMap::new();
    let mut movers = Vec::new();
    for (number, machine) in machines.iter().enumerate() {
        let ask = questions.ask(number);
        let home = home(market, ask, machine);
        if options.search.over() {
            let pinned = Some("the time was over before it was looked at".to_owned());
            let weight = staying(ask, &home, options);
            movers.push(Mover { weight, home, ways: Vec::new(), mandatory: None, pinned });
            continue;
        }
        // What a machine may not lose depends on where it is.
        let at = if options.not_worse.is_empty() { None } else { home.candidate.map(|now| (now, machine.disk_gb)) };
        let all = places.entry((questions.ask_of[number], at)).or_insert_with(|| {
            let keep = |candidate| at.is_none() || floor.keeps(number, machine, ask, &home, candidate);
            match options.strategy {
                Strategy::CostOptimized => cheapest_of_region(market, ask, keep),
                _ => ask.best_places_among(keep),
            }
        });
        let fail = |error| PlanError::Machine { vm_id: questions.names[number].clone(), error };
        movers.push(mover(market, settings, machine, ask, home, all, options).map_err(fail)?);
    }
    Ok(movers)
}

/// Of each region the cheapest, whatever its size, and the hosts.
fn cheapest_of_region(market: &Market, ask: &Ask<'_>, keep: impl Fn(Candidate) -> bool) -> Vec<Candidate> {
    let mut best: HashMap<RegionId, (u64, Candidate)> = HashMap::new();
    let mut all = Vec::new();
    for candidate in ask.cheapest_places_among(keep) {
        match market.region_of(candidate) {
            None => all.push(candidate),
            Some(region) => {
                let this = (ask.candidate_cost(candidate).hourly_nanos, candidate);
                best.entry(region).and_modify(|known| *known = (*known).min(this)).or_insert(this);
            }
        }
    }
    all.extend(best.into_values().map(|(_, candidate)| candidate));
    all.sort_unstable();
    all
}

fn mover(
    market: &Market,
    settings: &Settings,
    machine: &Machine,
    ask: &Ask<'_>,
    home: Home,
    places: &[Candidate],
    options: &RebalanceOptions<'_>,
) -> Result<Mover, novacron_placement::PlacementError> {
    let mut mover =
        Mover { weight: staying(ask, &home, options), home, ways: Vec::new(), mandatory: None, pinned: None };
    let Some(now) = mover.home.candidate else {
        mover.pinned = mover.home.unknown.clone();
        return Ok(mover);
    };
    let migrations = ask.migrations(settings, now)?;
    let mut wanted =
        migrations.first().map(|migration| (Demand::Policy(migration.policy.clone()), Some(&migration.to)));
    if wanted.is_none() && matches!(now, Candidate::Offer(_)) {
        let small = ask.rules_broken(now).iter().any(|rule| matches!(*rule, "cpu" | "memory"));
        wanted = ask.scaled_by(settings)?.filter(|_| small).map(|policy| (Demand::Policy(policy), None));
    }
    if wanted.is_none() {
        let broken: Vec<String> =
            ask.rules_broken(now).into_iter().filter(|rule| is_of_place(rule)).map(str::to_owned).collect();
        wanted = (!broken.is_empty()).then_some((Demand::Declared(broken), None));
    }
    mover.mandatory = wanted.as_ref().map(|(demand, _)| demand.clone());
    if !machine.movable {
        mover.pinned = Some(match &mover.mandatory {
            Some(demand) => format!("it can't be moved, though {}", demand.words()),
            None => "it can't be moved".to_owned(),
        });
        return Ok(mover);
    }
    if let Some((demand, _)) = wanted.as_ref().filter(|_| !options.not_worse.is_empty()) {
        mover.pinned = Some(format!("{}, whatever the strategy", demand.words()));
        return Ok(mover);
    }
    if let (None, Some(unknown)) = (&wanted, &mover.home.unknown) {
        mover.pinned = Some(format!("{unknown}, so that what a move saves is not known either"));
        return Ok(mover);
    }
    let meant =
        |candidate: &Candidate| wanted.as_ref().is_none_or(|(_, to)| to.is_none_or(|to| to.holds(market, *candidate)));
    // A migration goes from one provider to another; whoever only changes a machine's type or region is not moved.
    let leaves = |candidate: &Candidate| match &machine.at {
        Whereabouts::Cloud { provider: Some(provider), .. } => market.provider_key(*candidate) != provider.as_str(),
        _ => *candidate != now,
    };
    for candidate in places.iter().copied().filter(leaves) {
        let mut way = way(market, ask, machine, &mover.home, now, candidate, options);
        if wanted.is_some() {
            way.pays = meant(&candidate);
        }
        mover.ways.push(way);
    }
    keep_best(market, &mut mover.ways, wanted.is_some());
    if let Some((demand, _)) = wanted.filter(|_| !mover.ways.iter().any(|way| way.pays)) {
        mover.pinned = Some(match &demand {
            Demand::Policy(_) => format!("{}, but no place there breaks none of its rules", demand.words()),
            Demand::Declared(_) => format!("{}, but no other provider's place breaks none", demand.words()),
        });
    }
    Ok(mover)
}

/// What is not known is no way, unless a policy wants it and knows no other.
fn keep_best(market: &Market, ways: &mut Vec<Way>, mandatory: bool) {
    let other = ways.iter().any(|way| way.pays && way.known);
    ways.retain(|way| way.known || mandatory && !other && way.pays);
    ways.sort_by_key(|way| (!way.pays, way.weight, way.candidate));
    let mut of_provider: HashMap<String, usize> = HashMap::new();
    ways.retain(|way| {
        if market.region_of(way.candidate).is_none() {
            return true;
        }
        let count = of_provider.entry(market.provider_key(way.candidate)).or_default();
        *count += 1;
        *count <= REGIONS
    });
}

fn staying(ask: &Ask<'_>, home: &Home, options: &RebalanceOptions<'_>) -> i128 {
    match options.strategy {
        Strategy::CostOptimized => home.hourly.map_or(0, |hourly| over_the_window(hourly, options)),
        _ => home.candidate.map_or(0, |candidate| -millionths(ask, candidate)),
    }
}

/// Hundredths of 10⁻⁹ USD, so that percents stay whole.
fn over_the_window(hourly: u64, options: &RebalanceOptions<'_>) -> i128 {
    i128::from(hourly) * 24 * i128::from(options.payback_days) * 100
}

fn millionths(ask: &Ask<'_>, candidate: Candidate) -> i128 {
    (ask.candidate_score(candidate) * 1e6).round() as i128
}

fn way(
    market: &Market,
    ask: &Ask<'_>,
    machine: &Machine,
    home: &Home,
    now: Candidate,
    candidate: Candidate,
    options: &RebalanceOptions<'_>,
) -> Way {
    let hourly = known_cost(ask, candidate);
    let once = Once::new(market, options, machine.disk_gb, now, home.hourly, candidate);
    let spare = 100 + i128::from(options.hysteresis_percent);
    let known = hourly.is_some() && once.transfer.is_some();
    let (weight, pays) = match options.strategy {
        Strategy::CostOptimized => {
            let weight = over_the_window(hourly.unwrap_or(0), options) + once.total() * spare;
            let saves = i128::from(home.hourly.unwrap_or(0)) - i128::from(hourly.unwrap_or(0));
            (weight, home.hourly.is_some() && worth(saves, once.total(), options))
        }
        _ => {
            let better = millionths(ask, candidate) * 100 > millionths(ask, now) * spare;
            (-millionths(ask, candidate), better)
        }
    };
    Way { candidate, weight, pays: known && pays, known }
}

/// Whether a saving an hour, over the window, makes up for what a move costs once.
pub(super) fn loses_no_money(hourly_saving: i128, once: i128, options: &RebalanceOptions<'_>) -> bool {
    hourly_saving * 24 * i128::from(options.payback_days) >= once
}

/// Whether a saving an hour pays for what a move costs once.
pub(super) fn worth(hourly_saving: i128, once: i128, options: &RebalanceOptions<'_>) -> bool {
    hourly_saving > 0
        && hourly_saving * HOURS >= options.min_saving_monthly_nanos
        && hourly_saving * 24 * i128::from(options.payback_days) * 100
            > once * (100 + i128::from(options.hysteresis_percent))
}
