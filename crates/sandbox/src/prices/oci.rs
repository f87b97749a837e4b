//! Oracle's price list: one document of parts, with the tiers of each. Out of what the catalog says of machines, disks and
//! traffic, the prices of the parts are found again.

use std::collections::BTreeMap;

use http::request::Parts;
use novacron_catalog::{Catalog, Destination, Pricing, RegionId, Tier};
use novacron_types::ProviderKind;

use super::book::{Book, decimal};
use super::fault::PriceFault;
use super::{Said, query};

pub(super) const PATH: &str = "/pls/apex/cetools/api/v1/products/";
const KIND: ProviderKind = ProviderKind::Oci;

/// Shape, part of an OCPU or GPU, part of a GB (or none), and how much of each is free in a month.
const SHAPES: [(&str, &str, &str, (u64, u64)); 12] = [
    ("VM.Standard.E3.Flex", "B92306", "B92307", (0, 0)),
    ("VM.Standard.E4.Flex", "B93113", "B93114", (0, 0)),
    ("VM.Standard.E5.Flex", "B97384", "B97385", (0, 0)),
    ("VM.Standard.E6.Flex", "B111129", "B111130", (0, 0)),
    ("VM.Standard3.Flex", "B94176", "B94177", (0, 0)),
    ("VM.Optimized3.Flex", "B93311", "B93312", (0, 0)),
    ("VM.Standard.A1.Flex", "B93297", "B93298", (3_000, 18_000)),
    ("VM.Standard.A2.Flex", "B109529", "B109530", (0, 0)),
    ("VM.Standard.E2", "B90425", "", (0, 0)),
    ("VM.Standard2", "B88514", "", (0, 0)),
    ("VM.GPU3", "B89734", "", (0, 0)),
    ("VM.GPU.A10", "B95909", "", (0, 0)),
];
/// Traffic out of the regions of each group of continents, by one of its regions.
const TRAFFIC: [(&str, &str); 3] = [("B88327", "us-ashburn-1"), ("B93455", "ap-tokyo-1"), ("B93456", "me-dubai-1")];

struct Part {
    metric: &'static str,
    tiers: Vec<Tier>,
}

pub(super) fn list(book: &Book, parts: &Parts, faults: &[PriceFault]) -> Said {
    let asked = query(parts, "currencyCode");
    let mut items: Vec<String> =
        all(*book).iter().map(|(number, part)| item(number, part, asked.as_deref(), faults)).collect();
    items.push(r#"{"partNumber":"B88206","displayName":"Something else","metricName":"Each","serviceCategory":"Other","currencyCodeLocalizations":[]}"#.to_owned());
    if faults.contains(&PriceFault::HalfPage) {
        items.truncate(items.len() / 2);
    }
    Ok(format!(r#"{{"lastUpdated":"2026-11-20T00:00:00Z","items":[{}]}}"#, items.join(",")).into_bytes())
}

fn item(number: &str, part: &Part, asked: Option<&str>, faults: &[PriceFault]) -> String {
    let price = |(i, tier): (usize, &Tier)| {
        let end = part.tiers.get(i + 1).map_or(999_999_999_999_999, |next| next.from_gb);
        let range = if part.tiers.len() > 1 {
            format!(r#""rangeMin":{},"rangeMax":{end},"#, tier.from_gb)
        } else {
            String::new()
        };
        let value = decimal(PriceFault::price(faults, tier.nanos_per_gb));
        format!(r#"{{"model":"PAY_AS_YOU_GO",{range}"value":{value}}}"#)
    };
    let prices: Vec<String> = part.tiers.iter().enumerate().map(price).collect();
    // Another currency and another model lie beside what is asked for.
    let euro = r#"{"currencyCode":"EUR","prices":[{"model":"PAY_AS_YOU_GO","value":0.001}]}"#;
    let code = PriceFault::currency(faults);
    let flex = r#"{"model":"MONTHLY_FLEX","value":0.0001}"#;
    let dollars = format!(r#"{{"currencyCode":"{code}","prices":[{flex},{}]}}"#, prices.join(","));
    let local = if asked.is_some() { dollars } else { format!("{euro},{dollars}") };
    let metric = part.metric;
    format!(
        r#"{{"partNumber":"{number}","displayName":"Sandbox - {number}","metricName":"{metric}","serviceCategory":"Sandbox","currencyCodeLocalizations":[{local}]}}"#
    )
}

/// What an hour of a machine costs by the parts that are stated.
pub(super) fn machine(book: Book, name: &str, pricing: Pricing) -> Option<u64> {
    let parts = all(book);
    let paid = |part: &str| parts.get(part)?.tiers.last().map(|tier| tier.nanos_per_gb);
    let (shape, unit, memory, sizes) = split(name)?;
    let on_demand = sizes.0 * paid(unit)? + if memory.is_empty() { 0 } else { sizes.1 * paid(memory)? };
    match pricing {
        Pricing::OnDemand => Some(on_demand),
        Pricing::Spot if !shape.contains("GPU") => {
            Some((on_demand + on_demand % 2 * u64::from(on_demand / 2 % 2 == 1)) / 2)
        }
        _ => None,
    }
}

/// Shape, its parts, and how many of each.
fn split(name: &str) -> Option<(&'static str, &'static str, &'static str, (u64, u64))> {
    let (shape, rest) = name.split_once(':').or_else(|| name.rsplit_once('.'))?;
    let (shape, unit, memory, _) = SHAPES.iter().find(|row| row.0 == shape)?;
    let (units, gb) = rest.split_once(':').unwrap_or((rest, "0"));
    Some((shape, unit, memory, (units.parse().ok()?, gb.parse().ok()?)))
}

fn all(book: Book) -> BTreeMap<&'static str, Part> {
    let mut parts = BTreeMap::new();
    let Some(catalog) = book.catalog() else { return parts };
    let Some(region) = catalog.find_region(KIND, TRAFFIC[0].1) else { return parts };
    let moved = |nanos, part: &str| book.drift.moved(nanos, part);
    for (shape, unit, memory, free) in SHAPES {
        let Some((unit_nanos, gb_nanos)) = unit_prices(catalog, region, shape) else { continue };
        let metric = if shape.contains("GPU") { "GPU Per Hour" } else { "OCPU Per Hour" };
        parts.insert(unit, Part { metric, tiers: tiers(free.0, moved(unit_nanos, unit)) });
        if !memory.is_empty() {
            parts.insert(memory, Part { metric: "Gigabyte Per Hour", tiers: tiers(free.1, moved(gb_nanos, memory)) });
        }
    }
    let disk = |name: &str| catalog.find_disk(region, name).map(|disk| disk.nanos_per_gb_month);
    if let (Some(gb), Some(ten)) = (disk("block-0-vpu"), disk("block-10-vpu")) {
        let (gb, unit) = (moved(gb, "B91961"), moved((ten - gb) / 10, "B91962"));
        parts.insert("B91961", Part { metric: "Gigabyte Storage Capacity Per Month", tiers: tiers(0, gb) });
        parts.insert("B91962", Part { metric: "Performance Units Per Gigabyte Per Month", tiers: tiers(0, unit) });
    }
    for (part, region) in TRAFFIC {
        let from = catalog.find_region(KIND, region);
        let found =
            catalog.parts().transfers.iter().find(|row| Some(row.from) == from && row.to == Destination::Internet);
        if let Some(found) = found {
            parts
                .insert(part, Part { metric: "Gigabyte Outbound Data Transfer Per Month", tiers: found.tiers.clone() });
        }
    }
    parts
}

fn tiers(free: u64, nanos_per_gb: u64) -> Vec<Tier> {
    let paid = Tier { from_gb: free, nanos_per_gb };
    if free == 0 { vec![paid] } else { vec![Tier { from_gb: 0, nanos_per_gb: 0 }, paid] }
}

/// What an OCPU (or GPU) and a GB cost, out of the prices of machines with different parts of each.
fn unit_prices(catalog: &Catalog, region: RegionId, shape: &str) -> Option<(u64, u64)> {
    let mut known: Vec<((u64, u64), u64)> = Vec::new();
    for ty in catalog.parts().types.iter().filter(|ty| ty.kind == KIND && ty.name.starts_with(shape)) {
        let Some((_, _, memory, sizes)) = split(&ty.name).filter(|found| found.0 == shape) else { continue };
        let (id, _) = catalog.find_offer(catalog.find_type(KIND, &ty.name)?, region, Pricing::OnDemand)?;
        let nanos = catalog.hourly(id).nanos as u64;
        if memory.is_empty() {
            return Some((nanos / sizes.0, 0));
        }
        known.push((sizes, nanos));
    }
    known.sort_unstable();
    let pair = known.windows(2).find(|pair| pair[0].0.0 == pair[1].0.0)?;
    let [((ocpus, gb), nanos), ((_, more), dearer)] = [pair[0], pair[1]];
    let per_gb = (dearer - nanos) / (more - gb);
    Some(((nanos - gb * per_gb) / ocpus, per_gb))
}
