//! Why there is no placement.

use std::collections::{HashMap, HashSet};

use crate::{
    bound::{Costs, Stuck, dual, most_worth, price},
    clock::Clock,
    compile::{Compiled, Row, Source},
    model::{Item, Model, Spread},
    outcome::Constraint,
    search::exact,
};

/// What makes a model impossible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Why {
    pub constraints: Vec<Constraint>,
    /// Whether each is needed for that.
    pub smallest: bool,
}

/// A model of so few items is searched through, for so many nodes, where the linear program does not prove it impossible.
const SMALL: usize = 64;
const NODES: u64 = 100_000;
/// How often a part of the constraints is tried.
const TRIALS: usize = 400;
/// The same for large models, each of whose trials is a linear program.
const TRIALS_LARGE: usize = 40;

/// Proves that no placement exists and names constraints that make it so; `None` when there is no proof. `worths` are tried
/// first: those that a bound beyond all measure came from often prove it.
pub(crate) fn impossible(model: &Model, compiled: &Compiled, worths: &[i128], clock: &Clock<'_>) -> Option<Why> {
    let stuck = |i: &Item| i.unplaced_cost.is_none() && model.classes[i.class as usize].candidates.is_empty();
    if let Some(item) = model.items.iter().position(stuck) {
        return Some(Why { constraints: vec![Constraint::Item(item as u32)], smallest: true });
    }
    match prove(model, compiled, worths, clock) {
        Proof::Impossible(suspects) => Some(filter(model, compiled, suspects, worths, clock)),
        Proof::Possible | Proof::None => None,
    }
}

/// All that could matter.
pub(crate) fn all(model: &Model, compiled: &Compiled) -> Vec<Constraint> {
    let limit = |row: &Row| if let Source::Limit(l) = row.source { Some(Constraint::Limit(l)) } else { None };
    let spreads = (0..model.spreads.len() as u32).map(Constraint::Spread);
    compiled.rows.iter().filter_map(limit).chain(spreads).collect()
}

enum Proof {
    /// It rests on these constraints, all of them where it is a search through everything.
    Impossible(Vec<Constraint>),
    /// There is a placement.
    Possible,
    None,
}

fn prove(model: &Model, compiled: &Compiled, worths: &[i128], clock: &Clock<'_>) -> Proof {
    if worths.len() == compiled.rows.len() && price(compiled, worths, Costs::None).is_ok_and(|priced| priced.value > 0)
    {
        return Proof::Impossible(held(model, compiled, worths, clock));
    }
    match dual(compiled, Costs::None, clock) {
        Err(Stuck::Kind(_)) => Proof::Impossible(all(model, compiled)),
        Err(Stuck::Spread(spread)) => {
            let others = |c: &Constraint| !matches!(c, Constraint::Spread(s) if *s != spread);
            Proof::Impossible(all(model, compiled).into_iter().filter(others).collect())
        }
        Ok(dual) if dual.value > 0 => Proof::Impossible(held(model, compiled, &dual.worths, clock)),
        Ok(_)
            if compiled.rows.is_empty()
                && model.spreads.iter().all(|s| s.at_least == 0 && s.at_most_each.is_none()) =>
        {
            Proof::Possible
        }
        Ok(_) if clock.over() || model.items.len() > SMALL => Proof::None,
        Ok(dual) => match exact(compiled, model, &dual.worths, None, true, NODES, clock) {
            found if found.found.is_some() => Proof::Possible,
            found if found.complete => Proof::Impossible(all(model, compiled)),
            _ => Proof::None,
        },
    }
}

/// The constraints that are left when as many rows as can be are worth nothing and the proof still holds, those that matter
/// least first.
fn held(model: &Model, compiled: &Compiled, worths: &[i128], clock: &Clock<'_>) -> Vec<Constraint> {
    let mut worths = worths.to_vec();
    let weight = |row: usize| worths[row].saturating_mul(compiled.rows[row].capacity.max(1).into());
    let mut order: Vec<usize> = (0..worths.len()).filter(|&row| worths[row] > 0).collect();
    order.sort_by_key(|&row| weight(row));
    let mut size = order.len();
    while size > 0 && !clock.over() {
        let mut start = 0;
        while start < order.len() && !clock.over() {
            let end = (start + size).min(order.len());
            let mut fewer = worths.clone();
            order[start..end].iter().for_each(|&row| fewer[row] = 0);
            if price(compiled, &fewer, Costs::None).is_ok_and(|priced| priced.value > 0) {
                worths = fewer;
                order.drain(start..end);
            } else {
                start = end;
            }
        }
        size = if size == 1 { 0 } else { size.div_ceil(2) };
    }
    let rows = compiled.rows.iter().zip(&worths);
    let free = rows.filter(|(_, worth)| **worth == 0).filter_map(|(row, _)| match row.source {
        Source::Limit(limit) => Some(limit),
        Source::Spread(_) => None,
    });
    let free: HashSet<u32> = free.collect();
    let held = |c: &Constraint| !matches!(c, Constraint::Limit(limit) if free.contains(limit));
    all(model, compiled).into_iter().filter(held).collect()
}

/// Leaves out of them what is not needed: halves, then quarters, at last one by one.
fn filter(model: &Model, compiled: &Compiled, mut kept: Vec<Constraint>, worths: &[i128], clock: &Clock<'_>) -> Why {
    let known: HashMap<Source, i128> = compiled.rows.iter().map(|row| row.source).zip(worths.iter().copied()).collect();
    let holds = |kept: &[Constraint]| {
        let model = only(model, kept);
        let fewer = Compiled::new(&model);
        let worth = |row: &Row| known.get(&row.source).map_or(0, |worth| (*worth).min(most_worth(row)));
        let worths: Vec<i128> = fewer.rows.iter().map(worth).collect();
        prove(&model, &fewer, &worths, clock)
    };
    // A candidate that a limit alone rules out was not in the proof, so that the limit was not either.
    if !matches!(holds(&kept), Proof::Impossible(_)) {
        kept = all(model, compiled);
    }
    let mut trials = if model.items.len() > 1000 { TRIALS_LARGE } else { TRIALS };
    let mut size = kept.len();
    while size > 0 {
        let mut start = 0;
        while start < kept.len() {
            if trials == 0 || clock.over() {
                return Why { constraints: kept, smallest: false };
            }
            trials -= 1;
            let end = (start + size).min(kept.len());
            let fewer: Vec<Constraint> = kept[..start].iter().chain(&kept[end..]).copied().collect();
            if matches!(holds(&fewer), Proof::Impossible(_)) {
                kept = fewer;
            } else {
                start = end;
            }
        }
        size = if size == 1 { 0 } else { size.div_ceil(2) };
    }
    let needed = |n: usize| {
        let fewer: Vec<Constraint> = kept[..n].iter().chain(&kept[n + 1..]).copied().collect();
        matches!(holds(&fewer), Proof::Possible)
    };
    let smallest = (0..kept.len()).all(|n| !clock.over() && needed(n));
    Why { constraints: kept, smallest }
}

/// The model with no other constraints than these.
fn only(model: &Model, kept: &[Constraint]) -> Model {
    let kept: HashSet<&Constraint> = kept.iter().collect();
    let mut model = model.clone();
    for (limit, capacity) in model.limits.iter_mut().enumerate() {
        if !kept.contains(&Constraint::Limit(limit as u32)) {
            *capacity = i64::MAX;
        }
    }
    for (s, spread) in model.spreads.iter_mut().enumerate() {
        if !kept.contains(&Constraint::Spread(s as u32)) {
            *spread = Spread { at_least: 0, at_most_each: None, ..std::mem::take(spread) };
        }
    }
    model
}

/// The constraints behind rows and spreads.
pub(crate) fn names(compiled: &Compiled, rows: &[usize], spreads: &[usize]) -> Vec<Constraint> {
    let row = |&row: &usize| match compiled.rows[row].source {
        Source::Limit(limit) => Constraint::Limit(limit),
        Source::Spread(spread) => Constraint::Spread(spread),
    };
    let mut all: Vec<Constraint> =
        rows.iter().map(row).chain(spreads.iter().map(|&s| Constraint::Spread(s as u32))).collect();
    all.sort_unstable();
    all.dedup();
    all
}
