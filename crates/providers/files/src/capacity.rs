//! The room in the folder. Nothing runs here, so that no vCPUs and no memory are offered, and no load is measured.

use async_trait::async_trait;
use jiff::Timestamp;
use novacron_provider::{HostCapacity, HostUse, Result};

use crate::Files;

#[async_trait]
impl HostCapacity for Files {
    /// Of the file system that holds the folder, as this user may fill it.
    async fn capacity(&self) -> Result<HostUse> {
        let room = self.off_thread("capacity", |inner| inner.folder.room("capacity")).await?;
        Ok(HostUse {
            vcpus: 0,
            vcpus_used: 0,
            memory_bytes: 0,
            memory_used_bytes: 0,
            memory_free_bytes: None,
            disk_bytes: Some(room.bytes),
            disk_free_bytes: Some(room.free_bytes),
            load_permille: None,
            load_window_ms: None,
            architecture: None,
            measured_at: Timestamp::now(),
        })
    }
}
