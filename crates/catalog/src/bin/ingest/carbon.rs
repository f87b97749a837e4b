//! Carbon of the electricity, power of a vCPU, and what making the servers cost.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
};

use novacron_catalog::{Draft, Embodied, Grid, Power};
use novacron_types::ProviderKind;

use crate::{LeftOut, sources, table::Table};

const COEFFICIENTS: &str = "cloud-carbon-coefficients";
const AT: &str = "2023-05";
/// No grid comes near; the source has figures that are a million times too large.
const MOST_MG_PER_KWH: u64 = 2_000_000;
const NEAR_KM: f64 = 300.0;

pub fn add(folder: &Path, draft: &mut Draft, left_out: &mut LeftOut) -> Result<(), String> {
    grid(folder, draft, left_out)?;
    nearby(draft);
    google(folder, draft)?;
    aws_power(folder, draft)?;
    power_and_embodied(folder, draft)
}

fn kind(text: &str) -> Result<ProviderKind, String> {
    text.parse().map_err(|error| format!("carbon: {error}"))
}

fn grid(folder: &Path, draft: &mut Draft, left_out: &mut LeftOut) -> Result<(), String> {
    let group = draft.group(sources::exact("grid", COEFFICIENTS, AT));
    let by_display: HashMap<String, String> = draft
        .regions()
        .filter(|r| r.kind == ProviderKind::Azure)
        .map(|r| (r.display.clone(), r.name.clone()))
        .collect();
    for row in Table::open(folder, "ccf_grid_gco2_per_kwh.csv")?.rows() {
        let (kind, name) = (kind(row.text("provider")?)?, row.text("region")?);
        let Some(mg) = row.scaled("g_per_kwh", 3)? else { continue };
        if mg > MOST_MG_PER_KWH {
            left_out.row("grids with an impossible intensity");
            continue;
        }
        let name = if kind == ProviderKind::Azure { by_display.get(name).map_or(name, String::as_str) } else { name };
        match draft.region_mut(kind, name) {
            Some(region) => region.grid = Some(Grid { mg_per_kwh: mg as u32, group }),
            None => left_out.row("grids of regions that are not known"),
        }
    }
    Ok(())
}

/// A grid does not end at a vendor's fence: a region without a figure takes that of a near one in its country.
fn nearby(draft: &mut Draft) {
    let rule = format!(
        "the grid of the nearest region in the same country that has one in the source, up to {NEAR_KM} km away"
    );
    let group = draft.group(sources::derived("grid-nearby", COEFFICIENTS, AT, &rule));
    let known: Vec<_> =
        draft.regions().filter_map(|r| Some((r.country.clone(), r.point?, r.grid?.mg_per_kwh))).collect();
    let without = draft.regions().filter(|r| r.grid.is_none() && !r.country.is_empty());
    let near = without.filter_map(|region| {
        let point = region.point?;
        let at = known.iter().filter(|(country, ..)| *country == region.country);
        let (km, mg) = at.map(|(_, other, mg)| (point.km_to(*other), *mg)).min_by(|a, b| a.0.total_cmp(&b.0))?;
        (km <= NEAR_KM).then(|| (region.kind, region.name.clone(), mg))
    });
    for (kind, name, mg_per_kwh) in near.collect::<Vec<_>>() {
        if let Some(region) = draft.region_mut(kind, &name) {
            region.grid = Some(Grid { mg_per_kwh, group });
        }
    }
}

fn google(folder: &Path, draft: &mut Draft) -> Result<(), String> {
    let rule = "(1 − the carbon-free share) × the grid's intensity";
    let group = draft.group(sources::derived("gcp-grid", "Google's region-carbon-info", "2024", rule));
    for row in Table::open(folder, "gcp_region_carbon_2024.csv")?.rows() {
        let (share, mg) = (row.scaled("Google CFE", 4)?, row.scaled("Grid carbon intensity (gCO2eq / kWh)", 3)?);
        let (Some(share), Some(mg), Some(region)) =
            (share, mg, draft.region_mut(ProviderKind::Gcp, row.text("Google Cloud Region")?))
        else {
            continue;
        };
        let mg = (mg * 10_000u64.saturating_sub(share) + 5_000) / 10_000;
        region.grid = Some(Grid { mg_per_kwh: mg as u32, group });
    }
    Ok(())
}

fn aws_power(folder: &Path, draft: &mut Draft) -> Result<(), String> {
    let rule = "the instance's watts at idle and at full load by its vCPUs";
    let group =
        draft.group(sources::derived("aws-power", "Teads' measurements, through cloud-carbon-coefficients", AT, rule));
    for row in Table::open(folder, "teads_aws_instance_watts.csv")?.rows() {
        let Some(ty) = draft.type_mut(ProviderKind::Aws, row.text("instance_type")?) else { continue };
        let (Some(idle), Some(full), Some(vcpus @ 1..)) =
            (row.scaled("w_idle", 3)?, row.scaled("w_100", 3)?, row.scaled("vcpu", 0)?)
        else {
            continue;
        };
        ty.power = Some(Power { idle_mw_per_vcpu: per(idle, vcpus), full_mw_per_vcpu: per(full, vcpus), group });
    }
    Ok(())
}

/// `total / count`, half up.
fn per(total: u64, count: u64) -> u32 {
    ((total + count / 2) / count) as u32
}

/// Grams of each server that a type runs on; milliwatts per vCPU, idle and full, of each microarchitecture.
type Servers = (Vec<u64>, Vec<(u64, u64)>);

/// The embodied table says which microarchitectures a type may run on, the watts table what a vCPU of each draws.
fn power_and_embodied(folder: &Path, draft: &mut Draft) -> Result<(), String> {
    let rule = "the mean of the watts per vCPU of the microarchitectures that the type runs on";
    let power = draft.group(sources::derived("power", COEFFICIENTS, AT, rule));
    let rule = "the mean over the servers that the type runs on";
    let embodied = draft.group(sources::derived("embodied", COEFFICIENTS, AT, rule));
    let mut watts = HashMap::new();
    for row in Table::open(folder, "ccf_cpu_watts.csv")?.rows() {
        let both = row.scaled("min_watts_per_vcpu", 3)?.zip(row.scaled("max_watts_per_vcpu", 3)?);
        watts.insert((kind(row.text("provider")?)?, row.text("microarchitecture")?.to_owned()), both);
    }
    let mut servers: BTreeMap<(ProviderKind, String), Servers> = BTreeMap::new();
    for row in Table::open(folder, "ccf_embodied_kgco2e_server.csv")?.rows() {
        let kind = kind(row.text("provider")?)?;
        let ty = row.text("type")?;
        let ty = if kind == ProviderKind::Azure { format!("Standard_{}", ty.replace(' ', "_")) } else { ty.to_owned() };
        let entry = servers.entry((kind, ty)).or_default();
        entry.0.extend(row.scaled("total_platform_kgco2e", 3)?);
        entry.1.extend(watts.get(&(kind, row.text("microarchitecture")?.to_owned())).copied().flatten());
    }
    let server_vcpus = server_vcpus(folder)?;
    for ((kind, name), (grams, watts)) in servers {
        let Some(ty) = draft.type_mut(kind, &name) else { continue };
        if !grams.is_empty() {
            let server_grams = (grams.iter().sum::<u64>() + grams.len() as u64 / 2) / grams.len() as u64;
            let server_vcpus =
                if kind == ProviderKind::Aws { server_vcpus.get(&name).copied().unwrap_or(0) } else { 0 };
            ty.embodied = Some(Embodied { server_grams, server_vcpus, group: embodied });
        }
        if ty.power.is_none() && !watts.is_empty() {
            let mean = |of: fn(&(u64, u64)) -> u64| per(watts.iter().map(of).sum(), watts.len() as u64);
            let (idle, full) = (mean(|w| w.0), mean(|w| w.1));
            ty.power = Some(Power { idle_mw_per_vcpu: idle, full_mw_per_vcpu: full, group: power });
        }
    }
    Ok(())
}

fn server_vcpus(folder: &Path) -> Result<HashMap<String, u32>, String> {
    let mut all = HashMap::new();
    for row in Table::open(folder, "teads_aws_instance_watts.csv")?.rows() {
        if let Some(vcpus) = row.scaled("platform_vcpu", 0)? {
            all.insert(row.text("instance_type")?.to_owned(), vcpus as u32);
        }
    }
    Ok(all)
}
