//! Hosts of one's own, as placement weighs them; and what providers take where a request is silent.

use novacron_types::{Architecture, ByteSize, ProviderKind, ProviderName, placement::Dollars};
use serde::Deserialize;
use serde_json::Value;

use crate::{check::Checker, countries::is_country, location::Location};

/// An enabled provider whose machines run on hosts of one's own. What is absent is not known.
#[derive(Debug, Clone, PartialEq)]
pub struct HostConfig {
    pub provider: ProviderName,
    pub kind: ProviderKind,
    /// Absent: what the provider reports.
    pub capacity: Option<HostCapacity>,
    pub architecture: Architecture,
    pub cost: Option<HostCost>,
    pub power: Option<HostPower>,
    pub location: Option<Location>,
    /// ISO 3166-1 alpha-2.
    pub country: Option<String>,
    /// Programmes that its owner says it satisfies.
    pub compliance: Vec<String>,
}

/// What is given to machines altogether.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct HostCapacity {
    pub vcpus: u32,
    pub memory: ByteSize,
    pub disk: Option<ByteSize>,
}

/// Of all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostCost {
    Hourly(Dollars),
    /// The price is spread evenly over the years; the mean power is paid for each hour.
    Owned {
        price: Dollars,
        lifetime_years: u16,
        watts: u32,
        price_per_kwh: Dollars,
    },
}

/// Of all of it, and its electricity's grams of CO2-equivalent per kWh.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct HostPower {
    pub idle_watts: u32,
    pub full_watts: u32,
    pub grid_g_per_kwh: u32,
}

/// A provider's `defaults`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
pub struct ProviderDefaults {
    /// The beginning of the names of instance types to choose from.
    pub instance_family: Option<String>,
    /// Whether spare capacity will do where a request names no way of paying.
    pub spot_enabled: bool,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct PlainHost {
    capacity: Option<HostCapacity>,
    architecture: Architecture,
    cost: Option<PlainCost>,
    power: Option<HostPower>,
    location: Option<Location>,
    country: Option<String>,
    compliance: Vec<String>,
}

#[derive(Deserialize)]
struct PlainCost {
    per_hour: Option<Dollars>,
    price: Option<Dollars>,
    lifetime_years: Option<u16>,
    watts: Option<u32>,
    price_per_kwh: Option<Dollars>,
}

/// Makes typed what [`crate::keys::HOST`] let through. `path` is that of the provider's block.
pub(crate) fn host(
    checker: &mut Checker<'_>,
    provider: ProviderName,
    kind: ProviderKind,
    keys: Value,
    path: &str,
) -> HostConfig {
    // What can't be read has had its fault.
    let plain: PlainHost = serde_json::from_value(keys).unwrap_or_default();
    let country = plain.country.filter(|country| {
        let fits = is_country(country);
        if !fits {
            let found = checker.quote(&format!("{path}.country"));
            let help = match country.as_str() {
                "UK" => "; did you mean `GB`?",
                code if is_country(&code.to_ascii_uppercase()) => "; write it in capitals",
                _ => "",
            };
            let wanted = "the two letters of a country in ISO 3166-1 (`DE`)";
            checker.fault(&format!("{path}.country"), format!("expected {wanted}, found {found}{help}"));
        }
        fits
    });
    if let Some(power) = plain.power.filter(|power| power.full_watts < power.idle_watts) {
        let (full, idle) = (power.full_watts, power.idle_watts);
        checker.fault(
            &checker.at(&format!("{path}.power"), "full_watts"),
            format!("it draws {full} W at full load and {idle} W without any"),
        );
    }
    HostConfig {
        cost: plain.cost.and_then(|plain| cost(checker, plain, &format!("{path}.cost"))),
        provider,
        kind,
        capacity: plain.capacity,
        architecture: plain.architecture,
        power: plain.power,
        location: plain.location,
        country,
        compliance: plain.compliance,
    }
}

fn cost(checker: &mut Checker<'_>, plain: PlainCost, path: &str) -> Option<HostCost> {
    match plain {
        PlainCost { per_hour: Some(hour), price: None, lifetime_years: None, watts: None, price_per_kwh: None } => {
            Some(HostCost::Hourly(hour))
        }
        PlainCost { per_hour: Some(_), .. } => {
            checker.fault(path, "`per_hour` is all of it already; leave the other keys out, or `per_hour`");
            None
        }
        PlainCost { price: Some(price), lifetime_years: Some(lifetime_years), watts, price_per_kwh, .. } => {
            let (watts, price_per_kwh) = (watts.unwrap_or(0), price_per_kwh.unwrap_or(Dollars { nanos: 0 }));
            Some(HostCost::Owned { price, lifetime_years, watts, price_per_kwh })
        }
        _ => {
            checker.fault(path, "it needs `per_hour`, or `price` and `lifetime_years`");
            None
        }
    }
}
