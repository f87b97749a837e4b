//! All places of all machines looked at, and the same asked of the plan.

use std::collections::BTreeSet;

use novacron_placement::{Peer, Quota, Settings};
use novacron_types::{
    ProviderKind::{Aws, Gcp},
    placement::{ManyPlan, PlacementRequest, PlanMode, PlanStatus, Policy},
};
use proptest::prelude::*;
use serde_json::json;

use super::{Random, Row, host, market, request, search};
use crate::{Budget, ManyOptions, PlanError, place_many};

/// A place as brute force sees it.
#[derive(Debug, Clone)]
struct Spot {
    provider: &'static str,
    region: &'static str,
    host: Option<usize>,
    vcpus: u32,
    gib: u64,
    /// Of a machine of so many vCPUs.
    nanos: u64,
}

/// vCPUs, GiB, team.
type Asked = (u32, u64, &'static str);

#[derive(Debug)]
struct World {
    rows: Vec<Row>,
    hosts: Vec<(u32, u64, u64)>,
    machines: Vec<Asked>,
    budget: Option<i128>,
    team_budget: Option<i128>,
    aws_vcpus: Option<u32>,
    aws_machines: Option<u32>,
    gcp_money: Option<i128>,
    /// Hosts among them.
    all_vcpus: Option<u32>,
    /// Those of AWS in us-east-1 only.
    east_machines: Option<u32>,
    spread: Option<u32>,
    peer: bool,
    mode: PlanMode,
}

const HOSTS: [&str; 2] = ["h0", "h1"];

fn world(seed: u64) -> World {
    let r = &mut Random(seed);
    let all = [(Aws, "us-east-1"), (Aws, "eu-west-1"), (Gcp, "us-central1")];
    let names = ["small", "large"];
    let mut rows = Vec::new();
    for (kind, region) in all {
        for (name, vcpus, gib) in [(names[0], 2, 4), (names[1], 4, 16)] {
            // A region that the catalog does not have is of no quota: the peer's always is there.
            if r.below(5) > 0 || region == "us-east-1" && name == names[0] {
                rows.push(Row(kind, region, name, vcpus, gib, (1 + r.below(9)) * 10_000_000 + r.below(3)));
            }
        }
    }
    let hosts =
        (0..r.below(3)).map(|_| (1 + r.below(6) as u32, 1 + r.below(20), (1 + r.below(20)) * 1_000_000)).collect();
    let machines = (0..1 + r.below(3))
        .map(|_| ([1, 2, 4][r.below(3) as usize], [2, 4, 8][r.below(3) as usize], ["a", "b"][r.below(2) as usize]))
        .collect();
    let maybe = |r: &mut Random, one_in: u64| r.below(one_in) == 0;
    let money = |r: &mut Random, n: u64| i128::from(1 + r.below(n)) * 730 * 10_000_000;
    World {
        rows,
        hosts,
        machines,
        budget: maybe(r, 3).then(|| money(r, 20)),
        team_budget: maybe(r, 3).then(|| money(r, 15)),
        aws_vcpus: maybe(r, 3).then(|| r.below(9) as u32),
        aws_machines: maybe(r, 4).then(|| r.below(3) as u32),
        gcp_money: maybe(r, 4).then(|| money(r, 12)),
        all_vcpus: maybe(r, 3).then(|| r.below(12) as u32),
        east_machines: maybe(r, 3).then(|| r.below(3) as u32),
        spread: maybe(r, 2).then(|| 2 + r.below(2) as u32),
        peer: maybe(r, 3),
        mode: if maybe(r, 2) { PlanMode::AllOrNothing } else { PlanMode::BestEffort },
    }
}

fn peer() -> Peer {
    Peer {
        vm_id: "there".to_owned(),
        provider: None,
        kind: Aws,
        region: "us-east-1".to_owned(),
        zone: None,
        vcpus: 2,
        monthly_nanos: 1,
        labels: [("team".to_owned(), "a".to_owned())].into(),
    }
}

impl World {
    fn plan(&self) -> Result<ManyPlan, PlanError> {
        let hosts = self.hosts.iter().zip(HOSTS).map(|((vcpus, gib, nanos), name)| host(name, *vcpus, *gib, *nanos));
        let market = market(&self.rows, hosts.collect());
        let quota = |provider: Option<&str>, region: Option<&str>, [vcpus, instances]: [Option<u32>; 2], money| Quota {
            provider: provider.map(str::to_owned),
            region: region.map(str::to_owned),
            vcpus,
            instances,
            monthly_nanos: money,
        };
        let settings = Settings {
            quotas: vec![
                quota(Some("aws"), None, [self.aws_vcpus, self.aws_machines], None),
                quota(Some("gcp"), None, [None, None], self.gcp_money),
                quota(None, None, [self.all_vcpus, None], None),
                quota(Some("aws"), Some("us-east-1"), [None, self.east_machines], None),
            ],
            policies: self.spread.map(|least| spread("providers", least)).into_iter().collect(),
            peers: if self.peer { vec![peer()] } else { Vec::new() },
            ..Settings::default()
        };
        let requests: Vec<PlacementRequest> = self
            .machines
            .iter()
            .enumerate()
            .map(|(i, (vcpus, gib, team))| request(&format!("vm{i}"), *vcpus, *gib, team))
            .collect();
        let all = Budget { label: None, monthly_nanos: self.budget.unwrap_or(i128::from(u64::MAX)) };
        let team = self
            .team_budget
            .map(|monthly_nanos| Budget { label: Some(("team".to_owned(), "a".to_owned())), monthly_nanos });
        let budgets = team.into_iter().chain([all]).collect();
        place_many(
            &market,
            &settings,
            &requests,
            &ManyOptions { mode: self.mode, budgets, gap: 0.0, search: search(u64::MAX) },
        )
    }

    fn spots(&self, vcpus: u32) -> Vec<Spot> {
        let rows = self.rows.iter().map(|Row(kind, region, _, vcpus, gib, nanos)| Spot {
            provider: if *kind == Aws { "aws" } else { "gcp" },
            region,
            host: None,
            vcpus: *vcpus,
            gib: *gib,
            nanos: *nanos,
        });
        let hosts = self.hosts.iter().enumerate().map(|(i, (have, gib, nanos))| Spot {
            provider: HOSTS[i],
            region: HOSTS[i],
            host: Some(i),
            vcpus: *have,
            gib: *gib,
            nanos: nanos * u64::from(vcpus),
        });
        rows.chain(hosts).collect()
    }

    /// The fewest that are left out, and then the least cost.
    fn brute_force(&self) -> Option<(usize, i128)> {
        let mut best = None;
        self.each(&mut Vec::new(), &mut best);
        best
    }

    fn each(&self, at: &mut Vec<Option<Spot>>, best: &mut Option<(usize, i128)>) {
        let Some((vcpus, gib, _)) = self.machines.get(at.len()) else {
            if let Some(value) = self.value(at)
                && best.is_none_or(|best| value < best)
            {
                *best = Some(value);
            }
            return;
        };
        let fit = self.spots(*vcpus).into_iter().filter(|spot| spot.vcpus >= *vcpus && spot.gib >= *gib);
        let out = (self.mode == PlanMode::BestEffort).then_some(None);
        for choice in fit.map(Some).chain(out).collect::<Vec<_>>() {
            at.push(choice);
            self.each(at, best);
            at.pop();
        }
    }

    fn value(&self, at: &[Option<Spot>]) -> Option<(usize, i128)> {
        let placed = || self.machines.iter().zip(at).filter_map(|(machine, spot)| Some((machine, spot.as_ref()?)));
        let cost = |spot: &Spot| i128::from(spot.nanos) * 730;
        let sum = |of: &dyn Fn(&Asked, &Spot) -> i128| placed().map(|(m, s)| of(m, s)).sum::<i128>();
        let there = i128::from(u8::from(self.peer));
        let in_aws = |spot: &Spot| i128::from(u8::from(spot.provider == "aws"));
        let fits = self.budget.is_none_or(|most| sum(&|_, s| cost(s)) <= most)
            && self.team_budget.is_none_or(|most| sum(&|m, s| if m.2 == "a" { cost(s) } else { 0 }) <= most)
            && self.aws_vcpus.is_none_or(|most| {
                let used = sum(&|_, s| in_aws(s) * i128::from(s.vcpus));
                used == 0 || used + 2 * there <= most.into()
            })
            && self.aws_machines.is_none_or(|most| {
                let used = sum(&|_, s| in_aws(s));
                used == 0 || used + there <= most.into()
            })
            && self.all_vcpus.is_none_or(|most| {
                let used = sum(&|m, s| i128::from(if s.host.is_some() { m.0 } else { s.vcpus }));
                used == 0 || used + 2 * there <= most.into()
            })
            && self.east_machines.is_none_or(|most| {
                let used = sum(&|_, s| in_aws(s) * i128::from(u8::from(s.region == "us-east-1")));
                used == 0 || used + there <= most.into()
            })
            && self.gcp_money.is_none_or(|most| sum(&|_, s| if s.provider == "gcp" { cost(s) } else { 0 }) <= most)
            && self.hosts.iter().enumerate().all(|(i, (vcpus, gib, _))| {
                let on = |spot: &Spot| i128::from(u8::from(spot.host == Some(i)));
                sum(&|m, s| on(s) * i128::from(m.0)) <= (*vcpus).into()
                    && sum(&|m, s| on(s) * i128::from(m.1)) <= (*gib).into()
            });
        let spread = |least: u32| {
            let of_a = || placed().filter(|(m, _)| m.2 == "a");
            let mut providers: BTreeSet<&str> = of_a().map(|(_, s)| s.provider).collect();
            let mut count = of_a().count();
            if count == 0 {
                return true;
            }
            if self.peer {
                providers.insert("aws");
                count += 1;
            }
            providers.len() >= count.min(least as usize)
        };
        (fits && self.spread.is_none_or(spread))
            .then(|| (at.iter().filter(|s| s.is_none()).count(), sum(&|_, s| cost(s))))
    }
}

fn spread(what: &str, least: u32) -> Policy {
    let key = if what == "zones" { "min_zones" } else { "min_providers" };
    serde_json::from_value(json!({
        "name": "apart",
        "condition": { "type": "label", "key": "team", "value": "a" },
        "action": { "type": "distribute", key: least },
    }))
    .unwrap()
}

fn held(seed: u64) -> Result<(), TestCaseError> {
    let world = world(seed);
    let (plan, best) = (world.plan().unwrap(), world.brute_force());
    let found = plan.monthly.map(|monthly| (plan.left_out.len(), monthly.nanos));
    prop_assert_eq!(found, best, "{:?} {:?}", world, plan);
    if let Some((out, cost)) = best {
        prop_assert_eq!(plan.status, PlanStatus::Optimal);
        prop_assert_eq!(plan.lower_bound.map(|bound| bound.nanos), Some(cost));
        prop_assert_eq!(plan.left_out_at_least as usize, out);
        prop_assert_eq!(plan.placements.len() + out, world.machines.len());
        let told: i128 = plan.placements.iter().map(|placed| placed.cost_per_hour.nanos * 730).sum();
        prop_assert_eq!(told, cost);
        prop_assert!(plan.left_out.iter().all(|left| !left.why.is_empty()));
    } else {
        prop_assert_eq!(plan.status, PlanStatus::Infeasible);
        prop_assert!(!plan.in_the_way.is_empty() && plan.placements.is_empty());
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn as_good_as_brute_force(seed: u64) {
        held(seed)?;
    }
}

fn plain(machines: Vec<Asked>) -> World {
    World {
        rows: vec![
            Row(Aws, "us-east-1", "small", 2, 4, 20_000_000),
            Row(Gcp, "us-central1", "small", 2, 4, 50_000_000),
        ],
        hosts: Vec::new(),
        machines,
        budget: None,
        team_budget: None,
        aws_vcpus: None,
        aws_machines: None,
        gcp_money: None,
        all_vcpus: None,
        east_machines: None,
        spread: None,
        peer: false,
        mode: PlanMode::AllOrNothing,
    }
}

#[test]
fn what_can_not_be_is_told_with_the_smallest_set() {
    let mut world = plain(vec![(2, 4, "a"), (2, 4, "a"), (2, 4, "b")]);
    (world.aws_vcpus, world.team_budget, world.budget) = (Some(2), Some(730 * 60_000_000), Some(730 * 200_000_000));
    let plan = world.plan().unwrap();
    assert_eq!(plan.status, PlanStatus::Infeasible);
    assert!(plan.in_the_way_is_smallest);
    assert_eq!(plan.in_the_way.len(), 2, "{:?}", plan.in_the_way);
    assert!(plan.in_the_way.iter().any(|w| w == "the quota of aws: 2 vCPUs"), "{:?}", plan.in_the_way);
    assert!(plan.in_the_way.iter().any(|w| w == "the budget of team a: 43.80 USD a month"), "{:?}", plan.in_the_way);
    world.mode = PlanMode::BestEffort;
    let plan = world.plan().unwrap();
    assert_eq!((plan.placements.len(), plan.left_out_at_least), (2, 1));
    assert!(plan.left_out[0].why.contains("the budget of team a"), "{:?}", plan.left_out);
}

#[test]
fn a_machine_without_a_place_is_told_with_what_to_relax() {
    let world = plain(vec![(2, 4, "a"), (64, 4, "a")]);
    let plan = world.plan().unwrap();
    assert_eq!(plan.status, PlanStatus::Infeasible);
    assert_eq!(plan.left_out.len(), 1);
    assert!(plan.left_out[0].vm_id == "vm1" && plan.left_out[0].why.contains("cpu"), "{:?}", plan.left_out);
    let plan = World { mode: PlanMode::BestEffort, ..world }.plan().unwrap();
    assert_eq!((plan.placements.len(), plan.left_out.len(), plan.left_out_at_least), (1, 1, 1));
}

#[test]
fn zones_of_one_region_are_told_apart() {
    let market = market(&plain(Vec::new()).rows, Vec::new());
    let settings = Settings { policies: vec![spread("zones", 2)], ..Settings::default() };
    let plan = |count: usize| {
        let requests: Vec<_> = (0..count).map(|i| request(&format!("vm{i}"), 2, 4, "a")).collect();
        let options =
            ManyOptions { mode: PlanMode::AllOrNothing, budgets: Vec::new(), gap: 0.0, search: search(u64::MAX) };
        place_many(&market, &settings, &requests, &options).unwrap()
    };
    let two = plan(2);
    assert_eq!(two.monthly.unwrap().nanos, 2 * 730 * 20_000_000);
    let one = plan(1);
    assert!(one.status == PlanStatus::Optimal && one.notes.iter().any(|note| note.contains("there are only 1")));
}

#[test]
fn two_of_one_name_are_refused() {
    let market = market(&plain(Vec::new()).rows, Vec::new());
    let requests = [request("x", 2, 4, "a"), request("x", 1, 1, "b")];
    let options = ManyOptions { mode: PlanMode::AllOrNothing, budgets: Vec::new(), gap: 0.0, search: search(1) };
    let refused = place_many(&market, &Settings::default(), &requests, &options);
    assert_eq!(refused, Err(PlanError::Twice("x".to_owned())));
}

#[test]
fn labels_that_no_policy_looks_at_tell_nothing_apart() {
    let policies = serde_json::json!([
        { "name": "eu", "condition": { "type": "label", "key": "residency", "value": "eu" },
          "action": { "type": "restrict", "providers": ["aws"] } },
    ]);
    let settings = Settings { policies: serde_json::from_value(policies).unwrap(), ..Settings::default() };
    let market = market(&[Row(Aws, "us-east-1", "small", 2, 4, 10)], Vec::new());
    let machine = |number: usize| {
        let mut request = PlacementRequest { vm_id: Some(format!("vm-{number}")), ..PlacementRequest::default() };
        (request.required_cpu, request.required_memory_gb) =
            (Some(2), Some(novacron_types::placement::Gigabytes::from_gib(4)));
        request.tags.insert("Name".into(), format!("web-{number}"));
        request.tags.insert("residency".into(), ["eu", "us"][number % 2].into());
        request
    };
    let requests: Vec<_> = (0..10).map(machine).collect();
    let questions = crate::questions::Questions::new(&market, &settings, &requests).unwrap();
    assert_eq!((questions.asks.len(), questions.ask_of.len()), (2, 10));
}
