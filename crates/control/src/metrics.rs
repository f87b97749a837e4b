//! What Prometheus is told. Four names were promised; figures that nobody has measured are not in it.

use std::sync::{Mutex, PoisonError};

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry,
};

use novacron_store::{EndedCount, VmCount};
use novacron_types::MigrationKind;

use crate::{Control, ControlError, ErrorClass};

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct VmLabels {
    provider: String,
    region: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct MoveLabels {
    source: String,
    destination: String,
    status: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct PathLabels {
    source: String,
    destination: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RefreshLabels {
    cloud: String,
    outcome: &'static str,
}

type Latencies = Family<PathLabels, Histogram, fn() -> Histogram>;

pub(crate) struct Metrics {
    latency: Latencies,
    running: Gauge,
    refreshes: Family<RefreshLabels, Counter>,
    registry: Mutex<Registry>,
}

impl Metrics {
    pub fn new() -> Self {
        let mut registry = Registry::default();
        let latency: Latencies = Family::new_with_constructor(|| Histogram::new(exponential_buckets(1.0, 2.0, 10)));
        registry.register(
            "novacron_federation_network_latency_ms",
            "Round trip of a health call from this control plane to a provider, in milliseconds",
            latency.clone(),
        );
        let running = Gauge::default();
        registry.register("novacron_operations_running", "Operations that run in this process", running.clone());
        let refreshes = Family::<RefreshLabels, Counter>::default();
        // The encoder adds `_total` to a counter's name.
        registry.register(
            "novacron_catalog_refreshes",
            "Refreshes of a cloud's prices on schedule by this process: `refreshed`, or `kept` where it failed",
            refreshes.clone(),
        );
        Self { latency, running, refreshes, registry: Mutex::new(registry) }
    }

    /// A cloud's prices were refreshed, or those of before are kept.
    pub fn refreshed(&self, cloud: &str, fresh: bool) {
        let outcome = if fresh { "refreshed" } else { "kept" };
        self.refreshes.get_or_create(&RefreshLabels { cloud: cloud.to_owned(), outcome }).inc();
    }

    pub fn latency(&self, destination: &str, milliseconds: f64) {
        let labels = PathLabels { source: "local".to_owned(), destination: destination.to_owned() };
        self.latency.get_or_create(&labels).observe(milliseconds);
    }
}

impl Control {
    /// Everything, in the text format. What the store counts is counted now, so that all processes of one store say
    /// the same, and a restart does not reset it.
    pub async fn metrics_text(&self) -> Result<String, ControlError> {
        let counts = self.store().counts();
        let kinds = MigrationKind::ALL.map(MigrationKind::as_str);
        let (vms, ended) = tokio::try_join!(counts.vm_counts(), counts.ended_counts(&kinds))?;
        let mut counted = Registry::default();
        let vm_family = Family::<VmLabels, Gauge>::default();
        for VmCount { provider, region, count } in vms {
            vm_family.get_or_create(&VmLabels { provider, region }).set(i64::try_from(count).unwrap_or(i64::MAX));
        }
        counted.register("novacron_federation_vms_total", "VMs that the federation has a record of", vm_family);
        let move_family = Family::<MoveLabels, Counter>::default();
        for EndedCount { source, destination, status, count } in ended {
            let labels = MoveLabels { source, destination, status: status.to_string() };
            move_family.get_or_create(&labels).inc_by(count);
        }
        // The encoder adds `_total` to a counter's name.
        counted.register("novacron_federation_migrations", "Migrations that have ended, by how", move_family);
        self.inner.metrics.running.set(i64::try_from(self.inner.engine.running()).unwrap_or(i64::MAX));

        let mut text = String::new();
        let failed = |error: std::fmt::Error| ControlError::new(ErrorClass::Internal, "metrics", error.to_string());
        prometheus_client::encoding::text::encode_registry(&mut text, &counted).map_err(failed)?;
        let own = self.inner.metrics.registry.lock().unwrap_or_else(PoisonError::into_inner);
        encode(&mut text, &own).map_err(failed)?;
        Ok(text)
    }
}
