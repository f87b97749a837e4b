//! Points instead of cost, and strategies in turn.

use super::*;

#[test]
fn points_decide_where_cost_does_not() {
    let mut world = simple(vec![(8, 1_000_000)], [10_000_000, 50_000_000], vec![(1, 0, 0)]);
    world.strategy = Strategy::Performance;
    let plan = world.plan();
    assert_eq!(world.after(&plan), vec![1], "{plan:?}");
    assert!(plan.moves[0].reason.contains("points for performance"));
    assert!(plan.saves_per_month.nanos < 0 && plan.bound.objective == "0");
}

/// What performance would do at a price is not done after cost, and what it has done is not undone by cost after it.
#[test]
fn a_strategy_makes_nothing_worse_by_those_before_it() {
    use Strategy::{CostOptimized, Performance};
    let world = simple(vec![(8, 1_000_000)], [10_000_000, 50_000_000], vec![(1, 0, 0), (1, 0, 2)]);
    let after = |strategies: &[Strategy]| world.after(&world.plan_in_turn(strategies));
    assert_eq!(after(&[CostOptimized]), vec![0, 0]);
    assert_eq!(after(&[Performance]), vec![1, 2], "the second is as good where it is");
    let plan = world.plan_in_turn(&[CostOptimized, Performance, CostOptimized]);
    assert_eq!(world.after(&plan), vec![0, 0]);
    assert!(plan.notes.iter().any(|note| note.starts_with("By performance, after what was moved")), "{:?}", plan.notes);
    assert!(plan.kept.len() == 1 && plan.kept[0].why.contains("performance: "), "{:?}", plan.kept);
    let plan = world.plan_in_turn(&[Performance, CostOptimized]);
    // The first stays where performance puts it; the second has nowhere cheaper that is as good but there.
    assert_eq!(world.after(&plan), vec![1, 1], "{plan:?}");
    assert_eq!(plan.moves.iter().map(|step| step.step).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(plan.saves_per_month.nanos, (50 - 10 - 10 + 1) * 1_000_000 * 730);
    let one = World { max_moves: Some(1), ..world.clone() };
    let plan = one.plan_in_turn(&[Performance, CostOptimized]);
    assert!(plan.moves.len() == 1 && plan.notes.contains(&"No moves were left for cost-optimized.".to_owned()));
}

/// What costs the same and is better is taken by the second strategy, if the move itself costs nothing.
#[test]
fn what_is_as_cheap_is_chosen_by_the_next_strategy() {
    use Strategy::{CostOptimized, Performance};
    let rows = [
        Row(Aws, "us-east-1", "small", 2, 4, 20_000_000),
        Row(Aws, "us-east-1", "twice", 4, 8, 20_000_000),
        Row(Gcp, "us-central1", "fourfold", 8, 16, 20_000_000),
    ];
    let market = market(&rows, Vec::new());
    let machine = |disk_gb| Machine {
        request: request("vm", 2, 4, "a"),
        at: Whereabouts::Cloud {
            kind: Aws,
            provider: None,
            region: "us-east-1".to_owned(),
            zone: None,
            instance_type: "small".to_owned(),
            pricing: Pricing::OnDemand,
        },
        disk_gb,
        movable: true,
    };
    let to = |disk_gb, strategies: &[Strategy]| {
        let options = options_of(CostOptimized);
        let plan = rebalance_in_turn(&market, &Settings::default(), &[machine(disk_gb)], strategies, &options).unwrap();
        plan.moves.first().map(|step| step.to.instance_type.clone())
    };
    assert_eq!(to(0, &[CostOptimized]), None);
    assert_eq!(to(0, &[CostOptimized, Performance]).as_deref(), Some("fourfold"));
    // To copy its disk out of the region is paid for, and nothing is saved; within the region nobody pays.
    assert_eq!(to(100, &[Performance]).as_deref(), Some("fourfold"));
    assert_eq!(to(100, &[CostOptimized, Performance]).as_deref(), Some("twice"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    /// Each part is held against its rules before it is handed out; together they are no dearer than cost alone, and no
    /// machine is moved twice but for stops.
    #[test]
    fn strategies_in_turn_lose_nothing(seed: u64, swap: bool) {
        let world = random(seed);
        let mut after_cost = [Strategy::Performance, Strategy::Balanced];
        if swap {
            after_cost.swap(0, 1);
        }
        let alone = world.plan_in_turn(&[Strategy::CostOptimized]);
        let plan = world.plan_in_turn(&[Strategy::CostOptimized, after_cost[0], after_cost[1]]);
        prop_assert!(plan.planned_monthly.nanos <= alone.planned_monthly.nanos);
        prop_assert!(plan.moves.starts_with(&alone.moves));
        prop_assert!(world.max_moves.is_none_or(|most| plan.moves.len() <= most as usize));
        let after = world.after(&plan);
        prop_assert!(world.fits(&after), "{:?} {:?}", world, plan);
        let cost = |at: &dyn Fn(usize) -> usize| (0..3).map(|m| world.hourly(m, at(m)) * 730).sum::<i128>();
        prop_assert_eq!(plan.current_monthly.nanos, cost(&|m| world.machines[m].2));
        prop_assert_eq!(plan.planned_monthly.nanos, cost(&|m| after[m]));
        let mut ended = HashSet::new();
        prop_assert!(plan.moves.iter().all(|step| !ended.contains(&step.vm_id) && (step.towards.is_some() || ended.insert(step.vm_id.clone()))));
        prop_assert_eq!(plan.kept.len() + ended.len(), 3);
    }
}
