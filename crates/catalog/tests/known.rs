//! Figures that everyone knows, from the snapshot that ships. They hold whatever else a new ingest changes.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use novacron_catalog::{
    Catalog, Destination, Offer, PROGRAMMES, Pricing, RegionId, Sector, area_of, is_area, programme,
};
use novacron_types::{
    GIB,
    ProviderKind::{self, Aws, Azure, Gcp, Oci},
};

fn catalog() -> &'static Catalog {
    Catalog::embedded().unwrap()
}

fn find(kind: ProviderKind, region: &str, ty: &str, pricing: Pricing) -> Option<(String, Offer)> {
    let catalog = catalog();
    let (ty, region) = (catalog.find_type(kind, ty)?, catalog.find_region(kind, region)?);
    let (id, offer) = catalog.find_offer(ty, region, pricing)?;
    Some((catalog.hourly(id).to_string(), offer))
}

#[test]
fn on_demand_in_the_east_of_the_united_states() {
    for (kind, region, ty, price) in [
        (Aws, "us-east-1", "t3.medium", "0.0416"),
        (Aws, "us-east-1", "t3.large", "0.0832"),
        (Aws, "us-east-1", "m5.large", "0.096"),
        (Aws, "us-east-1", "m5.xlarge", "0.192"),
        (Aws, "us-east-1", "c5.xlarge", "0.17"),
        (Azure, "eastus", "Standard_B2s", "0.0416"),
        (Azure, "eastus", "Standard_D2s_v5", "0.096"),
        (Azure, "eastus", "Standard_D4s_v5", "0.192"),
        (Gcp, "us-east1", "e2-medium", "0.03350571"),
        (Gcp, "us-east1", "e2-standard-2", "0.06701142"),
        (Gcp, "us-east1", "n2-standard-4", "0.194236"),
        (Oci, "us-ashburn-1", "VM.Standard.E4.Flex:1:16", "0.049"), // 0.025 + 16 × 0.0015
        (Oci, "us-ashburn-1", "VM.Standard.E5.Flex:2:8", "0.076"),  // 2 × 0.03 + 8 × 0.002
        (Oci, "us-ashburn-1", "VM.Standard.A1.Flex:4:16", "0.064"), // 4 × 0.01 + 16 × 0.0015, beyond the free tier
    ] {
        let (hourly, offer) = find(kind, region, ty, Pricing::OnDemand).unwrap_or_else(|| panic!("no {ty}"));
        assert_eq!(hourly, format!("{price} USD"), "{ty}");
        assert_eq!(catalog().group(offer.group).is_derived(), kind == Oci, "{ty}");
    }
}

#[test]
fn shared_cores_bill_less_than_the_guest_sees() {
    let ty = catalog().instance_type(catalog().find_type(Gcp, "e2-medium").unwrap());
    assert_eq!((ty.vcpus, ty.sustained_milli_vcpus, ty.memory_bytes, ty.shared_core), (2, 1000, 4 * GIB, true));
    let ty = catalog().instance_type(catalog().find_type(Aws, "t3.medium").unwrap());
    assert!(ty.burstable && ty.vcpus == 2 && ty.memory_bytes == 4 * GIB);
}

#[test]
fn what_leaves_oracle_is_free_at_first() {
    let catalog = catalog();
    let region = catalog.find_region(Oci, "us-ashburn-1").unwrap();
    let transfers = &catalog.parts().transfers;
    let transfer = transfers.iter().find(|t| t.from == region && t.to == Destination::Internet).unwrap();
    assert_eq!(transfer.cost_nanos(10_240), 0);
    assert_eq!(transfer.cost_nanos(10_340), 850_000_000);
}

#[test]
fn nothing_that_must_not_ship() {
    let parts = catalog().parts();
    for group in &parts.groups {
        assert!(matches!(group.licence.as_str(), "Apache-2.0" | "MIT"), "{group:?}");
        assert!(group.as_of_date().is_some() && !group.source.is_empty(), "{group:?}");
        assert_eq!(&group.currency, b"USD");
    }
    for ty in &parts.types {
        let name = ty.name.to_ascii_lowercase();
        assert!(!name.contains("type") && !name.contains("basic") && !name.contains("placeholder"), "{name}");
        assert!(!name.starts_with("mac"), "{name}");
    }
    for offer in parts.offers.iter() {
        let region = catalog().region(offer.region);
        assert!(region.sector != Sector::China, "{}", region.name);
    }
    assert!(parts.regions.iter().filter_map(|r| r.grid).all(|grid| grid.mg_per_kwh < 2_000_000));
}

#[test]
fn spot_and_committed_cost_less_and_say_when_they_are_derived() {
    let catalog = catalog();
    let offers = catalog.offers();
    let mut cheaper = 0usize;
    for offer in offers.iter().filter(|o| o.pricing != Pricing::OnDemand) {
        let (id, _) = catalog.find_offer(offer.ty, offer.region, offer.pricing).unwrap();
        let (full, _) = catalog.find_offer(offer.ty, offer.region, Pricing::OnDemand).unwrap();
        let (less, full) = (offers.hourly_nanos[id.0 as usize], offers.hourly_nanos[full.0 as usize]);
        assert!(less <= full, "{} in {}", catalog.instance_type(offer.ty).name, catalog.region(offer.region).name);
        cheaper += usize::from(less < full);
        let vendor_says = catalog.region(offer.region).kind == Gcp;
        assert_eq!(catalog.group(offer.group).is_derived(), !vendor_says);
        if offer.pricing == Pricing::Commit3Years
            && let Some((year, _)) = catalog.find_offer(offer.ty, offer.region, Pricing::Commit1Year)
        {
            assert!(less <= offers.hourly_nanos[year.0 as usize], "{}", catalog.instance_type(offer.ty).name);
        }
    }
    assert!(cheaper > 200_000, "{cheaper}");
}

/// Each derived price follows from the on-demand one by the rule that its group states.
#[test]
fn derived_prices_follow_their_rules() {
    let catalog = catalog();
    let rules = [
        ("azure-spot", 0.19),
        ("azure-reserved-1y", 0.695),
        ("azure-reserved-3y", 0.49),
        ("aws-reserved-1y", 0.63),
        ("oci-preemptible", 0.5),
        ("oci-preemptible-tiers", 0.5),
    ];
    let mut seen = [0; 6];
    for offer in catalog.offers().iter() {
        let name = &catalog.group(offer.group).name;
        let Some(rule) = rules.iter().position(|(group, _)| group == name) else { continue };
        let (_, full) = catalog.find_offer(offer.ty, offer.region, Pricing::OnDemand).unwrap();
        let off = offer.price_nanos as f64 - full.price_nanos as f64 * rules[rule].1;
        assert!(off.abs() <= 0.51, "{name}: {offer:?}");
        seen[rule] += 1;
    }
    assert!(seen.iter().all(|count| *count > 1000), "{seen:?}");
}

#[test]
fn groups_of_regions_over_all_clouds() {
    let catalog = catalog();
    let names = |name: &str| {
        let found = catalog.places(name, None).unwrap();
        found.into_iter().map(|id| catalog.region(id).name.clone()).collect::<Vec<_>>()
    };
    for (group, inside, outside) in [
        (
            "us-east",
            ["us-east-1", "us-east-2", "eastus", "eastus2", "us-east1", "us-ashburn-1"].as_slice(),
            "centralus",
        ),
        ("us-west", &["us-west-1", "us-west-2", "westus2", "us-west1", "us-phoenix-1"], "us-gov-west-1"),
        ("eu-west", &["eu-west-1", "westeurope", "europe-west1", "eu-amsterdam-1", "uk-london-1"], "eu-central-1"),
        ("eu-central", &["eu-central-1", "germanywestcentral", "eu-frankfurt-1"], "eu-west-1"),
    ] {
        let found = names(group);
        for region in inside {
            assert!(found.iter().any(|name| name == region), "{group} has no {region}: {found:?}");
        }
        assert!(!found.iter().any(|name| name == outside), "{group} has {outside}");
    }
    assert_eq!(names("us-central1-a"), ["us-central1"]);
    assert_eq!(names("us-east-1f"), ["us-east-1"]);
    let unknown = catalog.places("us-esat-1", None).unwrap_err();
    assert_eq!(unknown.nearest.first().map(String::as_str), Some("us-east-1"));
}

#[test]
fn zones_and_carbon() {
    let catalog = catalog();
    let (ty, region) = (catalog.find_type(Aws, "m5.large").unwrap(), catalog.find_region(Aws, "us-east-1").unwrap());
    let (id, _) = catalog.find_offer(ty, region, Pricing::OnDemand).unwrap();
    let zones = catalog.zones(id);
    assert!(zones.iter().any(|zone| zone == "us-east-1a") && zones.len() <= 6, "{zones:?}");

    // 415.755 g/kWh, and two vCPUs.
    let (idle, full) = (catalog.carbon(ty, region, 0), catalog.carbon(ty, region, 1000));
    let power = catalog.instance_type(ty).power.unwrap();
    let grams = |mw: u32| f64::from(mw) * 2.0 / 1e6 * 415_755.0;
    assert!((idle.operational_mg_per_hour.unwrap() as f64 - grams(power.idle_mw_per_vcpu)).abs() <= 1.0);
    assert!((full.operational_mg_per_hour.unwrap() as f64 - grams(power.full_mw_per_vcpu)).abs() <= 1.0);
    assert!(full.embodied_mg_per_hour.unwrap() > 0 && full.groups.len() == 3);
}

#[test]
fn every_group_of_regions_has_its_name_in_the_list() {
    let mut without = Vec::new();
    for region in &catalog().parts().regions {
        match area_of(region) {
            Some(area) if region.sector == Sector::Commercial => assert!(is_area(&area), "{}: {area}", region.name),
            None if region.sector == Sector::Commercial => without.push(region.name.as_str()),
            _ => {}
        }
    }
    assert!(without.is_empty(), "{without:?}");
}

/// Each damaged copy is read whole, so a sample: the head, the end, and a stride of primes between.
#[test]
fn a_flipped_byte_is_refused() {
    let bytes = novacron_catalog::EMBEDDED;
    let mut damaged = bytes.to_vec();
    for at in (0..64).chain((64..bytes.len()).step_by(4_999)).chain([bytes.len() - 1]) {
        damaged[at] ^= 0x40;
        assert!(Catalog::from_snapshot(&damaged).is_err(), "byte {at}");
        damaged[at] ^= 0x40;
    }
    assert_eq!(Catalog::from_snapshot(&damaged).unwrap().to_snapshot().unwrap(), bytes);
}

#[test]
fn promises() {
    let catalog = catalog();
    for (kind, single, spread, zones) in [
        (Aws, 99_500, 0, 99_990),
        (Azure, 99_500, 99_950, 99_990),
        (Gcp, 99_900, 0, 99_990),
        (Oci, 99_900, 99_950, 99_990),
    ] {
        let sla = catalog.sla(kind).unwrap();
        let promised = (sla.single_milli_percent, sla.spread_milli_percent, sla.multi_zone_milli_percent);
        assert_eq!(promised, (single, spread, zones), "{kind}");
        assert!(catalog.group(sla.group).is_derived());
    }
    assert_eq!(catalog.sla(ProviderKind::Libvirt), None);
    let single =
        |kind, ty, disk| catalog.sla_of(catalog.find_type(kind, ty).unwrap(), disk).unwrap().single_milli_percent;
    assert_eq!(single(Azure, "Standard_D2s_v5", Some("Premium SSD")), 99_900);
    assert_eq!(single(Azure, "Standard_D2s_v5", None), 99_500);
    assert_eq!(single(Gcp, "m1-ultramem-40", None), 99_950);
    assert_eq!(single(Gcp, "n2-standard-4", None), 99_900);
}

#[test]
fn compliance() {
    let catalog = catalog();
    let regions = &catalog.parts().regions;
    let listed: BTreeSet<&str> = regions.iter().flat_map(|r| &r.compliance).map(String::as_str).collect();
    assert_eq!(listed.into_iter().chain(["FedRAMP"]).collect::<BTreeSet<_>>(), BTreeSet::from(PROGRAMMES));

    // What the seeds ask for, in what they prefer: none in the east of the United States, for GDPR does not stand there.
    let both = |id: &RegionId| {
        let region = catalog.region(*id);
        region.satisfies(programme("hipaa").unwrap()) && region.satisfies(programme("gdpr").unwrap())
    };
    let names = |area| {
        let found: Vec<RegionId> = catalog.places(area, None).unwrap().into_iter().filter(both).collect();
        found.into_iter().map(|id| catalog.region(id).name.as_str()).collect::<Vec<_>>()
    };
    assert!(names("us-east").is_empty());
    let west = names("eu-west");
    for region in ["eu-west-1", "westeurope", "europe-west4"] {
        assert!(west.contains(&region), "{west:?}");
    }

    let europe = ["AT", "BE", "CH", "DE", "DK", "ES", "FI", "FR", "GB", "IE", "IT", "NL", "NO", "PL", "SE"];
    for region in regions.iter().filter(|region| region.satisfies("GDPR")) {
        assert!(europe.contains(&region.country.as_str()), "{}", region.name);
    }
    let government = |name| catalog.region(catalog.find_region(Aws, name).unwrap());
    for name in ["us-gov-east-1", "us-gov-west-1"] {
        assert_eq!(government(name).sector, Sector::Government);
        assert!(government(name).satisfies("FedRAMP") && government(name).satisfies("FedRAMP-Moderate"));
    }
}

#[test]
fn what_a_machine_can_send() {
    let catalog = catalog();
    for (kind, ty, always, most) in [
        (Aws, "m5.large", 750, 10_000),
        (Gcp, "e2-medium", 0, 2_000),
        (Gcp, "n2-standard-16", 0, 32_000),
        (Oci, "VM.Standard.E4.Flex:4:16", 0, 4_000),
        (Azure, "Standard_D2s_v5", 0, 0),
    ] {
        let ty = catalog.instance_type(catalog.find_type(kind, ty).unwrap());
        assert_eq!((ty.network_mbps, ty.network_peak_mbps), (always, most), "{}", ty.name);
        assert_eq!(ty.bandwidth_mbps(), [always, most].into_iter().find(|mbps| *mbps > 0));
    }
}

/// The source has these with a Windows licence.
#[test]
fn no_licence_in_the_price() {
    for (region, ty, price, derived) in [
        ("northcentralus", "Standard_D4as_v5", "0.172 USD", true),
        ("eastus", "Standard_D4as_v5", "0.172 USD", false),
        ("malaysiawest", "Standard_D4as_v5", "0.194 USD", true),
        ("eastus", "Standard_B2ats_v2", "0.0094 USD", true),
    ] {
        let (hourly, offer) = find(Azure, region, ty, Pricing::OnDemand).unwrap();
        assert_eq!((hourly.as_str(), catalog().group(offer.group).is_derived()), (price, derived), "{ty} in {region}");
    }
}
