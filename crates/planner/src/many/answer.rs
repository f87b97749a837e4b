//! From the solver's numbers back to places, money and words.

use std::collections::HashMap;

use novacron_fleet::{Constraint, Outcome, Status};
use novacron_placement::explain;
use novacron_types::{
    Money,
    placement::{LeftOut, ManyPlan, Placed, PlanStatus, Strategy},
};

use super::{build::Built, left_out};
use crate::{HOURS, PlanError, questions::Questions};

/// So many things that are in the way are told.
const TOLD: usize = 50;

/// The answer where machines that have to be placed find no place even alone.
pub(super) fn nowhere(questions: &Questions<'_>, built: &Built) -> ManyPlan {
    let left_out = without_place(questions, built);
    ManyPlan {
        status: PlanStatus::Infeasible,
        placements: Vec::new(),
        left_out_at_least: left_out.len() as u64,
        monthly: None,
        lower_bound: None,
        gap: None,
        in_the_way: left_out.iter().take(TOLD).map(|left| format!("{}: {}", left.vm_id, left.why)).collect(),
        in_the_way_is_smallest: left_out.len() == 1,
        left_out,
        notes: built.notes.clone(),
    }
}

pub(super) fn plan(questions: &Questions<'_>, built: &Built, outcome: &Outcome) -> Result<ManyPlan, PlanError> {
    let mut notes = built.notes.clone();
    notes.extend(note_on_strategies(questions));
    let mut left_out = without_place(questions, built);
    let alone = left_out.len() as u64;
    let Some(placement) = &outcome.placement else {
        let (status, why, smallest) = match &outcome.status {
            Status::Infeasible { why, smallest } => (PlanStatus::Infeasible, why, *smallest),
            Status::NoneFound { why } => (PlanStatus::NoneFound, why, false),
            Status::Optimal | Status::Feasible => {
                return Err(PlanError::Unsound("the solver has a status without a plan".to_owned()));
            }
        };
        return Ok(ManyPlan {
            status,
            placements: Vec::new(),
            left_out,
            left_out_at_least: alone,
            monthly: None,
            lower_bound: None,
            gap: None,
            in_the_way: why.iter().take(TOLD).map(|constraint| words(questions, built, *constraint)).collect(),
            in_the_way_is_smallest: smallest && why.len() <= TOLD,
            notes,
        });
    };
    if let Some(broken) = built.fleet.check(placement).first() {
        return Err(PlanError::Unsound(broken.to_string()));
    }
    let placements = placed(questions, built, placement)?;
    let monthly: i128 = placements.iter().map(|placed| placed.cost_per_hour.nanos * HOURS).sum();
    let out = placement[..built.machines.len()].iter().filter(|at| at.is_none()).count() as i128;
    let lower = (outcome.bound - built.penalty * out).clamp(0, monthly);
    // A plan that leaves out n costs n penalties and at most what all machines do.
    let beyond = (outcome.bound - built.dearest).max(0);
    let at_least = if built.penalty > 0 { (beyond + built.penalty - 1) / built.penalty } else { 0 };
    left_out.extend(left_out::reasons(questions, built, placement));
    let number: HashMap<&str, usize> = questions.names.iter().enumerate().map(|(i, name)| (name.as_str(), i)).collect();
    left_out.sort_by_key(|left| number.get(left.vm_id.as_str()).copied());
    Ok(ManyPlan {
        status: if outcome.status == Status::Optimal { PlanStatus::Optimal } else { PlanStatus::Feasible },
        placements,
        left_out,
        left_out_at_least: alone + at_least.clamp(0, out) as u64,
        monthly: Some(Money::usd_nanos(monthly)),
        lower_bound: Some(Money::usd_nanos(lower)),
        gap: Some(if monthly > lower { (monthly - lower) as f64 / monthly as f64 } else { 0.0 }),
        in_the_way: Vec::new(),
        in_the_way_is_smallest: false,
        notes,
    })
}

/// Machines that are alike and at one place differ in their ids only.
fn placed(questions: &Questions<'_>, built: &Built, placement: &[Option<u32>]) -> Result<Vec<Placed>, PlanError> {
    let mut known: HashMap<(usize, u32), Placed> = HashMap::new();
    let mut all = Vec::new();
    for (&machine, column) in built.machines.iter().zip(placement) {
        let Some(column) = *column else { continue };
        let class = questions.ask_of[machine];
        let option = built.fleet.model().classes[class].candidates[column as usize].option;
        let choice = &built.options[option as usize];
        let ask = &questions.asks[class];
        if let Some(rule) = ask.rules_broken(choice.candidate).first() {
            return Err(PlanError::Unsound(format!("{} breaks {rule}", ask.title(choice.candidate))));
        }
        let place = known.entry((class, option)).or_insert_with(|| {
            let placed = ask.placed(choice.candidate, ask.candidate_score(choice.candidate));
            Placed {
                zone: choice.zone.clone().or(placed.zone),
                placement_reason: "cheapest together".to_owned(),
                ..placed
            }
        });
        all.push(Placed { vm_id: questions.names[machine].clone(), ..place.clone() });
    }
    Ok(all)
}

/// Machines for which no place would do even if they were alone, each with what to relax.
fn without_place(questions: &Questions<'_>, built: &Built) -> Vec<LeftOut> {
    let mut why: HashMap<usize, String> = HashMap::new();
    let mut all = Vec::new();
    for (name, class) in questions.names.iter().zip(&questions.ask_of).filter(|(_, class)| built.nowhere[**class]) {
        let why = why.entry(*class).or_insert_with(|| {
            let relaxations = explain(&questions.asks[*class]).relaxations;
            let sets: Vec<String> =
                relaxations.iter().map(|set| format!("{} ({})", set.constraints.join(" and "), set.change)).collect();
            match sets.is_empty() {
                true => "no place will do, whatever is relaxed".to_owned(),
                false => format!("no place will do; it would if one gave way: {}", sets.join("; or ")),
            }
        });
        all.push(LeftOut { vm_id: name.clone(), why: why.clone() });
    }
    all
}

fn words(questions: &Questions<'_>, built: &Built, constraint: Constraint) -> String {
    match constraint {
        Constraint::Limit(limit) => built.limits[limit as usize].clone(),
        Constraint::Spread(spread) => built.spreads[spread as usize].clone(),
        Constraint::Item(item) => match built.machines.get(item as usize) {
            Some(machine) => format!("{}: no place will do", questions.names[*machine]),
            None => "a machine that is there already".to_owned(),
        },
    }
}

fn note_on_strategies(questions: &Questions<'_>) -> Option<String> {
    let other = questions.asks.iter().any(|ask| ask.strategy() != Strategy::CostOptimized);
    other.then(|| {
        "Together machines are placed at the least cost: strategies and weights were not followed, rules were."
            .to_owned()
    })
}
