//! All goals of a few machines looked at, and the same asked of the plan.

mod cases;
mod strategies;

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
