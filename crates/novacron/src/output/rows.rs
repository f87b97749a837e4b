//! How the API's things look as rows.

use novacron_types::{
    Instance, Migration, VmRecord,
    placement::{PlacementRecord, Work},
};
use serde::Serialize;

use super::{Column, Row, human};
use crate::client::types::{ProviderHealth, ProviderSummary};

impl Row for ProviderSummary {
    fn columns() -> &'static [Column] {
        const COLUMNS: &[Column] = &[
            Column::new("NAME"),
            Column::new("KIND"),
            Column::new("REGION"),
            Column::new("GUESTS"),
            Column::new("EMULATED"),
            Column::wide("CAPABILITIES"),
        ];
        COLUMNS
    }
    fn cells(&self) -> Vec<String> {
        vec![
            self.name.to_string(),
            self.kind.to_string(),
            self.region.clone().unwrap_or_default(),
            (if self.runs_guests { "run" } else { "disks only" }).to_owned(),
            yes(self.emulated),
            self.capabilities.iter().map(ToString::to_string).collect::<Vec<_>>().join(","),
        ]
    }
}

impl Row for PlacementRecord {
    fn columns() -> &'static [Column] {
        const COLUMNS: &[Column] = &[
            Column::new("VM"),
            Column::new("STATUS"),
            Column::new("PLACE"),
            Column::new("PER HOUR"),
            Column::new("PER MONTH"),
            Column::wide("SCORE"),
            Column::wide("PROVIDER"),
            Column::new("MADE"),
            Column::wide("PLACEMENT"),
        ];
        COLUMNS
    }
    fn cells(&self) -> Vec<String> {
        let placed = self.decision.primary_placement.as_ref();
        let cost = placed.and_then(|placed| placed.cost.as_ref());
        let mark = cost.filter(|cost| cost.modelled).map_or("", |_| "~");
        vec![
            self.vm_id.clone(),
            self.status.to_string(),
            placed.map(super::decision::title).unwrap_or_default(),
            cost.map(|cost| format!("{mark}{} {}", human::hour(cost.hourly), cost.hourly.currency()))
                .unwrap_or_default(),
            cost.map(|cost| format!("{mark}{} {}", human::month(cost.monthly), cost.monthly.currency()))
                .unwrap_or_default(),
            placed.map(|placed| format!("{:.2}", placed.placement_score)).unwrap_or_default(),
            placed.and_then(|placed| placed.provider.as_ref()).map(ToString::to_string).unwrap_or_default(),
            human::time(self.created_at),
            self.placement_id.clone(),
        ]
    }
}

/// A provider's name beside its health.
#[derive(Debug, Serialize)]
pub struct NamedHealth {
    pub name: String,
    #[serde(flatten)]
    pub health: ProviderHealth,
}

impl Row for NamedHealth {
    fn columns() -> &'static [Column] {
        const COLUMNS: &[Column] = &[
            Column::new("NAME"),
            Column::new("STATUS"),
            Column::new("REGION"),
            Column::new("ACCOUNT"),
            Column::new("LATENCY"),
            Column::wide("DISCOVERED"),
            Column::new("DETAIL"),
        ];
        COLUMNS
    }
    fn cells(&self) -> Vec<String> {
        let health = &self.health;
        vec![
            self.name.clone(),
            health.status.clone(),
            health.region.clone().unwrap_or_default(),
            health.account.clone().unwrap_or_default(),
            health.latency_ms.map(|ms| format!("{ms:.0} ms")).unwrap_or_default(),
            health.instances_discovered.map(|n| n.to_string()).unwrap_or_default(),
            health.detail.clone(),
        ]
    }
}

impl Row for Instance {
    fn columns() -> &'static [Column] {
        const COLUMNS: &[Column] = &[
            Column::new("INSTANCE"),
            Column::new("NAME"),
            Column::new("STATE"),
            Column::new("TYPE"),
            Column::new("VCPUS"),
            Column::new("MEMORY"),
            Column::new("DISKS"),
            Column::new("ZONE"),
            Column::wide("PRIVATE IP"),
            Column::wide("PUBLIC IP"),
            Column::wide("IMAGE"),
            Column::wide("LAUNCHED"),
            Column::wide("LABELS"),
        ];
        COLUMNS
    }
    fn cells(&self) -> Vec<String> {
        let interface = self.interfaces.first();
        let labels: Vec<String> = self.spec.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
        vec![
            self.instance_id.to_string(),
            self.name.clone().unwrap_or_default(),
            self.state.to_string(),
            self.spec.instance_type.clone().unwrap_or_default(),
            self.spec.vcpus.map(|n| n.to_string()).unwrap_or_default(),
            self.spec.memory_bytes.map(human::bytes).unwrap_or_default(),
            disks(self),
            self.zone.clone().or_else(|| self.region.clone()).unwrap_or_default(),
            interface.and_then(|i| i.private_ips.first().cloned()).unwrap_or_default(),
            interface.and_then(|i| i.public_ip.clone()).unwrap_or_default(),
            self.image.clone().unwrap_or_default(),
            self.launched_at.map(human::time).unwrap_or_default(),
            labels.join(","),
        ]
    }
}

/// How many disks, and their size where the provider says it in a listing.
fn disks(instance: &Instance) -> String {
    let count = instance.disks.len();
    match instance.disks.iter().map(|disk| disk.size_bytes).sum::<Option<u64>>() {
        Some(bytes) if bytes > 0 => format!("{count} ({})", human::bytes(bytes)),
        _ => count.to_string(),
    }
}

impl Row for VmRecord {
    fn columns() -> &'static [Column] {
        const COLUMNS: &[Column] = &[
            Column::new("VM"),
            Column::new("NAME"),
            Column::new("PROVIDER"),
            Column::new("INSTANCE"),
            Column::new("STATE"),
            Column::new("DISKS"),
            Column::wide("TYPE"),
            Column::wide("PLACED BY"),
            Column::wide("CREATED"),
            Column::wide("UPDATED"),
        ];
        COLUMNS
    }
    fn cells(&self) -> Vec<String> {
        vec![
            self.vm_id.to_string(),
            self.name.clone(),
            self.provider.to_string(),
            self.instance.instance_id.to_string(),
            self.instance.state.to_string(),
            disks(&self.instance),
            self.instance.spec.instance_type.clone().unwrap_or_default(),
            self.placed_by.as_ref().map(ToString::to_string).unwrap_or_default(),
            human::time(self.created_at),
            human::time(self.updated_at),
        ]
    }
}

impl Row for Migration {
    fn columns() -> &'static [Column] {
        const COLUMNS: &[Column] = &[
            Column::new("MIGRATION"),
            Column::new("STATUS"),
            Column::new("PROGRESS"),
            Column::new("FROM"),
            Column::new("TO"),
            Column::new("STARTED"),
            Column::wide("ENDED"),
            Column::wide("PHASE"),
            Column::wide("VM"),
            Column::wide("TARGET INSTANCE"),
            Column::wide("CONTENT ROOT"),
            Column::wide("ERROR"),
        ];
        COLUMNS
    }
    fn cells(&self) -> Vec<String> {
        let text = |id: Option<String>| id.unwrap_or_default();
        vec![
            self.migration_id.to_string(),
            self.status.to_string(),
            format!("{:.1}%", self.progress),
            self.source.to_string(),
            self.destination.to_string(),
            human::time(self.start_time),
            self.end_time.map(human::time).unwrap_or_default(),
            self.phase.clone(),
            text(self.vm_id.as_ref().map(ToString::to_string)),
            text(self.target_instance_id.as_ref().map(ToString::to_string)),
            text(self.target_checksum.as_ref().map(ToString::to_string)),
            text(self.error.as_ref().map(|error| error.code.clone())),
        ]
    }
}

impl Row for Work {
    fn columns() -> &'static [Column] {
        const COLUMNS: &[Column] = &[
            Column::new("OPERATION"),
            Column::new("KIND"),
            Column::new("STATUS"),
            Column::new("PROGRESS"),
            Column::new("STARTED"),
            Column::wide("ENDED"),
            Column::wide("PHASE"),
            Column::wide("ERROR"),
        ];
        COLUMNS
    }
    fn cells(&self) -> Vec<String> {
        vec![
            self.operation_id.to_string(),
            self.kind.clone(),
            self.status.to_string(),
            format!("{:.1}%", self.progress),
            human::time(self.start_time),
            self.end_time.map(human::time).unwrap_or_default(),
            self.phase.clone(),
            self.error.as_ref().map(|error| error.code.clone()).unwrap_or_default(),
        ]
    }
}

fn yes(value: bool) -> String {
    (if value { "yes" } else { "no" }).to_owned()
}
