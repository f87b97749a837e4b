//! Google's SKUs of Compute Engine: pages of parts, with a token for the next.

use std::collections::BTreeMap;

use http::request::Parts;
use novacron_catalog::{Catalog, InstanceType, Pricing, RegionId};
use novacron_types::GIB;
use serde_json::{Value, json};

use super::book::Book;
use super::fault::PriceFault;
use super::gcp_pieces::{Piece, SERIES, VOLUMES, of_series, pieces, tenths};
use super::{Said, query};

pub(super) const PATH: &str = "/v1/services/6F81-5844-456A/skus";

struct Sku {
    description: String,
    group: &'static str,
    usage: &'static str,
    unit: &'static str,
    nanos: u64,
    regions: Vec<&'static str>,
}

pub(super) fn page(book: &Book, parts: &Parts, faults: &[PriceFault]) -> Said {
    let key = parts.headers.get("x-goog-api-key").is_some_and(|key| !key.is_empty());
    if !key || query(parts, "key").is_some() {
        return Err((403, "the sandbox wants an API key, any, in the header X-Goog-Api-Key".to_owned()));
    }
    let token = query(parts, "pageToken").unwrap_or_default();
    let begin = match token.strip_prefix("page-") {
        Some(begin) => begin.parse::<usize>().ok(),
        None => token.is_empty().then_some(0),
    };
    let Some(begin) = begin else { return Err((400, "the page token is not one that was given".to_owned())) };
    let size =
        query(parts, "pageSize").and_then(|size| size.parse().ok()).unwrap_or(5000).min(book.page.min(5000)).max(1);
    let all = skus(*book);
    let mut page: Vec<Value> =
        all.iter().skip(begin).take(size).enumerate().map(|(i, sku)| shown(begin + i, sku, faults)).collect();
    if faults.contains(&PriceFault::HalfPage) {
        page.truncate(page.len() / 2);
    }
    let more = begin + size < all.len() && !faults.contains(&PriceFault::LostPages);
    let next = match faults.contains(&PriceFault::Endless) {
        true => format!("page-{begin}"),
        false if more => format!("page-{}", begin + size),
        false => String::new(),
    };
    serde_json::to_vec(&json!({ "skus": page, "nextPageToken": next })).map_err(|error| (500, error.to_string()))
}

fn shown(number: usize, sku: &Sku, faults: &[PriceFault]) -> Value {
    let price = |nanos: u64| {
        let nanos = PriceFault::price(faults, nanos);
        let (units, rest) = (nanos / 1_000_000_000, nanos % 1_000_000_000);
        json!({ "currencyCode": PriceFault::currency(faults), "units": units.to_string(), "nanos": rest as i64 })
    };
    let rate = |start: f64, nanos: u64| json!({ "startUsageAmount": start, "unitPrice": price(nanos) });
    let info = |since: &str, rates: Vec<Value>| {
        json!({
            "summary": "", "effectiveTime": since, "currencyConversionRate": 1,
            "pricingExpression": { "usageUnit": sku.unit, "displayQuantity": 1, "tieredRates": rates },
        })
    };
    // Some have an allowance for nothing before the price, and some tell the next one too.
    let now =
        if number.is_multiple_of(3) { vec![rate(0.0, 0), rate(744.0, sku.nanos)] } else { vec![rate(0.0, sku.nanos)] };
    let mut infos = vec![info("2026-01-01T00:00:00.000001Z", now)];
    if number.is_multiple_of(5) {
        infos.insert(0, info("2099-01-01T00:00:00Z", vec![rate(0.0, sku.nanos * 2)]));
    }
    json!({
        "name": format!("services/6F81-5844-456A/skus/SANDBOX-{number}"), "skuId": format!("SANDBOX-{number}"),
        "description": sku.description, "serviceRegions": sku.regions, "pricingInfo": infos,
        "category": { "serviceDisplayName": "Compute Engine", "resourceFamily": "Compute", "resourceGroup": sku.group, "usageType": sku.usage },
        "serviceProviderName": "Google", "geoTaxonomy": { "type": "REGIONAL", "regions": sku.regions },
    })
}

/// Regions in which a part costs the same have one SKU. Beside each lie those of custom and sole-tenant machines.
fn skus(book: Book) -> Vec<Sku> {
    let Some(catalog) = book.catalog() else { return Vec::new() };
    let mut same: BTreeMap<(Piece, Pricing, u64), Vec<&'static str>> = BTreeMap::new();
    for ((piece, pricing, region), nanos) in pieces(catalog) {
        let moved = moved(book, *piece, *pricing, *region, *nanos);
        same.entry((*piece, *pricing, moved)).or_default().push(&catalog.region(*region).name);
    }
    let mut skus = Vec::new();
    for ((piece, pricing, nanos), regions) in same {
        let sku = |description| Sku {
            description,
            group: group(piece),
            usage: usage(pricing),
            unit: unit(piece),
            nanos,
            regions: regions.clone(),
        };
        let description = describe(piece, pricing);
        if let Piece::Core(_) | Piece::Ram(_) = piece {
            for (word, instead) in
                [("Instance", "Custom Instance"), ("Instance", "Sole Tenancy Instance"), (" Cpu", " Custom Cpu")]
            {
                let other = description.replacen(word, instead, 1);
                if other != description {
                    skus.push(Sku { nanos: nanos * 3, ..sku(other) });
                }
            }
        }
        skus.push(sku(description));
    }
    skus
}

fn moved(book: Book, piece: Piece, pricing: Pricing, region: RegionId, nanos: u64) -> u64 {
    book.drift.moved(nanos, (piece, pricing, region))
}

fn usage(pricing: Pricing) -> &'static str {
    match pricing {
        Pricing::OnDemand => "OnDemand",
        Pricing::Spot => "Preemptible",
        Pricing::Commit1Year => "Commit1Yr",
        Pricing::Commit3Years => "Commit3Yr",
    }
}

fn unit(piece: Piece) -> &'static str {
    match piece {
        Piece::Core(_) | Piece::Gpu(_) | Piece::Machine(_) => "h",
        Piece::Ram(_) => "GiBy.h",
        Piece::Disk(_) | Piece::Volume(_) => "GiBy.mo",
    }
}

fn group(piece: Piece) -> &'static str {
    match piece {
        Piece::Core("n1") | Piece::Ram("n1") => "N1Standard",
        Piece::Core(_) => "CPU",
        Piece::Ram(_) => "RAM",
        Piece::Gpu(_) => "GPU",
        Piece::Disk(_) => "LocalSSD",
        Piece::Volume(_) => "SSD",
        Piece::Machine("f1-micro") => "F1Micro",
        Piece::Machine(_) => "G1Small",
    }
}

fn describe(piece: Piece, pricing: Pricing) -> String {
    let term = match pricing {
        Pricing::OnDemand | Pricing::Spot => None,
        Pricing::Commit1Year => Some("for 1 Year"),
        Pricing::Commit3Years => Some("for 3 Years"),
    };
    let spot = if pricing == Pricing::Spot { "Spot Preemptible " } else { "" };
    let name = |series: &str| SERIES.iter().find(|row| row.0 == series).map_or(("", ""), |row| (row.1, row.2));
    let version = |series: &str| if series == "c2" { "Commitment" } else { "Commitment v1" };
    let squeeze = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
    match (piece, term) {
        (Piece::Core(series), None) => format!("{spot}{} Core running in Sandbox", name(series).0),
        (Piece::Ram(series), None) => format!("{spot}{} Ram running in Sandbox", name(series).0),
        (Piece::Core(series), Some(term)) => {
            squeeze(format!("{}: {} Cpu in Sandbox {term}", version(series), name(series).1))
        }
        (Piece::Ram(series), Some(term)) => {
            squeeze(format!("{}: {} Ram in Sandbox {term}", version(series), name(series).1))
        }
        (Piece::Gpu(model), None) if spot.is_empty() => format!("{model} GPU running in Sandbox"),
        (Piece::Gpu(model), None) => format!("{model} GPU attached to Spot Preemptible VMs running in Sandbox"),
        (Piece::Gpu(model), Some(term)) => format!("Commitment v1: {model} GPU running in Sandbox {term}"),
        (Piece::Disk(""), None) if spot.is_empty() => "SSD backed Local Storage in Sandbox".to_owned(),
        (Piece::Disk(""), None) => "SSD backed Local Storage attached to Spot Preemptible VMs in Sandbox".to_owned(),
        (Piece::Disk(""), Some(term)) => format!("Commitment v1: Local SSD In Sandbox {term}"),
        (Piece::Disk(series), None) => format!("{spot}{} Instance Local SSD running in Sandbox", series.to_uppercase()),
        (Piece::Disk(series), Some(term)) => {
            format!("Commitment v1: {} Local SSD in Sandbox {term}", series.to_uppercase())
        }
        (Piece::Volume(volume), _) => {
            let words = VOLUMES.iter().find(|row| row.0 == volume).map_or("", |row| row.1);
            format!("{words} in Sandbox")
        }
        (Piece::Machine("f1-micro"), _) => format!("{spot}Micro Instance with burstable CPU running in Sandbox"),
        (Piece::Machine(_), _) => format!("{spot}Small Instance with 1 VCPU running in Sandbox"),
    }
}

/// What an hour of a machine costs by the SKUs that are stated.
pub(super) fn machine(
    book: Book,
    catalog: &'static Catalog,
    ty: &InstanceType,
    pricing: Pricing,
    region: RegionId,
) -> Option<u64> {
    let stated = |piece: Piece| {
        let nanos = pieces(catalog).get(&(piece, pricing, region))?;
        Some(u128::from(moved(book, piece, pricing, region, *nanos)))
    };
    if let Some(whole) = ["f1-micro", "g1-small"].into_iter().find(|whole| *whole == ty.name) {
        return stated(Piece::Machine(whole)).map(|nanos| nanos as u64);
    }
    let (series, ..) = SERIES.iter().find(|row| of_series(&ty.name, row.0))?;
    let milli = u128::from(if ty.shared_core { ty.sustained_milli_vcpus } else { ty.vcpus * 1000 });
    // All in 1 ÷ (1000 × 2^30 × 10 × 730) of 10⁻⁹ USD.
    let whole = 1000 * u128::from(GIB) * 10 * 730;
    let memory = match tenths(ty) {
        Some(tenths) => tenths as u128 * (whole / 10),
        None => u128::from(ty.memory_bytes) * (whole / u128::from(GIB)),
    };
    let mut sum = 0;
    for base in if *series == "m2" { vec!["m1", "m2"] } else { vec![*series] } {
        sum += stated(Piece::Core(base))? * milli * (whole / 1000) + stated(Piece::Ram(base))? * memory;
    }
    if let Some(gpu) = &ty.gpu {
        sum += stated(Piece::Gpu(if gpu.model == "NVIDIA L4" { "Nvidia L4" } else { "" }))?
            * u128::from(gpu.milli)
            * (whole / 1000);
    }
    if ty.local_disk_gb > 0 {
        let own = if ["c4", "c4a", "c4d"].contains(series) { series } else { "" };
        sum += stated(Piece::Disk(own))? * u128::from(ty.local_disk_gb) * (whole / 730);
    }
    let (q, r) = (sum / whole, sum % whole);
    Some((q + u128::from(2 * r > whole || (2 * r == whole && q % 2 == 1))) as u64)
}
