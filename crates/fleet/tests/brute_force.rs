//! Small fleets of every kind of constraint, held against all their placements.
#![allow(clippy::unwrap_used)]

mod common;

use std::sync::atomic::AtomicBool;

use common::{brute_force, small, value};
use novacron_fleet::{Constraint, Fleet, Model, Options, Outcome, Status, solve};
use proptest::prelude::*;

fn solved(model: &Model, steps: Option<u64>) -> Outcome {
    solved_within(model, steps, 0.0)
}

fn solved_within(model: &Model, steps: Option<u64>, gap: f64) -> Outcome {
    let stop = AtomicBool::new(false);
    let options = Options { until: None, steps, gap, threads: 1, seed: 1, stop: &stop, progress: None };
    solve(&Fleet::new(model.clone()).unwrap(), &options)
}

/// Without all but some constraints.
fn only(model: &Model, kept: &[Constraint]) -> Model {
    let mut model = model.clone();
    for (l, limit) in model.limits.iter_mut().enumerate() {
        if !kept.contains(&Constraint::Limit(l as u32)) {
            *limit = 1_000_000_000_000_000_000;
        }
    }
    let mut s = 0;
    model.spreads.retain(|_| {
        s += 1;
        kept.contains(&Constraint::Spread(s - 1))
    });
    model
}

fn held(seed: u64) -> Result<(), TestCaseError> {
    let model = small(seed);
    let best = brute_force(&model);
    let outcome = solved(&model, None);
    prop_assert_eq!(outcome.objective, best);
    let hasty = solved(&model, Some(0));
    if let Some(best) = best {
        prop_assert!(hasty.bound <= best);
        prop_assert!(hasty.objective.is_none_or(|o| o >= best));
        let denied = matches!(hasty.status, Status::Infeasible { .. });
        prop_assert!(!denied);
    }
    match (&outcome.placement, &outcome.status) {
        (Some(placement), Status::Optimal) => {
            prop_assert_eq!(outcome.bound, best.unwrap());
            prop_assert_eq!(value(&model, placement), best);
            let fleet = Fleet::new(model).unwrap();
            prop_assert_eq!(fleet.cost(placement), best);
            prop_assert!(fleet.check(placement).is_empty());
        }
        (None, Status::Infeasible { why, smallest }) => {
            prop_assert!(smallest);
            prop_assert_eq!(brute_force(&only(&model, why)), None);
            for left_out in why {
                let fewer: Vec<_> = why.iter().copied().filter(|c| c != left_out).collect();
                prop_assert!(brute_force(&only(&model, &fewer)).is_some(), "{:?} is not needed in {:?}", left_out, why);
            }
        }
        other => prop_assert!(false, "{:?}", other),
    }
    Ok(())
}

/// To leave out a machine costs far more than all others, which is not to hide what these cost.
fn good_enough(seed: u64) -> Result<(), TestCaseError> {
    const GAP: f64 = 0.01;
    let mut model = small(seed);
    let dearest = model.classes.iter().flat_map(|class| &class.candidates).map(|candidate| candidate.cost).max();
    let out = dearest.unwrap_or(0) * 100_000;
    model.items.iter_mut().filter(|item| item.fixed.is_none()).for_each(|item| item.unplaced_cost = Some(out));
    let outcome = solved_within(&model, None, GAP);
    let best = brute_force(&model);
    prop_assert_eq!(best.is_some(), outcome.placement.is_some());
    let (Some(best), Some(placement), Some(objective)) = (best, outcome.placement, outcome.objective) else {
        return Ok(());
    };
    let placed = objective - i128::from(out) * placement.iter().filter(|at| at.is_none()).count() as i128;
    prop_assert!((objective - best) as f64 <= placed as f64 * GAP, "{} is not {} but for {}", objective, best, placed);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn equal_to_brute_force(seed: u64) {
        held(seed)?;
    }

    #[test]
    fn as_near_to_brute_force_as_asked(seed: u64) {
        good_enough(seed)?;
    }
}
