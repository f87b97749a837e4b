//! Regions of the four clouds. The vendor's own coordinates go before the curated ones, where there are any.

use std::path::Path;

use novacron_catalog::{Draft, GroupId, Point, Region, Sector};
use novacron_types::ProviderKind;

use crate::{
    LeftOut, sources,
    table::{Row, Table},
};

/// Further than this from the curated coordinates, the vendor's own are taken for a slip.
const MOST_KM: f64 = 500.0;

pub fn add(folder: &Path, draft: &mut Draft, left_out: &mut LeftOut) -> Result<(), String> {
    let curated =
        draft.group(sources::exact_mit("regions", "cloud-regions, curated by hand and incomplete", "2026-01-21"));
    for row in Table::open(folder, "regions_compliance.csv")?.rows() {
        draft.region(region(row, curated)?);
    }
    azure(folder, draft, left_out, curated)?;
    by_hand(draft);
    Ok(())
}

/// Regions that the price lists have and no list of regions.
fn by_hand(draft: &mut Draft) {
    let group = draft.group(sources::by_hand("regions-by-hand", "the region's city, its country and coordinates"));
    for (kind, name, display, country, sector, (lat_micro, lon_micro)) in [
        (ProviderKind::Aws, "us-west-2-lax-1", "Los Angeles", "US", Sector::LocalZone, (34_050_000, -118_240_000)),
        (ProviderKind::Gcp, "asia-southeast3", "Bangkok", "TH", Sector::Commercial, (13_750_000, 100_500_000)),
    ] {
        let point = Some(Point { lat_micro, lon_micro });
        draft.region(Region { display: display.to_owned(), point, ..bare(kind, name, country, sector, group) });
    }
}

fn region(row: Row<'_>, group: GroupId) -> Result<Region, String> {
    let sector = match row.text("type")? {
        "commercial" => Sector::Commercial,
        "government" => Sector::Government,
        "china" => Sector::China,
        "sovereign" => Sector::Sovereign,
        other => return Err(format!("regions: the type {other:?} is not known")),
    };
    let mut compliance: Vec<String> =
        row.text("compliance")?.split('|').filter(|tag| !tag.is_empty()).map(str::to_owned).collect();
    compliance.sort_unstable();
    compliance.dedup();
    Ok(Region {
        kind: row.text("provider")?.parse().map_err(|error| format!("regions: {error}"))?,
        name: row.text("region")?.to_owned(),
        display: row.text("name")?.to_owned(),
        country: row.text("country_code")?.to_owned(),
        sector,
        point: point(row)?,
        zones: row.text("azs")?.parse().unwrap_or(0),
        compliance,
        grid: None,
        group,
        compliance_group: group,
    })
}

fn point(row: Row<'_>) -> Result<Option<Point>, String> {
    let (lat, lon) = (row.signed_micro("lat")?, row.signed_micro("lon")?);
    Ok(lat.zip(lon).map(|(lat_micro, lon_micro)| Point { lat_micro, lon_micro }))
}

fn azure(folder: &Path, draft: &mut Draft, left_out: &mut LeftOut, curated: GroupId) -> Result<(), String> {
    let source = "Azure Resource Manager's list of locations, through karpenter-provider-azure";
    let vendor = draft.group(sources::exact("azure-regions", source, "2026-08"));
    for row in Table::open(folder, "azure_regions_arm.csv")?.rows() {
        let Some(at) = point(row)? else {
            left_out.row("Azure locations that are no region (areas, stages)");
            continue;
        };
        if row.text("geography")?.starts_with("Canary") {
            left_out.row("Azure regions for Microsoft's own trials");
            continue;
        }
        let (name, display) = (row.text("region")?, row.text("display")?);
        let zones = row.text("zones")?.parse().unwrap_or(0);
        match draft.region_mut(ProviderKind::Azure, name) {
            Some(region) if region.point.is_some_and(|point| point.km_to(at) > MOST_KM) => {
                left_out.row("Azure coordinates that are in another country (spaincentral's lack a sign)");
            }
            Some(region) => {
                (region.point, region.display, region.zones, region.group) = (Some(at), display.into(), zones, vendor);
            }
            None => draft.region(Region {
                kind: ProviderKind::Azure,
                name: name.to_owned(),
                display: display.to_owned(),
                country: String::new(),
                sector: Sector::Commercial,
                point: Some(at),
                zones,
                compliance: Vec::new(),
                grid: None,
                group: vendor,
                compliance_group: curated,
            }),
        }
    }
    Ok(())
}

/// A region that only a price list knows: no coordinates, nothing known of compliance.
pub fn bare(kind: ProviderKind, name: &str, country: &str, sector: Sector, group: GroupId) -> Region {
    Region {
        kind,
        name: name.to_owned(),
        display: String::new(),
        country: country.to_owned(),
        sector,
        point: None,
        zones: 0,
        compliance: Vec::new(),
        grid: None,
        group,
        compliance_group: group,
    }
}
