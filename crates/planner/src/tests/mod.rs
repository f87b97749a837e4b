//! Plans against brute force, on markets made up for it.

mod declared;
mod few;
mod many;
mod moves;

use std::sync::{Arc, atomic::AtomicBool};

use novacron_catalog::{
    Catalog, Draft, DraftDestination, DraftOffer, Group, InstanceType, Per, Pricing, Region, Sector, Tier,
};
use novacron_placement::{Host, HostCost, Market};
use novacron_types::{
    Architecture, GIB, ProviderKind, ProviderName,
    placement::{Gigabytes, PlacementRequest},
};

use crate::Search;

static NEVER: AtomicBool = AtomicBool::new(false);

fn search(steps: u64) -> Search<'static> {
    Search { until: None, steps: Some(steps), seed: 1, threads: 1, stop: &NEVER }
}

/// Numbers that are the same everywhere: SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((u128::from(z ^ (z >> 31)) * u128::from(n)) >> 64) as u64
    }
}

/// An offer on demand: kind, region, type, vCPUs, GiB, 10⁻⁹ USD an hour.
#[derive(Debug, Clone)]
struct Row(ProviderKind, &'static str, &'static str, u32, u64, u64);

/// What leaving a region costs, 10⁻⁹ USD a GB.
const EGRESS: u64 = 90_000_000;

fn market(rows: &[Row], hosts: Vec<Host>) -> Market {
    let mut draft = Draft::default();
    let group = draft.group(Group {
        name: "made".into(),
        source: "test".into(),
        licence: "MIT".into(),
        as_of: "2026-11-01".into(),
        rule: None,
        currency: *b"USD",
        per: Per::Hour,
    });
    for Row(kind, region, name, vcpus, gib, price) in rows {
        draft.region(Region {
            kind: *kind,
            name: (*region).into(),
            display: String::new(),
            country: "US".into(),
            sector: Sector::Commercial,
            point: None,
            zones: 2,
            compliance: Vec::new(),
            grid: None,
            group,
            compliance_group: group,
        });
        if *region != "quiet" {
            let tiers = vec![Tier { from_gb: 0, nanos_per_gb: 0 }, Tier { from_gb: 100, nanos_per_gb: EGRESS }];
            draft.transfer(*kind, region, DraftDestination::Internet, tiers, group);
        }
        draft.instance_type(InstanceType {
            kind: *kind,
            name: (*name).into(),
            vcpus: *vcpus,
            sustained_milli_vcpus: vcpus * 1000,
            memory_bytes: gib * GIB,
            architecture: Architecture::X86_64,
            gpu: None,
            network_mbps: 1000 * vcpus,
            network_peak_mbps: 0,
            network_group: group,
            local_disk_gb: 0,
            burstable: false,
            shared_core: false,
            bare_metal: false,
            power: None,
            embodied: None,
            group,
        });
        draft.offer(*kind, name, Pricing::OnDemand, region, DraftOffer::new(group, *price));
    }
    let (catalog, _): (Catalog, usize) = draft.finish().unwrap();
    Market::new(Arc::new(catalog), hosts, Vec::new())
}

/// A host whose cost is by vCPU, 10⁻⁹ USD an hour.
fn host(name: &str, vcpus: u32, gib: u64, nanos_per_vcpu: u64) -> Host {
    Host {
        provider: ProviderName::new(name).unwrap(),
        kind: ProviderKind::Libvirt,
        region: name.to_owned(),
        point: None,
        architecture: Architecture::X86_64,
        vcpus,
        memory_bytes: gib * GIB,
        disk_bytes: 1000 * GIB,
        load_permille: None,
        compliance: Vec::new(),
        network_mbps: None,
        milligrams_per_vcpu: None,
        cost: Some(HostCost { nanos_per_vcpu_hour: nanos_per_vcpu, nanos_per_gib_hour: 0, nanos_per_disk_gib_hour: 0 }),
        runs_guests: true,
    }
}

fn request(id: &str, vcpus: u32, gib: u64, team: &str) -> PlacementRequest {
    PlacementRequest {
        vm_id: Some(id.to_owned()),
        required_cpu: Some(vcpus),
        required_memory_gb: Some(Gigabytes::from_gib(gib)),
        tags: [("team".to_owned(), team.to_owned())].into(),
        ..PlacementRequest::default()
    }
}
