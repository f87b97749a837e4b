//! How long plans take over the catalog that ships: `plans MACHINES [SECONDS [HOSTS]]`. Half of the machines that are moved
//! are on hosts, if there are any.

use std::{
    sync::{Arc, atomic::AtomicBool},
    time::{Duration, Instant},
};

use novacron_catalog::{Catalog, EMBEDDED, Pricing};
use novacron_placement::{Host, HostCost, Market, Quota, Settings};
use novacron_planner::{
    Budget, Downtime, Machine, ManyOptions, RebalanceOptions, Search, Whereabouts, place_many, rebalance,
};
use novacron_types::{
    Architecture, GIB, ProviderKind, ProviderName,
    placement::{Gigabytes, PlacementRequest, PlanMode, Strategy},
};

/// vCPUs and GiB.
const SIZES: [(u32, u64); 6] = [(1, 1), (2, 4), (2, 8), (4, 16), (8, 32), (16, 64)];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let number = |n: usize| std::env::args().nth(n).and_then(|text| text.parse::<u64>().ok());
    let (count, seconds) = (number(1).unwrap_or(10_000) as usize, number(2).unwrap_or(10));
    let hosts = (0..number(3).unwrap_or(0) as usize).map(|i| host(i, count)).collect::<Result<Vec<_>, _>>()?;
    let market = Market::new(Arc::new(Catalog::from_snapshot(EMBEDDED)?), Vec::new(), Vec::new()).with_hosts(hosts);
    let stop = AtomicBool::new(false);
    let search = || Search {
        until: Some(Instant::now() + Duration::from_secs(seconds)),
        steps: None,
        seed: 1,
        threads: 1,
        stop: &stop,
    };
    let requests: Vec<PlacementRequest> = (0..count).map(request).collect();
    let quota = |place: &str, share: usize| Quota {
        provider: Some(place.to_owned()),
        vcpus: Some((count * 5 * share / 100) as u32),
        ..Quota::default()
    };
    let settings =
        Settings { quotas: vec![quota("oci", 30), quota("gcp", 30), quota("azure", 20)], ..Settings::default() };
    let budgets = vec![Budget { label: None, monthly_nanos: count as i128 * 200_000_000_000 }];
    let start = Instant::now();
    let options = ManyOptions { mode: PlanMode::AllOrNothing, budgets, gap: 0.000_1, search: search() };
    let plan = place_many(&market, &settings, &requests, &options)?;
    println!(
        "place {count}: {:?} in {:.2?}, {} a month, bound {}, gap {:?}",
        plan.status,
        start.elapsed(),
        plan.monthly.map(|money| money.to_string()).unwrap_or_default(),
        plan.lower_bound.map(|money| money.to_string()).unwrap_or_default(),
        plan.gap
    );
    // Each where it was first placed at the price of a year ago's choice: an AWS type on demand.
    let machines: Vec<Machine> =
        requests.into_iter().enumerate().map(|(i, request)| machine(i, request, market.hosts())).collect();
    let start = Instant::now();
    let options = RebalanceOptions {
        strategy: Strategy::CostOptimized,
        not_worse: &[],
        max_moves: Some(count as u32 / 10),
        hysteresis_percent: 20,
        min_saving_monthly_nanos: 1_000_000_000,
        payback_days: 90,
        downtime: Downtime::default(),
        risk_percent: 5,
        search: search(),
    };
    let plan = rebalance(&market, &settings, &machines, &options)?;
    println!(
        "rebalance {count}: {} moves in {:.2?}, {} to {} a month, once {}, gap {:.5}",
        plan.moves.len(),
        start.elapsed(),
        plan.current_monthly,
        plan.planned_monthly,
        plan.one_time_cost,
        plan.bound.gap
    );
    Ok(())
}

fn request(i: usize) -> PlacementRequest {
    let (vcpus, gib) = SIZES[i * 7 % SIZES.len()];
    PlacementRequest {
        vm_id: Some(format!("vm{i}")),
        required_cpu: Some(vcpus),
        required_memory_gb: Some(Gigabytes::from_gib(gib)),
        tags: [("team".to_owned(), format!("t{}", i % 10))].into(),
        ..PlacementRequest::default()
    }
}

/// Room for three times what half of the machines need, on all hosts together.
fn host(i: usize, machines: usize) -> Result<Host, Box<dyn std::error::Error>> {
    let hosts = std::env::args().nth(3).and_then(|text| text.parse().ok()).unwrap_or(1);
    let each = (machines * 8).div_ceil(hosts) as u32 + 16;
    Ok(Host {
        provider: ProviderName::new(format!("host-{i}"))?,
        kind: ProviderKind::Libvirt,
        region: format!("rack-{}", i % 10),
        point: None,
        architecture: Architecture::X86_64,
        vcpus: each,
        memory_bytes: u64::from(each) * 4 * GIB,
        disk_bytes: u64::from(each) * 100 * GIB,
        load_permille: None,
        compliance: Vec::new(),
        network_mbps: None,
        milligrams_per_vcpu: None,
        cost: Some(HostCost {
            nanos_per_vcpu_hour: 4_000_000 + (i as u64 * 7 % 11) * 1_000_000,
            nanos_per_gib_hour: 1_000_000,
            nanos_per_disk_gib_hour: 0,
        }),
        runs_guests: true,
    })
}

fn machine(i: usize, request: PlacementRequest, hosts: &[Host]) -> Machine {
    let types = ["t3.micro", "t3.medium", "m5.large", "m5.xlarge", "m5.2xlarge", "m5.4xlarge"];
    let size = SIZES.iter().position(|(vcpus, gib)| {
        request.required_cpu == Some(*vcpus) && request.required_memory_gb == Some(Gigabytes::from_gib(*gib))
    });
    let cloud = Whereabouts::Cloud {
        kind: ProviderKind::Aws,
        provider: None,
        region: "us-east-1".to_owned(),
        zone: None,
        instance_type: types[size.unwrap_or(0)].to_owned(),
        pricing: Pricing::OnDemand,
    };
    let at = match hosts.get(i / 2 % hosts.len().max(1)) {
        Some(host) if i.is_multiple_of(2) => Whereabouts::Host(host.provider.clone()),
        _ => cloud,
    };
    Machine { at, disk_gb: 20, movable: true, request }
}
