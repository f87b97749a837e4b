//! Small fleets of every kind of constraint, held against all their placements.
#![allow(clippy::unwrap_used)]

mod common;

use std::sync::atomic::AtomicBool;

use common::{brute_force, small, value};
use novacron_fleet::{Constraint, Fleet, Model, Options, Outcome, Status, solve};
use proptest::prelude::*;

fn solved(model: &Model, steps: Option<u64>) -> Outcome {
    let stop = AtomicBool::new(false);
    let options = Options { until: None, steps, gap: 0.0, threads: 1, seed: 1, stop: &stop, progress: None };
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

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn equal_to_brute_force(seed: u64) {
        held(seed)?;
    }
}
