//! Why there is no placement.

use crate::{
    bound::{Stuck, dual},
    clock::Clock,
    compile::{Compiled, Row, Source},
    model::{Model, Spread},
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

/// Proves that no placement exists and names constraints that make it so; `None` when there is no proof.
pub(crate) fn impossible(model: &Model, compiled: &Compiled, clock: &Clock<'_>) -> Option<Why> {
    if let Some(item) = model
        .items
        .iter()
        .position(|i| model.classes[i.class as usize].candidates.is_empty() && i.unplaced_cost.is_none())
    {
        return Some(Why { constraints: vec![Constraint::Item(item as u32)], smallest: true });
    }
    let suspects = proof(model, compiled, clock)?;
    Some(filter(model, compiled, suspects, clock))
}

/// All that could matter.
pub(crate) fn all(model: &Model, compiled: &Compiled) -> Vec<Constraint> {
    let limit = |row: &Row| if let Source::Limit(l) = row.source { Some(Constraint::Limit(l)) } else { None };
    let spreads = (0..model.spreads.len() as u32).map(Constraint::Spread);
    compiled.rows.iter().filter_map(limit).chain(spreads).collect()
}

/// The constraints that a proof rests on: all of them where it is a search through everything.
fn proof(model: &Model, compiled: &Compiled, clock: &Clock<'_>) -> Option<Vec<Constraint>> {
    let all = || all(model, compiled);
    match dual(compiled, false, clock) {
        Err(Stuck::Kind(_)) => Some(all()),
        Err(Stuck::Spread(spread)) => {
            let limits = |c: &Constraint| !matches!(c, Constraint::Spread(_));
            Some(all().into_iter().filter(limits).chain([Constraint::Spread(spread)]).collect())
        }
        Ok(dual) if dual.value > 0 => {
            let held = |c: &Constraint| {
                let Constraint::Limit(limit) = *c else { return true };
                let row = compiled.rows.iter().position(|row| row.source == Source::Limit(limit));
                row.is_some_and(|row| dual.worths[row] > 0)
            };
            Some(all().into_iter().filter(held).collect())
        }
        Ok(_) if clock.over() || model.items.len() > SMALL => None,
        Ok(dual) => {
            let found = exact(compiled, model, &dual.worths, None, true, NODES, clock);
            (found.complete && found.found.is_none()).then(all)
        }
    }
}

/// Leaves out of them what is not needed: halves, then quarters, at last one by one.
fn filter(model: &Model, compiled: &Compiled, mut kept: Vec<Constraint>, clock: &Clock<'_>) -> Why {
    let holds = |kept: &[Constraint]| {
        let model = only(model, kept);
        let compiled = Compiled::new(&model);
        proof(&model, &compiled, clock).is_some()
    };
    // A candidate that a limit alone rules out was not in the proof, so that the limit was not either.
    if !holds(&kept) {
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
            if holds(&fewer) {
                kept = fewer;
            } else {
                start = end;
            }
        }
        size = if size == 1 { 0 } else { size.div_ceil(2) };
    }
    Why { constraints: kept, smallest: true }
}

/// The model with no other constraints than these.
fn only(model: &Model, kept: &[Constraint]) -> Model {
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
