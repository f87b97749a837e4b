//! Machines over the embedded catalog and hosts of one's own.

use std::collections::HashMap;

use novacron_catalog::{Catalog, Offer, OfferId, Pricing, RegionId, Sector};
use novacron_fleet::{Candidate, Draft, Item, Model, NO_DOMAIN, Place, Spread, Take};
use novacron_types::{Architecture, ProviderKind};

/// A month in hours, by which prices of the clouds are quoted.
const HOURS: i64 = 730;
const TEAMS: usize = 10;
const GROUPS: usize = 200;
const CLOUDS: [ProviderKind; 4] = [ProviderKind::Aws, ProviderKind::Azure, ProviderKind::Gcp, ProviderKind::Oci];

/// What is asked for.
#[derive(Clone, Copy)]
struct Request {
    vcpus: u32,
    memory_gib: u64,
    disk_gb: i64,
    architecture: Option<Architecture>,
    gpu: bool,
    /// Two-letter countries where it may be; anywhere if empty.
    countries: &'static [&'static str],
    spot: bool,
    /// How many of a hundred ask for it.
    share: usize,
}

const ANY: Request = Request {
    vcpus: 2,
    memory_gib: 4,
    disk_gb: 40,
    architecture: None,
    gpu: false,
    countries: &[],
    spot: false,
    share: 3,
};
const EUROPE: &[&str] = &["DE", "FR", "NL", "IE", "SE", "FI", "ES", "IT", "BE", "PL", "AT"];

/// Small and large, with a GPU, on Arm, heavy on memory, and tied to some countries.
const REQUESTS: [Request; 24] = [
    Request { vcpus: 1, memory_gib: 1, share: 10, ..ANY },
    Request { share: 10, ..ANY },
    Request { memory_gib: 8, share: 8, ..ANY },
    Request { vcpus: 4, memory_gib: 8, share: 7, ..ANY },
    Request { vcpus: 4, memory_gib: 16, share: 7, disk_gb: 100, ..ANY },
    Request { vcpus: 8, memory_gib: 16, share: 5, ..ANY },
    Request { vcpus: 8, memory_gib: 32, share: 5, disk_gb: 200, ..ANY },
    Request { vcpus: 16, memory_gib: 64, disk_gb: 400, ..ANY },
    Request { vcpus: 32, memory_gib: 128, disk_gb: 800, share: 2, ..ANY },
    Request { vcpus: 64, memory_gib: 256, disk_gb: 900, share: 1, ..ANY },
    Request { vcpus: 2, memory_gib: 16, ..ANY },
    Request { vcpus: 8, memory_gib: 64, ..ANY },
    Request { vcpus: 16, memory_gib: 256, disk_gb: 300, share: 1, ..ANY },
    Request { vcpus: 32, memory_gib: 512, disk_gb: 500, share: 1, ..ANY },
    Request { architecture: Some(Architecture::Arm64), share: 4, ..ANY },
    Request { vcpus: 8, memory_gib: 32, architecture: Some(Architecture::Arm64), ..ANY },
    Request { vcpus: 4, memory_gib: 16, gpu: true, share: 1, disk_gb: 200, ..ANY },
    Request { vcpus: 32, memory_gib: 192, gpu: true, share: 1, disk_gb: 800, ..ANY },
    Request { countries: EUROPE, share: 7, ..ANY },
    Request { vcpus: 8, memory_gib: 16, countries: EUROPE, share: 5, ..ANY },
    Request { vcpus: 4, memory_gib: 16, countries: &["US", "CA"], share: 5, ..ANY },
    Request { vcpus: 16, memory_gib: 32, countries: &["JP", "SG", "AU"], share: 2, ..ANY },
    Request { vcpus: 8, memory_gib: 16, spot: true, share: 4, ..ANY },
    Request { vcpus: 16, memory_gib: 32, spot: true, countries: &["US"], share: 3, ..ANY },
];

/// Random numbers that are the same everywhere: SplitMix64.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (((z ^ (z >> 31)) >> 32) as usize * n) >> 32
    }
}

struct Ids {
    provider_quota: [u32; 4],
    gpu_quota: [u32; 4],
    region_quota: HashMap<RegionId, u32>,
    /// vCPUs, memory in MiB, disk in GB.
    hosts: Vec<[u32; 3]>,
}

/// The model, and how many candidates there were before those that can't matter were left out.
pub fn instance(catalog: &Catalog, items: usize, hosts: usize, seed: u64) -> (Model, usize) {
    let mut draft = Draft::default();
    let regions = catalog.parts().regions.len() as u32;
    draft.dimension(CLOUDS.len() as u32 + 1);
    draft.dimension(regions + 1);
    draft.dimension(16 * regions);
    draft.dimension(hosts as u32);
    let random = &mut Random(seed);
    let budgets: Vec<u32> = (0..TEAMS).map(|_| draft.limit(i64::MAX / 16)).collect();
    let ids = Ids {
        provider_quota: CLOUDS.map(|_| draft.limit(0)),
        gpu_quota: CLOUDS.map(|_| draft.limit(0)),
        region_quota: (0..regions).map(|r| (RegionId(r as u16), draft.limit(0))).collect(),
        hosts: (0..hosts).map(|_| [draft.limit(64), draft.limit(256 << 10), draft.limit(8_000)]).collect(),
    };
    let mut considered = 0;
    for request in &REQUESTS {
        let candidates = cloud(catalog, &mut draft, &ids, request);
        considered += candidates.len();
        let own = own(&mut draft, &ids, request);
        draft.class(candidates.into_iter().chain(own));
    }
    let lots: Vec<u32> = REQUESTS.iter().zip(0..).flat_map(|(r, c)| vec![c; r.share]).collect();
    for _ in 0..items {
        let class = lots[random.below(lots.len())];
        let pays = vec![budgets[random.below(TEAMS)]];
        draft.model.items.push(Item { class, pays, unplaced_cost: None, fixed: None });
    }
    spreads(&mut draft.model, random);
    let mut model = draft.model;
    tighten(&mut model, &budgets, &ids);
    (model, considered)
}

/// Everything in the catalog that would do. Known zones are places of their own.
fn cloud(catalog: &Catalog, draft: &mut Draft, ids: &Ids, request: &Request) -> Vec<Candidate> {
    let mut found = Vec::new();
    let offers = catalog.offers();
    for i in 0..offers.len() as u32 {
        let Some(Offer { ty, pricing, region, zones, .. }) = offers.get(OfferId(i)) else { continue };
        let (ty, at) = (catalog.instance_type(ty), catalog.region(region));
        let Some(cloud) = CLOUDS.iter().position(|&k| k == ty.kind) else { continue };
        let suits = ty.vcpus >= request.vcpus
            && ty.memory_bytes >> 30 >= request.memory_gib
            && (pricing == Pricing::OnDemand || request.spot && pricing == Pricing::Spot)
            && request.architecture.unwrap_or(Architecture::X86_64) == ty.architecture
            && ty.gpu.is_some() == request.gpu
            && at.sector == Sector::Commercial
            && (request.countries.is_empty() || request.countries.contains(&at.country.as_str()));
        let price = catalog.hourly(OfferId(i));
        if !suits || price.currency != *b"USD" {
            continue;
        }
        let Some(cost) = i64::try_from(price.nanos).ok().and_then(|n| n.checked_mul(HOURS)) else { continue };
        let vcpus = i64::from(ty.vcpus);
        let mut takes = vec![
            Take { limit: ids.provider_quota[cloud], amount: vcpus },
            Take { limit: ids.region_quota[&region], amount: vcpus },
        ];
        if request.gpu {
            takes.push(Take { limit: ids.gpu_quota[cloud], amount: 1 });
        }
        let letters: Vec<u32> = match zones {
            0 => vec![NO_DOMAIN],
            zones => (0..16).filter(|bit| zones >> bit & 1 == 1).map(|bit| u32::from(region.0) * 16 + bit).collect(),
        };
        for zone in letters {
            let domains = vec![cloud as u32, u32::from(region.0), zone, NO_DOMAIN];
            let place = draft.place(Place { domains, takes: takes.clone() });
            found.push(Candidate { option: i, place, cost, price: cost, takes: Vec::new() });
        }
    }
    found
}

/// The hosts that have no GPU and are not on Arm: a vCPU is 5 a month, a GiB 1.
fn own(draft: &mut Draft, ids: &Ids, request: &Request) -> Vec<Candidate> {
    if request.gpu || request.architecture == Some(Architecture::Arm64) || !request.countries.is_empty() {
        return Vec::new();
    }
    let cost = (i64::from(request.vcpus) * 5 + request.memory_gib as i64) * 1_000_000_000;
    let amounts = [request.vcpus.into(), (request.memory_gib << 10) as i64, request.disk_gb];
    let own_region = draft.model.dimensions[1] - 1;
    let host = |(h, limits): (usize, &[u32; 3])| {
        let domains = vec![CLOUDS.len() as u32, own_region, NO_DOMAIN, h as u32];
        let place = draft.place(Place { domains, takes: Vec::new() });
        let takes = limits.iter().zip(amounts).map(|(&limit, amount)| Take { limit, amount }).collect();
        Candidate { option: u32::MAX - h as u32, place, cost, price: cost, takes }
    };
    ids.hosts.iter().enumerate().map(host).collect()
}

/// A fifth over providers, a fifth one to a host or region at most, the rest over regions and zones.
fn spreads(model: &mut Model, random: &mut Random) {
    let mut free: Vec<u32> = (0..model.items.len() as u32).collect();
    for group in 0..GROUPS.min(model.items.len() / 10) {
        let size = 3 + random.below(6);
        let items: Vec<u32> = (0..size).map(|_| free.swap_remove(random.below(free.len()))).collect();
        // Most are machines of one sort; every third group has two.
        let (first, second) = (model.items[items[0] as usize].clone(), model.items[items[1] as usize].class);
        for (n, &item) in items.iter().enumerate() {
            let class = if group % 3 == 0 && n % 2 == 1 { second } else { first.class };
            model.items[item as usize] = Item { class, ..first.clone() };
        }
        let (dimension, at_least, at_most_each) = match group % 5 {
            0 => (0, 2, None),
            1 => (1, 1, Some(1)),
            2 => (3, 0, Some(1)),
            3 => (1, 3, None),
            _ => (1, 2, Some(size as u32 - 1)),
        };
        model.spreads.push(Spread { items: items.clone(), dimension, at_least, at_most_each });
        if group % 10 == 0 {
            model.spreads.push(Spread { items, dimension: 1, at_least: 3, at_most_each: None });
        }
    }
}

/// Makes the limits such that the cheapest choice of each machine by itself breaks them.
fn tighten(model: &mut Model, budgets: &[u32], ids: &Ids) {
    let mut used = vec![0i64; model.limits.len()];
    for item in &model.items {
        let on_hosts = |c: &&Candidate| c.takes.is_empty();
        let cheapest = model.classes[item.class as usize].candidates.iter().filter(on_hosts).min_by_key(|c| c.cost);
        let Some(cheapest) = cheapest else { continue };
        model.places[cheapest.place as usize].takes.iter().for_each(|t| used[t.limit as usize] += t.amount);
        item.pays.iter().for_each(|&l| used[l as usize] += cheapest.price);
    }
    let items = model.items.len() as i64;
    let total: i64 = ids.provider_quota.iter().map(|&l| used[l as usize]).sum();
    for (n, (&vcpus, &gpus)) in ids.provider_quota.iter().zip(&ids.gpu_quota).enumerate() {
        model.limits[vcpus as usize] = (used[vcpus as usize] * 7 / 10).max(total * (3 - n as i64 % 2) / 10);
        model.limits[gpus as usize] = items / 80;
    }
    for &limit in ids.region_quota.values() {
        model.limits[limit as usize] = (used[limit as usize] * 4 / 10).max(items / 4);
    }
    for (n, &budget) in budgets.iter().enumerate() {
        model.limits[budget as usize] = used[budget as usize] / 100 * [124, 132][n % 2];
    }
}
