//! What the host has, what its active machines were promised, and how busy it is.
//!
//! The load comes from two readings of the CPU times that the host has counted since it started. The reading of the last
//! question is kept, so that a host that is watched is measured from one question to the next; where there is none of use,
//! two are taken, [`WINDOW`] apart.

use std::{
    ops::RangeInclusive,
    sync::PoisonError,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use jiff::Timestamp;
use novacron_provider::{HostCapacity, HostUse, Result};
use novacron_types::{Architecture, KIB};
use virt::{connect::Connect, error::ErrorNumber};
use virt_sys as sys;

use crate::{
    LibvirtProvider,
    fault::fault,
    ffi::{self, Figures},
    host::Access,
    pool,
};

/// The host counts in steps of 10 ms.
const WINDOW: Duration = Duration::from_millis(250);
/// How old a kept reading may be.
const KEPT: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(5 * 60);

/// Nanoseconds of all CPUs together since the host started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CpuTimes {
    at: Instant,
    busy: u64,
    idle: u64,
}

/// CPU use in thousandths, over a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Load {
    permille: u32,
    window: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Promised {
    vcpus: u32,
    memory_bytes: u64,
}

/// What is asked of the host at once.
struct Facts {
    cpus: u32,
    memory_bytes: u64,
    model: String,
    promised: Promised,
    memory: Figures,
    times: Option<CpuTimes>,
}

#[async_trait]
impl HostCapacity for LibvirtProvider {
    async fn capacity(&self) -> Result<HostUse> {
        let room =
            self.run(Access::Write, "virStoragePoolGetInfo", |inner, connect| pool::room(connect, &inner.settings));
        let room = match room.await {
            Ok(room) => Some(room),
            Err(error) => {
                tracing::debug!(%error, "how much room there is for disks is not known");
                None
            }
        };
        let facts = self.run(Access::Read, "virNodeGetInfo", |_, connect| Facts::read(connect)).await?;
        let load = match facts.times {
            Some(times) => self.load(times).await?,
            None => None,
        };
        Ok(HostUse {
            vcpus: self.inner.settings.offered(facts.cpus),
            vcpus_used: facts.promised.vcpus,
            memory_bytes: facts.memory_bytes,
            memory_used_bytes: facts.promised.memory_bytes,
            memory_free_bytes: free_memory(&facts.memory).map(|free| free.min(facts.memory_bytes)),
            disk_bytes: room.map(|room| room.bytes),
            disk_free_bytes: room.map(|room| room.free_bytes),
            load_permille: load.map(|load| load.permille),
            load_window_ms: load.map(|load| u64::try_from(load.window.as_millis()).unwrap_or(u64::MAX)),
            architecture: architecture(&facts.model),
            measured_at: Timestamp::now(),
        })
    }
}

impl LibvirtProvider {
    /// The load until now, or until a moment later.
    async fn load(&self, now: CpuTimes) -> Result<Option<Load>> {
        let last = *self.last_times();
        if let Some(load) = last.filter(|last| KEPT.contains(&last.age(&now))).and_then(|last| load(&last, &now)) {
            *self.last_times() = Some(now);
            return Ok(Some(load));
        }
        tokio::time::sleep(WINDOW).await;
        let Some(later) = self.run(Access::Read, "virNodeGetCPUStats", |_, connect| CpuTimes::read(connect)).await?
        else {
            return Ok(None);
        };
        // One that is only too young stays, so that it grows older however often the host is asked.
        if last.is_none_or(|last| last.age(&now) >= *KEPT.start()) {
            *self.last_times() = Some(later);
        }
        Ok(self::load(&now, &later))
    }

    fn last_times(&self) -> std::sync::MutexGuard<'_, Option<CpuTimes>> {
        self.inner.cpu_times.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Facts {
    fn read(connect: &Connect) -> Result<Self> {
        let node = connect.get_node_info().map_err(fault("virNodeGetInfo"))?;
        Ok(Self {
            cpus: node.cpus,
            memory_bytes: node.memory.saturating_mul(KIB),
            model: node.model,
            promised: Promised::read(connect)?,
            memory: ffi::memory(connect).map_err(fault("virNodeGetMemoryStats"))?,
            times: CpuTimes::read(connect)?,
        })
    }
}

impl Promised {
    /// Of the domains that are active; one that is held for a backup is too, for it has its memory.
    fn read(connect: &Connect) -> Result<Self> {
        let mut sum = Self::default();
        let active = connect.list_all_domains(sys::VIR_CONNECT_LIST_DOMAINS_ACTIVE);
        for domain in active.map_err(fault("virConnectListAllDomains"))? {
            let info = match domain.get_info() {
                Ok(info) if info.state == sys::VIR_DOMAIN_SHUTOFF => continue,
                Ok(info) => info,
                // It has ended since it was listed.
                Err(error) if error.code() == ErrorNumber::NoDomain => continue,
                Err(error) => return Err(fault("virDomainGetInfo")(error)),
            };
            sum.vcpus = sum.vcpus.saturating_add(info.nr_virt_cpu);
            sum.memory_bytes = sum.memory_bytes.saturating_add(info.max_mem.saturating_mul(KIB));
        }
        Ok(sum)
    }
}

impl CpuTimes {
    fn read(connect: &Connect) -> Result<Option<Self>> {
        let figures = ffi::cpu_times(connect).map_err(fault("virNodeGetCPUStats"))?;
        Ok(Self::of(&figures, Instant::now()))
    }

    /// A CPU that waits for a disk is idle. What some drivers do not count (`iowait`, `intr`) is no time.
    fn of(figures: &Figures, at: Instant) -> Option<Self> {
        let time = |name: &str| figures.get(name).copied();
        let busy = time("user")?.checked_add(time("kernel")?)?.checked_add(time("intr").unwrap_or(0))?;
        let idle = time("idle")?.checked_add(time("iowait").unwrap_or(0))?;
        Some(Self { at, busy, idle })
    }

    fn age(&self, now: &Self) -> Duration {
        now.at.saturating_duration_since(self.at)
    }
}

/// Absent where the counts do not tell: none has moved, or one went back because the host was started again.
fn load(from: &CpuTimes, to: &CpuTimes) -> Option<Load> {
    let busy = u128::from(to.busy.checked_sub(from.busy)?);
    let idle = u128::from(to.idle.checked_sub(from.idle)?);
    let permille = (busy * 1000 + (busy + idle) / 2).checked_div(busy + idle)?;
    Some(Load { permille: u32::try_from(permille).ok()?, window: from.age(to) })
}

/// What is free, and what caches can give back. Shared memory, which can't, is in libvirt's `cached` all the same.
fn free_memory(figures: &Figures) -> Option<u64> {
    let cache = |name: &str| figures.get(name).copied().unwrap_or(0);
    let kib = figures.get("free")?.saturating_add(cache("buffers")).saturating_add(cache("cached"));
    Some(kib.saturating_mul(KIB))
}

/// By the kernel's name of the machine.
fn architecture(model: &str) -> Option<Architecture> {
    match model {
        "x86_64" => Some(Architecture::X86_64),
        "aarch64" => Some(Architecture::Arm64),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
