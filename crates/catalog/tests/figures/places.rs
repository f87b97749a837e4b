//! Regions, compliance, carbon and disks.

use std::collections::HashMap;

use novacron_catalog::{Point, Region, Sector, programme};
use novacron_types::ProviderKind::{Aws, Azure, Gcp, Oci};

use crate::{Rows, catalog, rows, same};

fn point(row: &HashMap<String, String>) -> Option<Point> {
    let micro = |column: &str| Some((row[column].parse::<f64>().ok()? * 1e6).round() as i32);
    Some(Point { lat_micro: micro("lat")?, lon_micro: micro("lon")? })
}

#[test]
fn regions_and_compliance() {
    let (Some(curated), Some(vendor)) = (rows("regions_compliance.csv"), rows("azure_regions_arm.csv")) else { return };
    let vendor: HashMap<&str, &HashMap<String, String>> =
        vendor.iter().map(|row| (row["region"].as_str(), row)).collect();
    for row in &curated {
        let region = catalog().region(catalog().find_region(row["provider"].parse().unwrap(), &row["region"]).unwrap());
        let name = region.name.as_str();
        assert_eq!(region.country, row["country_code"], "{name}");
        let sector = match row["type"].as_str() {
            "government" => Sector::Government,
            "china" => Sector::China,
            "sovereign" => Sector::Sovereign,
            _ => Sector::Commercial,
        };
        assert_eq!(region.sector, sector, "{name}");
        let mut tags: Vec<&str> = row["compliance"].split('|').filter(|tag| !tag.is_empty()).collect();
        tags.sort_unstable();
        assert_eq!(region.compliance, tags, "{name}");
        assert!(tags.iter().all(|tag| programme(tag) == Some(tag)), "{name}: {tags:?}");
        // The vendor's own coordinates, but for one slip.
        let own =
            vendor.get(name).filter(|_| region.kind == Azure && name != "spaincentral").and_then(|row| point(row));
        assert_eq!(region.point, own.or(point(row)), "{name}");
    }
}

#[test]
fn carbon() {
    let (Some(google), Some(watts)) = (rows("gcp_region_carbon_2024.csv"), rows("teads_aws_instance_watts.csv")) else {
        return;
    };
    let catalog = catalog();
    for row in google {
        let Some(region) = catalog.find_region(Gcp, &row["Google Cloud Region"]) else { continue };
        let share = row["Google CFE"].parse::<f64>().unwrap_or(0.0);
        let Ok(grams) = row["Grid carbon intensity (gCO2eq / kWh)"].parse::<f64>() else { continue };
        let Some(grid) = catalog.region(region).grid else { panic!("{}", row["Google Cloud Region"]) };
        assert!((f64::from(grid.mg_per_kwh) - (1.0 - share) * grams * 1000.0).abs() <= 0.51);
    }
    for row in watts {
        let Some(ty) = catalog.find_type(Aws, &row["instance_type"]) else { continue };
        let power = catalog.instance_type(ty).power.unwrap();
        let vcpus: f64 = row["vcpu"].parse().unwrap();
        let full = row["w_100"].parse::<f64>().unwrap() * 1000.0 / vcpus;
        assert!((f64::from(power.full_mw_per_vcpu) - full).abs() <= 0.51, "{}", row["instance_type"]);
    }
}

/// By region's name, or by Azure's name for people.
#[test]
fn grids_of_aws_and_azure() {
    let Some(rows) = rows("ccf_grid_gco2_per_kwh.csv") else { return };
    let regions = &catalog().parts().regions;
    let mut seen = 0;
    for row in rows.iter().filter(|row| row["provider"] != "gcp") {
        let kind = row["provider"].parse().unwrap();
        let found = regions.iter().find(|r| r.kind == kind && [&r.name, &r.display].contains(&&row["region"]));
        let grams: f64 = row["g_per_kwh"].parse().unwrap();
        let Some(grid) = found.and_then(|region| region.grid).filter(|_| grams < 2000.0) else {
            assert!(grams > 2000.0 || found.is_none(), "{row:?}");
            continue;
        };
        assert!((f64::from(grid.mg_per_kwh) - grams * 1000.0).abs() <= 0.5, "{row:?}");
        seen += 1;
    }
    assert!(seen >= 40, "{seen}");
}

/// Of a near region of the same country, and only where there is no figure of its own.
#[test]
fn grids_nearby() {
    let catalog = catalog();
    let regions = &catalog.parts().regions;
    let name = |region: &Region| region.grid.map(|grid| catalog.group(grid.group).name.as_str());
    for region in regions.iter().filter(|region| name(region) == Some("grid-nearby")) {
        let near = |other: &&Region| region.point.unwrap().km_to(other.point.unwrap()) <= 300.0;
        let same =
            regions.iter().filter(|r| name(r) == Some("grid") && r.country == region.country && r.point.is_some());
        let grids: Vec<u32> = same.filter(near).map(|r| r.grid.unwrap().mg_per_kwh).collect();
        // Google's own figures are put over the source's in the end.
        let google = regions.iter().any(|r| r.kind == Gcp && r.country == region.country);
        assert!(google || grids.contains(&region.grid.unwrap().mg_per_kwh), "{}", region.name);
    }
    let mg = |kind, name| catalog.region(catalog.find_region(kind, name).unwrap()).grid.unwrap().mg_per_kwh;
    assert_eq!(mg(Azure, "germanywestcentral"), mg(Aws, "eu-central-1"));
    assert_eq!(mg(Oci, "uk-london-1"), mg(Aws, "eu-west-2"));
}

#[test]
fn embodied_carbon() {
    let (Some(servers), Some(watts)) = (rows("ccf_embodied_kgco2e_server.csv"), rows("teads_aws_instance_watts.csv"))
    else {
        return;
    };
    let catalog = catalog();
    let mut seen = 0;
    for ty in catalog.parts().types.iter().filter(|ty| ty.embodied.is_some()) {
        let name = match ty.kind {
            Azure => ty.name.trim_start_matches("Standard_").replace('_', " "),
            _ => ty.name.clone(),
        };
        let of: Vec<f64> = servers
            .iter()
            .filter(|row| row["provider"] == ty.kind.to_string() && row["type"] == name)
            .filter_map(|row| row["total_platform_kgco2e"].parse().ok())
            .collect();
        let mean = of.iter().sum::<f64>() / of.len() as f64;
        let embodied = ty.embodied.unwrap();
        assert!((embodied.server_grams as f64 - mean * 1000.0).abs() <= 1.0, "{}", ty.name);
        let vcpus = watts.iter().find(|row| ty.kind == Aws && row["instance_type"] == ty.name);
        assert_eq!(embodied.server_vcpus, vcpus.map_or(0, |row| row["platform_vcpu"].parse().unwrap()), "{}", ty.name);
        seen += 1;
    }
    assert!(seen > 500, "{seen}");
}

#[test]
fn disks_of_oracle() {
    let Some(products) = rows("oci_products.csv") else { return };
    let price = |rows: &Rows, part: &str| -> f64 {
        rows.iter().find(|row| row["part_number"] == part).unwrap()["usd_payg"].parse().unwrap()
    };
    let (gb, unit) = (price(&products, "B91961"), price(&products, "B91962"));
    let catalog = catalog();
    let mut seen = 0;
    for disk in &catalog.parts().disks {
        let region = catalog.region(disk.region);
        let Some(units) = disk.name.strip_prefix("block-").and_then(|rest| rest.strip_suffix("-vpu")) else { continue };
        assert_eq!((region.kind, region.sector), (Oci, Sector::Commercial));
        same(disk.nanos_per_gb_month, &format!("{:.9}", gb + units.parse::<f64>().unwrap() * unit));
        seen += 1;
    }
    assert_eq!(seen % 6, 0);
    assert!(seen > 100, "{seen}");
}

#[test]
fn every_place_that_sells_has_a_country_and_coordinates() {
    let catalog = catalog();
    for offer in catalog.offers().iter() {
        let region = catalog.region(offer.region);
        assert!(region.country.len() == 2 && region.point.is_some(), "{}", region.name);
        // A point in its country, roughly: north and south, east and west are not swapped.
        let point = region.point.unwrap();
        let (lat, lon) = (point.lat_micro / 1_000_000, point.lon_micro / 1_000_000);
        let (lats, lons) = match region.country.as_str() {
            "US" => (24..50, -125..-70),
            "AU" => (-45..-9, 110..156),
            "ES" => (36..44, -10..3),
            "GB" => (49..60, -8..2),
            "BR" => (-34..6, -74..-34),
            _ => (-60..70, -180..180),
        };
        assert!(lats.contains(&lat) && lons.contains(&lon), "{}: {lat} {lon}", region.name);
    }
    assert!(catalog.parts().regions.iter().all(|r| r.kind != Gcp || r.sector == Sector::Commercial));
}
