//! `novacron catalog show`: an instance type, and what it costs where.

use novacron_catalog::{Carbon, Catalog, InstanceType, OfferId, Pricing, RegionId, TypeId};
use serde::Serialize;
use serde_json::{Value, json};

use super::{find, rows};
use crate::{
    commands::place::today,
    exit::{Failure, Result},
    output::{Format, Output, detail::Lines, grid::Grid, human},
};

/// A type and its offers, region by region.
#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    about: Value,
    offers: Vec<rows::OfferRow>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    regions: Vec<Value>,
}

pub fn run(output: &Output, catalog: &Catalog, name: &str, region: Option<&str>, kind: Option<&str>) -> Result<()> {
    let kind = kind.map(find::kind).transpose()?;
    let types = find::types(catalog, name, kind)?;
    let mut shown = Vec::new();
    for id in types {
        let ty = catalog.instance_type(id);
        let regions = match region {
            None => None,
            Some(region) => match catalog.places(region, Some(ty.kind)) {
                Ok(ids) => Some(ids),
                Err(error) if catalog.places(region, None).is_err() => {
                    return Err(Failure::usage(error.to_string()).hint("`novacron catalog regions` lists them."));
                }
                Err(_) => Some(Vec::new()),
            },
        };
        let wanted = |id: RegionId| regions.as_ref().is_none_or(|ids| ids.contains(&id));
        let offers: Vec<OfferId> =
            catalog.offers_of(id).filter(|i| wanted(catalog.offers().region[*i as usize])).map(OfferId).collect();
        // A region that was named is shown in full.
        let in_full: Vec<RegionId> = regions.into_iter().flatten().take(1).filter(|_| !offers.is_empty()).collect();
        shown.push((id, offers, in_full));
    }
    if shown.iter().all(|(_, offers, _)| offers.is_empty()) {
        let at = region.unwrap_or("any region that is known");
        return Err(Failure::refused(format!("{name} is not offered in {at}"))
            .hint(format!("`novacron catalog show {name}` shows where it is.")));
    }
    let values: Vec<Shown> = shown
        .iter()
        .filter(|(_, offers, _)| !offers.is_empty())
        .map(|(id, offers, in_full)| Shown {
            about: about(catalog, *id),
            offers: offers.iter().filter_map(|offer| rows::OfferRow::new(catalog, *offer)).collect(),
            regions: in_full.iter().map(|region| place(catalog, *id, *region)).collect(),
        })
        .collect();
    let text = || {
        let parts = shown.iter().filter(|(_, offers, _)| !offers.is_empty());
        let wide = output.format == Format::Wide;
        let parts: Vec<String> = parts.map(|(id, offers, in_full)| text(catalog, *id, offers, in_full, wide)).collect();
        parts.join("\n")
    };
    match values.as_slice() {
        [one] => output.one(one, text),
        several => output.one(&several, text),
    }
}

fn about(catalog: &Catalog, id: TypeId) -> Value {
    let ty = catalog.instance_type(id);
    let known = |n: u32| (n > 0).then_some(n);
    json!({
        "kind": ty.kind, "instance_type": ty.name, "vcpus": ty.vcpus, "memory_bytes": ty.memory_bytes,
        "sustained_vcpus": known(ty.sustained_milli_vcpus).map(|milli| f64::from(milli) / 1e3),
        "architecture": ty.architecture, "gpu": ty.gpu.as_ref().map(rows::gpu),
        "network_mbps": known(ty.network_mbps), "network_peak_mbps": known(ty.network_peak_mbps),
        "local_disk_gb": (ty.local_disk_gb > 0).then_some(ty.local_disk_gb), "burstable": ty.burstable,
        "shared_core": ty.shared_core, "bare_metal": ty.bare_metal, "source": catalog.group(ty.group).name,
    })
}

fn carbon_words(carbon: &Carbon) -> Option<String> {
    let grams = |mg: u64| format!("{:.1}", mg as f64 / 1e3);
    match (carbon.operational_mg_per_hour, carbon.embodied_mg_per_hour) {
        (None, None) => None,
        (Some(running), None) => Some(format!("~{} g CO2e/h running; of its making unknown", grams(running))),
        (None, Some(making)) => Some(format!("~{} g CO2e/h of its making; running unknown", grams(making))),
        (Some(running), Some(making)) => {
            Some(format!("~{} g CO2e/h running, ~{} of its making", grams(running), grams(making)))
        }
    }
}

/// What is known of the type in one region beside its prices.
fn place(catalog: &Catalog, ty: TypeId, id: RegionId) -> Value {
    let (region, carbon) = (catalog.region(id), catalog.carbon(ty, id, 500));
    let sla = catalog.sla_of(ty, None).map(|sla| {
        let percent = |milli: u32| (milli > 0).then_some(f64::from(milli) / 1e3);
        json!({
            "one_machine_percent": percent(sla.single_milli_percent),
            "kept_apart_percent": percent(sla.spread_milli_percent),
            "two_zones_percent": percent(sla.multi_zone_milli_percent),
            "source": catalog.group(sla.group).name,
        })
    });
    json!({
        "region": region.name, "name": region.display, "country": region.country, "zones": region.zones,
        "carbon_mg_per_hour": carbon.operational_mg_per_hour, "embodied_mg_per_hour": carbon.embodied_mg_per_hour,
        "sla": sla, "compliance": region.compliance,
        "usual_disk": catalog.usual_disk(ty, id).map(|disk| &disk.name),
    })
}

fn text(catalog: &Catalog, id: TypeId, offers: &[OfferId], in_full: &[RegionId], wide: bool) -> String {
    let mut out = specs(catalog.instance_type(id), catalog);
    for region in in_full {
        out.push_str(&region_text(catalog, id, *region));
    }
    out.push_str(&prices(catalog, offers, wide));
    out
}

fn specs(ty: &InstanceType, catalog: &Catalog) -> String {
    let mut lines = Lines::default();
    let sustained = match ty.sustained_milli_vcpus {
        0 if ty.burstable || ty.shared_core => ", of which an unknown part is had all the time".to_owned(),
        milli if milli > 0 && milli < ty.vcpus.saturating_mul(1000) => {
            format!(", of which {} are had all the time", f64::from(milli) / 1e3)
        }
        _ => String::new(),
    };
    let network = match (ty.network_mbps, ty.network_peak_mbps) {
        (0, 0) => "unknown".to_owned(),
        (0, peak) => format!("at most {} Mbit/s", human::thousands(peak.into())),
        (all, peak) if peak > all => format!(
            "{} Mbit/s all the time, {} for a while",
            human::thousands(all.into()),
            human::thousands(peak.into())
        ),
        (all, _) => format!("{} Mbit/s all the time", human::thousands(all.into())),
    };
    let kinds = [(ty.burstable, "burstable"), (ty.shared_core, "a part of a core"), (ty.bare_metal, "bare metal")];
    let kinds: Vec<&str> = kinds.iter().filter(|(is, _)| *is).map(|(_, word)| *word).collect();
    lines
        .add("Type", format_args!("{} ({})", ty.name, ty.kind))
        .add("vCPUs", format_args!("{} {}{sustained}", ty.vcpus, rows::architecture(ty.architecture)))
        .add("Memory", human::bytes(ty.memory_bytes))
        .add_some("GPU", ty.gpu.as_ref().map(rows::gpu))
        .add("Network", network)
        .add_some("Local disk", (ty.local_disk_gb > 0).then(|| format!("{} GB", ty.local_disk_gb)))
        .add_some("Kind", (!kinds.is_empty()).then(|| kinds.join(", ")))
        .add("Stated by", &catalog.group(ty.group).source);
    lines.0
}

fn region_text(catalog: &Catalog, ty: TypeId, id: RegionId) -> String {
    let region = catalog.region(id);
    let mut lines = Lines::default();
    lines.head(&format!("{} ({}, {})", region.name, region.display, region.country));
    lines.add_some("  Zones", (region.zones > 0).then_some(region.zones));
    lines.add_some(
        "  For",
        (region.sector != novacron_catalog::Sector::Commercial).then(|| rows::sector(region.sector)),
    );
    if let Some(sla) = catalog.sla_of(ty, None) {
        let percent =
            |milli: u32| if milli == 0 { "nothing".to_owned() } else { format!("{} %", f64::from(milli) / 1e3) };
        let zones = if region.zones > 1 {
            format!("{} of two in two zones", percent(sla.multi_zone_milli_percent))
        } else {
            "and there is no second zone".to_owned()
        };
        lines.add("  Promised", format_args!("{} of one machine, {zones}", percent(sla.single_milli_percent)));
    }
    let carbon = carbon_words(&catalog.carbon(ty, id, 500));
    lines.add("  Carbon", carbon.map_or("unknown".to_owned(), |words| format!("{words}, at half load")));
    let disk = catalog.usual_disk(ty, id).map(|disk| {
        let month = novacron_types::Money {
            nanos: disk.nanos_per_gb_month.into(),
            currency: catalog.group(disk.group).currency,
        };
        format!("{} at {} a GB and month", disk.name, month)
    });
    lines.add("  Usual disk", disk.unwrap_or("unknown".to_owned()));
    if !region.compliance.is_empty() {
        lines.add("  Listed for", format_args!("{} (not complete)", region.compliance.join(", ")));
    }
    lines.0
}

/// One line a region, the ways of paying side by side.
fn prices(catalog: &Catalog, offers: &[OfferId], wide: bool) -> String {
    let mut titles = vec!["REGION"];
    titles.extend([">ON-DEMAND", ">SPOT", ">COMMIT 1Y", ">COMMIT 3Y", ">ON-DEMAND/MONTH", "TAKEN AWAY", ">OLDEST"]);
    if wide {
        titles.extend(["ZONES", "SOURCES"]);
    }
    let mut grid = Grid::new(&titles);
    let mut regions: Vec<(RegionId, [Option<rows::OfferRow>; 4])> = Vec::new();
    for id in offers {
        let (Some(offer), Some(row)) = (catalog.offers().get(*id), rows::OfferRow::new(catalog, *id)) else { continue };
        let found = regions.iter().position(|(region, _)| *region == offer.region).unwrap_or_else(|| {
            regions.push((offer.region, [None, None, None, None]));
            regions.len() - 1
        });
        regions[found].1[offer.pricing as usize] = Some(row);
    }
    let price = |row: &Option<rows::OfferRow>| row.as_ref().map(|row| row.hourly.nanos);
    regions
        .sort_by_key(|(_, rows)| price(&rows[0]).or_else(|| rows.iter().filter_map(price).min()).unwrap_or(i128::MAX));
    for (id, ways) in &regions {
        let mark = |row: &rows::OfferRow| if row.modelled { "~" } else { "" };
        let cell = |pricing: Pricing| {
            let row = ways[pricing as usize].as_ref();
            row.map(|row| format!("{}{}", mark(row), human::hour(row.hourly))).unwrap_or_default()
        };
        let oldest = ways.iter().flatten().map(|row| row.age_days).max().flatten();
        let mut cells = vec![
            catalog.region(*id).name.clone(),
            cell(Pricing::OnDemand),
            cell(Pricing::Spot),
            cell(Pricing::Commit1Year),
            cell(Pricing::Commit3Years),
            ways[0].as_ref().map(|row| format!("{}{}", mark(row), human::month(row.monthly))).unwrap_or_default(),
            ways[1].as_ref().and_then(|row| row.interruption.clone()).unwrap_or_default(),
            human::age(oldest),
        ];
        if wide {
            cells.push(ways[0].as_ref().map(|row| row.zones.join(",")).unwrap_or_default());
            let mut sources: Vec<&str> = ways.iter().flatten().map(|row| row.source.as_str()).collect();
            sources.dedup();
            cells.push(sources.join(", "));
        }
        grid.row(cells);
    }
    let today = today();
    format!("\nPRICES on {today}, USD an hour of the machine alone; ~ is modelled\n{}", grid.text())
}
