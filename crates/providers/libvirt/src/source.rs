//! Reading disks: backup jobs, what they serve, and what they say has changed.

use std::sync::Arc;

use async_trait::async_trait;
use novacron_provider::{
    BlockReader, ChangedBlocks, DiskSnapshot, DiskSource, ExtentPage, Provider, ProviderError, Readiness, Result,
    SnapshotRequest,
};

use virt::connect::Connect;

use crate::{
    LibvirtProvider,
    backup::{self, SnapshotLocator},
    fault::conflict,
    host::Access,
    inner::Inner,
    nbd,
    provider::elsewhere,
    xml::Server,
};

#[async_trait]
impl DiskSource for LibvirtProvider {
    /// Taking the next one of an operation ends the reading of the one before; it stays the base of its changes.
    async fn snapshot(&self, request: &SnapshotRequest) -> Result<Vec<DiskSnapshot>> {
        let request = request.clone();
        self.run(Access::Write, "virDomainBackupBegin", move |inner, connect| backup::take(inner, connect, &request))
            .await
    }

    async fn snapshot_ready(&self, snapshot: &DiskSnapshot) -> Result<Readiness> {
        let snapshot = snapshot.clone();
        let work = move |_: &Inner, connect: &Connect| backup::ready(connect, &snapshot);
        self.run(Access::Read, "virDomainBackupGetXMLDesc", work).await?;
        Ok(Readiness::READY)
    }

    async fn delete_snapshot(&self, snapshot: &DiskSnapshot) -> Result<()> {
        let snapshot = snapshot.clone();
        self.run(Access::Write, "virDomainAbortJob", move |inner, connect| backup::delete(inner, connect, &snapshot))
            .await
    }

    async fn open_reader(&self, snapshot: &DiskSnapshot) -> Result<Arc<dyn BlockReader>> {
        let at = |error: ProviderError| error.at(&self.identity().name);
        let locator = SnapshotLocator::of(snapshot).map_err(at)?;
        reachable(&locator).map_err(at)?;
        let reader = nbd::reader(&locator.server, &locator.export).await.map_err(at)?;
        if reader.size() != snapshot.size_bytes {
            let message =
                format!("QEMU serves {} bytes of {}, not {}", reader.size(), locator.device, snapshot.size_bytes);
            return Err(at(conflict("NBD", message)));
        }
        Ok(reader)
    }
}

#[async_trait]
impl ChangedBlocks for LibvirtProvider {
    async fn changed(&self, base: &DiskSnapshot, target: &DiskSnapshot, from: u64) -> Result<ExtentPage> {
        let at = |error: ProviderError| error.at(&self.identity().name);
        let (old, new) = (SnapshotLocator::of(base).map_err(at)?, SnapshotLocator::of(target).map_err(at)?);
        let same_disk = old.domain == new.domain && old.device == new.device;
        if same_disk && old.snapshot == new.snapshot {
            return Ok(ExtentPage::default());
        }
        let based = same_disk && new.base.as_ref() == Some(&old.snapshot);
        let is_kept = move |_: &Inner, connect: &Connect| backup::is_kept(connect, &old);
        match &new.bitmap {
            Some(bitmap) if based && self.run(Access::Read, "virDomainGetXMLDesc", is_kept).await? => {
                reachable(&new).map_err(at)?;
                nbd::changed(&new.server, &new.export, bitmap, from).await.map_err(at)
            }
            _ => Err(at(conflict(
                "NBD",
                format!("QEMU did not keep what changed between {} and {}", base.snapshot_id, target.snapshot_id),
            )
            .advice("The whole disk is compared by digests instead."))),
        }
    }
}

/// A Unix socket can be reached on its own host only.
fn reachable(locator: &SnapshotLocator) -> Result<()> {
    match &locator.server {
        Server::Unix { path } if !std::path::Path::new(path).exists() => {
            Err(elsewhere("NBD", &format!("the backup's socket {path}"), locator.host.as_deref()))
        }
        _ => Ok(()),
    }
}
