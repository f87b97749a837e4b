//! What a caller asks for and gets, and how walks are joined to it.

use super::anneal::anneal;
use super::best::Best;
use super::limit::{End, Limit};
use super::plan::{ROUNDS, cooling, heat};
use super::scope::is_large;
use crate::model::Assignment;
use crate::problem::{Problem, limits};
use crate::rng::Rng;
use crate::state::{State, Tables};
use std::sync::atomic::AtomicBool;
use std::time::Instant;

/// When to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Budget {
    /// At this time, within milliseconds. What is found depends on the machine.
    Until(Instant),
    /// After about so many steps of each walk: the same for a seed and a number of walks on the same kind of machine.
    Steps(u64),
}

/// How to search.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    pub budget: Budget,
    /// Walks side by side, each on a thread; at least one is made.
    pub walks: usize,
    pub seed: u64,
    /// How many processes may be elsewhere than they were at first; any number if there is none.
    pub max_moves: Option<u32>,
    /// Ends the search, within milliseconds, when it becomes true.
    pub stop: &'a AtomicBool,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Feasible, and never dearer than the initial one.
    pub assignment: Assignment,
    pub cost: i64,
    /// Moves tried, by all walks.
    pub steps: u64,
    /// Walks that ended by a panic, which is a fault of this crate. What the others found stands.
    pub lost: usize,
}

/// Searches for a cheaper assignment until the budget is spent.
///
/// Walks anneal from the initial assignment, each by itself; then, round by round, all go on from the best of them,
/// heated less than before.
pub fn solve(problem: &Problem, options: &Options<'_>) -> Outcome {
    match problem.model().resources.len() {
        0..=4 => run::<1>(problem, options),
        5..=8 => run::<2>(problem, options),
        9..=12 => run::<3>(problem, options),
        13..=20 => run::<5>(problem, options),
        _ => run::<{ limits::RESOURCES / 4 }>(problem, options),
    }
}

fn run<const K: usize>(problem: &Problem, options: &Options<'_>) -> Outcome {
    let start = Instant::now();
    let large = is_large(problem.initial().len());
    let mut tables = Tables::<K>::new(problem, options.max_moves);
    if !large {
        tables.find_reach();
    }
    let mut first = State::new(&tables, problem.initial());
    let heat = heat(&mut first, &mut Rng::new(options.seed));
    let mut outcome = Outcome { assignment: problem.initial().to_vec(), cost: first.cost, steps: 0, lost: 0 };
    drop(first);
    if problem.initial().is_empty() {
        return outcome;
    }
    let walks = options.walks.max(1);
    let (mut spent, mut ends) = (0.0, vec![None; walks]);
    for (round, share) in ROUNDS.into_iter().enumerate() {
        let end = end(options.budget, start, spent, share);
        spent += share;
        let limit = Limit { end, stop: options.stop };
        let starts: Vec<&[u32]> = ends.iter().enumerate().map(|(w, end)| further(w, end.as_ref(), &outcome)).collect();
        let found = walk_all(&tables, &starts, &limit, |w, state, best, limit| {
            let mut rng = Rng::new(options.seed ^ (((round as u64) << 32 | w as u64) + 1).rotate_left(17));
            anneal(state, best, &mut rng, &cooling(heat, round, w, large), limit)
        });
        for (found, end) in found.into_iter().zip(&mut ends) {
            *end = None;
            let Some(found) = found else {
                outcome.lost += 1;
                continue;
            };
            outcome.steps += found.steps;
            *end = found.end;
            // The first of equals, so that threads do not matter.
            if found.cost < outcome.cost {
                (outcome.cost, outcome.assignment) = (found.cost, found.best);
            }
        }
    }
    outcome
}

/// What a walk came to.
struct Found {
    cost: i64,
    best: Assignment,
    /// Where it ended and what that costs, if it breaks something.
    end: Option<(i64, Assignment)>,
    steps: u64,
}

/// Where a walk goes on: from the best of all, but the first from where it ended, if that is cheaper by more than the
/// mending of what it breaks is likely to cost.
fn further<'a>(w: usize, end: Option<&'a (i64, Assignment)>, best: &'a Outcome) -> &'a [u32] {
    match end {
        Some((cost, at)) if w == 0 && *cost < best.cost - best.cost / 50 => at,
        _ => &best.assignment,
    }
}

/// One round, each walk from its start; none of one that panicked.
fn walk_all<const K: usize>(
    tables: &Tables<'_, K>,
    starts: &[&[u32]],
    limit: &Limit<'_>,
    walk: impl Fn(usize, &mut State<'_, K>, &mut Best, &Limit<'_>) -> u64 + Sync,
) -> Vec<Option<Found>> {
    let one = |w: usize, start: &[u32]| {
        let mut state = State::new(tables, start);
        let mut best = Best::new(&state);
        let steps = walk(w, &mut state, &mut best, limit);
        let end = (!state.feasible()).then(|| (state.cost, state.at.clone()));
        Found { cost: best.cost, best: best.take(&state).to_vec(), end, steps }
    };
    let one = &one;
    std::thread::scope(|scope| {
        let walks: Vec<_> = starts.iter().enumerate().map(|(w, start)| scope.spawn(move || one(w, start))).collect();
        walks.into_iter().map(|walk| walk.join().ok()).collect()
    })
}

/// A round's part of the budget.
fn end(budget: Budget, start: Instant, spent: f64, share: f64) -> End {
    match budget {
        Budget::Until(last) => {
            let all = last.saturating_duration_since(start);
            End::Time { start: start + all.mul_f64(spent), end: last.min(start + all.mul_f64(spent + share)) }
        }
        Budget::Steps(steps) => End::Steps((steps as f64 * share) as u64),
    }
}
