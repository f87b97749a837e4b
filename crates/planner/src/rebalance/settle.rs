//! From a solver's goal to steps that all hold: what can't be done or does not pay with its stops is asked for no more.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use novacron_placement::{Candidate, Market, Settings};
use novacron_rebalance::{Budget, Options, Order, Problem, Violation, order, solve};
use novacron_types::placement::Strategy;

use super::{
    Machine, RebalanceOptions,
    bound::proof,
    hold::Held,
    now::known_cost,
    once::Once,
    quota::Quotas,
    sequence::in_turn,
    table::Table,
    ways::{Mover, loses_no_money, worth},
};
use crate::{PlanError, questions::Questions};

/// One step, by numbers.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub machine: usize,
    pub from: Candidate,
    pub to: Candidate,
    /// Where it goes on to, if `to` is a stop.
    pub towards: Option<Candidate>,
    pub once: Once,
}

#[derive(Debug)]
pub(super) struct Settled {
    pub steps: Vec<Step>,
    /// The site of each machine after all steps.
    pub at: Vec<u32>,
    /// Of machines whose move was given up.
    pub why: BTreeMap<usize, String>,
    pub notes: Vec<String>,
    /// What one unit of the solver's costs was, in that of the rows.
    pub unit: i128,
    /// Of all goals, in the unit of the rows.
    pub bound: i128,
}

/// So often the solver is asked again.
const ROUNDS: u32 = 12;
/// Steps of a search where nothing else ends it: so many for each machine.
const STEPS: u64 = 20_000;

pub(super) struct Ground<'a, 'm> {
    pub market: &'m Market,
    pub settings: &'a Settings,
    pub machines: &'a [Machine],
    pub questions: &'a Questions<'m>,
    pub movers: &'a [Mover],
    pub held: &'a Held,
    pub options: &'a RebalanceOptions<'a>,
}

pub(super) fn settle(g: &Ground<'_, '_>) -> Result<Settled, PlanError> {
    let mut banned: BTreeSet<(usize, u32)> = BTreeSet::new();
    let mut why: BTreeMap<usize, String> = BTreeMap::new();
    let quotas = Quotas::new(g)?;
    let (mut most, mut bound) = (g.options.max_moves, None);
    for round in 0..ROUNDS {
        let table = Table::new(g.market, g.questions, g.movers, g.held, &banned)?;
        let (model, open, unit) = table.models();
        let problem = Problem::new(model, table.initial.clone())?;
        // Half of the time: the solver that proves the bound finds a goal as well, on hundreds of hosts often the better one.
        let proof = proof(g, &table, &quotas, most, part_of_what_is_left(g, 2))?;
        bound.get_or_insert(proof.bound);
        let goal = match table.rows.iter().all(|row| row.len() == 1) || most == Some(0) {
            true => table.initial.clone(),
            false => {
                let goals = [Some(solve(&problem, &options(g, most, round)).assignment), proof.goal];
                let fits = |goal: &Vec<u32>| problem.violations(goal, 1).is_empty();
                let goals = goals.into_iter().flatten().filter(fits);
                goals
                    .min_by_key(|goal| (!quotas.keeps(g, &table, goal), table.weight(goal)))
                    .unwrap_or_else(|| table.initial.clone())
            }
        };
        let found = order(&Problem::new(open, table.initial.clone())?, &goal)?;
        let (steps, mut faults) = steps(g, &table, &found)?;
        for (left, violation) in &found.left {
            let why = violation.as_ref().map(|violation| stands_in_the_way(g, violation));
            let why = why.unwrap_or_else(|| "so many wait for each other that no order was found in time".to_owned());
            faults.entry(left.process as usize).or_insert((left.to, why));
        }
        let (steps, stuck) = in_turn(g, &table, &quotas, steps);
        for (machine, why) in stuck {
            faults.entry(machine).or_insert((goal[machine], why));
        }
        // Of what is given up anyway, nothing counts.
        let counted = most.filter(|_| faults.is_empty());
        let over = counted.map_or(0, |most| (steps.len() as u32).saturating_sub(most));
        if faults.is_empty() && over == 0 {
            let mut at = table.initial.clone();
            steps.iter().for_each(|step| at[step.machine] = table.site(g.market, step.to));
            let bound = bound.unwrap_or(proof.bound);
            return Ok(Settled { steps, at, why, notes: Vec::new(), unit, bound });
        }
        for (machine, (site, reason)) in faults {
            banned.insert((machine, site));
            why.insert(machine, reason);
        }
        most = most.map(|most| most - over.min(most));
    }
    let table = Table::new(g.market, g.questions, g.movers, g.held, &banned)?;
    let note = format!("No moves are proposed: after {ROUNDS} plans there was still one that did not hold on the way.");
    let unit = table.models().2;
    let bound = bound.unwrap_or(i128::MIN);
    Ok(Settled { steps: Vec::new(), at: table.initial, why, notes: vec![note], unit, bound })
}

fn options<'a>(g: &Ground<'a, '_>, max_moves: Option<u32>, round: u32) -> Options<'a> {
    let search = &g.options.search;
    let default = (g.machines.len() as u64 * STEPS).clamp(200_000, 20_000_000);
    // A second plan may be needed: half of what is left for each.
    let budget = match part_of_what_is_left(g, 2) {
        Some(until) => Budget::Until(until),
        None => Budget::Steps(search.steps.unwrap_or(default)),
    };
    Options {
        budget,
        walks: search.threads,
        seed: search.seed.wrapping_add(round.into()),
        max_moves,
        stop: search.stop,
    }
}

fn part_of_what_is_left(g: &Ground<'_, '_>, parts: u32) -> Option<Instant> {
    let now = Instant::now();
    g.options.search.until.map(|until| now + until.saturating_duration_since(now) / parts)
}

/// By machine the site that it must not go to, and why.
type Faults = BTreeMap<usize, (u32, String)>;

/// The order's moves as steps; those of a machine that do not pay with its stops are faults.
fn steps(g: &Ground<'_, '_>, table: &Table, order: &Order) -> Result<(Vec<Step>, Faults), PlanError> {
    let mut last: BTreeMap<usize, u32> = BTreeMap::new();
    for step in &order.moves {
        last.insert(step.process as usize, step.to);
    }
    let way = |machine: usize, site: u32| {
        let way = table.candidate(g, machine, site);
        way.ok_or_else(|| PlanError::Unsound(format!("machine {machine} has no way to {site}")))
    };
    let mut at: BTreeMap<usize, Candidate> = BTreeMap::new();
    let mut steps = Vec::new();
    for step in &order.moves {
        let machine = step.process as usize;
        let Some(home) = g.movers[machine].home.candidate else {
            return Err(PlanError::Unsound(format!("machine {machine} is moved from nowhere")));
        };
        let from = at.get(&machine).copied().unwrap_or(home);
        let to = way(machine, step.to)?;
        let goal = last.get(&machine).copied().filter(|goal| *goal != step.to);
        let towards = goal.map(|goal| way(machine, goal)).transpose()?;
        let hourly = known_cost(g.questions.ask(machine), from);
        let once = Once::new(g.market, g.options, g.machines[machine].disk_gb, from, hourly, to);
        at.insert(machine, to);
        steps.push(Step { machine, from, to, towards, once });
    }
    let mut of: BTreeMap<usize, Vec<&Step>> = BTreeMap::new();
    steps.iter().for_each(|step| of.entry(step.machine).or_default().push(step));
    let mut faults = Faults::new();
    for (machine, mine) in of {
        let Some(&site) = last.get(&machine) else { continue };
        // Without a stop it was looked at before.
        if mine.len() < 2 || g.movers[machine].mandatory.is_some() {
            continue;
        }
        let known = mine.iter().all(|step| step.once.transfer.is_some());
        let once = mine.iter().map(|step| step.once.total()).sum();
        let cost = |candidate: Candidate| known_cost(g.questions.ask(machine), candidate).map(i128::from);
        let saves = mine.first().zip(mine.last()).and_then(|(first, last)| Some(cost(first.from)? - cost(last.to)?));
        let pays = match g.options.strategy {
            Strategy::CostOptimized => saves.is_some_and(|saves| worth(saves, once, g.options)),
            _ if g.options.not_worse.contains(&Strategy::CostOptimized) => {
                saves.is_some_and(|saves| loses_no_money(saves, once, g.options))
            }
            _ => true,
        };
        if !known || !pays {
            let reason = "it would have to stop on its way, and with that the move does not pay".to_owned();
            faults.insert(machine, (site, reason));
        }
    }
    Ok((steps, faults))
}

fn stands_in_the_way(g: &Ground<'_, '_>, violation: &Violation) -> String {
    match violation {
        Violation::Capacity { machine, resource, .. } => {
            let what = ["vCPUs", "memory", "disk"].get(*resource).copied().unwrap_or("room");
            let name = g.market.hosts().get(*machine).map_or("a host", |host| host.provider.as_str());
            format!("{name} has too little {what} until others have left it, and these wait for room as well")
        }
        Violation::Conflict { .. } | Violation::Spread { .. } => {
            "on the way too many of its group would be at one provider".to_owned()
        }
        other => other.to_string(),
    }
}
