//! Single plans, as they are answered.

use super::*;

#[test]
fn a_move_that_does_not_pay_is_not_proposed() {
    // 10 USD a month are saved; 200 GB out cost 18.
    let mut world = simple(Vec::new(), [20_000_000, 6_000_000], vec![(1, 200, 0)]);
    let plan = world.plan();
    assert!(plan.moves.is_empty());
    assert!(plan.kept[0].why.contains("would save 10.22 USD a month, too little for a move that costs 18.00 USD"));
    world.machines[0].1 = 100;
    let plan = world.plan();
    let (step, cost) = (&plan.moves[0], &plan.moves[0].one_time_cost);
    assert_eq!((cost.transfer.unwrap().to_string(), cost.total.to_string()), ("9 USD".into(), "9 USD".into()));
    assert_eq!((step.saves_per_month.unwrap().to_string(), step.payback_days), ("10.22 USD".into(), Some(26.8)));
    // 10.08 in 30 days are not 12 % more than 9.
    world.hysteresis = 12;
    assert!(world.plan().moves.is_empty());
    assert_eq!(plan.bound.gap, 0.0);
}

/// Each of two machines is to be where the other is.
fn swap(label_of_vm1: &str) -> Vec<Policy> {
    let policy = |name: &str, team: &str, to: &str| {
        json!({ "name": name, "condition": { "type": "label", "key": "team", "value": team },
                "action": { "type": "migrate", "target": to } })
    };
    vec![
        serde_json::from_value(policy("first", "a", "h1")).unwrap(),
        serde_json::from_value(policy("second", label_of_vm1, "h0")).unwrap(),
    ]
}

fn swapped(third: bool) -> RebalancePlan {
    let mut hosts = vec![host("h0", 4, 64, 10_000_000), host("h1", 4, 64, 10_000_000)];
    hosts.extend(third.then(|| host("h2", 4, 64, 90_000_000)));
    // Too small an offer for either, so that only hosts will do.
    let market = market(&[Row(Aws, "us-east-1", "small", 2, 4, 10_000_000)], hosts);
    let settings = Settings { policies: swap("b"), ..Settings::default() };
    let machine = |id: &str, team: &str, at: &str| Machine {
        request: request(id, 4, 1, team),
        at: Whereabouts::Host(ProviderName::new(at).unwrap()),
        disk_gb: 10,
        movable: true,
    };
    let machines = [machine("x", "a", "h0"), machine("y", "b", "h1")];
    let options = RebalanceOptions {
        strategy: Strategy::CostOptimized,
        not_worse: &[],
        max_moves: None,
        hysteresis_percent: 10,
        min_saving_monthly_nanos: 0,
        payback_days: 30,
        downtime: Downtime { minutes: 3, nanos_per_minute: 100_000_000 },
        risk_percent: 0,
        search: search(200_000),
    };
    rebalance(&market, &settings, &machines, &options).unwrap()
}

#[test]
fn machines_that_swap_on_full_hosts_go_by_a_third_or_are_told() {
    let plan = swapped(true);
    assert_eq!(plan.moves.len(), 3, "{plan:?}");
    let stop = &plan.moves[0];
    assert_eq!(stop.to.region, "h2");
    assert!(stop.towards.is_some() && stop.saves_per_month.unwrap().nanos < 0);
    assert_eq!(plan.moves[2].vm_id, stop.vm_id);
    assert_eq!(plan.saves_per_month.nanos, 0);
    assert_eq!(plan.one_time_cost.to_string(), "0.9 USD");
    let told = swapped(false);
    assert!(told.moves.is_empty());
    assert!(
        told.kept.iter().any(|kept| kept.why.contains("has too little vCPUs until others have left it")),
        "{told:?}"
    );
}

#[test]
fn a_policy_that_demands_a_move_has_it() {
    let mut world = simple(vec![(2, 5_000_000)], [40_000_000, 50_000_000], vec![(1, 500, 0), (1, 500, 0)]);
    world.policies = vec![
        serde_json::from_value(json!({
            "name": "out", "action": { "type": "migrate", "providers": ["gcp"] },
            "condition": { "type": "label", "key": "team", "value": "a" },
        }))
        .unwrap(),
    ];
    let plan = world.plan();
    assert_eq!(world.after(&plan), vec![2, 2]);
    let step = &plan.moves[0];
    assert_eq!((step.mandatory_by.as_deref(), step.payback_days), (Some("out"), None));
    assert!(step.saves_per_month.unwrap().nanos < 0);
    world.max_moves = Some(1);
    assert_eq!(world.plan().moves.len(), 1);
    world.policies[0].action.providers = vec!["h0".to_owned()];
    assert!(world.plan().moves.is_empty());
}

#[test]
fn no_more_moves_than_are_allowed_and_the_best_of_them() {
    let machines = vec![(2, 0, 1), (1, 0, 1), (1, 0, 1)];
    let mut world = simple(vec![(4, 5_000_000)], [40_000_000, 50_000_000], machines);
    for most in 0..=3 {
        world.max_moves = Some(most);
        let plan = world.plan();
        assert_eq!(plan.moves.len(), most as usize);
        let (best, _) = world.brute_force();
        let after = world.after(&plan);
        assert_eq!(after.iter().enumerate().map(|(m, to)| world.weight(m, *to)).sum::<i128>(), best);
    }
}

#[test]
fn a_group_stays_in_as_many_providers_as_it_is() {
    let machines = vec![(1, 0, 1), (1, 0, 2), (1, 0, 2)];
    let mut world = simple(vec![(8, 1_000_000)], [40_000_000, 50_000_000], machines);
    world.policies = vec![
        serde_json::from_value(json!({ "name": "apart", "action": { "type": "distribute", "min_providers": 2 } }))
            .unwrap(),
    ];
    let plan = world.plan();
    let at: HashSet<usize> = world.after(&plan).into_iter().collect();
    // Two come home; the third goes where it is next cheapest, or stays there.
    assert_eq!(at, HashSet::from([0, 1]), "{plan:?}");
    assert_eq!(plan.bound.gap, 0.0);
}

/// A migration goes from one provider to another: a cheaper type or region of the same is no move that can be made.
#[test]
fn nothing_moves_within_its_provider() {
    let rows = [
        Row(Aws, "us-east-1", "dear", 2, 4, 90_000_000),
        Row(Aws, "us-east-1", "cheap", 2, 4, 10_000_000),
        Row(Gcp, "us-central1", "middling", 2, 4, 50_000_000),
    ];
    let market = market(&rows, Vec::new());
    let to = |provider: Option<&str>| {
        let machine = Machine {
            request: request("vm", 2, 4, "a"),
            at: Whereabouts::Cloud {
                kind: Aws,
                provider: provider.map(|name| ProviderName::new(name).unwrap()),
                region: "us-east-1".to_owned(),
                zone: None,
                instance_type: "dear".to_owned(),
                pricing: Pricing::OnDemand,
            },
            disk_gb: 0,
            movable: true,
        };
        let plan = rebalance(&market, &Settings::default(), &[machine], &options_of(Strategy::CostOptimized)).unwrap();
        plan.moves.first().map(|step| step.to.instance_type.clone())
    };
    assert_eq!(to(None).as_deref(), Some("cheap"));
    assert_eq!(to(Some("aws")).as_deref(), Some("middling"));
}

#[test]
fn the_cheapest_place_is_told_as_that_and_units_too_small_to_matter_are_not() {
    // Both machines are in the one region that there is, where the dearer type would do as well.
    let rows = [Row(Aws, "us-east-1", "small", 2, 4, 10_000_000), Row(Aws, "us-east-1", "large", 4, 8, 90_000_000_000)];
    let market = market(&rows, vec![host("h0", 4, 64, 80_000_000_000)]);
    let machine = |id: &str, at| Machine { request: request(id, 2, 4, "a"), at, disk_gb: 0, movable: true };
    let small = Whereabouts::Cloud {
        kind: Aws,
        provider: None,
        region: "us-east-1".to_owned(),
        zone: None,
        instance_type: "small".to_owned(),
        pricing: Pricing::OnDemand,
    };
    let options = RebalanceOptions {
        strategy: Strategy::CostOptimized,
        not_worse: &[],
        max_moves: Some(0),
        hysteresis_percent: 10,
        min_saving_monthly_nanos: 0,
        payback_days: 30,
        downtime: Downtime::default(),
        risk_percent: 0,
        search: search(200_000),
    };
    let plan = |market: &_, machines: &[Machine]| rebalance(market, &Settings::default(), machines, &options).unwrap();
    let with_host = plan(&market, &[machine("x", Whereabouts::Host(ProviderName::new("h0").unwrap()))]);
    assert!(!with_host.notes.iter().any(|note| note.contains("counted in units")), "{:?}", with_host.notes);
    let alone = plan(&super::market(&rows, Vec::new()), &[machine("x", small)]);
    assert_eq!(alone.kept[0].why, "no other place that will do is known to cost less");
}

#[test]
fn what_is_not_known_is_kept_and_told() {
    let market = market(&[Row(Aws, "us-east-1", "small", 2, 4, 10_000_000)], Vec::new());
    let cloud = |region: &str, ty: &str| Whereabouts::Cloud {
        kind: Aws,
        provider: None,
        region: region.to_owned(),
        zone: None,
        instance_type: ty.to_owned(),
        pricing: Pricing::OnDemand,
    };
    let at =
        [cloud("us-east-1", "huge"), cloud("mars-1", "small"), Whereabouts::Host(ProviderName::new("gone").unwrap())];
    let machine = |(i, at): (usize, Whereabouts)| Machine {
        request: request(&format!("vm{i}"), 1, 1, "a"),
        at,
        disk_gb: 1,
        movable: true,
    };
    let machines: Vec<Machine> = at.into_iter().enumerate().map(machine).collect();
    let options = RebalanceOptions {
        strategy: Strategy::CostOptimized,
        not_worse: &[],
        max_moves: None,
        hysteresis_percent: 0,
        min_saving_monthly_nanos: 0,
        payback_days: 30,
        downtime: Downtime::default(),
        risk_percent: 0,
        search: search(1000),
    };
    let plan = rebalance(&market, &Settings::default(), &machines, &options).unwrap();
    assert!(plan.moves.is_empty() && plan.current_monthly.nanos == 0);
    let why: Vec<&str> = plan.kept.iter().map(|kept| kept.why.as_str()).collect();
    assert_eq!(
        why,
        [
            "the catalog has no type huge of aws",
            "the catalog has no region mars-1 of aws",
            "its host gone is not known",
        ]
    );
}
