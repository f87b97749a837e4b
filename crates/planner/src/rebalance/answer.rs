//! The plan in names, money and words. Every amount is computed from prices here, none from the solver's numbers.

use std::collections::HashMap;

use novacron_placement::Candidate;
use novacron_types::{
    Money,
    placement::{Kept, PlanBound, PlannedMove, RebalancePlan, Strategy},
};

use super::{
    RebalanceOptions,
    now::{known_cost, place},
    once::Once,
    settle::{Ground, Settled, Step},
    table::{Table, span},
    ways::{Demand, Mover, REGIONS},
};
use crate::HOURS;

/// In hundredths of 10⁻⁹ USD: a unit of less than a thousandth of a dollar is nobody's concern.
const COARSE: i128 = 100_000_000;

pub(super) fn answer(g: &Ground<'_, '_>, table: &Table, settled: &Settled) -> RebalancePlan {
    let moves: Vec<PlannedMove> =
        settled.steps.iter().enumerate().map(|(i, step)| planned(g, i as u32 + 1, step)).collect();
    let at: HashMap<usize, Candidate> = settled.steps.iter().map(|step| (step.machine, step.to)).collect();
    let (mut current, mut then) = (0, 0);
    for (machine, mover) in g.movers.iter().enumerate() {
        let Some(now) = mover.home.hourly else { continue };
        let after = at.get(&machine).and_then(|to| known_cost(g.questions.ask(machine), *to)).unwrap_or(now);
        current += i128::from(now) * HOURS;
        then += i128::from(after) * HOURS;
    }
    let staying = (0..g.movers.len()).filter(|machine| !at.contains_key(machine));
    let kept = staying.map(|machine| Kept { vm_id: g.questions.names[machine].clone(), why: why(g, settled, machine) });
    RebalancePlan {
        strategy: g.options.strategy,
        current_monthly: Money::usd_nanos(current),
        planned_monthly: Money::usd_nanos(then),
        saves_per_month: Money::usd_nanos(current - then),
        one_time_cost: Money::usd_nanos(settled.steps.iter().map(|step| step.once.total()).sum()),
        kept: kept.collect(),
        bound: told_bound(g, table, settled),
        notes: notes(g, settled),
        moves,
    }
}

fn planned(g: &Ground<'_, '_>, number: u32, step: &Step) -> PlannedMove {
    let (ask, mover) = (g.questions.ask(step.machine), &g.movers[step.machine]);
    let from = match Some(step.from) == mover.home.candidate {
        true => mover.home.place.clone(),
        false => place(g.market, ask, step.from),
    };
    let costs = known_cost(ask, step.from).zip(known_cost(ask, step.to));
    let saves = costs.map(|(from, to)| i128::from(from) - i128::from(to));
    let reason = match (&mover.mandatory, step.towards) {
        (Some(demand), None) => demand.words(),
        (_, Some(goal)) => format!("a stop on its way to {}: others have to leave first", ask.title(goal)),
        (None, None) => reason(g, step, saves),
    };
    PlannedMove {
        step: number,
        vm_id: g.questions.names[step.machine].clone(),
        from,
        to: place(g.market, ask, step.to),
        towards: step.towards.map(|goal| place(g.market, ask, goal)),
        saves_per_month: saves.map(|saves| Money::usd_nanos(saves * HOURS)),
        one_time_cost: step.once.answer(),
        payback_days: saves.and_then(|saves| payback_days(saves, step.once.total())),
        reason,
        mandatory_by: mover.mandatory.as_ref().map(Demand::by),
    }
}

/// In tenths of a day, rounded up.
fn payback_days(hourly_saving: i128, once: i128) -> Option<f64> {
    let a_day = hourly_saving * 24;
    (a_day > 0).then(|| ((once * 10 + a_day - 1) / a_day) as f64 / 10.0)
}

fn reason(g: &Ground<'_, '_>, step: &Step, saves: Option<i128>) -> String {
    let ask = g.questions.ask(step.machine);
    let money = saves.map(|saves| match saves {
        0 => "it costs the same".to_owned(),
        saves if saves > 0 => format!("it saves {} a month", Money::usd_nanos(saves * HOURS).words()),
        more => format!("it costs {} more a month", Money::usd_nanos(-more * HOURS).words()),
    });
    let money = money.unwrap_or_else(|| "what it saves is not known".to_owned());
    match g.options.strategy {
        Strategy::CostOptimized => money,
        strategy => {
            let (old, new) = (ask.candidate_score(step.from), ask.candidate_score(step.to));
            format!("{new:.2} points for {strategy} instead of {old:.2}; {money}")
        }
    }
}

/// Why a machine stays.
fn why(g: &Ground<'_, '_>, settled: &Settled, machine: usize) -> String {
    let (mover, ask) = (&g.movers[machine], g.questions.ask(machine));
    let broken = mover.home.candidate.map(|home| ask.rules_broken(home)).unwrap_or_default();
    let besides = match broken.is_empty() {
        true => String::new(),
        false => format!(" (where it is, it breaks {})", broken.join(", ")),
    };
    let why = match (&mover.pinned, settled.why.get(&machine)) {
        (Some(pinned), _) => pinned.clone(),
        (None, Some(given_up)) => given_up.clone(),
        (None, None) => not_worth(g, mover, machine),
    };
    why + &besides
}

fn not_worth(g: &Ground<'_, '_>, mover: &Mover, machine: usize) -> String {
    let (options, ask) = (g.options, g.questions.ask(machine));
    let Some(best) = mover.ways.first() else {
        // By cost, only the cheapest place of each region is a way, and the machine may be there.
        return match options.strategy {
            Strategy::CostOptimized => "no other place that will do is known to cost less".to_owned(),
            _ => "no other place will do".to_owned(),
        };
    };
    let place = ask.title(best.candidate);
    if best.pays {
        return match options.max_moves {
            Some(most) => {
                format!("{place} would pay, but there is no room left for it, or the {most} moves do more elsewhere")
            }
            None => format!("{place} would pay, but others make more of the room"),
        };
    }
    if options.strategy != Strategy::CostOptimized {
        let now = mover.home.candidate.map_or(0.0, |home| ask.candidate_score(home));
        let score = ask.candidate_score(best.candidate);
        return format!("the best other place, {place}, has {score:.2} points, and it has {now:.2}");
    }
    let there = known_cost(ask, best.candidate).unwrap_or(0);
    let saves = i128::from(mover.home.hourly.unwrap_or(0)) - i128::from(there);
    if saves <= 0 {
        return format!("no other place is cheaper; {place} is the next");
    }
    let home = mover.home.candidate.unwrap_or(best.candidate);
    let once = Once::new(g.market, options, g.machines[machine].disk_gb, home, mover.home.hourly, best.candidate);
    let (saves, once) = (Money::usd_nanos(saves * HOURS).words(), Money::usd_nanos(once.total()).words());
    format!("{place} would save {saves} a month, too little for a move that costs {once}")
}

fn told_bound(g: &Ground<'_, '_>, table: &Table, settled: &Settled) -> PlanBound {
    let (objective, bound) = (table.weight(&settled.at), settled.bound);
    let undone = table.demanded.iter().zip(table.initial.iter().zip(&settled.at)).filter(|(d, (a, b))| **d && a == b);
    let penalties = undone.count() as i128 * table.penalty;
    // Of points only what is lacking to the best place of each machine means anything.
    let least: i128 = match g.options.strategy {
        Strategy::CostOptimized => 0,
        _ => table.rows.iter().map(|row| span(row).0).sum(),
    };
    let (objective, bound) = (objective - penalties - least, (bound - penalties - least).max(0));
    let bound = bound.min(objective);
    let gap = if objective > bound { (objective - bound) as f64 / objective as f64 } else { 0.0 };
    let (of, told): (String, fn(i128) -> String) = match g.options.strategy {
        Strategy::CostOptimized => (cost_words(g.options), |hundredths| Money::usd_nanos(hundredths / 100).amount()),
        strategy => {
            let of = format!("points for {strategy} that the machines lack to the best place of each");
            (of, |millionths| Money::usd_nanos(millionths * 1000).amount())
        }
    };
    PlanBound { of, objective: told(objective), lower_bound: told(bound), gap }
}

fn cost_words(options: &RebalanceOptions<'_>) -> String {
    format!(
        "USD that the machines whose cost is known cost over {} days, and {} % of what their moves cost once",
        options.payback_days,
        100 + u64::from(options.hysteresis_percent)
    )
}

fn notes(g: &Ground<'_, '_>, settled: &Settled) -> Vec<String> {
    let mut notes = g.held.notes.clone();
    notes.extend(settled.notes.iter().cloned());
    if g.movers.iter().flat_map(|mover| &mover.ways).any(|way| g.market.region_of(way.candidate).is_some()) {
        notes.push(format!(
            "Considered were all hosts and, of each provider, the {REGIONS} regions that are best for a machine: the bound is of these."
        ));
    }
    let unknown = g.movers.iter().filter(|mover| mover.home.hourly.is_none()).count();
    if unknown > 0 {
        notes.push(format!("What {unknown} of the machines cost is not known, and not in the sums."));
    }
    if settled.steps.iter().any(|step| step.once.transfer.is_none()) {
        notes.push(
            "For a move that a policy demands, nobody states what the transfer costs; it is not in the sums."
                .to_owned(),
        );
    }
    if settled.steps.iter().any(|step| step.once.transfer.is_some_and(|nanos| nanos > 0)) {
        notes.push(
            "Transfer is counted at the dearest tier of its price: what else leaves the region in the month is not known."
                .to_owned(),
        );
    }
    let downtime = g.options.downtime;
    notes.push(format!(
        "A move is counted with {} minutes of downtime at {} a minute, and {} % of a month's cost for its risk.",
        downtime.minutes,
        Money::usd_nanos(downtime.nanos_per_minute).words(),
        g.options.risk_percent
    ));
    if g.options.strategy == Strategy::CostOptimized && settled.unit > COARSE {
        let unit = Money::usd_nanos((settled.unit + 99) / 100).words();
        notes.push(format!("The search counted in units of {unit}; all amounts here are exact."));
    }
    notes.extend(
        full_hosts(g).into_iter().map(|name| format!("{name} holds more than it has; nothing is moved to it.")),
    );
    notes
}

/// Hosts whose machines need more than there is.
fn full_hosts<'a>(g: &'a Ground<'_, '_>) -> Vec<&'a str> {
    let hosts = g.market.hosts();
    let mut used = vec![[0u128; 3]; hosts.len()];
    for (machine, mover) in g.movers.iter().enumerate() {
        if let Some(Candidate::Host(host)) = mover.home.candidate {
            let (vcpus, memory, disk) = g.questions.ask(machine).size();
            let needs = [u128::from(vcpus), memory.into(), u128::from(disk) << 30];
            used[host].iter_mut().zip(needs).for_each(|(used, need)| *used += need);
        }
    }
    let full = hosts.iter().zip(&used).filter(|(host, used)| {
        let have = [u128::from(host.vcpus), host.memory_bytes.into(), host.disk_bytes.into()];
        used.iter().zip(have).any(|(used, have)| *used > have)
    });
    full.map(|(host, _)| host.provider.as_str()).collect()
}
