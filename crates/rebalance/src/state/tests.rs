//! The incremental state is held to the evaluator, move by move.

use super::{Penalty, State, Tables};
use crate::evaluate::violations;
use crate::model::FORBIDDEN;
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

/// Heavy, so that a broken constraint shows; a power of two, so that sums stay exact.
const RULE: f64 = (1u64 << 40) as f64;

proptest! {
    #[test]
    fn each_move_is_what_the_rules_say(seed in any::<u64>(), max_moves in 0u32..12) {
        let problem = random(seed, &Shape::small());
        let tables = Tables::<1>::new(&problem, Some(max_moves));
        let mut state = State::<1>::new(&tables, problem.initial());
        let mut rng = Rng::new(seed ^ 1);
        let (processes, machines) = (state.at.len(), state.on.len());
        state.weigh(Penalty { capacity: 1e6, rule: RULE });
        let allowed = |p: usize, m: u32| problem.model().placement(p, m) != FORBIDDEN;
        for _ in 0..200 {
            prop_assert_eq!(i128::from(state.cost), problem.cost(&state.at).total());
            let moved = state.at.iter().zip(problem.initial()).filter(|(at, home)| at != home).count();
            let whole = problem.violations(&state.at, 1).is_empty() && moved <= max_moves as usize;
            prop_assert_eq!(state.feasible(), whole);
            let (p, q, to) = (rng.below(processes), rng.below(processes), rng.below(machines));
            let (from, other) = (state.at[p], state.at[q]);
            let kind = rng.below(3);
            // What is said before it is done, and what doing it answers.
            let (said, may, moves) = match kind {
                0 => (
                    state.shift(p, to, f64::INFINITY),
                    from as usize != to && allowed(p, to as u32),
                    vec![(p, to)],
                ),
                1 => (
                    state.swap(p, q, f64::INFINITY),
                    from != other && allowed(p, other) && allowed(q, from),
                    vec![(p, other as usize), (q, from as usize)],
                ),
                _ => (
                    state.chain(p, q, to, f64::INFINITY),
                    from != other && to != from as usize && to != other as usize
                        && tables.service[p] != tables.service[q] && allowed(p, other) && allowed(q, to as u32),
                    vec![(p, other as usize), (q, to)],
                ),
            };
            prop_assert_eq!(said.is_some(), may);
            let Some(said) = said else { continue };
            let before = (state.cost, state.at.clone());
            let did: f64 = moves.iter().map(|&(p, to)| state.apply(p, to)).sum();
            // Only a shift knows what depends on the number of moves.
            let counted = kind == 0 || tables.service_move == 0 && max_moves as usize > moved + 2;
            prop_assert!(!counted || (said - did).abs() <= 1e-6 * (1.0 + did.abs()), "said {}, did {}", said, did);
            let right = by_rule(&problem, &before.1, &[(p, state.at[p] as usize), (q, state.at[q] as usize)]);
            prop_assert!(right.is_none_or(|right| right == i128::from(state.cost - before.0)));
            // Half the time it walks on through what is broken.
            if rng.below(2) == 0 && !state.feasible() {
                let moves: Vec<(u32, u32)> = (0..processes as u32).map(|p| (p, before.1[p as usize])).collect();
                let moves: Vec<(u32, u32)> = moves.into_iter().filter(|&(p, m)| state.at[p as usize] != m).collect();
                state.undo(&moves);
                prop_assert_eq!((state.cost, &state.at), (before.0, &before.1));
            }
        }
    }

    #[test]
    fn where_a_process_could_ever_stand_leaves_nothing_out(seed in any::<u64>()) {
        let problem = random(seed, &Shape::small());
        let mut tables = Tables::<1>::new(&problem, None);
        tables.find_reach();
        let reach = tables.reach.clone().unwrap_or_default();
        let mut state = State::<1>::new(&tables, problem.initial());
        let mut rng = Rng::new(seed ^ 3);
        for _ in 0..300 {
            let (p, to) = (rng.below(state.at.len()), rng.below(state.on.len()));
            if state.shift(p, to, f64::INFINITY).is_some() {
                state.apply(p, to);
            }
            if state.feasible() {
                prop_assert!(state.at.iter().zip(&reach).all(|(m, reach)| reach.contains(m)));
            }
        }
    }

    #[test]
    fn what_stands_in_the_way_is_named(seed in any::<u64>()) {
        let problem = random(seed, &Shape::small());
        let tables = Tables::<1>::one_by_one(&problem);
        let mut state = State::<1>::new(&tables, problem.initial());
        let mut rng = Rng::new(seed ^ 2);
        for _ in 0..100 {
            let (p, to) = (rng.below(state.at.len()), rng.below(state.on.len()));
            let mut after = state.at.clone();
            after[p] = to as u32;
            // Nothing stays in use where a process was: as if all had always been there.
            let broken = violations(problem.model(), &after, &after, usize::MAX);
            match state.obstacle(p, to) {
                Some(named) => prop_assert!(broken.contains(&named), "{:?} is not of {:?}", named, broken),
                None => {
                    prop_assert_eq!(broken, vec![]);
                    if state.at[p] as usize != to {
                        state.apply(p, to);
                    }
                }
            }
        }
    }
}
