//! The host capability: what one host has, what its machines have been promised, and how busy it is.
//!
//! Clouds do not have it: they are asked for quotas and prices. A host is asked before a machine is placed on it, and watched
//! so that what does not fit goes elsewhere.

use async_trait::async_trait;
use jiff::Timestamp;
use novacron_types::Architecture;
use serde::{Deserialize, Serialize};

use crate::Result;

/// One host at one moment. Sizes are in bytes; what is not known is absent.
///
/// What is used may be more than there is: a host's owner may promise more than it has, and `vcpus` may have been lowered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostUse {
    /// That may be given to machines altogether, with the overcommitment that is configured. 0 where no guests run.
    pub vcpus: u32,
    /// Of the machines that are active: running, paused, or on their way there. Machines that others made count too.
    pub vcpus_used: u32,
    /// The host's own memory. 0 where no guests run.
    pub memory_bytes: u64,
    /// Promised to the machines that are active: the most that each may take.
    pub memory_used_bytes: u64,
    /// What the host says now that it could give without swapping: what is free, and caches that it can drop.
    pub memory_free_bytes: Option<u64>,
    /// Where new disks are made.
    pub disk_bytes: Option<u64>,
    /// Free now. Disks that take room only as they are written may still grow into it.
    pub disk_free_bytes: Option<u64>,
    /// How much of the CPU time of all the host's CPUs was used, by machines and by everything else, in thousandths: measured
    /// over the `load_window_ms` before `measured_at`. At most 1000; waiting for disks is not use.
    pub load_permille: Option<u32>,
    /// Absent exactly where `load_permille` is.
    pub load_window_ms: Option<u64>,
    /// Of the machines that run here without software emulation.
    pub architecture: Option<Architecture>,
    /// By the clock of the caller.
    pub measured_at: Timestamp,
}

#[async_trait]
pub trait HostCapacity: Send + Sync {
    /// Asks the host itself, each time. It may take a fraction of a second, in which the load is measured.
    async fn capacity(&self) -> Result<HostUse>;
}
