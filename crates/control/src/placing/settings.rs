//! What the configuration says of where machines run, in the words of the engines.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use novacron_catalog::{Catalog, LocalHost, refresh::LastGood};
use novacron_placement::{Binding, Host, HostCost, Market, Settings};
use novacron_types::{
    GIB, ProviderKind, ProviderName,
    placement::{PlanMode, Strategy},
};

use super::Schedule;

/// A provider whose machines run on hosts of one's own.
#[derive(Debug, Clone)]
pub struct HostSettings {
    pub provider: ProviderName,
    pub kind: ProviderKind,
    /// Where it is, for constraints and latency: a region's name, or the provider's where none is configured.
    pub region: String,
    /// vCPUs, memory and disk are what it has altogether, where `configured`.
    pub host: LocalHost,
    /// False: the provider is asked what it has.
    pub configured: bool,
    /// False: it keeps disks, and runs nothing.
    pub runs_guests: bool,
}

/// The regular search for better places. Amounts are in 10⁻⁹ USD.
#[derive(Debug, Clone)]
pub struct OptimizationSettings {
    /// Followed in turn, the most important first.
    pub strategies: Vec<Strategy>,
    pub max_moves: u32,
    pub min_saving_nanos: i128,
    pub payback_days: u32,
    pub hysteresis_percent: u32,
    /// Absent: only when somebody asks.
    pub schedule: Option<Schedule>,
    /// Whether a plan that was made on schedule is carried out.
    pub apply: bool,
}

#[derive(Debug, Clone)]
pub struct BurstSettings {
    /// Names or kinds of providers, the first first. Empty: the best of all.
    pub targets: Vec<String>,
    pub mode: PlanMode,
    /// Absent: only when somebody asks.
    pub watch: Option<BurstWatch>,
}

/// When hosts send machines away, and take them back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BurstWatch {
    pub threshold_percent: u32,
    pub return_percent: u32,
    /// How long a host must be over the threshold.
    pub window: Duration,
}

/// Where the catalog is from. It is read when the first question is asked: a server that is asked none stays small.
#[derive(Debug, Clone)]
pub enum CatalogSource {
    /// It does not change.
    Fixed(Arc<Catalog>),
    /// What is kept there, else the program's own. It is read again when its files have changed.
    Kept(LastGood),
}

impl CatalogSource {
    pub fn read(&self) -> Result<Arc<Catalog>, String> {
        match self {
            Self::Fixed(catalog) => Ok(catalog.clone()),
            Self::Kept(kept) => {
                kept.load_or_embedded().map(|(catalog, _)| Arc::new(catalog)).map_err(|why| why.to_string())
            }
        }
    }
}

impl From<Arc<Catalog>> for CatalogSource {
    fn from(catalog: Arc<Catalog>) -> Self {
        Self::Fixed(catalog)
    }
}

/// Asks the vendors for their prices and keeps them, each by itself.
#[async_trait]
pub trait PriceRefresh: Send + Sync {
    /// Tells what became of each cloud's prices as soon as it is known; an error in words where none could be asked, or not
    /// all of them to the end.
    async fn refresh(&self, each: OnCloudRefreshed<'_>) -> Result<(), String>;
}

/// Told what became of one cloud.
pub type OnCloudRefreshed<'a> = &'a (dyn Fn(CloudRefreshed) + Send + Sync);

/// What became of a cloud's prices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloudRefreshed {
    pub cloud: String,
    /// What changed, or why the prices of before are kept.
    pub outcome: Result<String, String>,
}

/// The regular refresh of prices.
#[derive(Clone)]
pub struct RefreshSettings {
    pub schedule: Schedule,
    pub prices: Arc<dyn PriceRefresh>,
}

impl fmt::Debug for RefreshSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RefreshSettings")
    }
}

/// All of it.
#[derive(Debug, Clone)]
pub struct PlacingSettings {
    pub catalog: CatalogSource,
    /// Absent: prices change only when somebody refreshes them.
    pub refresh: Option<RefreshSettings>,
    /// Peers, failures and the date are filled in for each question.
    pub settings: Settings,
    pub bindings: Vec<Binding>,
    pub hosts: Vec<HostSettings>,
    pub optimization: OptimizationSettings,
    pub bursting: BurstSettings,
    /// How long a place that had no room counts for less.
    pub failure_memory: Duration,
}

impl PlacingSettings {
    /// With nothing configured.
    pub fn new(catalog: impl Into<CatalogSource>) -> Self {
        Self {
            catalog: catalog.into(),
            refresh: None,
            settings: Settings::default(),
            bindings: Vec::new(),
            hosts: Vec::new(),
            optimization: OptimizationSettings {
                strategies: vec![Strategy::CostOptimized],
                max_moves: 50,
                min_saving_nanos: 0,
                payback_days: 30,
                hysteresis_percent: 10,
                schedule: None,
                apply: false,
            },
            bursting: BurstSettings { targets: Vec::new(), mode: PlanMode::BestEffort, watch: None },
            failure_memory: Duration::from_secs(30 * 60),
        }
    }

    /// The market as it is known without asking anybody: hosts whose capacity is configured, all of it free.
    ///
    /// # Errors
    /// In words, if the catalog can't be read.
    pub fn market(&self) -> Result<Market, String> {
        let hosts = self.hosts.iter().filter(|host| host.configured).map(|host| host.all_free(None));
        Ok(Market::new(self.catalog.read()?, hosts.collect(), self.bindings.clone()))
    }
}

impl HostSettings {
    /// As the engine sees it, with nothing on it.
    pub(crate) fn all_free(&self, load_permille: Option<u32>) -> Host {
        let host = &self.host;
        let nanos = |money: novacron_types::Money| u64::try_from(money.nanos).unwrap_or(u64::MAX);
        // What is not known is not made up: a cost that can't be computed is no cost.
        let cost = host.hourly_cost().ok().flatten().map(|cost| HostCost {
            nanos_per_vcpu_hour: nanos(cost.per_vcpu),
            nanos_per_gib_hour: nanos(cost.per_gib),
            nanos_per_disk_gib_hour: 0,
        });
        Host {
            provider: self.provider.clone(),
            kind: self.kind,
            region: self.region.clone(),
            point: host.point,
            architecture: host.architecture,
            vcpus: host.vcpus,
            memory_bytes: host.memory_bytes,
            disk_bytes: host.disk_bytes,
            load_permille,
            compliance: host.compliance.clone(),
            network_mbps: None,
            milligrams_per_vcpu: host.vm_carbon_mg_per_hour(1, 500),
            cost,
            runs_guests: self.runs_guests,
        }
    }
}

/// GiB, rounded up.
pub(crate) fn whole_gib(bytes: u64) -> u64 {
    bytes.div_ceil(GIB)
}
