//! What Prometheus is told. Four names were promised; figures that nobody has measured are not in it.

use std::sync::Mutex;

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{family::Family, gauge::Gauge, histogram::{Histogram, exponential_buckets}},
    registry::Registry,
};

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

type Latencies = Family<PathLabels, Histogram, fn() -> Histogram>;

pub(crate) struct Metrics {
    latency: Latencies,
    registry: Mutex<Registry>,
    vms: Family<VmLabels, Gauge>,
    running: Gauge,
}

impl Metrics {
    pub fn new() -> Self {
        let mut registry = Registry::default();
        let vms = Family::<VmLabels, Gauge>::default();
        registry.register("novacron_federation_vms_total", "VMs that the federation has a record of", vms.clone());
        let latency: Latencies = Family::new_with_constructor(|| Histogram::new(exponential_buckets(1.0, 2.0, 10)));
        registry.register(
            "novacron_federation_network_latency_ms",
            "Round trip of a health call from this control plane to a provider, in milliseconds",
            latency.clone(),
        );
        let running = Gauge::default();
        registry.register("novacron_operations_running", "Operations that run in this process", running.clone());
        Self { latency, registry: Mutex::new(registry), vms, running }
    }

    pub fn latency(&self, destination: &str, milliseconds: f64) {
        let labels = PathLabels { source: "local".to_owned(), destination: destination.to_owned() };
        self.latency.get_or_create(&labels).observe(milliseconds);
    }
}
