//! The host that the provider in memory may have.

use async_trait::async_trait;
use jiff::Timestamp;
use novacron_types::{Architecture, InstanceState};

use super::{MemoryProvider, conflict};
use crate::{HostCapacity, HostUse, Result};

#[async_trait]
impl HostCapacity for MemoryProvider {
    /// Its load is what [`seed_load`](MemoryProvider::seed_load) said last.
    async fn capacity(&self) -> Result<HostUse> {
        let host = self.options.host.ok_or_else(|| conflict("capacity", "this provider has no host"))?;
        let state = self.state();
        let active = |state| !matches!(state, InstanceState::Stopped | InstanceState::Terminated);
        let machines = state.machines.values().map(|machine| &machine.instance);
        let specs: Vec<_> = machines.filter(|machine| active(machine.state)).map(|machine| &machine.spec).collect();
        Ok(HostUse {
            vcpus: host.vcpus,
            vcpus_used: specs.iter().filter_map(|spec| spec.vcpus).fold(0, u32::saturating_add),
            memory_bytes: host.memory_bytes,
            memory_used_bytes: specs.iter().filter_map(|spec| spec.memory_bytes).fold(0, u64::saturating_add),
            memory_free_bytes: None,
            disk_bytes: self.options.capacity,
            disk_free_bytes: self.options.capacity.map(|capacity| capacity.saturating_sub(state.stored())),
            load_permille: state.load_permille,
            load_window_ms: state.load_permille.map(|_| 1000),
            architecture: Some(Architecture::X86_64),
            measured_at: Timestamp::now(),
        })
    }
}
