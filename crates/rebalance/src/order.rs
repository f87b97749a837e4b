//! In which order to move, when processes move one after another: each state on the way keeps every constraint.
//!
//! A solver's outcome counts as if all moved at once. Here each process needs the whole of its target's room while it
//! comes, and leaves nothing behind once it is there. Where moves wait for each other in a circle, one of them stops
//! at a third machine on its way; what can't be done even so is left out, with what stands in its way.

use crate::evaluate::{Violation, violations};
use crate::problem::{Problem, ProblemError, check_assignment, limits};
use crate::state::{State, Tables};

/// A process that goes from a machine to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Move {
    pub process: u32,
    pub from: u32,
    pub to: u32,
}

/// Moves, first to last, and those left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Order {
    /// A process may be here twice: to a stop, and on from there.
    pub moves: Vec<Move>,
    /// Not done, and what it would break after all of `moves`: nothing where so many wait for each other that it was given up.
    /// The process stays where it was at first.
    pub left: Vec<(Move, Option<Violation>)>,
}

/// Moves that are looked at: what long rows and circles may cost, some seconds.
const LOOKS: usize = 30_000_000;
/// Machines that are tried as a stop for one process.
const MACHINES: usize = 32;

type Rows<'t> = State<'t, { limits::RESOURCES / 4 }>;

/// Orders the moves from the initial assignment to `goal`.
///
/// # Errors
/// If `goal` is no assignment, or breaks a constraint once all moves are over.
pub fn order(problem: &Problem, goal: &[u32]) -> Result<Order, ProblemError> {
    check_assignment(problem.model(), goal)?;
    if let Some(first) = violations(problem.model(), goal, goal, 1).into_iter().next() {
        return Err(ProblemError::Goal(first));
    }
    let tables = Tables::one_by_one(problem);
    let mut state = State::new(&tables, problem.initial());
    let mut pending: Vec<u32> = (0..goal.len() as u32).filter(|&p| state.at[p as usize] != goal[p as usize]).collect();
    let mut done = Vec::new();
    let mut looks = LOOKS;
    go_all(&mut state, goal, &mut pending, &mut done, &mut looks);
    while by_a_stop(&mut state, goal, &mut pending, &mut done, &mut looks) {}
    let left = pending.into_iter().map(|p| {
        let (from, to) = (state.at[p as usize], goal[p as usize]);
        (Move { process: p, from, to }, state.obstacle(p as usize, to as usize))
    });
    let left = left.collect();
    Ok(Order { moves: done, left })
}

/// Moves what can, until nothing can or enough was looked at. Those go first who leave a machine that others wait for, and of those the
/// smallest: room that is scarce is left to who frees some.
fn go_all(state: &mut Rows<'_>, goal: &[u32], pending: &mut Vec<u32>, done: &mut Vec<Move>, looks: &mut usize) {
    let mut waited = vec![0u32; state.on.len()];
    for &p in pending.iter() {
        waited[goal[p as usize] as usize] += 1;
    }
    pending.sort_by_key(|&p| {
        let frees = waited[state.at[p as usize] as usize];
        (std::cmp::Reverse(frees.min(1)), state.t.rank[p as usize])
    });
    loop {
        let before = pending.len();
        pending.retain(|&p| {
            let to = goal[p as usize];
            let stays = state.obstacle(p as usize, to as usize).is_some();
            if !stays {
                step(state, p, to, done);
            }
            stays
        });
        *looks = looks.saturating_sub(before);
        if pending.len() == before || *looks == 0 {
            return;
        }
    }
}

/// One waiting process stops elsewhere, and others go on; kept only if it comes to its goal in the end.
fn by_a_stop(
    state: &mut Rows<'_>,
    goal: &[u32],
    pending: &mut Vec<u32>,
    done: &mut Vec<Move>,
    looks: &mut usize,
) -> bool {
    // Nothing is gained by moving what nobody waits for; small ones find room.
    let mut waited = vec![false; state.on.len()];
    for &p in pending.iter() {
        waited[goal[p as usize] as usize] = true;
    }
    let mut candidates: Vec<u32> = pending.iter().copied().filter(|&p| waited[state.at[p as usize] as usize]).collect();
    candidates.sort_by_key(|&p| state.t.rank[p as usize]);
    for p in candidates {
        let (from, machines) = (state.at[p as usize] as usize, state.on.len());
        *looks = looks.saturating_sub(machines);
        // From another machine on for each, so that stops don't all fall on the first ones.
        let near = (0..machines).map(|i| (i + p as usize) % machines).filter(|&m| m != from);
        let roomy: Vec<usize> = near.filter(|&m| state.obstacle(p as usize, m).is_none()).take(MACHINES).collect();
        for stop in roomy {
            if *looks == 0 {
                return false;
            }
            let (mark, was) = (done.len(), pending.clone());
            step(state, p, stop as u32, done);
            go_all(state, goal, pending, done, looks);
            if state.at[p as usize] == goal[p as usize] {
                return true;
            }
            for gone in done.drain(mark..).rev() {
                state.apply(gone.process as usize, gone.from as usize);
            }
            *pending = was;
        }
    }
    false
}

fn step(state: &mut Rows<'_>, p: u32, to: u32, done: &mut Vec<Move>) {
    done.push(Move { process: p, from: state.at[p as usize], to });
    state.apply(p as usize, to as usize);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;
    use crate::testing::{Shape, random};
    use proptest::prelude::*;

    /// Far from where all are: what a row of random moves and swaps comes to, each of which breaks nothing.
    fn elsewhere(problem: &Problem, rng: &mut Rng) -> Vec<u32> {
        let mut at = problem.initial().to_vec();
        for _ in 0..200 {
            let before = at.clone();
            let (p, q) = (rng.below(at.len()), rng.below(at.len()));
            match rng.below(3) {
                0 => at[p] = rng.below(problem.model().machines.len()) as u32,
                _ => at.swap(p, q),
            }
            if !violations(problem.model(), &at, &at, 1).is_empty() {
                at = before;
            }
        }
        at
    }

    proptest! {
        #[test]
        fn each_step_fits_and_what_is_left_is_told(seed in any::<u64>()) {
            let problem = random(seed, &Shape { machines: 5, processes: 14, services: 10, resources: 3 });
            let goal = elsewhere(&problem, &mut Rng::new(seed ^ 3));
            let order = order(&problem, &goal).unwrap();
            let (model, mut at) = (problem.model(), problem.initial().to_vec());
            for step in &order.moves {
                prop_assert_eq!(at[step.process as usize], step.from);
                prop_assert_ne!(step.to, step.from);
                // While it runs, it needs its room on both.
                for m in [step.from, step.to] {
                    for r in 0..model.resources.len() {
                        let used: u32 = (0..at.len())
                            .filter(|&p| at[p] == m || p == step.process as usize)
                            .map(|p| model.processes[p].needs[r])
                            .sum();
                        prop_assert!(used <= model.machines[m as usize].capacity[r]);
                    }
                }
                at[step.process as usize] = step.to;
                prop_assert_eq!(violations(model, &at, &at, 1), vec![]);
            }
            for (step, why) in &order.left {
                let p = step.process as usize;
                prop_assert_eq!((at[p], problem.initial()[p], goal[p]), (step.from, step.from, step.to));
                at[p] = step.to;
                let why = why.clone().unwrap();
                prop_assert!(violations(model, &at, &at, usize::MAX).contains(&why));
                at[p] = step.from;
            }
            let left: Vec<u32> = order.left.iter().map(|(step, _)| step.process).collect();
            prop_assert!((0..at.len()).all(|p| at[p] == goal[p] || left.contains(&(p as u32))));
        }
    }
}
