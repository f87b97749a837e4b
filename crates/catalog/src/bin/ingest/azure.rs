//! Azure: on-demand as stated; spot and reservations by the usual savings; round trips as Microsoft measured them.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
};

use novacron_catalog::{Draft, DraftOffer, GroupId, Pricing, Sector};
use novacron_types::ProviderKind;

use crate::{LeftOut, azure_licence, azure_size, regions, sources, table::Table};

const KIND: ProviderKind = ProviderKind::Azure;

pub fn add(folder: &Path, draft: &mut Draft, left_out: &mut LeftOut) -> Result<(), String> {
    let sizes = draft.group(sources::derived(
        "azure-sizes",
        "the SKU's name",
        "2026-06-18",
        "read from the name by Azure's naming rules; the memory per vCPU of each series was written by hand and is not checked \
         against Azure's pages",
    ));
    prices(folder, draft, left_out, sizes)?;
    disks(draft);
    round_trips(folder, draft)
}

fn prices(folder: &Path, draft: &mut Draft, left_out: &mut LeftOut, sizes: GroupId) -> Result<(), String> {
    let source = "Azure Retail Prices, through karpenter-provider-azure";
    let at = "2026-06-18";
    let stated = draft.group(sources::exact("azure-on-demand", source, at));
    let spot = "on-demand × 0.19: samples were 80 to 82 % off";
    let year = "on-demand × 0.695: the middle of the 20 to 41 % that samples were off";
    let three = "on-demand × 0.49: the middle of the 40 to 62 % that samples were off";
    let spot = draft.group(sources::derived("azure-spot", source, at, spot));
    let year = draft.group(sources::derived("azure-reserved-1y", source, at, year));
    let three = draft.group(sources::derived("azure-reserved-3y", source, at, three));
    let less = "the source's price less the Windows licence that is in it (0.046 USD a vCPU, 0.0046 of the Bv2 series), \
                which is told by the price of the series' other sizes in the region";
    let less = draft.group(sources::derived("azure-on-demand-unlicensed", source, at, less));
    let table = Table::open(folder, "azure_ondemand_karpenter.csv")?;
    let rows = machines(&table, left_out)?;
    let licences = azure_licence::find(rows.iter().copied());
    let plain = rows.into_iter().map(|(region, sku, nanos)| match licences.get(&(region, sku)) {
        Some(licence) => (region, sku, nanos - licence, less),
        None => (region, sku, nanos, stated),
    });
    let plain: Vec<_> = plain.collect();
    let usual = usual(&plain);
    let mut unread = BTreeMap::new();
    for (region, sku, nanos, group) in plain {
        if nanos < usual.get(sku).map_or(0, |usual| usual / 4) {
            left_out.row("Azure prices that are less than a quarter of what the size usually costs");
            continue;
        }
        let Some(size) = azure_size::read(sku) else {
            *unread.entry(sku.to_owned()).or_insert(0usize) += 1;
            continue;
        };
        if draft.region_mut(KIND, region).is_none() {
            draft.region(regions::bare(KIND, region, "", Sector::Commercial, stated));
        }
        draft.instance_type(size.instance_type(sku, sizes));
        draft.offer(KIND, sku, Pricing::OnDemand, region, DraftOffer::new(group, nanos));
        let mut derive = |pricing, group, permille: u64| {
            let price = (u128::from(nanos) * u128::from(permille) + 500) / 1000;
            draft.offer(KIND, sku, pricing, region, DraftOffer::new(group, price as u64));
        };
        if size.has_spot(sku) {
            derive(Pricing::Spot, spot, 190);
        }
        if size.has_reservations(sku) {
            derive(Pricing::Commit1Year, year, 695);
            derive(Pricing::Commit3Years, three, 490);
        }
    }
    let rows: usize = unread.values().sum();
    println!("Azure sizes whose name does not tell the memory: {} ({rows} rows): {:?}", unread.len(), unread.keys());
    unread
        .values()
        .for_each(|count| (0..*count).for_each(|_| left_out.row("Azure prices of sizes that are not known")));
    Ok(())
}

/// Region, size and price of the rows that are machines.
type Row<'a> = (&'a str, &'a str, u64);

fn machines<'a>(table: &'a Table, left_out: &mut LeftOut) -> Result<Vec<Row<'a>>, String> {
    let mut rows = Vec::new();
    for row in table.rows() {
        let (region, sku) = (row.text("region")?, row.text("sku")?.trim());
        match (no_machine(sku), row.nanos("usd_per_hour_linux")?) {
            (Some(why), _) => left_out.row(why),
            (None, None | Some(0)) => left_out.row("Azure prices of nothing"),
            (None, Some(nanos)) => rows.push((region, sku, nanos)),
        }
    }
    Ok(rows)
}

/// The median over the regions of each size that is in four or more.
fn usual<'a>(rows: &[(&'a str, &'a str, u64, GroupId)]) -> HashMap<&'a str, u64> {
    let mut prices: HashMap<&str, Vec<u64>> = HashMap::new();
    rows.iter().for_each(|(_, sku, nanos, _)| prices.entry(sku).or_default().push(*nanos));
    prices.retain(|_, nanos| nanos.len() >= 4);
    let median = |mut nanos: Vec<u64>| {
        nanos.sort_unstable();
        nanos[nanos.len() / 2]
    };
    prices.into_iter().map(|(sku, nanos)| (sku, median(nanos))).collect()
}

/// Rows that are no machine one can start.
fn no_machine(sku: &str) -> Option<&'static str> {
    let lower = sku.to_ascii_lowercase();
    if lower.contains("type") {
        Some("Azure dedicated hosts")
    } else if lower.starts_with("basic_") {
        Some("Azure sizes of the retired Basic tier")
    } else if lower.contains("placeholder") {
        Some("Azure placeholders")
    } else if lower.ends_with("_special") {
        Some("Azure sizes for single customers")
    } else if !sku.starts_with("Standard_") || sku.contains(' ') {
        Some("Azure prices of something else")
    } else {
        None
    }
}

fn disks(draft: &mut Draft) {
    let rule =
        "one price for every region: $0.075 per GB and month; Azure bills by size classes, so this is an approximation";
    let group = draft.group(sources::derived("azure-disks", "Azure Retail Prices", "2026", rule));
    let names: Vec<String> =
        draft.regions().filter(|r| r.kind == KIND && r.sector == Sector::Commercial).map(|r| r.name.clone()).collect();
    for region in names {
        draft.disk(KIND, &region, "Standard SSD", 75_000_000, group);
    }
}

fn round_trips(folder: &Path, draft: &mut Draft) -> Result<(), String> {
    let source = "Microsoft's table of round trips between Azure regions, median";
    let group = draft.group(sources::exact_mit("azure-round-trips", source, "2026-03-01"));
    for row in Table::open(folder, "azure_rtt_ms.csv")?.rows() {
        let Some(micros) = row.scaled("rtt_ms", 3)? else { continue };
        let key = |column| Ok::<_, String>((KIND, row.text(column)?.to_owned()));
        draft.round_trip(key("src")?, key("dst")?, micros as u32, group);
    }
    Ok(())
}
