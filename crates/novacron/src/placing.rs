//! What the configuration says of where machines run, in the words of the control plane; and the catalog that it is decided by.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use novacron_catalog::{
    AREAS, Catalog, EMBEDDED, HALF, HostCost, HostPower, LocalHost, PROGRAMMES, Point, SnapshotError, programme,
    refresh::LastGood,
};
use novacron_config::{
    Apart, BurstMode, Config, ConfigError, HostConfig, Location, contradictions, unknown_programmes, unknown_regions,
};
use novacron_control::{
    BurstSettings, BurstWatch, CatalogSource, HostSettings, OptimizationSettings, PlacingSettings, Schedule,
};
use novacron_placement::{Binding, Quota, Settings};
use novacron_types::{ProviderKind, ProviderName, placement::PlanMode};
use serde_json::Value;

use crate::exit::{Failure, Result};

/// How places are decided here.
pub struct Placing {
    pub settings: PlacingSettings,
    /// What a person should know of it.
    pub notes: Vec<String>,
}

/// The folder of the refreshed catalogs in a data directory.
pub fn catalog_folder(data_dir: &Path) -> PathBuf {
    data_dir.join("catalog")
}

/// The last good catalog of a data directory, else the executable's own; and what a person should know of it.
pub fn catalog(data_dir: Option<&Path>) -> Result<(Arc<Catalog>, Vec<String>)> {
    let Some(dir) = data_dir else { return Ok((Arc::new(embedded()?), Vec::new())) };
    let (catalog, warnings) = LastGood::new(catalog_folder(dir)).load_or_embedded().map_err(damaged)?;
    Ok((Arc::new(catalog), warnings.iter().map(ToString::to_string).collect()))
}

/// The catalog that the executable has.
pub fn embedded() -> Result<Catalog> {
    Catalog::from_snapshot(EMBEDDED).map_err(damaged)
}

fn damaged(error: SnapshotError) -> Failure {
    Failure::failed("the executable's own catalog can't be read")
        .why(error)
        .hint("The executable is damaged: install it anew.")
}

/// Settings and notes. What of the configuration the catalog does not know is refused, with its line and column; `file` is for
/// that.
pub fn placing(config: &Config, file: &str) -> Result<Placing> {
    let (catalog, mut notes) = catalog(Some(&config.data_dir))?;
    check(config, file, &catalog)?;
    notes.extend(config.deciding_only.iter().map(|provider| format!("{file}:{provider}")));
    // What was read to check the configuration is let go: it is read again when the first question is asked.
    let mut settings = PlacingSettings::new(CatalogSource::Kept(LastGood::new(catalog_folder(&config.data_dir))));
    settings.bindings = bindings(config, &catalog, &mut notes);
    settings.hosts = config.hosts.iter().map(|host| self::host(host, &catalog)).collect();
    settings.settings = orchestrator(config);
    let optimization = &config.optimization;
    settings.optimization = OptimizationSettings {
        strategies: optimization.strategies.clone(),
        max_moves: optimization.max_moves,
        min_saving_nanos: optimization.min_saving.nanos,
        payback_days: optimization.payback_days,
        hysteresis_percent: optimization.hysteresis_percent,
        schedule: optimization.enabled.then(|| {
            let schedule = optimization.schedule.clone();
            Schedule(Arc::new(move |now| schedule.next(now)))
        }),
        apply: optimization.apply,
    };
    settings.bursting = BurstSettings {
        targets: config.bursting.targets.clone(),
        mode: match config.bursting.mode {
            BurstMode::AllOrNothing => PlanMode::AllOrNothing,
            BurstMode::BestEffort => PlanMode::BestEffort,
        },
        watch: config.bursting.enabled.then(|| BurstWatch {
            threshold_percent: config.bursting.threshold_percent,
            return_percent: config.bursting.return_percent,
            window: Duration::from_secs(u64::from(config.bursting.window_minutes) * 60),
        }),
    };
    Ok(Placing { settings, notes })
}

/// Names of regions and programmes that the catalog does not have, and policies of which it knows that they contradict each other.
pub fn check(config: &Config, file: &str, catalog: &Catalog) -> Result<()> {
    let regions: Vec<&str> = catalog.parts().regions.iter().map(|region| region.name.as_str()).chain(AREAS).collect();
    let kinds = provider_kinds(config);
    let providers: Vec<&str> = kinds.keys().map(String::as_str).collect();
    let is_region = |name: &str| catalog.places(name, None).is_ok();
    let mut faults = unknown_regions(&config.references, &is_region, &regions, &providers);
    let is_programme = |name: &str| programme(name).is_some();
    faults.extend(unknown_programmes(&config.references, &is_programme, &PROGRAMMES));
    let apart = |a: &str, b: &str| match (catalog.places(a, None), catalog.places(b, None)) {
        (Ok(a), Ok(b)) => !a.iter().any(|region| b.contains(region)),
        _ => false,
    };
    let bindings = bindings(config, catalog, &mut Vec::new());
    let outside = |provider: &str, region: &str| provider_is_outside(catalog, &bindings, provider, region);
    let apart = Apart { regions: &apart, provider_and_region: &outside };
    for clash in contradictions(&config.policies, &kinds, &apart) {
        let name = |index: usize| &config.policies[index].name;
        let line = config.policy_places[clash.first].line;
        faults.push(novacron_config::Fault {
            place: config.policy_places.get(clash.second).copied(),
            message: format!(
                "policy `{}` contradicts policy `{}` in line {line}: {}",
                name(clash.second),
                name(clash.first),
                clash.why
            ),
        });
    }
    if faults.is_empty() {
        return Ok(());
    }
    Err(Failure::usage("the configuration can't be used")
        .why(ConfigError { file: file.to_owned(), faults })
        .hint("`novacron catalog regions` lists the regions and the groups of them."))
}

/// Whether a provider of a cloud, or the kind, certainly has nothing in a region, zone or group.
fn provider_is_outside(catalog: &Catalog, bindings: &[Binding], provider: &str, region: &str) -> bool {
    let Ok(wanted) = catalog.places(region, None) else { return false };
    let has = |kind: ProviderKind, only: Option<&str>| {
        wanted.iter().map(|id| catalog.region(*id)).any(|at| at.kind == kind && only.is_none_or(|only| only == at.name))
    };
    let named: Vec<&Binding> = bindings.iter().filter(|binding| binding.name.as_str() == provider).collect();
    match (named.as_slice(), provider.parse::<ProviderKind>()) {
        ([], Ok(kind)) => kind.is_cloud() && !has(kind, None),
        ([], Err(_)) => false,
        (named, _) => {
            named.iter().all(|binding| binding.kind.is_cloud() && !has(binding.kind, binding.region.as_deref()))
        }
    }
}

/// Every configured provider's kind.
fn provider_kinds(config: &Config) -> BTreeMap<String, String> {
    let enabled = config.providers.iter().map(|provider| (provider.name.to_string(), provider.kind.to_string()));
    let deciding = config.deciding_only.iter().map(|provider| (provider.name.to_string(), provider.kind.to_string()));
    enabled.chain(deciding).collect()
}

fn bindings(config: &Config, catalog: &Catalog, notes: &mut Vec<String>) -> Vec<Binding> {
    let enabled = config.providers.iter().map(|provider| {
        let text = |key: &str| provider.settings.get(key).and_then(Value::as_str).map(str::to_owned);
        let region = text(if provider.kind == ProviderKind::Azure { "location" } else { "region" });
        let region = match provider.kind {
            // As the provider itself takes it.
            ProviderKind::Aws => {
                region.or_else(|| ["AWS_REGION", "AWS_DEFAULT_REGION"].iter().find_map(|name| std::env::var(name).ok()))
            }
            _ => region,
        };
        (&provider.name, provider.kind, region, text("zone"))
    });
    let deciding = config.deciding_only.iter().map(|p| (&p.name, p.kind, p.region.clone(), p.zone.clone()));
    let all = enabled.chain(deciding);
    all.map(|(name, kind, region, zone)| binding(config, catalog, name, kind, region, zone, notes)).collect()
}

fn binding(
    config: &Config,
    catalog: &Catalog,
    name: &ProviderName,
    kind: ProviderKind,
    region: Option<String>,
    zone: Option<String>,
    notes: &mut Vec<String>,
) -> Binding {
    // Azure's names for people (`East US`) are the others with blanks; Google's zones are a region and a letter.
    let tidy = |text: String| text.replace(' ', "").to_ascii_lowercase();
    let of_zone = || zone.as_deref().and_then(|zone| zone.rsplit_once('-')).map(|(region, _)| region.to_owned());
    let region = region.map(tidy).or_else(of_zone);
    let is_known = |region: &str| !kind.is_cloud() || catalog.find_region(kind, region).is_some();
    if let Some(region) = region.as_deref().filter(|region| !is_known(region)) {
        let near = novacron_types::nearest(
            region,
            catalog.parts().regions.iter().filter(|known| known.kind == kind).map(|known| known.name.as_str()),
        );
        let near = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
        notes.push(format!(
            "The catalog has no region {region:?} of {kind}, where the provider `{name}` is: no place is decided there{near}"
        ));
    }
    let defaults = config.provider_defaults.get(name);
    Binding { name: name.clone(), kind, region, zone, spot: defaults.is_some_and(|defaults| defaults.spot_enabled) }
}

fn host(config: &HostConfig, catalog: &Catalog) -> HostSettings {
    let (region, point) = match &config.location {
        None => (config.provider.to_string(), None),
        Some(Location::Region(name)) => (name.clone(), point_of(catalog, name)),
        Some(Location::Point { lat_micro, lon_micro }) => {
            (config.provider.to_string(), Some(Point { lat_micro: *lat_micro, lon_micro: *lon_micro }))
        }
    };
    let capacity = config.capacity;
    let host = LocalHost {
        name: config.provider.to_string(),
        provider: config.provider.to_string(),
        vcpus: capacity.map_or(0, |capacity| capacity.vcpus),
        memory_bytes: capacity.map_or(0, |capacity| capacity.memory.0),
        disk_bytes: capacity.and_then(|capacity| capacity.disk).map_or(0, |disk| disk.0),
        architecture: config.architecture,
        cost: config.cost.map(|cost| match cost {
            novacron_config::HostCost::Hourly(hour) => HostCost::Hourly(hour.money()),
            novacron_config::HostCost::Owned { price, lifetime_years, watts, price_per_kwh } => {
                HostCost::Owned { price: price.money(), years: lifetime_years, watts, per_kwh: price_per_kwh.money() }
            }
        }),
        cpu_permille: HALF,
        power: config.power.map(|power| HostPower { idle_watts: power.idle_watts, full_watts: power.full_watts }),
        grid_mg_per_kwh: config.power.map(|power| power.grid_g_per_kwh.saturating_mul(1000)),
        country: config.country.clone().unwrap_or_default(),
        point,
        compliance: config.compliance.iter().filter_map(|name| programme(name)).map(str::to_owned).collect(),
    };
    HostSettings {
        provider: config.provider.clone(),
        kind: config.kind,
        region,
        host,
        configured: capacity.is_some(),
        runs_guests: config.kind != ProviderKind::Files,
    }
}

/// Of the first region that a name stands for and whose coordinates are known.
fn point_of(catalog: &Catalog, name: &str) -> Option<Point> {
    catalog.places(name, None).ok()?.into_iter().find_map(|region| catalog.region(region).point)
}

fn orchestrator(config: &Config) -> Settings {
    let orchestrator = &config.orchestrator;
    let location = orchestrator.location.as_ref().map(|location| match location {
        Location::Region(name) => name.clone(),
        Location::Point { lat_micro, lon_micro } => {
            format!("{}, {}", f64::from(*lat_micro) / 1e6, f64::from(*lon_micro) / 1e6)
        }
    });
    Settings {
        strategy: orchestrator.placement_policy,
        weights: orchestrator.weights,
        default_cloud: orchestrator.default_cloud.clone(),
        compliance_zones: orchestrator.compliance_zones.clone(),
        max_cost_nanos: orchestrator.max_cost_per_hour.map(|cost| cost.nanos),
        targets: orchestrator.performance_targets.unwrap_or_default(),
        load_balancing: orchestrator.load_balancing,
        location,
        policies: config.policies.clone(),
        quotas: orchestrator.quotas.iter().map(quota).collect(),
        max_age_days: u32::try_from(config.catalog.max_age.as_secs() / 86_400).ok(),
        refuse_stale: config.catalog.stale == novacron_config::Stale::Refuse,
        ..Settings::default()
    }
}

fn quota(quota: &novacron_config::Quota) -> Quota {
    let small = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
    Quota {
        provider: quota.provider.clone(),
        region: quota.region.clone(),
        vcpus: quota.vcpus.map(small),
        instances: quota.instances.map(small),
        monthly_nanos: quota.monthly_budget.map(|budget| budget.nanos),
    }
}
