//! What a caller asks for and gets, and how walks are joined to it.

use super::anneal::anneal;
use super::best::Best;
use super::limit::{End, Limit};
use super::plan::{Heat, ROUNDS, cooling, heat};
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
    /// After about so many steps of each walk: the same everywhere for a seed and a number of walks.
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
    let tables = Tables::<K>::new(problem, options.max_moves);
    let mut first = State::new(&tables, problem.initial());
    let heat = heat(&mut first, &mut Rng::new(options.seed));
    let mut outcome = Outcome { assignment: problem.initial().to_vec(), cost: first.cost, steps: 0, lost: 0 };
    drop(first);
    if problem.initial().is_empty() {
        return outcome;
    }
    let mut spent = 0.0;
    for (round, share) in ROUNDS.into_iter().enumerate() {
        let end = end(options.budget, start, spent, share);
        spent += share;
        let limit = Limit { end, stop: options.stop };
        let walks = walk_all(&tables, &outcome.assignment, heat, round, &limit, options);
        for found in walks {
            let Some(found) = found else {
                outcome.lost += 1;
                continue;
            };
            outcome.steps += found.steps;
            // The first of equals, so that threads do not matter.
            if found.cost < outcome.cost {
                (outcome.cost, outcome.assignment) = (found.cost, found.assignment);
            }
        }
    }
    outcome
}

/// One round: the best of each walk, in their order; none of one that panicked.
fn walk_all<const K: usize>(
    tables: &Tables<'_, K>,
    at: &[u32],
    heat: Heat,
    round: usize,
    limit: &Limit<'_>,
    options: &Options<'_>,
) -> Vec<Option<Outcome>> {
    std::thread::scope(|scope| {
        let walk = |w: usize| {
            move || {
                let mut state = State::new(tables, at);
                let mut best = Best::new(&state);
                let mut rng = Rng::new(options.seed ^ (((round as u64) << 32 | w as u64) + 1).rotate_left(17));
                let steps = anneal(&mut state, &mut best, &mut rng, &cooling(heat, round), limit);
                Outcome { cost: best.cost, assignment: best.take(&state).to_vec(), steps, lost: 0 }
            }
        };
        let walks: Vec<_> = (0..options.walks.max(1)).map(|w| scope.spawn(walk(w))).collect();
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
