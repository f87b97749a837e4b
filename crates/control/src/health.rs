//! How the control plane is, and the providers as it sees them.

use std::{collections::BTreeMap, time::Duration};

use novacron_store::Store;
use novacron_types::ProviderName;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{Control, ProviderHealth};

/// How the control plane is.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Health)]
pub struct HealthReport {
    /// `healthy`; `degraded` if a provider is not connected; `unhealthy` if the store or the mover does not answer.
    pub status: String,
    #[schema(value_type = BTreeMap<String, ProviderHealth>)]
    pub providers: BTreeMap<ProviderName, ProviderHealth>,
    pub store: bool,
    pub mover: bool,
    pub version: String,
}

/// Who probes us waits no longer than this for a store that is away.
const STORE_ANSWERS: Duration = Duration::from_secs(2);

async fn answers(store: &Store) -> bool {
    matches!(tokio::time::timeout(STORE_ANSWERS, store.ping()).await, Ok(Ok(())))
}

impl Control {
    /// Asks everyone at once. Providers are asked at most every ten seconds.
    pub async fn health(&self) -> HealthReport {
        let (providers, store, mover) =
            tokio::join!(self.directory().health(), answers(self.store()), self.inner.tools.mover.is_alive());
        let all_connected = providers.values().all(|checked| checked.health.status == "connected");
        let status = match (store && mover, all_connected) {
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
            providers: providers.into_iter().map(|(name, checked)| (name, checked.health)).collect(),
            store,
            mover,
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}
