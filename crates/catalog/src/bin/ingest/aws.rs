//! AWS: types, on-demand, spot by the Spot Advisor's savings, one year reserved by the median saving, disks, transfer.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    path::Path,
};

use novacron_catalog::{
    Draft, DraftDestination, DraftOffer, Gpu, GroupId, InstanceType, Interruption, NO_BAND, Pricing, Sector, Tier,
};
use novacron_types::{Architecture, MIB, ProviderKind};

use crate::{
    LeftOut, regions, sources,
    table::{Row, Table},
};

const KIND: ProviderKind = ProviderKind::Aws;
/// Type and region, to the price and which zones have it.
type Prices = HashMap<(String, String), (u64, u16)>;

pub fn add(folder: &Path, draft: &mut Draft, left_out: &mut LeftOut) -> Result<(), String> {
    types(folder, draft, left_out)?;
    let prices = on_demand(folder, draft, left_out)?;
    spot(folder, draft, left_out, &prices)?;
    reserved(draft, &prices);
    around(folder, draft)
}

fn types(folder: &Path, draft: &mut Draft, left_out: &mut LeftOut) -> Result<(), String> {
    let group = draft.group(sources::exact("aws-types", "EC2 DescribeInstanceTypes, through moto 5.2.5", "2026"));
    for row in Table::open(folder, "aws_instance_types.csv")?.rows() {
        if row.text("arch")?.ends_with("_mac") {
            left_out.row("AWS types that run macOS only");
            continue;
        }
        draft.instance_type(instance_type(row, group)?);
    }
    Ok(())
}

fn instance_type(row: Row<'_>, group: GroupId) -> Result<InstanceType, String> {
    let int = |column| Ok::<u64, String>(row.scaled(column, 0)?.unwrap_or(0));
    let vcpus = int("vcpu")? as u32;
    let burstable = row.text("burstable")? == "True";
    Ok(InstanceType {
        kind: KIND,
        name: row.text("instance_type")?.to_owned(),
        vcpus,
        sustained_milli_vcpus: if burstable { 0 } else { vcpus * 1000 },
        memory_bytes: int("memory_mib")? * MIB,
        architecture: if row.text("arch")? == "arm64" { Architecture::Arm64 } else { Architecture::X86_64 },
        gpu: gpu(row.text("gpu_model")?, int("gpu_count")?, int("gpu_mem_mib")?),
        network_mbps: row.scaled("net_baseline_gbps", 3)?.unwrap_or(0) as u32,
        network_peak_mbps: row.scaled("net_peak_gbps", 3)?.unwrap_or(0) as u32,
        network_group: group,
        local_disk_gb: int("local_storage_gb")?,
        burstable,
        shared_core: false,
        bare_metal: row.text("bare_metal")? == "True",
        power: None,
        embodied: None,
        group,
    })
}

/// A count of nothing with memory is a slice of an L4, which has 22,888 MiB: the slices are eighths of it.
fn gpu(model: &str, count: u64, memory_mib: u64) -> Option<Gpu> {
    const L4_MIB: u64 = 22_888;
    if model.is_empty() && count == 0 {
        return None;
    }
    let milli = if count == 0 { (memory_mib * 8 + L4_MIB / 2) / L4_MIB * 125 } else { count * 1000 };
    let model = if model.is_empty() { "unknown" } else { model };
    Some(Gpu { model: model.to_owned(), milli: milli as u32, memory_bytes: memory_mib * MIB })
}

fn on_demand(folder: &Path, draft: &mut Draft, left_out: &mut LeftOut) -> Result<Prices, String> {
    let source = "AWS price list, through karpenter-provider-aws";
    let exact = draft.group(sources::exact("aws-on-demand", source, "2026-07-20"));
    let rule = "us-east-1's price of 2026-07 × a multiplier for the region and family of 2025-03; within 0.5 % where it was checked";
    let modelled = draft.group(sources::derived("aws-on-demand-regional", source, "2025-03", rule));
    let zones = zones(folder)?;
    let mut prices = Prices::new();
    let stale = stale(folder)?;
    // The stated prices come last, and so stay.
    for (file, group) in [("aws_ondemand_regional_derived.csv", modelled), ("aws_ondemand_karpenter.csv", exact)] {
        for row in Table::open(folder, file)?.rows() {
            let (region, ty) = (row.text("region")?, row.text("instance_type")?);
            let Some(nanos) = row.nanos("usd_per_hour_linux")?.filter(|nanos| *nanos > 0) else {
                left_out.row("AWS prices of nothing");
                continue;
            };
            if region.starts_with("cn-") {
                left_out.row("AWS prices in China (in CNY, of 2024)");
                continue;
            }
            if file == "aws_ondemand_regional_derived.csv" && stale.contains(&(region.to_owned(), ty.to_owned())) {
                left_out.row("AWS prices of 2025-03 of types that have become cheaper since (p4d, p4de, p5, p5en)");
                continue;
            }
            let stated = file == "aws_ondemand_karpenter.csv" || row.text("votes")? == "karpenter";
            if draft.region_mut(KIND, region).is_none() {
                draft.region(regions::bare(KIND, region, "US", Sector::LocalZone, modelled));
            }
            let key = (ty.to_owned(), region.to_owned());
            let zones = zones.get(&key).copied().unwrap_or(0);
            let group = if stated { exact } else { group };
            draft.offer(KIND, ty, Pricing::OnDemand, region, DraftOffer { zones, ..DraftOffer::new(group, nanos) });
            prices.insert(key, (nanos, zones));
        }
    }
    Ok(prices)
}

/// Modelled prices that rest on one price of 2025-03 and are out of proportion with the region's others by 40 %: the type's price
/// in us-east-1 has fallen since, and so the multiplier is none.
fn stale(folder: &Path) -> Result<HashSet<(String, String)>, String> {
    let mut home = HashMap::new();
    let stated = Table::open(folder, "aws_ondemand_karpenter.csv")?;
    for row in stated.rows() {
        if row.text("region")? == "us-east-1" {
            home.insert(row.text("instance_type")?, row.nanos("usd_per_hour_linux")?.unwrap_or(0));
        }
    }
    let table = Table::open(folder, "aws_ondemand_regional_derived.csv")?;
    let mut regions: BTreeMap<&str, Vec<(u64, &str, bool)>> = BTreeMap::new();
    for row in table.rows() {
        let (ty, nanos) = (row.text("instance_type")?, row.nanos("usd_per_hour_linux")?.unwrap_or(0));
        if let Some(home) = home.get(ty).filter(|home| **home > 0) {
            let permille = (u128::from(nanos) * 1000 / u128::from(*home)) as u64;
            regions.entry(row.text("region")?).or_default().push((permille, ty, row.text("votes")? == "1"));
        }
    }
    let mut stale = HashSet::new();
    for (region, mut ratios) in regions {
        ratios.sort_unstable();
        let usual = ratios[ratios.len() / 2].0;
        let off = ratios.into_iter().filter(|(permille, _, one)| *one && permille * 10 > usual * 14);
        stale.extend(off.map(|(_, ty, _)| (region.to_owned(), ty.to_owned())));
    }
    Ok(stale)
}

fn zones(folder: &Path) -> Result<HashMap<(String, String), u16>, String> {
    let bit = |suffix: &str| match suffix.as_bytes() {
        [letter @ b'a'..=b'p'] => Ok(1u16 << (letter - b'a')),
        _ => Err(format!("aws_offerings: the zone {suffix:?} is not a letter")),
    };
    let mut all = HashMap::new();
    for row in Table::open(folder, "aws_offerings.csv")?.rows() {
        let mask =
            row.text("az_suffixes")?.split('|').map(bit).try_fold(0, |mask, bit| Ok::<_, String>(mask | bit?))?;
        all.insert((row.text("instance_type")?.to_owned(), row.text("region")?.to_owned()), mask);
    }
    Ok(all)
}

fn spot(folder: &Path, draft: &mut Draft, left_out: &mut LeftOut, prices: &Prices) -> Result<(), String> {
    let rule =
        "on-demand × (1 − the Spot Advisor's saving in whole percent); the interruption band is the Advisor's own";
    let group = draft.group(sources::derived("aws-spot", "AWS Spot Advisor, through spotinfo", "2025-07-28", rule));
    for row in Table::open(folder, "aws_spot_advisor.csv")?.rows() {
        if row.text("os")? != "Linux" {
            left_out.row("AWS spot rows of Windows");
            continue;
        }
        let key = (row.text("instance_type")?.to_owned(), row.text("region")?.to_owned());
        let Some((nanos, zones)) = prices.get(&key).copied() else {
            left_out.row("AWS spot rows without an on-demand price");
            continue;
        };
        let saving: i64 = row.text("savings_pct")?.parse().map_err(|_| "aws_spot_advisor: no saving".to_owned())?;
        let (Ok(rest @ 1..), Ok(band)) = (u64::try_from(100 - saving), row.text("interruption_range_index")?.parse())
        else {
            return Err(format!("aws_spot_advisor: a saving of {saving} % or a band that is no number"));
        };
        if saving < 0 {
            left_out.row("AWS spot rows dearer than on demand");
            continue;
        }
        let band = Interruption::from_code(band).map_or(NO_BAND, |band| band as u8);
        let offer = DraftOffer { group, price_nanos: sources::percent(nanos, rest), band, zones };
        draft.offer(KIND, &key.0, Pricing::Spot, &key.1, offer);
    }
    Ok(())
}

fn reserved(draft: &mut Draft, prices: &Prices) {
    let rule = "on-demand × 0.63: the median saving of a year's standard reservation without upfront is 37 %";
    let group = draft.group(sources::derived(
        "aws-reserved-1y",
        "AWS price list, through karpenter-provider-aws",
        "2025-03",
        rule,
    ));
    for ((ty, region), (nanos, zones)) in prices {
        let offer = DraftOffer { zones: *zones, ..DraftOffer::new(group, sources::percent(*nanos, 63)) };
        draft.offer(KIND, ty, Pricing::Commit1Year, region, offer);
    }
}

fn around(folder: &Path, draft: &mut Draft) -> Result<(), String> {
    let rule = "one price for every region: $0.08 (gp3) and $0.045 (st1) per GB and month, as in us-east-1";
    let disks = draft.group(sources::derived("aws-disks", "AWS price list", "2026", rule));
    let names: Vec<String> =
        draft.regions().filter(|r| r.kind == KIND && r.sector != Sector::China).map(|r| r.name.clone()).collect();
    for region in &names {
        draft.disk(KIND, region, "gp3", 80_000_000, disks);
        draft.disk(KIND, region, "st1", 45_000_000, disks);
    }
    let group =
        draft.group(sources::exact("aws-transfer", "AWS price list, first paid tier, through skyplane 0.3.2", "2024"));
    for row in Table::open(folder, "aws_transfer_costs_skyplane.csv")?.rows() {
        let Some(nanos_per_gb) = row.nanos("cost")? else { continue };
        let to = match row.text("dst")? {
            "internet" => DraftDestination::Internet,
            region => DraftDestination::Region(region.to_owned()),
        };
        draft.transfer(KIND, row.text("src")?, to, vec![Tier { from_gb: 0, nanos_per_gb }], group);
    }
    Ok(())
}
