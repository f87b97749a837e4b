//! How the control plane is, and the providers as it sees them.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use novacron_store::Store;
use novacron_types::ProviderName;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{Control, ProviderHealth, directory::Checked};

/// How the control plane is.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Health)]
pub struct HealthReport {
    /// `healthy`; `degraded` if a provider is not connected or the store takes no writes, as one that is full; `unhealthy` if
    /// the store or the mover does not answer.
    pub status: String,
    /// Why it is not `healthy`, each in words.
    pub reasons: Vec<String>,
    #[schema(value_type = BTreeMap<String, ProviderHealth>)]
    pub providers: BTreeMap<ProviderName, ProviderHealth>,
    pub store: bool,
    pub mover: bool,
    pub version: String,
}

/// Who probes us waits no longer than this for a store that is away.
const STORE_ANSWERS: Duration = Duration::from_secs(2);

/// How long what was seen of the store's writes holds.
const WRITES_SEEN: Duration = Duration::from_secs(10);

async fn answers(store: &Store) -> bool {
    matches!(tokio::time::timeout(STORE_ANSWERS, store.ping()).await, Ok(Ok(())))
}

async fn refuses_writes(store: &Store) -> Option<String> {
    match tokio::time::timeout(STORE_ANSWERS, store.check_writes()).await {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(format!("the store takes no writes: {error}")),
        Err(_) => Some(format!("the store took no write within {} s", STORE_ANSWERS.as_secs())),
    }
}

impl Control {
    /// Asks everyone at once. Providers are asked at most every ten seconds, and so is the store whether it takes writes.
    pub async fn health(&self) -> HealthReport {
        let (providers, store, refused, mover) = tokio::join!(
            self.directory().health(),
            answers(self.store()),
            self.refused_writes(),
            self.inner.tools.mover.is_alive()
        );
        let missing = [(store, "the store does not answer"), (mover, "the mover does not answer")];
        let missing: Vec<String> =
            missing.iter().filter(|(there, _)| !there).map(|(_, why)| (*why).to_owned()).collect();
        // A store that does not answer takes no writes either.
        let lacking: Vec<String> =
            refused.filter(|_| store).into_iter().chain(providers.iter().filter_map(apart)).collect();
        let status = match (missing.is_empty(), lacking.is_empty()) {
            (false, _) => "unhealthy",
            (true, false) => "degraded",
            (true, true) => "healthy",
        };
        for (name, checked) in &providers {
            if let Some(latency) = checked.health.latency_ms.filter(|_| checked.asked) {
                self.inner.metrics.latency(name.as_str(), latency);
            }
        }
        HealthReport {
            status: status.to_owned(),
            reasons: missing.into_iter().chain(lacking).collect(),
            providers: providers.into_iter().map(|(name, checked)| (name, checked.health)).collect(),
            store,
            mover,
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }

    /// Why the store takes no writes, if so, as it was seen within [`WRITES_SEEN`].
    async fn refused_writes(&self) -> Option<String> {
        let mut seen = self.inner.writes.lock().await;
        if let Some((_, refused)) = seen.as_ref().filter(|(at, _)| at.elapsed() < WRITES_SEEN) {
            return refused.clone();
        }
        let refused = refuses_writes(self.store()).await;
        *seen = Some((Instant::now(), refused.clone()));
        refused
    }
}

fn apart((name, checked): (&ProviderName, &Checked)) -> Option<String> {
    let ProviderHealth { status, detail, .. } = &checked.health;
    (status != "connected").then(|| format!("the provider {name} is {status}: {detail}"))
}
