//! All goals of a few machines looked at, and the same asked of the plan.

use std::collections::HashSet;

use novacron_catalog::Pricing;
use novacron_placement::{Quota, Settings};
use novacron_types::{
    ProviderKind::{Aws, Gcp},
    ProviderName,
    placement::{Policy, RebalancePlan, Strategy},
};
use proptest::prelude::*;
use serde_json::json;

use super::{EGRESS, Random, Row, host, market, request, search};
use crate::{Downtime, Machine, RebalanceOptions, Whereabouts, rebalance, rebalance_in_turn};

const REGIONS: [&str; 2] = ["us-east-1", "us-central1"];
const DAYS: i128 = 30;

/// Two hosts and two offers, and machines of a vCPU each or two.
#[derive(Debug, Clone)]
struct World {
    /// vCPUs and 10⁻⁹ USD for a vCPU and hour.
    hosts: Vec<(u32, u64)>,
    /// 10⁻⁹ USD an hour.
    offers: [u64; 2],
    /// vCPUs, GB to move, where it is: hosts first, then offers.
    machines: Vec<(u32, u64, usize)>,
    max_moves: Option<u32>,
    hysteresis: u32,
    risk: u32,
    aws_machines: Option<u32>,
    policies: Vec<Policy>,
    strategy: Strategy,
}

fn simple(hosts: Vec<(u32, u64)>, offers: [u64; 2], machines: Vec<(u32, u64, usize)>) -> World {
    World {
        hosts,
        offers,
        machines,
        max_moves: None,
        hysteresis: 10,
        risk: 0,
        aws_machines: None,
        policies: Vec::new(),
        strategy: Strategy::CostOptimized,
    }
}

impl World {
    fn whereabouts(&self, place: usize) -> Whereabouts {
        match place.checked_sub(self.hosts.len()) {
            None => Whereabouts::Host(ProviderName::new(format!("h{place}")).unwrap()),
            Some(offer) => Whereabouts::Cloud {
                kind: [Aws, Gcp][offer],
                provider: None,
                region: REGIONS[offer].to_owned(),
                zone: None,
                instance_type: "small".to_owned(),
                pricing: Pricing::OnDemand,
            },
        }
    }

    fn plan(&self) -> RebalancePlan {
        self.plan_in_turn(&[self.strategy])
    }

    fn plan_in_turn(&self, strategies: &[Strategy]) -> RebalancePlan {
        let rows: Vec<Row> =
            [Aws, Gcp].iter().zip(REGIONS).zip(self.offers).map(|((k, r), p)| Row(*k, r, "small", 2, 4, p)).collect();
        let hosts = self.hosts.iter().enumerate().map(|(i, (vcpus, nanos))| host(&format!("h{i}"), *vcpus, 64, *nanos));
        let market = market(&rows, hosts.collect());
        let quota = Quota { provider: Some("aws".into()), instances: self.aws_machines, ..Quota::default() };
        let settings = Settings { policies: self.policies.clone(), quotas: vec![quota], ..Settings::default() };
        let machine = |(i, (vcpus, gb, at)): (usize, &(u32, u64, usize))| Machine {
            request: request(&format!("vm{i}"), *vcpus, 1, "a"),
            at: self.whereabouts(*at),
            disk_gb: *gb,
            movable: true,
        };
        let machines: Vec<Machine> = self.machines.iter().enumerate().map(machine).collect();
        let options = RebalanceOptions {
            strategy: self.strategy,
            not_worse: &[],
            max_moves: self.max_moves,
            hysteresis_percent: self.hysteresis,
            min_saving_monthly_nanos: 0,
            payback_days: DAYS as u32,
            downtime: Downtime::default(),
            risk_percent: self.risk,
            search: search(200_000),
        };
        rebalance_in_turn(&market, &settings, &machines, strategies, &options).unwrap()
    }

    /// Where each machine is after the plan.
    fn after(&self, plan: &RebalancePlan) -> Vec<usize> {
        let mut at: Vec<usize> = self.machines.iter().map(|(_, _, at)| *at).collect();
        for step in &plan.moves {
            let machine: usize = step.vm_id.trim_start_matches("vm").parse().unwrap();
            at[machine] = (0..self.hosts.len() + 2)
                .find(|place| match self.whereabouts(*place) {
                    Whereabouts::Host(name) => step.to.provider.as_ref() == Some(&name),
                    Whereabouts::Cloud { region, .. } => step.to.region == region,
                })
                .unwrap();
        }
        at
    }

    fn hourly(&self, machine: usize, place: usize) -> i128 {
        let vcpus = self.machines[machine].0;
        match place.checked_sub(self.hosts.len()) {
            None => i128::from(self.hosts[place].1) * i128::from(vcpus),
            Some(offer) => self.offers[offer].into(),
        }
    }

    fn once(&self, machine: usize, from: usize, to: usize) -> i128 {
        let risk = self.hourly(machine, from) * 730 * i128::from(self.risk) / 100;
        let out = from >= self.hosts.len() && from != to;
        risk + if out { i128::from(EGRESS) * i128::from(self.machines[machine].1) } else { 0 }
    }

    /// A hundred times what a machine costs over the window where it goes, with its move.
    fn weight(&self, machine: usize, to: usize) -> i128 {
        let from = self.machines[machine].2;
        let once = if to == from { 0 } else { self.once(machine, from, to) };
        self.hourly(machine, to) * 24 * DAYS * 100 + once * (100 + i128::from(self.hysteresis))
    }

    fn pays(&self, machine: usize, to: usize) -> bool {
        let from = self.machines[machine].2;
        to == from
            || (self.hourly(machine, from) - self.hourly(machine, to)) * 24 * DAYS * 100
                > self.once(machine, from, to) * (100 + i128::from(self.hysteresis))
    }

    fn fits(&self, at: &[usize]) -> bool {
        let used =
            |host: usize| -> u32 { self.machines.iter().zip(at).filter(|(_, p)| **p == host).map(|(m, _)| m.0).sum() };
        let in_aws = at.iter().filter(|place| **place == self.hosts.len()).count();
        (0..self.hosts.len()).all(|host| used(host) <= self.hosts[host].0)
            && self.aws_machines.is_none_or(|most| in_aws <= most as usize)
    }

    /// Whether one by one, each straight to its goal, all can go there.
    fn reachable(&self, goal: &[usize]) -> bool {
        let first: Vec<usize> = self.machines.iter().map(|m| m.2).collect();
        let (mut seen, mut open) = (HashSet::from([first.clone()]), vec![first]);
        while let Some(at) = open.pop() {
            if at == goal {
                return true;
            }
            for machine in (0..at.len()).filter(|machine| at[*machine] != goal[*machine]) {
                let mut next = at.clone();
                next[machine] = goal[machine];
                if self.fits(&next) && seen.insert(next.clone()) {
                    open.push(next);
                }
            }
        }
        false
    }

    /// The goal that costs least, and what it costs.
    fn brute_force(&self) -> (i128, Vec<usize>) {
        let places = self.hosts.len() + 2;
        let mut best = None;
        for code in 0..places.pow(self.machines.len() as u32) {
            let goal: Vec<usize> = (0..self.machines.len()).map(|m| code / places.pow(m as u32) % places).collect();
            let moved = goal.iter().zip(&self.machines).filter(|(to, m)| **to != m.2).count();
            let small = self.max_moves.is_none_or(|most| moved <= most as usize);
            if small && self.fits(&goal) && goal.iter().enumerate().all(|(m, to)| self.pays(m, *to)) {
                let cost: i128 = goal.iter().enumerate().map(|(m, to)| self.weight(m, *to)).sum();
                best = best.min(Some((cost, goal.clone()))).or(Some((cost, goal)));
            }
        }
        best.unwrap()
    }
}

fn random(seed: u64) -> World {
    let r = &mut Random(seed);
    let hosts: Vec<(u32, u64)> = (0..2).map(|_| (1 + r.below(3) as u32, (1 + r.below(8)) * 5_000_000)).collect();
    let offers = [(1 + r.below(8)) * 10_000_000, (1 + r.below(8)) * 10_000_000];
    let mut left: Vec<u32> = hosts.iter().map(|(vcpus, _)| *vcpus).collect();
    let mut machines = Vec::new();
    for _ in 0..3 {
        let (vcpus, gb) = (1 + r.below(2) as u32, r.below(4) * 50);
        let mut at = r.below(4) as usize;
        if left.get(at).is_some_and(|left| *left < vcpus) {
            at = 2 + r.below(2) as usize;
        }
        if let Some(left) = left.get_mut(at) {
            *left -= vcpus;
        }
        machines.push((vcpus, gb, at));
    }
    // As many as there are, or one more.
    let in_aws = machines.iter().filter(|machine: &&(u32, u64, usize)| machine.2 == 2).count() as u32;
    World {
        max_moves: (r.below(3) == 0).then(|| r.below(3) as u32),
        hysteresis: r.below(3) as u32 * 20,
        risk: r.below(2) as u32 * 5,
        aws_machines: (r.below(3) == 0).then(|| in_aws + r.below(2) as u32),
        ..simple(hosts, offers, machines)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn as_good_as_brute_force(seed: u64) {
        let world = random(seed);
        let plan = world.plan();
        let after = world.after(&plan);
        let cost: i128 = after.iter().enumerate().map(|(m, to)| world.weight(m, *to)).sum();
        let (best, goal) = world.brute_force();
        prop_assert!(cost >= best || plan.moves.iter().any(|step| step.towards.is_some()));
        if world.reachable(&goal) {
            prop_assert_eq!(cost, best, "{:?} {:?} {:?}", world, goal, plan);
        }
        let saves: i128 = after.iter().enumerate().map(|(m, to)| world.hourly(m, world.machines[m].2) - world.hourly(m, *to)).sum();
        prop_assert_eq!(plan.saves_per_month.nanos, saves * 730);
        prop_assert_eq!(plan.moves.iter().map(|step| step.saves_per_month.unwrap().nanos).sum::<i128>(), saves * 730);
        prop_assert_eq!(plan.kept.len() + after.iter().zip(&world.machines).filter(|(to, m)| **to != m.2).count(), 3);
        prop_assert!(world.max_moves.is_none_or(|most| plan.moves.len() <= most as usize));
        // Once it is done, there is nothing more to do.
        if world.max_moves.is_none() && world.reachable(&goal) {
            let mut done = world.clone();
            done.machines.iter_mut().zip(&after).for_each(|(machine, at)| machine.2 = *at);
            let again = done.plan();
            prop_assert!(again.moves.is_empty(), "{:?} {:?} {:?}", world, plan, again);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    /// A plan is held against its rules before it is handed out: one that broke a spread on the way would be an error.
    #[test]
    fn no_step_makes_a_spread_less(seed: u64, zones: bool, least in 2u32..4) {
        let key = if zones { "min_zones" } else { "min_providers" };
        let spread = json!({ "name": "apart", "action": { "type": "distribute", key: least } });
        let world = World { policies: vec![serde_json::from_value(spread).unwrap()], ..random(seed) };
        let providers = |at: &[usize]| at.iter().collect::<HashSet<_>>().len();
        let before: Vec<usize> = world.machines.iter().map(|machine| machine.2).collect();
        let after = world.after(&world.plan());
        prop_assert!(zones || providers(&after) >= providers(&before).min(least as usize));
    }
}

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

pub(super) fn options_of(strategy: Strategy) -> RebalanceOptions<'static> {
    RebalanceOptions {
        strategy,
        not_worse: &[],
        max_moves: None,
        hysteresis_percent: 0,
        min_saving_monthly_nanos: 0,
        payback_days: 30,
        downtime: Downtime::default(),
        risk_percent: 0,
        search: search(10_000),
    }
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
