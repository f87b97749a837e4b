//! What the configuration says of where machines run.

use std::time::Duration;

use novacron_types::placement::{Dollars, PerformanceTargets, Strategy, Weights};
use secrecy::SecretString;
use serde::Deserialize;

use crate::{location::Location, schedule::Schedule};

/// What holds for every machine for which nothing else was said.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default)]
pub struct Orchestrator {
    /// A provider's name or kind.
    pub default_cloud: Option<String>,
    pub placement_policy: Option<Strategy>,
    /// Instead of the strategy's.
    pub weights: Option<Weights>,
    /// Whether savings are looked for; [`Optimization::enabled`] follows it.
    pub cost_optimization: bool,
    /// Nothing follows it in this version.
    pub auto_failover: bool,
    /// Whether new machines are spread by capacity and load.
    pub load_balancing: bool,
    /// Regions or groups of regions outside of which no machine may be. Empty: anywhere.
    pub compliance_zones: Vec<String>,
    pub max_cost_per_hour: Option<Dollars>,
    pub performance_targets: Option<PerformanceTargets>,
    /// What latency is measured from where a request says nothing else.
    pub location: Option<Location>,
    pub quotas: Vec<Quota>,
}

/// The most that may be used. At least one of the three limits is there.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Quota {
    /// A provider's name or kind. Absent: all together.
    pub provider: Option<String>,
    pub region: Option<String>,
    pub vcpus: Option<u64>,
    pub instances: Option<u64>,
    /// Of 730 hours.
    pub monthly_budget: Option<Dollars>,
}

/// The regular search for better places.
#[derive(Debug, Clone, PartialEq)]
pub struct Optimization {
    pub enabled: bool,
    pub schedule: Schedule,
    /// At least one.
    pub strategies: Vec<Strategy>,
    /// False: plan only.
    pub apply: bool,
    pub max_moves: u32,
    /// A month.
    pub min_saving: Dollars,
    pub payback_days: u32,
    pub hysteresis_percent: u32,
}

/// Overflow from hosts of one's own to clouds.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Bursting {
    pub enabled: bool,
    pub threshold_percent: u32,
    /// Less than the threshold.
    pub return_percent: u32,
    pub window_minutes: u32,
    /// Names or kinds of providers, of which the best is taken. Empty: the best of all.
    pub targets: Vec<String>,
    pub mode: BurstMode,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BurstMode {
    AllOrNothing,
    #[default]
    BestEffort,
}

/// Where prices are from.
#[derive(Debug)]
pub struct CatalogConfig {
    pub max_age: Duration,
    pub stale: Stale,
    /// Absent: prices are fetched only when someone asks.
    pub refresh_schedule: Option<Schedule>,
    /// How long one cloud may take to state all its prices.
    pub refresh_limit: Duration,
    pub sources: PriceSources,
}

/// What happens to prices that are older than `max_age`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stale {
    #[default]
    Mark,
    Refuse,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct PriceSources {
    pub aws: PriceSource,
    pub azure: PriceSource,
    pub gcp: PriceSource,
    pub oci: PriceSource,
}

/// A vendor's price API.
#[derive(Debug, Deserialize)]
#[serde(default)]
pub struct PriceSource {
    pub enabled: bool,
    /// Absent: the vendor's own.
    pub endpoint_url: Option<String>,
    /// Of Google's only.
    pub api_key: Option<SecretString>,
}

impl Default for PriceSource {
    fn default() -> Self {
        Self { enabled: true, endpoint_url: None, api_key: None }
    }
}

impl Default for Bursting {
    fn default() -> Self {
        Self {
            enabled: false,
            threshold_percent: 80,
            return_percent: 60,
            window_minutes: 10,
            targets: Vec::new(),
            mode: BurstMode::default(),
        }
    }
}

/// The plain form of `optimization`.
#[derive(Deserialize)]
#[serde(default)]
pub(crate) struct PlainOptimization {
    pub enabled: Option<bool>,
    pub schedule: String,
    pub strategies: Vec<Strategy>,
    pub apply: bool,
    pub max_moves: u32,
    pub min_saving: Dollars,
    pub payback_days: u32,
    pub hysteresis_percent: u32,
}

impl Default for PlainOptimization {
    fn default() -> Self {
        Self {
            enabled: None,
            schedule: "0 2 * * *".into(),
            strategies: Vec::new(),
            apply: false,
            max_moves: 10,
            min_saving: Dollars { nanos: 1_000_000_000 },
            payback_days: 30,
            hysteresis_percent: 5,
        }
    }
}

impl PlainOptimization {
    /// `cost_optimization` is the orchestrator's.
    pub(crate) fn finish(self, cost_optimization: bool) -> Result<Optimization, String> {
        let strategies = if self.strategies.is_empty() { vec![Strategy::CostOptimized] } else { self.strategies };
        Ok(Optimization {
            enabled: self.enabled.unwrap_or(cost_optimization),
            schedule: self.schedule.parse()?,
            strategies,
            apply: self.apply,
            max_moves: self.max_moves,
            min_saving: self.min_saving,
            payback_days: self.payback_days,
            hysteresis_percent: self.hysteresis_percent,
        })
    }
}

/// The plain form of `catalog`.
#[derive(Deserialize)]
#[serde(default)]
pub(crate) struct PlainCatalog {
    pub max_age_days: u64,
    pub stale: Stale,
    pub refresh_schedule: Option<Schedule>,
    pub refresh_limit_seconds: u64,
    pub sources: PriceSources,
}

impl Default for PlainCatalog {
    fn default() -> Self {
        Self {
            max_age_days: 180,
            stale: Stale::Mark,
            refresh_schedule: None,
            refresh_limit_seconds: 600,
            sources: PriceSources::default(),
        }
    }
}

impl From<PlainCatalog> for CatalogConfig {
    fn from(plain: PlainCatalog) -> Self {
        Self {
            max_age: Duration::from_secs(plain.max_age_days * 24 * 3600),
            stale: plain.stale,
            refresh_schedule: plain.refresh_schedule,
            refresh_limit: Duration::from_secs(plain.refresh_limit_seconds),
            sources: plain.sources,
        }
    }
}
