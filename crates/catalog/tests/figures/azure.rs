//! Azure's prices, from which a licence is taken out of some, and its sizes.

use std::collections::BTreeMap;

use novacron_catalog::Pricing;
use novacron_types::{Architecture, MIB, ProviderKind::Azure};

use crate::{catalog, count, offer, rows, same};

#[test]
fn azure_on_demand() {
    let Some(rows) = rows("azure_ondemand_karpenter.csv") else { return };
    let (mut seen, mut licensed) = (0, 0);
    for row in &rows {
        let Some(offer) = offer(Azure, &row["region"], row["sku"].trim(), Pricing::OnDemand) else { continue };
        seen += 1;
        if !catalog().group(offer.group).is_derived() {
            same(offer.price_nanos, &row["usd_per_hour_linux"]);
            continue;
        }
        licensed += 1;
        let (full, per_vcpu) = (full_vcpus(&row["sku"]), if row["sku"].contains("_B") { 0.0046 } else { 0.046 });
        let less = row["usd_per_hour_linux"].parse::<f64>().unwrap() - full * per_vcpu;
        assert!((offer.price_nanos as f64 - less * 1e9).abs() < 1.0, "{row:?}");
    }
    assert_eq!(seen, count(Azure, Pricing::OnDemand));
    assert!(seen > 60_000, "{seen}");
    assert!((2_000..2_200).contains(&licensed), "{licensed}");
}

/// `E16-4as_v5` is 16.
fn full_vcpus(sku: &str) -> f64 {
    let digits = sku.trim_start_matches(|c: char| !c.is_ascii_digit());
    digits[..digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len())].parse().unwrap()
}

/// Whatever way the licences were found: in one region a vCPU of these series costs the same in each size.
#[test]
fn a_vcpu_of_a_series_costs_the_same_in_each_size() {
    let catalog = catalog();
    let mut lines: BTreeMap<_, Vec<(f64, &str)>> = BTreeMap::new();
    let series = ["Das_v5", "Dads_v5", "Eas_v5", "Eads_v5", "Bas_v2", "Bs_v2", "Bps_v2"];
    for offer in catalog.offers().iter().filter(|o| o.pricing == Pricing::OnDemand) {
        let ty = catalog.instance_type(offer.ty);
        if ty.kind != Azure {
            continue;
        }
        // `E16-4as_v5` is `Eas_v5`.
        let (full, bare) = (full_vcpus(&ty.name), ty.name.trim_start_matches("Standard_"));
        let (head, rest) = bare.split_once(&full.to_string()).unwrap();
        let letters = head.to_owned() + rest.trim_start_matches(|c: char| c == '-' || c.is_ascii_digit());
        if series.contains(&letters.as_str()) {
            let line = lines.entry((offer.region, letters)).or_default();
            line.push((offer.price_nanos as f64 / full, &ty.name));
        }
    }
    assert!(lines.len() > 300, "{}", lines.len());
    for ((region, _), mut line) in lines {
        line.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (least, most) = (line[0], line[line.len() - 1]);
        // The smallest prices have three digits.
        assert!(most.0 < least.0 * 1.03, "{}: {least:?} {most:?}", catalog.region(region).name);
    }
}

/// A second opinion on what Azure's names say. The source is share-alike, so nothing of it ships: it is only compared with.
#[test]
fn azure_sizes_agree_with_another_list() {
    let Some(rows) = rows("sparecores_servers.csv") else { return };
    let (mut agree, mut differ) = (0, Vec::new());
    for row in rows.iter().filter(|row| row["vendor"] == "azure") {
        let Some(id) = catalog().find_type(Azure, &row["api_reference"]) else { continue };
        let ty = catalog().instance_type(id);
        let (vcpus, mib): (u32, f64) = (row["vcpu"].parse().unwrap(), row["memory_mib"].parse().unwrap());
        let arm = row["arch"].eq_ignore_ascii_case("arm64");
        let memory = (ty.memory_bytes as f64 / MIB as f64 - mib).abs() <= mib * 0.01;
        if memory && ty.vcpus == vcpus && arm == (ty.architecture == Architecture::Arm64) {
            agree += 1;
        } else {
            differ.push(format!("{}: {} {} MiB, not {vcpus} {mib}", ty.name, ty.vcpus, ty.memory_bytes / MIB));
        }
    }
    eprintln!("{agree} agree, {} differ: {differ:#?}", differ.len());
    assert!(differ.len() * 50 < agree, "{agree} agree, {} differ: {differ:#?}", differ.len());
}
