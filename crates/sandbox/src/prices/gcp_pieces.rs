//! The prices of Google's parts, found again from the prices of machines that the catalog has: two sizes with different parts of
//! each give both, to the billionth wherever the source states machines that exactly.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use novacron_catalog::{Catalog, InstanceType, Per, Pricing, RegionId};
use novacron_types::{GIB, MIB, ProviderKind};

const KIND: ProviderKind = ProviderKind::Gcp;
const HOURS: i128 = 730;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Piece {
    Core(&'static str),
    Ram(&'static str),
    Gpu(&'static str),
    /// A GB and month.
    Disk(&'static str),
    Machine(&'static str),
    /// A GB and month of a network disk, by the catalog's name.
    Volume(&'static str),
}

pub(super) type Pieces = BTreeMap<(Piece, Pricing, RegionId), u64>;

/// First words of machine types, the vendor's name on demand and in commitments.
pub(super) const SERIES: [(&str, &str, &str); 25] = [
    ("c2", "Compute optimized", "Compute optimized"),
    ("c2d", "C2D AMD Instance", "C2D AMD"),
    ("c3", "C3 Instance", "C3"),
    ("c3d", "C3D Instance", "C3D"),
    ("c4", "C4 Instance", "C4"),
    ("c4a", "C4A Arm Instance", "C4A Arm"),
    ("c4d", "C4D Instance", "C4D"),
    ("c4n", "C4N Instance", "C4N"),
    ("e2", "E2 Instance", "E2"),
    ("g2", "G2 Instance", "G2"),
    ("h3", "H3 Instance", "H3"),
    ("m1", "Memory-optimized Instance", "Memory-optimized"),
    (
        "m2",
        "Memory Optimized Upgrade Premium for Memory-optimized Instance",
        "Memory Optimized Upgrade Premium for Memory-optimized",
    ),
    ("m3", "M3 Memory-optimized Instance", "M3 Memory-optimized"),
    ("m4", "M4 Instance", "M4"),
    ("m4-ultramem-224", "M4Ultramem224 Instance", "M4Ultramem224"),
    ("m4n", "M4N Instance", "M4N"),
    ("n1", "N1 Predefined Instance", ""),
    ("n2", "N2 Instance", "N2"),
    ("n2d", "N2D AMD Instance", "N2D AMD"),
    ("n4", "N4 Instance", "N4"),
    ("n4a", "N4A Instance", "N4A"),
    ("n4d", "N4D Instance", "N4D"),
    ("t2a", "T2A Arm Instance", ""),
    ("t2d", "T2D AMD Instance", "T2D AMD"),
];

/// The catalog's names of disks, and the vendor's.
pub(super) const VOLUMES: [(&str, &str); 9] = [
    ("balanced", "Balanced PD Capacity"),
    ("balanced-replicated", "Regional Balanced PD Capacity"),
    ("extreme", "Extreme PD Capacity"),
    ("hdd", "Storage PD Capacity"),
    ("hdd-replicated", "Regional Storage PD Capacity"),
    ("hyperdisk-extreme", "Hyperdisk Extreme Capacity"),
    ("snapshot", "Storage PD Snapshot"),
    ("ssd", "SSD backed PD Capacity"),
    ("ssd-replicated", "Regional SSD backed PD Capacity"),
];

pub(super) fn pieces(catalog: &'static Catalog) -> &'static Pieces {
    static PIECES: OnceLock<Pieces> = OnceLock::new();
    PIECES.get_or_init(|| find_all(catalog))
}

fn find_all(catalog: &'static Catalog) -> Pieces {
    let mut pieces = Pieces::new();
    for disk in &catalog.parts().disks {
        let volume = VOLUMES.iter().find(|(name, _)| *name == disk.name && catalog.region(disk.region).kind == KIND);
        if let Some((name, _)) = volume {
            pieces.insert((Piece::Volume(name), Pricing::OnDemand, disk.region), disk.nanos_per_gb_month);
        }
    }
    for (region, _) in catalog.parts().regions.iter().enumerate().filter(|(_, region)| region.kind == KIND) {
        let region = RegionId(region as u16);
        for pricing in Pricing::ALL {
            for (series, ..) in SERIES {
                find(catalog, region, pricing, series, &mut pieces);
            }
            for whole in ["f1-micro", "g1-small"] {
                if let Some(price) = catalog.find_type(KIND, whole).and_then(|_| price(catalog, whole, pricing, region))
                {
                    pieces.insert((Piece::Machine(whole), pricing, region), price.nanos as u64);
                }
            }
        }
        // What makes an m2 of an m1 is sold apart.
        for pricing in Pricing::ALL {
            for piece in [Piece::Core as fn(&'static str) -> Piece, Piece::Ram] {
                let less = pieces.get(&(piece("m1"), pricing, region)).copied();
                let key = (piece("m2"), pricing, region);
                match (pieces.get(&key).copied(), less) {
                    (Some(whole), Some(less)) if whole > less => drop(pieces.insert(key, whole - less)),
                    _ => drop(pieces.remove(&key)),
                }
            }
        }
    }
    pieces
}

/// By the hour, or by the month of 730 hours.
struct Price {
    nanos: i128,
    per: Per,
}

fn price(catalog: &Catalog, ty: &str, pricing: Pricing, region: RegionId) -> Option<Price> {
    let (_, offer) = catalog.find_offer(catalog.find_type(KIND, ty)?, region, pricing)?;
    Some(Price { nanos: offer.price_nanos.into(), per: catalog.group(offer.group).per })
}

/// A machine's vCPUs, tenths of a GiB, and price.
struct Known {
    vcpus: i128,
    tenths: i128,
    nanos: i128,
}

fn find(catalog: &'static Catalog, region: RegionId, pricing: Pricing, series: &'static str, pieces: &mut Pieces) {
    let all = || catalog.parts().types.iter().filter(|ty| ty.kind == KIND && of_series(&ty.name, series));
    let (mut known, mut hours) = (Vec::new(), 1);
    for ty in all().filter(|ty| !ty.shared_core && ty.local_disk_gb == 0) {
        let (Some(tenths), Some(price)) = (tenths(ty), price(catalog, &ty.name, pricing, region)) else { continue };
        hours = if price.per == Per::Month { HOURS } else { 1 };
        // Machines with one GPU have it in their price, which the difference of two takes away.
        if ty.gpu.as_ref().is_none_or(|gpu| gpu.milli == 1000) {
            known.push(Known { vcpus: ty.vcpus.into(), tenths, nanos: price.nanos });
        }
    }
    known.sort_by_key(|known| known.vcpus);
    let Some((core, ram, gpu)) = (if series == "g2" { with_gpu(&known) } else { solve(&known) }) else { return };
    let hourly = |nanos: i128| (nanos > 0).then(|| round(nanos, hours) as u64);
    let (Some(core), Some(ram)) = (hourly(core), hourly(ram)) else { return };
    pieces.insert((Piece::Core(series), pricing, region), core);
    pieces.insert((Piece::Ram(series), pricing, region), ram);
    if let Some(gpu) = hourly(gpu) {
        pieces.insert((Piece::Gpu("Nvidia L4"), pricing, region), gpu);
    }
    let own = if ["c4", "c4a", "c4d"].contains(&series) { series } else { "" };
    // The largest disk tells the most of its price.
    if let Some(ty) = all().filter(|ty| ty.local_disk_gb > 0 && ty.gpu.is_none()).max_by_key(|ty| ty.local_disk_gb) {
        let (Some(tenths), Some(price)) = (tenths(ty), price(catalog, &ty.name, pricing, region)) else { return };
        let base = i128::from(core) * i128::from(ty.vcpus) + i128::from(ram) * tenths / 10;
        // Prices of a GB and month have at most seven decimals, and the machine's was rounded.
        let rate = (price.nanos * (HOURS / hours) - base * HOURS) / i128::from(ty.local_disk_gb);
        let rate = (rate + 50) / 100 * 100;
        if rate > 0 {
            pieces.entry((Piece::Disk(own), pricing, region)).or_insert(rate as u64);
        }
    }
}

pub(super) fn of_series(name: &str, series: &str) -> bool {
    name == series || (name != "m4-ultramem-224" && name.split('-').next() == Some(series))
}

/// Memory in tenths of a GiB, where it is some.
pub(super) fn tenths(ty: &InstanceType) -> Option<i128> {
    let (bytes, gib) = (i128::from(ty.memory_bytes), i128::from(GIB));
    let tenths = (bytes * 10 + gib / 2) / gib;
    ((tenths * gib / 10).abs_diff(bytes) < u128::from(MIB)).then_some(tenths)
}

/// What a vCPU and a GiB cost, and nothing for a GPU.
fn solve(known: &[Known]) -> Option<(i128, i128, i128)> {
    for (i, a) in known.iter().enumerate() {
        for b in &known[..i] {
            let det = a.vcpus * b.tenths - b.vcpus * a.tenths;
            if det == 0 {
                continue;
            }
            let core = a.nanos * b.tenths - b.nanos * a.tenths;
            let ram = (a.vcpus * b.nanos - b.vcpus * a.nanos) * 10;
            return Some((round(core, det), round(ram, det), 0));
        }
    }
    // All have the same part of each: any two prices that add up to theirs will do.
    let smallest = known.first()?;
    split(smallest.nanos, smallest.vcpus, smallest.tenths).map(|(core, ram)| (core, ram, 0))
}

/// To the nearest.
fn round(n: i128, d: i128) -> i128 {
    let (n, d) = if d < 0 { (-n, -d) } else { (n, d) };
    (2 * n + d).div_euclid(2 * d)
}

fn split(nanos: i128, vcpus: i128, tenths: i128) -> Option<(i128, i128)> {
    if tenths % 10 != 0 {
        return None;
    }
    let gib = tenths / 10;
    // Divisible by a month's hours, in case the price is a month's.
    let first = nanos / (2 * gib) / HOURS * HOURS;
    (0..vcpus * 2).map(|more| first + more * HOURS).find_map(|ram| {
        let rest = nanos - ram * gib;
        (ram > 0 && rest > 0 && rest % vcpus == 0).then(|| (rest / vcpus, ram))
    })
}

fn with_gpu(known: &[Known]) -> Option<(i128, i128, i128)> {
    let [a, b, ..] = known else { return None };
    let (vcpus, tenths) = (b.vcpus - a.vcpus, b.tenths - a.tenths);
    let (core, ram) = split(b.nanos - a.nanos, vcpus, tenths)?;
    Some((core, ram, a.nanos - core * a.vcpus - ram * a.tenths / 10))
}
