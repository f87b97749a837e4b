//! Every figure of the snapshot that ships equals its source. The sources are read again here, on their own; without
//! `NOVACRON_CATALOG_DATA` (the folder with them) these tests say that they are skipped.

#![allow(clippy::unwrap_used)]

mod azure;
mod places;

use std::{
    collections::{HashMap, HashSet},
    fs,
    path::PathBuf,
    process::{Command, Stdio},
};

use novacron_catalog::{Catalog, Destination, EMBEDDED, LatencyBasis, NO_BAND, Offer, Pricing};
use novacron_types::{
    Architecture, MIB,
    ProviderKind::{self, Aws, Azure, Gcp, Oci},
};

type Rows = Vec<HashMap<String, String>>;

fn catalog() -> &'static Catalog {
    Catalog::embedded().unwrap()
}

/// `None`, and a word about it, when the sources are not here.
fn rows(file: &str) -> Option<Rows> {
    let Some(folder) = std::env::var_os("NOVACRON_CATALOG_DATA").map(PathBuf::from) else {
        eprintln!("skipped: NOVACRON_CATALOG_DATA does not name the folder of the catalog's sources");
        return None;
    };
    let text = fs::read_to_string(folder.join(file)).unwrap();
    let mut lines = text.lines().map(fields);
    let header = lines.next().unwrap();
    Some(lines.map(|line| header.iter().cloned().zip(line).collect()).collect())
}

/// Fields that are in quotes lose them; a comma within is kept.
fn fields(line: &str) -> Vec<String> {
    let mut out = Vec::new();
    for (i, piece) in line.split('"').enumerate() {
        match i % 2 {
            1 => *out.last_mut().unwrap() += piece,
            _ if out.is_empty() => out.extend(piece.split(',').map(str::to_owned)),
            _ => {
                let mut pieces = piece.split(',').map(str::to_owned);
                *out.last_mut().unwrap() += &pieces.next().unwrap();
                out.extend(pieces);
            }
        }
    }
    out
}

fn offer(kind: ProviderKind, region: &str, ty: &str, pricing: Pricing) -> Option<Offer> {
    let catalog = catalog();
    let (ty, region) = (catalog.find_type(kind, ty)?, catalog.find_region(kind, region)?);
    catalog.find_offer(ty, region, pricing).map(|(_, offer)| offer)
}

fn count(kind: ProviderKind, pricing: Pricing) -> usize {
    let catalog = catalog();
    catalog.offers().iter().filter(|o| o.pricing == pricing && catalog.region(o.region).kind == kind).count()
}

/// To half a 10⁻⁹ unit, and a float's own fault.
fn same(nanos: u64, text: &str) {
    let units: f64 = text.parse().unwrap();
    assert!((nanos as f64 - units * 1e9).abs() <= 0.5 + units * 1e-6, "{nanos} is not {text}");
}

/// What is committed is what the ingester makes, to the byte.
#[test]
fn the_snapshot_is_made_from_the_sources() {
    if rows("aws_offerings.csv").is_none() {
        return;
    }
    let folder = std::env::var_os("NOVACRON_CATALOG_DATA").unwrap();
    let out = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("catalog.snapshot");
    let status = Command::new(env!("CARGO_BIN_EXE_ingest")).arg(folder).arg(&out).stdout(Stdio::null()).status();
    assert!(status.unwrap().success());
    assert!(fs::read(out).unwrap() == EMBEDDED, "run `ingest` again and commit what it writes");
}

#[test]
fn aws_on_demand() {
    let (Some(stated), Some(regional)) =
        (rows("aws_ondemand_karpenter.csv"), rows("aws_ondemand_regional_derived.csv"))
    else {
        return;
    };
    let known: HashSet<String> = rows("aws_instance_types.csv")
        .unwrap()
        .into_iter()
        .filter(|row| !row["arch"].ends_with("_mac"))
        .map(|row| row["instance_type"].clone())
        .collect();
    let mut seen = HashSet::new();
    let stated = stated.iter().map(|row| (row, true)).filter(|(row, _)| row["region"] != "cn-north-1");
    for (row, exact) in stated.chain(regional.iter().map(|row| (row, row["votes"] == "karpenter"))) {
        let (region, ty) = (row["region"].as_str(), row["instance_type"].as_str());
        let Some(offer) = offer(Aws, region, ty, Pricing::OnDemand) else {
            // Left out: no type, or a price of before the family became cheaper.
            let dear = ["p4d.", "p4de.", "p5.", "p5en."].iter().any(|family| ty.starts_with(family));
            assert!(!known.contains(ty) || (dear && !exact), "{ty} in {region}");
            continue;
        };
        // A stated price goes before a modelled one.
        if seen.insert((region.to_owned(), ty.to_owned())) || exact {
            same(offer.price_nanos, &row["usd_per_hour_linux"]);
            assert_eq!(catalog().group(offer.group).is_derived(), !exact, "{ty} in {region}");
        }
    }
    assert_eq!(seen.len(), count(Aws, Pricing::OnDemand));
}

#[test]
fn aws_spot() {
    let Some(rows) = rows("aws_spot_advisor.csv") else { return };
    let mut seen = 0;
    for row in rows.iter().filter(|row| row["os"] == "Linux") {
        let (region, ty) = (row["region"].as_str(), row["instance_type"].as_str());
        let Some(spot) = offer(Aws, region, ty, Pricing::Spot) else { continue };
        let full = offer(Aws, region, ty, Pricing::OnDemand).unwrap();
        let saving: f64 = row["savings_pct"].parse().unwrap();
        assert!((spot.price_nanos as f64 - full.price_nanos as f64 * (1.0 - saving / 100.0)).abs() <= 0.51, "{ty}");
        assert_eq!(spot.band, row["interruption_range_index"].parse::<u8>().unwrap());
        assert_ne!(spot.band, NO_BAND);
        seen += 1;
    }
    assert_eq!(seen, count(Aws, Pricing::Spot));
}

#[test]
fn aws_types_and_zones() {
    let (Some(types), Some(offerings)) = (rows("aws_instance_types.csv"), rows("aws_offerings.csv")) else { return };
    for row in types {
        let Some(id) = catalog().find_type(Aws, &row["instance_type"]) else { continue };
        let ty = catalog().instance_type(id);
        assert_eq!(ty.vcpus.to_string(), row["vcpu"]);
        assert_eq!((ty.memory_bytes / MIB).to_string(), row["memory_mib"]);
        assert_eq!(ty.architecture == Architecture::Arm64, row["arch"] == "arm64");
        assert_eq!(ty.burstable, row["burstable"] == "True");
        let gpus: u32 = row["gpu_count"].parse().unwrap();
        assert!(gpus == 0 || ty.gpu.as_ref().unwrap().milli == gpus * 1000);
        let gbps = row["net_baseline_gbps"].parse::<f64>().unwrap_or(0.0);
        assert!((f64::from(ty.network_mbps) - gbps * 1000.0).abs() <= 0.5);
    }
    for row in offerings {
        let Some(offer) = offer(Aws, &row["region"], &row["instance_type"], Pricing::OnDemand) else { continue };
        let letters = ('a'..='p').enumerate().filter(|(bit, _)| offer.zones & (1 << bit) != 0);
        let letters: Vec<_> = letters.map(|(_, letter)| letter.to_string()).collect();
        assert_eq!(letters.join("|"), row["az_suffixes"]);
    }
}

#[test]
fn google() {
    let (Some(prices), Some(specs)) = (rows("gcp_machine_prices_gcosts.csv"), rows("gcp_machine_specs.csv")) else {
        return;
    };
    let columns = [
        ("hour", Pricing::OnDemand),
        ("hour_spot", Pricing::Spot),
        ("month_1y", Pricing::Commit1Year),
        ("month_3y", Pricing::Commit3Years),
    ];
    for (column, pricing) in columns {
        let mut seen = 0;
        for row in &prices {
            if let Some(offer) = offer(Gcp, &row["region"], &row["machine_type"], pricing) {
                same(offer.price_nanos, &row[column]);
                seen += 1;
            }
        }
        assert_eq!(seen, count(Gcp, pricing), "{column}");
        assert!(seen > 17_000, "{column}: {seen}");
    }
    for row in specs {
        let Some(id) = catalog().find_type(Gcp, &row["machine_type"]) else { continue };
        let ty = catalog().instance_type(id);
        let gib: f64 = row["ram_gb"].parse().unwrap();
        assert!((ty.memory_bytes as f64 / MIB as f64 - gib * 1024.0).abs() <= 0.5, "{}", ty.name);
        let vcpus: f64 = row["vcpu"].parse().unwrap();
        assert!(ty.shared_core || f64::from(ty.vcpus) == vcpus, "{}", ty.name);
    }
}

#[test]
fn google_disks_and_traffic() {
    let (Some(disks), Some(traffic)) = (rows("gcp_disk_prices.csv"), rows("gcp_egress_prices.csv")) else { return };
    let catalog = catalog();
    for row in disks {
        let Some(region) = catalog.find_region(Gcp, &row["region"]) else { continue };
        let Some(disk) = catalog.find_disk(region, &row["disk_type"]) else {
            assert!(row["month"].parse::<f64>().unwrap_or(0.0) == 0.0, "{row:?}");
            continue;
        };
        same(disk.nanos_per_gb_month, &row["month"]);
    }
    for row in traffic {
        let from = catalog.find_region(Gcp, &row["region"]).unwrap();
        let to = match row["kind"].rsplit('/').next().unwrap() {
            "australia" => Destination::InternetAustralia,
            "china" => Destination::InternetChina,
            _ => Destination::Internet,
        };
        let tier = ["0-1", "1-10", "10n"].iter().position(|tier| **tier == row["tier_tb"]).unwrap();
        let transfer = catalog.parts().transfers.iter().find(|t| t.from == from && t.to == to).unwrap();
        same(transfer.tiers[tier].nanos_per_gb, &row["usd_per_gb"]);
    }
}

#[test]
fn oracle() {
    let (Some(products), Some(tiers)) = (rows("oci_products.csv"), rows("oci_prices_tiers_2024.csv")) else { return };
    let price = |part: &str| -> f64 {
        let first: f64 = products.iter().find(|row| row["part_number"] == part).unwrap()["usd_payg"].parse().unwrap();
        let dearest = |rows: &Rows| {
            let of = rows.iter().filter(|row| row["part_number"] == part).map(|row| row["usd"].parse::<f64>().unwrap());
            of.fold(0.0, f64::max)
        };
        if first > 0.0 { first } else { dearest(&tiers) }
    };
    let parts = [
        ("VM.Standard.E3.Flex", "B92306", "B92307"),
        ("VM.Standard.E4.Flex", "B93113", "B93114"),
        ("VM.Standard.E5.Flex", "B97384", "B97385"),
        ("VM.Standard.E6.Flex", "B111129", "B111130"),
        ("VM.Standard3.Flex", "B94176", "B94177"),
        ("VM.Optimized3.Flex", "B93311", "B93312"),
        ("VM.Standard.A1.Flex", "B93297", "B93298"),
        ("VM.Standard.A2.Flex", "B109529", "B109530"),
    ];
    let fixed =
        [("VM.Standard.E2.", "B90425"), ("VM.Standard2.", "B88514"), ("VM.GPU3.", "B89734"), ("VM.GPU.A10.", "B95909")];
    let flexible = parts.map(|(shape, ocpu, memory)| (format!("{shape}:"), price(ocpu), price(memory)));
    let fixed = fixed.map(|(shape, part)| (shape.to_owned(), price(part), 0.0));
    let catalog = catalog();
    for offer in catalog.offers().iter().filter(|o| catalog.region(o.region).kind == Oci) {
        let name = &catalog.instance_type(offer.ty).name;
        let (shape, unit, gb) = flexible.iter().chain(&fixed).find(|(shape, ..)| name.starts_with(shape)).unwrap();
        let sizes: Vec<f64> = name[shape.len()..].split(':').map(|n| n.parse().unwrap()).collect();
        let full = sizes[0] * unit + sizes.get(1).unwrap_or(&0.0) * gb;
        let paid = if offer.pricing == Pricing::Spot { full / 2.0 } else { full };
        assert!((offer.price_nanos as f64 - paid * 1e9).abs() < 1.0, "{name}");
    }
}

#[test]
fn transfer_and_round_trips() {
    let (Some(aws), Some(azure)) = (rows("aws_transfer_costs_skyplane.csv"), rows("azure_rtt_ms.csv")) else { return };
    let catalog = catalog();
    for row in aws {
        let from = catalog.find_region(Aws, &row["src"]).unwrap();
        let to = match row["dst"].as_str() {
            "internet" => Destination::Internet,
            region => Destination::Region(catalog.find_region(Aws, region).unwrap()),
        };
        let transfer = catalog.parts().transfers.iter().find(|t| t.from == from && t.to == to).unwrap();
        same(transfer.tiers[0].nanos_per_gb, &row["cost"]);
    }
    assert_eq!(azure.len(), catalog.parts().round_trips.len());
    for row in azure {
        let region = |name| catalog.find_region(Azure, name).unwrap();
        let latency = catalog.latency(region(&row["src"]), region(&row["dst"])).unwrap();
        assert!(matches!(latency.basis, LatencyBasis::Measured(_)));
        assert_eq!(f64::from(latency.micros) / 1000.0, row["rtt_ms"].parse::<f64>().unwrap());
    }
}
