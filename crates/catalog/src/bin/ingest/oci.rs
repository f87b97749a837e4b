//! Oracle: one price list for all commercial regions. A flexible shape costs its OCPUs and its GB, so common sizes of each are
//! made offers; the newer list gives the first tier of a price only, so where that is free the older one's last tier is taken.

use std::{collections::HashMap, path::Path};

use novacron_catalog::{Draft, DraftDestination, DraftOffer, Gpu, GroupId, InstanceType, Pricing, Sector, Tier};
use novacron_types::{Architecture, GIB, ProviderKind};

use crate::{LeftOut, network, sources, table::Table};

const KIND: ProviderKind = ProviderKind::Oci;

struct Flexible {
    name: &'static str,
    ocpu_part: &'static str,
    memory_part: &'static str,
    /// What the vendor documents as the most of each.
    max_ocpus: u64,
    max_gb: u64,
    vcpus_per_ocpu: u64,
    arm: bool,
}

const fn flexible(
    name: &'static str,
    ocpu_part: &'static str,
    memory_part: &'static str,
    (max_ocpus, max_gb): (u64, u64),
    vcpus_per_ocpu: u64,
    arm: bool,
) -> Flexible {
    Flexible { name, ocpu_part, memory_part, max_ocpus, max_gb, vcpus_per_ocpu, arm }
}

const FLEXIBLE: [Flexible; 8] = [
    flexible("VM.Standard.E3.Flex", "B92306", "B92307", (64, 1024), 2, false),
    flexible("VM.Standard.E4.Flex", "B93113", "B93114", (64, 1024), 2, false),
    flexible("VM.Standard.E5.Flex", "B97384", "B97385", (94, 1049), 2, false),
    flexible("VM.Standard.E6.Flex", "B111129", "B111130", (94, 1049), 2, false),
    flexible("VM.Standard3.Flex", "B94176", "B94177", (32, 512), 2, false),
    flexible("VM.Optimized3.Flex", "B93311", "B93312", (18, 256), 2, false),
    flexible("VM.Standard.A1.Flex", "B93297", "B93298", (76, 472), 1, true),
    flexible("VM.Standard.A2.Flex", "B109529", "B109530", (78, 946), 2, true),
];
const OCPUS: [u64; 7] = [1, 2, 4, 8, 16, 32, 64];
const GB_PER_OCPU: [u64; 6] = [1, 4, 8, 16, 32, 64];

/// Fixed shapes: name, part, OCPUs (or GPUs) that are billed, OCPUs, GB, GPU's model, count and GB.
type Fixed = (&'static str, &'static str, u64, u64, u64, Option<(&'static str, u64, u64)>);
const FIXED: [Fixed; 15] = [
    ("VM.Standard.E2.1", "B90425", 1, 1, 8, None),
    ("VM.Standard.E2.2", "B90425", 2, 2, 16, None),
    ("VM.Standard.E2.4", "B90425", 4, 4, 32, None),
    ("VM.Standard.E2.8", "B90425", 8, 8, 64, None),
    ("VM.Standard2.1", "B88514", 1, 1, 15, None),
    ("VM.Standard2.2", "B88514", 2, 2, 30, None),
    ("VM.Standard2.4", "B88514", 4, 4, 60, None),
    ("VM.Standard2.8", "B88514", 8, 8, 120, None),
    ("VM.Standard2.16", "B88514", 16, 16, 240, None),
    ("VM.Standard2.24", "B88514", 24, 24, 320, None),
    ("VM.GPU3.1", "B89734", 1, 6, 90, Some(("NVIDIA V100", 1, 16))),
    ("VM.GPU3.2", "B89734", 2, 12, 180, Some(("NVIDIA V100", 2, 32))),
    ("VM.GPU3.4", "B89734", 4, 24, 360, Some(("NVIDIA V100", 4, 64))),
    ("VM.GPU.A10.1", "B95909", 1, 15, 240, Some(("NVIDIA A10", 1, 24))),
    ("VM.GPU.A10.2", "B95909", 2, 30, 480, Some(("NVIDIA A10", 2, 48))),
];

struct Groups {
    shapes: GroupId,
    networks: GroupId,
    stated: GroupId,
    older: GroupId,
    preemptible: GroupId,
    preemptible_older: GroupId,
}

/// A part's price in 10⁻⁹ USD, and whether it is the older list's.
type Prices = HashMap<String, (u64, bool)>;
type Tiers = HashMap<String, Vec<Tier>>;

pub fn add(folder: &Path, draft: &mut Draft, left_out: &mut LeftOut) -> Result<(), String> {
    let (newer, older) = ("Oracle's price list", "Oracle's price list with all tiers, through OpenCost");
    let (at, before) = ("2026-01-05", "2024-01");
    let sum =
        "OCPUs (or GPUs) × their price + GB × theirs, as the shape is billed; the same in every commercial region";
    let paid = "as above, at the price beyond the monthly free allowance";
    let half = "half of on-demand";
    let shapes = "sizes of flexible shapes within limits that were written by hand; fixed shapes by hand";
    let networks =
        "the most that Oracle documents for the shape: of flexible ones a figure for each OCPU, up to a limit";
    let groups = Groups {
        shapes: draft.group(sources::by_hand("oci-shapes", shapes)),
        networks: draft.group(sources::by_hand("oci-network", networks)),
        stated: draft.group(sources::derived_mit("oci-on-demand", newer, at, sum)),
        older: draft.group(sources::derived("oci-on-demand-tiers", older, before, &format!("{sum}; {paid}"))),
        preemptible: draft.group(sources::derived_mit("oci-preemptible", newer, at, half)),
        preemptible_older: draft.group(sources::derived("oci-preemptible-tiers", older, before, half)),
    };
    let tiers = tiers(folder)?;
    let prices = prices(folder, &tiers)?;
    let sold = |r: &&novacron_catalog::Region| r.kind == KIND && r.sector == Sector::Commercial;
    let regions: Vec<String> = draft.regions().filter(sold).map(|r| r.name.clone()).collect();
    for shape in &FLEXIBLE {
        add_flexible(draft, left_out, &groups, &prices, &regions, shape);
    }
    for shape in FIXED {
        add_fixed(draft, left_out, &groups, &prices, &regions, shape);
    }
    disks(draft, &prices, &regions);
    traffic(draft, &tiers, &regions)
}

fn tiers(folder: &Path) -> Result<Tiers, String> {
    let mut tiers = Tiers::new();
    for row in Table::open(folder, "oci_prices_tiers_2024.csv")?.rows() {
        if row.text("model")? != "PAY_AS_YOU_GO" {
            continue;
        }
        let from_gb = row.scaled("range_min", 0)?.unwrap_or(0);
        let Some(nanos_per_gb) = row.nanos("usd")? else { continue };
        tiers.entry(row.text("part_number")?.to_owned()).or_default().push(Tier { from_gb, nanos_per_gb });
    }
    tiers.values_mut().for_each(|tiers| tiers.sort_unstable_by_key(|tier| tier.from_gb));
    Ok(tiers)
}

fn prices(folder: &Path, tiers: &Tiers) -> Result<Prices, String> {
    let mut prices = Prices::new();
    for row in Table::open(folder, "oci_products.csv")?.rows() {
        let part = row.text("part_number")?;
        let first = row.nanos("usd_payg")?.unwrap_or(0);
        let last = tiers.get(part).and_then(|tiers| tiers.last()).map_or(0, |tier| tier.nanos_per_gb);
        let price = if first > 0 { (first, false) } else { (last, true) };
        if price.0 > 0 {
            prices.insert(part.to_owned(), price);
        }
    }
    Ok(prices)
}

fn add_flexible(
    draft: &mut Draft,
    left_out: &mut LeftOut,
    groups: &Groups,
    prices: &Prices,
    regions: &[String],
    shape: &Flexible,
) {
    let (Some(ocpu), Some(memory)) = (prices.get(shape.ocpu_part), prices.get(shape.memory_part)) else {
        left_out.row("Oracle shapes without a price");
        return;
    };
    for ocpus in OCPUS.into_iter().filter(|n| *n <= shape.max_ocpus) {
        for gb in GB_PER_OCPU.map(|per| per * ocpus).into_iter().filter(|n| *n <= shape.max_gb) {
            let name = format!("{}:{ocpus}:{gb}", shape.name);
            let ty = instance_type(name, ocpus * shape.vcpus_per_ocpu, gb, shape.arm, None, groups.shapes);
            let ty = InstanceType {
                network_peak_mbps: network::oracle(shape.name, ocpus),
                network_group: groups.networks,
                ..ty
            };
            offer(draft, groups, regions, ty, ocpus * ocpu.0 + gb * memory.0, ocpu.1 || memory.1, true);
        }
    }
}

fn add_fixed(
    draft: &mut Draft,
    left_out: &mut LeftOut,
    groups: &Groups,
    prices: &Prices,
    regions: &[String],
    shape: Fixed,
) {
    let (name, part, billed, ocpus, gb, gpu) = shape;
    let Some((nanos, older)) = prices.get(part) else {
        left_out.row("Oracle shapes without a price");
        return;
    };
    let ty = instance_type(name.to_owned(), ocpus * 2, gb, false, gpu, groups.shapes);
    let ty = InstanceType { network_peak_mbps: network::oracle(name, ocpus), network_group: groups.networks, ..ty };
    let preemptible = gpu.is_none();
    offer(draft, groups, regions, ty, billed * nanos, *older, preemptible);
}

fn instance_type(
    name: String,
    vcpus: u64,
    gb: u64,
    arm: bool,
    gpu: Option<(&str, u64, u64)>,
    group: GroupId,
) -> InstanceType {
    let gpu = gpu.map(|(model, count, gib)| Gpu {
        model: model.to_owned(),
        milli: count as u32 * 1000,
        memory_bytes: gib * GIB,
    });
    InstanceType {
        kind: KIND,
        name,
        vcpus: vcpus as u32,
        sustained_milli_vcpus: vcpus as u32 * 1000,
        memory_bytes: gb * GIB,
        architecture: if arm { Architecture::Arm64 } else { Architecture::X86_64 },
        gpu,
        network_mbps: 0,
        network_peak_mbps: 0,
        network_group: group,
        local_disk_gb: 0,
        burstable: false,
        shared_core: false,
        bare_metal: false,
        power: None,
        embodied: None,
        group,
    }
}

fn offer(
    draft: &mut Draft,
    groups: &Groups,
    regions: &[String],
    ty: InstanceType,
    nanos: u64,
    older: bool,
    preemptible: bool,
) {
    let (group, half) =
        if older { (groups.older, groups.preemptible_older) } else { (groups.stated, groups.preemptible) };
    for region in regions {
        draft.offer(KIND, &ty.name, Pricing::OnDemand, region, DraftOffer::new(group, nanos));
        if preemptible {
            draft.offer(KIND, &ty.name, Pricing::Spot, region, DraftOffer::new(half, nanos.div_ceil(2)));
        }
    }
    draft.instance_type(ty);
}

fn disks(draft: &mut Draft, prices: &Prices, regions: &[String]) {
    let (Some((gb, _)), Some((unit, _))) = (prices.get("B91961"), prices.get("B91962")) else { return };
    let rule = "the price of a GB + performance units (0 to 120 a GB) × theirs, as block volumes are billed";
    let group = draft.group(sources::derived_mit("oci-disks", "Oracle's price list", "2026-01-05", rule));
    for region in regions {
        for units in [0, 10, 20, 30, 60, 120] {
            draft.disk(KIND, region, &format!("block-{units}-vpu"), gb + units * unit, group);
        }
    }
}

/// What leaves a region for the internet and for another region costs the same.
fn traffic(draft: &mut Draft, tiers: &Tiers, regions: &[String]) -> Result<(), String> {
    let source = "Oracle's price list with all tiers, through OpenCost";
    let group = draft.group(sources::exact("oci-traffic", source, "2024-01"));
    for from in regions {
        let part = match from.split('-').next().unwrap_or_default() {
            "us" | "ca" | "mx" | "eu" | "uk" => "B88327",
            "ap" | "sa" => "B93455",
            "me" | "il" | "af" => "B93456",
            other => return Err(format!("it is not known what leaves Oracle's {other:?} regions for")),
        };
        let Some(tiers) = tiers.get(part) else { continue };
        draft.transfer(KIND, from, DraftDestination::Internet, tiers.clone(), group);
        for to in regions.iter().filter(|to| *to != from) {
            draft.transfer(KIND, from, DraftDestination::Region(to.clone()), tiers.clone(), group);
        }
    }
    Ok(())
}
