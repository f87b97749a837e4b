//! Google: machine types with on-demand, spot and committed prices, disks, traffic to the internet.

use std::{collections::BTreeMap, path::Path};

use novacron_catalog::{Draft, DraftDestination, DraftOffer, Gpu, GroupId, InstanceType, Pricing, Sector, Tier};
use novacron_types::{Architecture, GIB, MIB, ProviderKind};

use crate::{
    LeftOut, network, regions, sources,
    table::{Row, Table, scaled},
};

const KIND: ProviderKind = ProviderKind::Gcp;
const SOURCE: &str = "Google Cloud Billing, through gcosts";
const AT: &str = "2026-07-30";

pub fn add(folder: &Path, draft: &mut Draft, left_out: &mut LeftOut) -> Result<(), String> {
    let types = draft.group(sources::exact("gcp-types", SOURCE, AT));
    let rule =
        "the most that Google documents for the series and size to send within its network, without a higher tier";
    let networks = draft.group(sources::by_hand("gcp-network", rule));
    for row in Table::open(folder, "gcp_machine_specs.csv")?.rows() {
        let mut ty = instance_type(row, types)?;
        ty.network_peak_mbps = network::google(&ty.name, ty.vcpus);
        ty.network_group = networks;
        draft.instance_type(ty);
    }
    prices(folder, draft, left_out)?;
    disks(folder, draft)?;
    traffic(folder, draft)
}

/// On a shared core the source's vCPUs are what is billed and had all the time; the guest of an `e2` one sees two.
fn instance_type(row: Row<'_>, group: GroupId) -> Result<InstanceType, String> {
    let name = row.text("machine_type")?;
    let wrong = |what: &str| format!("gcp_machine_specs: {name} has no {what}");
    let milli = row.scaled("vcpu", 3)?.ok_or_else(|| wrong("vCPUs"))? as u32;
    // Oddly written sizes (0.6 GB) are whole tenths of a GiB in MiB, to the next one.
    let memory = row.scaled("ram_gb", 9)?.ok_or_else(|| wrong("memory"))?;
    let memory_mib = (u128::from(memory) * 1024 + 500_000_000) / 1_000_000_000;
    let shared_core = matches!(name, "e2-micro" | "e2-small" | "e2-medium" | "f1-micro" | "g1-small");
    let extra = extras(row.text("extra")?)?;
    let series = name.split('-').next().unwrap_or_default();
    let sustained = match name {
        "f1-micro" => 200,
        "g1-small" => 500,
        _ => milli,
    };
    Ok(InstanceType {
        kind: KIND,
        name: name.to_owned(),
        vcpus: if shared_core && series == "e2" { 2 } else { milli.div_ceil(1000) },
        sustained_milli_vcpus: sustained,
        memory_bytes: memory_mib as u64 * MIB,
        architecture: match series {
            "t2a" | "c4a" | "n4a" => Architecture::Arm64,
            _ => Architecture::X86_64,
        },
        gpu: extra.iter().find_map(|(key, count)| gpu(key, *count)),
        network_mbps: 0,
        network_peak_mbps: 0,
        network_group: group,
        local_disk_gb: extra.get("local-ssd").map_or(0, |milli| milli / 1000),
        burstable: shared_core,
        shared_core,
        bare_metal: name.ends_with("-metal"),
        power: None,
        embodied: None,
        group,
    })
}

/// `{"l4": 1, "local-ssd": 375}` in thousandths; texts (`"type"`) are left out.
fn extras(text: &str) -> Result<BTreeMap<&str, u64>, String> {
    let wrong = || format!("gcp_machine_specs: {text:?} is not understood");
    let inner = text.strip_prefix('{').and_then(|t| t.strip_suffix('}')).ok_or_else(wrong)?;
    let mut all = BTreeMap::new();
    for pair in inner.split(',').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once(':').ok_or_else(wrong)?;
        let value = value.trim();
        if !value.starts_with('"') {
            all.insert(key.trim().trim_matches('"'), scaled(value, 3)?);
        }
    }
    Ok(all)
}

fn gpu(key: &str, milli: u64) -> Option<Gpu> {
    let (model, gib) = match key {
        "a100" => ("NVIDIA A100", 40),
        "a100-80gb" => ("NVIDIA A100", 80),
        "h100-80gb" | "h100-80gb-mega" => ("NVIDIA H100", 80),
        "l4" => ("NVIDIA L4", 24),
        "rtx6000" => ("NVIDIA RTX PRO 6000", 96),
        _ => return None,
    };
    Some(Gpu { model: model.to_owned(), milli: milli as u32, memory_bytes: gib * milli * GIB / 1000 })
}

fn prices(folder: &Path, draft: &mut Draft, left_out: &mut LeftOut) -> Result<(), String> {
    let hourly = draft.group(sources::exact("gcp-on-demand", SOURCE, AT));
    let spot = draft.group(sources::exact("gcp-spot", SOURCE, AT));
    let committed = draft.group(sources::exact_monthly("gcp-committed", SOURCE, AT));
    for row in Table::open(folder, "gcp_machine_prices_gcosts.csv")?.rows() {
        let (region, ty) = (row.text("region")?, row.text("machine_type")?);
        if draft.region_mut(KIND, region).is_none() {
            draft.region(regions::bare(KIND, region, "", Sector::Commercial, hourly));
        }
        let on_demand = row.nanos("hour")?;
        let sustained = row.nanos("month_with_sud")?;
        let columns = [
            ("hour", Pricing::OnDemand, hourly),
            ("hour_spot", Pricing::Spot, spot),
            ("month_1y", Pricing::Commit1Year, committed),
            ("month_3y", Pricing::Commit3Years, committed),
        ];
        for (column, pricing, group) in columns {
            let nanos = row.nanos(column)?;
            // No commitments are sold for these: the source repeats the sustained-use price.
            let repeats = group == committed && nanos.is_some() && nanos == sustained;
            match nanos {
                None => left_out.row("Google prices that are not stated"),
                Some(0) => left_out.row("Google prices of nothing"),
                Some(_) if repeats => left_out.row("Google commitments that are not sold (f1, g1)"),
                Some(_) if on_demand.is_none() => {
                    left_out.row("Google prices of types that are not sold there on demand")
                }
                Some(nanos) => draft.offer(KIND, ty, pricing, region, DraftOffer::new(group, nanos)),
            }
        }
    }
    Ok(())
}

fn disks(folder: &Path, draft: &mut Draft) -> Result<(), String> {
    let group = draft.group(sources::exact("gcp-disks", SOURCE, AT));
    for row in Table::open(folder, "gcp_disk_prices.csv")?.rows() {
        if let Some(nanos) = row.nanos("month")?.filter(|nanos| *nanos > 0) {
            draft.disk(KIND, row.text("region")?, row.text("disk_type")?, nanos, group);
        }
    }
    Ok(())
}

fn traffic(folder: &Path, draft: &mut Draft) -> Result<(), String> {
    let group = draft.group(sources::exact("gcp-traffic", SOURCE, AT));
    let mut tiers: BTreeMap<(String, DraftDestination), Vec<Tier>> = BTreeMap::new();
    for row in Table::open(folder, "gcp_egress_prices.csv")?.rows() {
        let to = match row.text("kind")? {
            "egress/internet" => DraftDestination::Internet,
            "egress/internet/australia" => DraftDestination::InternetAustralia,
            "egress/internet/china" => DraftDestination::InternetChina,
            other => return Err(format!("gcp_egress_prices: {other:?} is not known")),
        };
        let from_gb = match row.text("tier_tb")? {
            "0-1" => 0,
            "1-10" => 1024,
            "10n" => 10 * 1024,
            other => return Err(format!("gcp_egress_prices: the tier {other:?} is not known")),
        };
        let Some(nanos_per_gb) = row.nanos("usd_per_gb")? else { continue };
        tiers.entry((row.text("region")?.to_owned(), to)).or_default().push(Tier { from_gb, nanos_per_gb });
    }
    for ((region, to), mut tiers) in tiers {
        tiers.sort_unstable_by_key(|tier| tier.from_gb);
        draft.transfer(KIND, &region, to, tiers, group);
    }
    Ok(())
}
