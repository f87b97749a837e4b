//! What is known when a question is asked: the market with what is left on hosts, and the federation as it is.

use std::{collections::HashMap, sync::Arc, time::Duration};

use jiff::{Timestamp, tz::TimeZone};
use novacron_catalog::Pricing;
use novacron_operations::PageCursor;
use novacron_placement::{Failure, Host, Market, Peer, Settings};
use novacron_provider::HostUse;
use novacron_store::{Store, VmQuery};
use novacron_types::{ProviderKind, ProviderName, VmRecord, placement::PlacementFailure};

use super::{HostSettings, PlacingSettings, compute::Computing, measured::Measured, prices::Prices};
use crate::{ControlError, Directory};

/// A host that does not answer is left out after this.
const HOST_LIMIT: Duration = Duration::from_secs(5);

/// Answers questions of where machines should run.
pub(crate) struct Placing {
    pub settings: PlacingSettings,
    directory: Arc<Directory>,
    store: Store,
    prices: Arc<Prices>,
    pub computing: Computing,
    measured: Measured,
}

pub(crate) struct Question {
    pub market: Market,
    pub settings: Settings,
    /// All machines that the federation has a record of.
    pub records: Vec<VmRecord>,
}

impl Placing {
    pub fn new(settings: PlacingSettings, directory: Arc<Directory>, store: Store) -> Self {
        let prices = Arc::new(Prices::new(settings.catalog.clone(), settings.bindings.clone()));
        let (computing, measured) = (Computing::default(), Measured::default());
        Self { settings, directory, store, prices, computing, measured }
    }

    /// What every question is asked of: the market, and the settings, with the federation as it is now.
    pub async fn question(self: &Arc<Self>, now: Timestamp) -> Result<Question, ControlError> {
        let records = self.records().await?;
        let market = self.market(&records).await?;
        let settings = self.settings(&records, now).await?;
        Ok(Question { market, settings, records })
    }

    /// With what is left on each host, and at prices of seconds ago at most.
    pub async fn market(self: &Arc<Self>, records: &[VmRecord]) -> Result<Market, ControlError> {
        let measured = self.measured().await;
        let hosts = self.settings.hosts.iter().zip(measured);
        let hosts = hosts.filter_map(|(host, found)| left(host, found, records)).collect();
        Ok(self.prices().await?.with_hosts(hosts))
    }

    /// Without hosts.
    pub async fn prices(&self) -> Result<Arc<Market>, ControlError> {
        self.prices.market().await
    }

    /// What each host says of itself, in the order of the settings.
    async fn measured(self: &Arc<Self>) -> Vec<Option<HostUse>> {
        let this = self.clone();
        self.measured.get(|| this.measure_all()).await
    }

    /// What hosts say now is what is believed next.
    pub async fn ask_hosts(self: &Arc<Self>) {
        self.measured.renew(self.clone().measure_all()).await;
    }

    async fn measure_all(self: Arc<Self>) -> Vec<Option<HostUse>> {
        futures::future::join_all(self.settings.hosts.iter().map(|host| self.measure(host))).await
    }

    /// After something was placed there: what was believed of hosts is no longer.
    pub fn forget_hosts(&self) {
        self.measured.forget();
    }

    async fn measure(&self, settings: &HostSettings) -> Option<HostUse> {
        let entry = self.directory.find(settings.provider.as_str()).ok()?;
        let capacity = entry.provider.host_capacity()?;
        match tokio::time::timeout(HOST_LIMIT, capacity.capacity()).await {
            Ok(Ok(found)) => Some(found),
            Ok(Err(error)) => {
                tracing::warn!(provider = %settings.provider, %error, "a host does not say what is left on it");
                None
            }
            Err(_) => {
                tracing::warn!(provider = %settings.provider, "a host does not answer what is left on it");
                None
            }
        }
    }

    /// The settings with the federation as it is now.
    async fn settings(&self, records: &[VmRecord], now: Timestamp) -> Result<Settings, ControlError> {
        let memory = self.settings.failure_memory;
        let since = now.checked_sub(memory).unwrap_or(Timestamp::MIN);
        let failures = self.store.placements().failures(since).await?;
        let remembered = |failure: PlacementFailure| Failure {
            multiplier: forgotten(now, failure.at, memory),
            kind: failure.kind,
            region: failure.region,
            instance_type: Some(failure.instance_type).filter(|name| !name.is_empty()),
        };
        Ok(Settings {
            peers: records.iter().map(|record| self.peer(record)).collect(),
            failures: failures.into_iter().map(remembered).collect(),
            today: Some(now.to_zoned(TimeZone::UTC).date()),
            ..self.settings.settings.clone()
        })
    }

    pub fn peer(&self, record: &VmRecord) -> Peer {
        let kind = self.kind(&record.provider);
        let spec = &record.instance.spec;
        Peer {
            vm_id: record.vm_id.to_string(),
            provider: Some(record.provider.clone()),
            kind,
            region: self.region(record),
            zone: record.instance.zone.clone(),
            vcpus: spec.vcpus.unwrap_or(0),
            monthly_nanos: self.monthly_nanos(record).unwrap_or(0),
            labels: spec.labels.clone().into_iter().collect(),
        }
    }

    pub fn kind(&self, provider: &ProviderName) -> ProviderKind {
        self.directory.find(provider.as_str()).map_or(ProviderKind::Memory, |entry| entry.definition.kind)
    }

    pub fn kind_of(&self, provider: &str) -> Option<ProviderKind> {
        self.directory.find(provider).ok().map(|entry| entry.definition.kind)
    }

    /// The vendor's region, or for a host what constraints call it.
    pub fn region(&self, record: &VmRecord) -> String {
        let host = self.settings.hosts.iter().find(|host| host.provider == record.provider);
        let of_provider = || {
            let entry = self.directory.find(record.provider.as_str()).ok()?;
            entry.provider.identity().region.clone()
        };
        match host {
            Some(host) => host.region.clone(),
            None => record.instance.region.clone().or_else(of_provider).unwrap_or_default(),
        }
    }

    /// What its compute costs a month, by the prices that were read last; `None` where the catalog does not have it.
    pub fn monthly_nanos(&self, record: &VmRecord) -> Option<i128> {
        let market = self.prices.last()?;
        let (kind, catalog) = (self.kind(&record.provider), market.catalog());
        let ty = catalog.find_type(kind, record.instance.spec.instance_type.as_deref()?)?;
        let region = catalog.find_region(kind, &self.region(record))?;
        let pricing = if record.instance.spec.spot.is_some() { Pricing::Spot } else { Pricing::OnDemand };
        let (offer, _) = catalog.find_offer(ty, region, pricing)?;
        Some(catalog.hourly(offer).nanos * 730)
    }

    /// All machines that the federation has a record of.
    pub async fn records(&self) -> Result<Vec<VmRecord>, ControlError> {
        let vms = self.store.vms();
        let mut all = Vec::new();
        let mut cursor: Option<PageCursor> = None;
        loop {
            let page = vms.vms(&VmQuery { cursor, limit: 500, ..VmQuery::default() }).await?;
            all.extend(page.items);
            cursor = page.next;
            if cursor.is_none() {
                return Ok(all);
            }
        }
    }

    /// How many each provider has.
    pub fn count<'r>(records: impl Iterator<Item = &'r str>) -> HashMap<&'r str, u64> {
        let mut counts = HashMap::new();
        records.for_each(|name| *counts.entry(name).or_default() += 1);
        counts
    }
}

/// What is left on a host: by what it says itself or, where its size is configured, by what the federation has there.
fn left(settings: &HostSettings, found: Option<HostUse>, records: &[VmRecord]) -> Option<Host> {
    if !settings.configured {
        let found = found?;
        let mut host = settings.all_free(found.load_permille);
        host.vcpus = found.vcpus.saturating_sub(found.vcpus_used);
        host.memory_bytes = found.memory_bytes.saturating_sub(found.memory_used_bytes);
        host.disk_bytes = found.disk_free_bytes.unwrap_or(0);
        host.architecture = found.architecture.unwrap_or(host.architecture);
        return Some(host);
    }
    let mut host = settings.all_free(found.and_then(|found| found.load_permille));
    for record in records.iter().filter(|record| record.provider == settings.provider) {
        let spec = &record.instance.spec;
        host.vcpus = host.vcpus.saturating_sub(spec.vcpus.unwrap_or(0));
        host.memory_bytes = host.memory_bytes.saturating_sub(spec.memory_bytes.unwrap_or(0));
        host.disk_bytes = host.disk_bytes.saturating_sub(record.instance.disk_bytes());
    }
    Some(host)
}

/// 0 just after a failure, 1 when it is forgotten.
fn forgotten(now: Timestamp, at: Timestamp, memory: Duration) -> f64 {
    let age = now.duration_since(at).as_secs_f64();
    (age / memory.as_secs_f64().max(1.0)).clamp(0.0, 1.0)
}
