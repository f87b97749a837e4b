//! How the control plane is, and the providers as it sees them.

use std::collections::BTreeMap;

use novacron_types::ProviderName;
use serde::{Deserialize, Serialize};

use crate::{Control, ProviderHealth};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HealthReport {
    /// `healthy`; `degraded` if a provider is not connected; `unhealthy` if the store or the mover does not answer.
    pub status: String,
    pub providers: BTreeMap<ProviderName, ProviderHealth>,
    pub store: bool,
    pub mover: bool,
    pub version: String,
}

impl Control {
    /// Asks everyone at once. Providers are asked at most every ten seconds.
    pub async fn health(&self) -> HealthReport {
        let (providers, store, mover) =
            tokio::join!(self.directory().health(), self.store().ping(), self.inner.tools.mover.is_alive());
        let all_connected = providers.values().all(|provider| provider.status == "connected");
        let status = match (store.is_ok() && mover, all_connected) {
            (false, _) => "unhealthy",
            (true, false) => "degraded",
            (true, true) => "healthy",
        };
        for (name, health) in &providers {
            if let Some(latency) = health.latency_ms {
                self.inner.metrics.latency(name.as_str(), latency);
            }
        }
        HealthReport {
            status: status.to_owned(),
            providers: providers.into_iter().collect(),
            store: store.is_ok(),
            mover,
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}
