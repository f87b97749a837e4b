//! The engine against brute force, on the catalog that ships and on small ones made up.

mod brute;
mod edges;
mod independent;
mod rules;
mod said;

use std::sync::{Arc, LazyLock};

use novacron_catalog::{Catalog, EMBEDDED};
use novacron_types::{
    Architecture, GIB, ProviderKind, ProviderName,
    placement::{Gigabytes, PlacementRequest},
};

use crate::{Binding, Host, HostCost, Market};

/// The catalog that ships, without hosts or providers.
static CLOUDS: LazyLock<Market> = LazyLock::new(|| market(Vec::new(), Vec::new()));

fn market(hosts: Vec<Host>, bindings: Vec<Binding>) -> Market {
    static CATALOG: LazyLock<Arc<Catalog>> = LazyLock::new(|| Arc::new(Catalog::from_snapshot(EMBEDDED).unwrap()));
    Market::new(CATALOG.clone(), hosts, bindings)
}

fn host(name: &str, vcpus: u32, gib: u64) -> Host {
    Host {
        provider: ProviderName::new(name).unwrap(),
        kind: ProviderKind::Libvirt,
        region: name.to_owned(),
        point: None,
        architecture: Architecture::X86_64,
        vcpus,
        memory_bytes: gib * GIB,
        disk_bytes: 1000 * GIB,
        load_permille: None,
        compliance: Vec::new(),
        network_mbps: None,
        milligrams_per_vcpu: None,
        cost: Some(HostCost {
            nanos_per_vcpu_hour: 5_000_000,
            nanos_per_gib_hour: 500_000,
            nanos_per_disk_gib_hour: 0,
        }),
        runs_guests: true,
    }
}

fn binding(name: &str, kind: ProviderKind, region: &str) -> Binding {
    Binding { name: ProviderName::new(name).unwrap(), kind, region: Some(region.to_owned()), zone: None, spot: false }
}

fn sized(vcpus: u32, gib: u64) -> PlacementRequest {
    PlacementRequest {
        vm_id: Some("vm-1".to_owned()),
        required_cpu: Some(vcpus),
        required_memory_gb: Some(Gigabytes::from_gib(gib)),
        ..PlacementRequest::default()
    }
}

fn json(value: serde_json::Value) -> PlacementRequest {
    serde_json::from_value(value).unwrap()
}
