//! The incremental state is held to the evaluator, move by move.

use super::{State, Tables};
use crate::problem::Problem;
use crate::rng::Rng;
use crate::testing::{Shape, random};
use proptest::prelude::*;

/// The cost change of a move, by the evaluator; none if it breaks something.
fn by_rule(problem: &Problem, at: &[u32], moves: &[(usize, usize)]) -> Option<i128> {
    let mut after = at.to_vec();
    for &(p, to) in moves {
        after[p] = to as u32;
    }
    problem.violations(&after, 1).is_empty().then(|| problem.cost(&after).total() - problem.cost(at).total())
}

proptest! {
    #[test]
    fn each_shift_swap_and_compound_is_what_the_rules_say(seed in any::<u64>()) {
        let problem = random(seed, &Shape::small());
        let tables = Tables::<4>::new(&problem);
        let mut state = State::<4>::new(&tables, problem.initial());
        let mut rng = Rng::new(seed ^ 1);
        let (processes, machines) = (state.at.len(), state.on.len());
        for _ in 0..200 {
            prop_assert_eq!(i128::from(state.cost), problem.cost(&state.at).total());
            let (p, q, to) = (rng.below(processes), rng.below(processes), rng.below(machines));
            if state.at[p] as usize != to {
                let said = state.shift(p, to, i64::MAX).map(i128::from);
                prop_assert_eq!(said, by_rule(&problem, &state.at, &[(p, to)]));
            }
            let (a, b) = (state.at[p] as usize, state.at[q] as usize);
            let said = state.swap(p, q, i64::MAX);
            if a != b {
                let right = by_rule(&problem, &state.at, &[(p, b), (q, a)]);
                prop_assert_eq!(said.is_some(), right.is_some());
            }
            // Whatever it breaks: kept only if it breaks nothing.
            let before = state.at.clone();
            let done = if rng.below(2) == 0 { vec![(p, to)] } else { vec![(p, b), (q, a)] };
            let done: Vec<(usize, usize)> = done.into_iter().filter(|&(p, to)| before[p] as usize != to).collect();
            let undo: Vec<(u32, u32)> = done.iter().map(|&(p, _)| (p as u32, before[p])).collect();
            let cost = state.cost;
            for &(p, to) in &done {
                state.apply(p, to);
            }
            let right = by_rule(&problem, &before, &done);
            prop_assert_eq!(state.settle(cost, i64::MAX, &undo), right.is_some());
            prop_assert_eq!(i128::from(state.cost - cost), right.unwrap_or(0));
        }
    }
}
