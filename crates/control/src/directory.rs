//! The configured providers, found by name or kind.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use jiff::Timestamp;
use novacron_provider::{
    Capability, Identity, ListFilter, Page, PageToken, Provider, ProviderDefinition, ProviderExt, Registry, Wrapped,
    retry::{Retry, RetryPolicy},
};
use novacron_types::{Instance, ProviderKind, ProviderName, nearest};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{ControlError, ErrorClass};

/// A provider's health call takes this long at most.
const HEALTH_LIMIT: Duration = Duration::from_secs(10);
/// A health answer is shown this long before it is asked again.
const HEALTH_AGE: Duration = Duration::from_secs(10);

/// A configured provider.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Provider)]
pub struct ProviderSummary {
    #[schema(value_type = String)]
    pub name: ProviderName,
    pub kind: ProviderKind,
    /// The vendor's region, or the host's name.
    pub region: Option<String>,
    /// False where disks are kept and nothing can run.
    pub runs_guests: bool,
    /// True where the answers come from an emulation, as far as can be told.
    pub emulated: bool,
    /// `disk_source`, `changed_blocks`, `disk_sink`, `images`, `metrics`, `host_capacity`.
    #[schema(value_type = Vec<String>)]
    pub capabilities: Vec<Capability>,
}

/// What a provider's last health call came to.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ProviderHealth {
    /// `connected`, `refused` (credentials or permission) or `unreachable`.
    pub status: String,
    pub region: Option<String>,
    pub account: Option<String>,
    /// Machines seen by the last whole discovery; absent before the first.
    pub instances_discovered: Option<u64>,
    /// The round trip of the health call.
    pub latency_ms: Option<f64>,
    pub detail: String,
    #[schema(value_type = String, format = DateTime)]
    pub checked_at: Timestamp,
}

/// A provider's health, and whether it was asked for it now.
pub(crate) struct Checked {
    pub health: ProviderHealth,
    pub asked: bool,
}

pub(crate) struct Entry {
    pub provider: Arc<dyn Provider>,
    pub definition: ProviderDefinition,
    discovery: Mutex<Discovery>,
    health: tokio::sync::Mutex<Option<(Instant, ProviderHealth)>>,
}

#[derive(Default)]
struct Discovery {
    /// Machines seen by the last whole one.
    last: Option<u64>,
    /// The page that is next, and how many came before it.
    under_way: Option<(PageToken, u64)>,
}

/// All of them.
pub struct Directory {
    entries: BTreeMap<ProviderName, Entry>,
}

impl Directory {
    /// Builds every provider; none is called yet. Each gets the retry layer.
    pub async fn build(definitions: Vec<ProviderDefinition>, registry: &Registry) -> Result<Self, ControlError> {
        let mut entries = BTreeMap::new();
        for definition in definitions {
            let provider = registry.build(definition.clone()).await?;
            let provider: Arc<dyn Provider> = Arc::new(Wrapped::new(provider, Retry::new(RetryPolicy::default())));
            let name = definition.name.clone();
            let entry =
                Entry { provider, definition, discovery: Mutex::default(), health: tokio::sync::Mutex::default() };
            if entries.insert(name.clone(), entry).is_some() {
                return Err(ControlError::invalid("duplicate_provider", format!("two providers are named `{name}`"))
                    .advice("Give each provider its own name."));
            }
        }
        Ok(Self { entries })
    }

    pub fn summaries(&self) -> Vec<ProviderSummary> {
        self.entries.values().map(|entry| summary(entry.provider.as_ref())).collect()
    }

    /// By name, else by kind where one provider is of that kind.
    pub(crate) fn find(&self, reference: &str) -> Result<&Entry, ControlError> {
        if let Some((_, entry)) = self.entries.iter().find(|(name, _)| name.as_str() == reference) {
            return Ok(entry);
        }
        let of_kind: Vec<&Entry> =
            self.entries.values().filter(|entry| entry.definition.kind.as_str() == reference).collect();
        match of_kind.as_slice() {
            [one] => Ok(one),
            [] => Err(self.unknown(reference)),
            several => {
                let names: Vec<&str> = several.iter().map(|entry| entry.definition.name.as_str()).collect();
                Err(ControlError::invalid("ambiguous_provider", format!("several providers are of kind `{reference}`"))
                    .advice(format!("Name one of them: {}.", names.join(", "))))
            }
        }
    }

    fn unknown(&self, reference: &str) -> ControlError {
        let names: Vec<&str> = self.entries.keys().map(ProviderName::as_str).collect();
        let advice = match nearest(reference, names.iter().copied()) {
            Some(near) => format!("Did you mean `{near}`?"),
            None if names.is_empty() => "No provider is configured; see `novacron config check`.".to_owned(),
            None => format!("There are: {}.", names.join(", ")),
        };
        ControlError::not_found("unknown_provider", format!("no provider is named `{reference}`")).advice(advice)
    }

    /// Asks all providers at once how they are, at most every ten seconds.
    pub(crate) async fn health(&self) -> BTreeMap<ProviderName, Checked> {
        let checks = self.entries.iter().map(|(name, entry)| async move { (name.clone(), entry.health().await) });
        futures::future::join_all(checks).await.into_iter().collect()
    }
}

impl Entry {
    /// Counts what an unfiltered discovery finds, page by page.
    pub(crate) fn note_page(&self, filter: &ListFilter, page: Option<&PageToken>, found: &Page<Instance>) {
        if !filter.filters.is_empty() {
            return;
        }
        let mut discovery = self.discovery.lock().unwrap_or_else(PoisonError::into_inner);
        let before = if page.is_none() {
            Some(0)
        } else {
            discovery.under_way.take_if(|(token, _)| Some(&*token) == page).map(|(_, count)| count)
        };
        // A page that does not follow the last one seen belongs to another listing.
        let Some(before) = before else { return };
        let count = before + found.items.len() as u64;
        match &found.next {
            Some(next) => discovery.under_way = Some((next.clone(), count)),
            None => discovery.last = Some(count),
        }
    }

    pub(crate) async fn health(&self) -> Checked {
        let mut cached = self.health.lock().await;
        let discovered = self.discovery.lock().unwrap_or_else(PoisonError::into_inner).last;
        if let Some((at, health)) = cached.as_ref()
            && at.elapsed() < HEALTH_AGE
        {
            let health = ProviderHealth { instances_discovered: discovered, ..health.clone() };
            return Checked { health, asked: false };
        }
        let started = Instant::now();
        let outcome = tokio::time::timeout(HEALTH_LIMIT, self.provider.health()).await;
        let latency_ms = Some(started.elapsed().as_secs_f64() * 1000.0);
        let (status, account, latency_ms, detail) = match outcome {
            Ok(Ok(health)) => ("connected", health.account, latency_ms, health.detail),
            Ok(Err(error)) => match ControlError::from(error) {
                error if error.class == ErrorClass::ProviderRefused => ("refused", None, latency_ms, error.message),
                error => ("unreachable", None, None, error.message),
            },
            Err(_) => ("unreachable", None, None, format!("no answer within {} s", HEALTH_LIMIT.as_secs())),
        };
        let health = ProviderHealth {
            status: status.to_owned(),
            region: self.provider.identity().region.clone(),
            account,
            instances_discovered: discovered,
            latency_ms,
            detail,
            checked_at: Timestamp::now(),
        };
        *cached = Some((Instant::now(), health.clone()));
        Checked { health, asked: true }
    }
}

fn summary(provider: &dyn Provider) -> ProviderSummary {
    let Identity { name, kind, region, runs_guests, emulated } = provider.identity().clone();
    ProviderSummary { name, kind, region, runs_guests, emulated, capabilities: provider.capabilities() }
}
