//! Wrapping a provider with all its capabilities at once.
//!
//! A [`Layer`] says what happens around a call; [`Wrapped`] applies it to every method of a provider, to those of
//! its capabilities, and to the disks that it opens. Retry, rate limit and chaos are layers.

use std::{future::Future, sync::Arc};

use async_trait::async_trait;
use novacron_types::{ImageId, Instance, InstanceId};

use crate::{
    BlockReader, BlockWriter, Buf, ChangedBlocks, CreateRequest, Datapoint, DiskSink, DiskSnapshot, DiskSource,
    ExtentPage, Health, HostCapacity, HostUse, Identity, ImageStatus, Images, ListFilter, MetricQuery, Metrics,
    NewDisk, OperationTag, Page, PageToken, Provider, Readiness, Realm, Result, SnapshotRequest, StoredCheck,
    SweepScope, TargetDisk, Written,
};

/// Which method is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call {
    /// Our name of the method (`create`, `read`).
    pub operation: &'static str,
    /// Whether it changes something at the provider.
    pub changes: bool,
}

const fn ask(operation: &'static str) -> Call {
    Call { operation, changes: false }
}

const fn change(operation: &'static str) -> Call {
    Call { operation, changes: true }
}

/// What happens around each call.
pub trait Layer: Send + Sync + 'static {
    /// Runs one call of the control plane; `attempt` may be run several times, for every change is idempotent.
    fn call<T, F, Fut>(&self, call: Call, attempt: F) -> impl Future<Output = Result<T>> + Send
    where
        T: Send,
        F: Fn() -> Fut + Send + Sync,
        Fut: Future<Output = Result<T>> + Send;

    /// Runs before each call that moves disk bytes, which is made once: the transfer engine repeats what failed.
    fn before(&self, _call: Call) -> impl Future<Output = Result<()>> + Send {
        async { Ok(()) }
    }

    /// Sees the bytes of each read.
    fn after_read(&self, _buf: &mut Buf) {}
}

/// A provider inside a layer.
pub struct Wrapped<L> {
    inner: Arc<dyn Provider>,
    layer: Arc<L>,
}

impl<L: Layer> Wrapped<L> {
    pub fn new(inner: Arc<dyn Provider>, layer: L) -> Self {
        Self { inner, layer: Arc::new(layer) }
    }

    pub fn layer(&self) -> &L {
        &self.layer
    }

    async fn run<T, F, Fut>(&self, call: Call, attempt: F) -> Result<T>
    where
        T: Send,
        F: Fn() -> Fut + Send + Sync,
        Fut: Future<Output = Result<T>> + Send,
    {
        self.layer.call(call, attempt).await.map_err(|error| error.at(&self.inner.identity().name))
    }
}

/// The inner provider's capability. The accessors of [`Wrapped`] return themselves only where it has one, so
/// that this fails only if a provider's capabilities change while it is used.
fn have<T: ?Sized>(capability: Option<&T>) -> Result<&T> {
    capability.ok_or_else(|| {
        crate::ProviderError::new(crate::ErrorKind::Conflict, "capability", "the provider has lost this capability")
    })
}

#[async_trait]
impl<L: Layer> Provider for Wrapped<L> {
    fn identity(&self) -> &Identity {
        self.inner.identity()
    }
    async fn realm(&self) -> Result<Realm> {
        self.run(ask("realm"), || self.inner.realm()).await
    }
    async fn health(&self) -> Result<Health> {
        self.run(ask("health"), || self.inner.health()).await
    }
    async fn list_page(&self, filter: &ListFilter, page: Option<&PageToken>) -> Result<Page<Instance>> {
        self.run(ask("list_page"), || self.inner.list_page(filter, page)).await
    }
    async fn get(&self, id: &InstanceId) -> Result<Instance> {
        self.run(ask("get"), || self.inner.get(id)).await
    }
    async fn create(&self, request: &CreateRequest) -> Result<Instance> {
        self.run(change("create"), || self.inner.create(request)).await
    }
    async fn start(&self, id: &InstanceId) -> Result<()> {
        self.run(change("start"), || self.inner.start(id)).await
    }
    async fn stop(&self, id: &InstanceId) -> Result<()> {
        self.run(change("stop"), || self.inner.stop(id)).await
    }
    async fn delete(&self, id: &InstanceId) -> Result<()> {
        self.run(change("delete"), || self.inner.delete(id)).await
    }
    async fn sweep(&self, tag: &OperationTag, scope: SweepScope) -> Result<Vec<String>> {
        self.run(change("sweep"), || self.inner.sweep(tag, scope)).await
    }
    fn disk_source(&self) -> Option<&dyn DiskSource> {
        self.inner.disk_source().map(|_| self as &dyn DiskSource)
    }
    fn changed_blocks(&self) -> Option<&dyn ChangedBlocks> {
        self.inner.changed_blocks().map(|_| self as &dyn ChangedBlocks)
    }
    fn disk_sink(&self) -> Option<&dyn DiskSink> {
        self.inner.disk_sink().map(|_| self as &dyn DiskSink)
    }
    fn images(&self) -> Option<&dyn Images> {
        self.inner.images().map(|_| self as &dyn Images)
    }
    fn metrics(&self) -> Option<&dyn Metrics> {
        self.inner.metrics().map(|_| self as &dyn Metrics)
    }
    fn host_capacity(&self) -> Option<&dyn HostCapacity> {
        self.inner.host_capacity().map(|_| self as &dyn HostCapacity)
    }
}

#[async_trait]
impl<L: Layer> DiskSource for Wrapped<L> {
    async fn snapshot(&self, request: &SnapshotRequest) -> Result<Vec<DiskSnapshot>> {
        let inner = have(self.inner.disk_source())?;
        self.run(change("snapshot"), || inner.snapshot(request)).await
    }
    async fn snapshot_ready(&self, snapshot: &DiskSnapshot) -> Result<Readiness> {
        let inner = have(self.inner.disk_source())?;
        self.run(ask("snapshot_ready"), || inner.snapshot_ready(snapshot)).await
    }
    async fn delete_snapshot(&self, snapshot: &DiskSnapshot) -> Result<()> {
        let inner = have(self.inner.disk_source())?;
        self.run(change("delete_snapshot"), || inner.delete_snapshot(snapshot)).await
    }
    async fn open_reader(&self, snapshot: &DiskSnapshot) -> Result<Arc<dyn BlockReader>> {
        let inner = have(self.inner.disk_source())?;
        let reader = self.run(ask("open_reader"), || inner.open_reader(snapshot)).await?;
        Ok(Arc::new(WrappedReader { inner: reader, layer: self.layer.clone() }))
    }
}

#[async_trait]
impl<L: Layer> ChangedBlocks for Wrapped<L> {
    async fn changed(&self, base: &DiskSnapshot, target: &DiskSnapshot, from: u64) -> Result<ExtentPage> {
        let inner = have(self.inner.changed_blocks())?;
        self.run(ask("changed"), || inner.changed(base, target, from)).await
    }
}

#[async_trait]
impl<L: Layer> DiskSink for Wrapped<L> {
    async fn create_disk(&self, request: &NewDisk) -> Result<TargetDisk> {
        let inner = have(self.inner.disk_sink())?;
        self.run(change("create_disk"), || inner.create_disk(request)).await
    }
    async fn complete_disk(&self, disk: &TargetDisk, written: Written) -> Result<()> {
        let inner = have(self.inner.disk_sink())?;
        self.run(change("complete_disk"), || inner.complete_disk(disk, written)).await
    }
    async fn disk_ready(&self, disk: &TargetDisk) -> Result<Readiness> {
        let inner = have(self.inner.disk_sink())?;
        self.run(ask("disk_ready"), || inner.disk_ready(disk)).await
    }
    async fn delete_disk(&self, disk: &TargetDisk) -> Result<()> {
        let inner = have(self.inner.disk_sink())?;
        self.run(change("delete_disk"), || inner.delete_disk(disk)).await
    }
    async fn open_writer(&self, disk: &TargetDisk) -> Result<Arc<dyn BlockWriter>> {
        let inner = have(self.inner.disk_sink())?;
        let writer = self.run(ask("open_writer"), || inner.open_writer(disk)).await?;
        Ok(Arc::new(WrappedWriter { inner: writer, layer: self.layer.clone() }))
    }
}

#[async_trait]
impl<L: Layer> Images for Wrapped<L> {
    async fn create_image(&self, tag: &OperationTag, instance: &InstanceId, no_reboot: bool) -> Result<ImageId> {
        let inner = have(self.inner.images())?;
        self.run(change("create_image"), || inner.create_image(tag, instance, no_reboot)).await
    }
    async fn copy_image(&self, tag: &OperationTag, image: &ImageId, from_region: &str) -> Result<ImageId> {
        let inner = have(self.inner.images())?;
        self.run(change("copy_image"), || inner.copy_image(tag, image, from_region)).await
    }
    async fn image_status(&self, image: &ImageId) -> Result<ImageStatus> {
        let inner = have(self.inner.images())?;
        self.run(ask("image_status"), || inner.image_status(image)).await
    }
    async fn delete_image(&self, image: &ImageId) -> Result<()> {
        let inner = have(self.inner.images())?;
        self.run(change("delete_image"), || inner.delete_image(image)).await
    }
}

#[async_trait]
impl<L: Layer> Metrics for Wrapped<L> {
    async fn datapoints(&self, query: &MetricQuery) -> Result<Vec<Datapoint>> {
        let inner = have(self.inner.metrics())?;
        self.run(ask("datapoints"), || inner.datapoints(query)).await
    }
}

#[async_trait]
impl<L: Layer> HostCapacity for Wrapped<L> {
    async fn capacity(&self) -> Result<HostUse> {
        let inner = have(self.inner.host_capacity())?;
        self.run(ask("capacity"), || inner.capacity()).await
    }
}

struct WrappedReader<L> {
    inner: Arc<dyn BlockReader>,
    layer: Arc<L>,
}

#[async_trait]
impl<L: Layer> BlockReader for WrappedReader<L> {
    fn size(&self) -> u64 {
        self.inner.size()
    }
    fn granularity(&self) -> u64 {
        self.inner.granularity()
    }
    async fn extents(&self, from: u64) -> Result<ExtentPage> {
        self.layer.call(ask("extents"), || self.inner.extents(from)).await
    }
    async fn read(&self, offset: u64, buf: Buf) -> Result<Buf> {
        self.layer.before(ask("read")).await?;
        let mut buf = self.inner.read(offset, buf).await?;
        self.layer.after_read(&mut buf);
        Ok(buf)
    }
}

struct WrappedWriter<L> {
    inner: Arc<dyn BlockWriter>,
    layer: Arc<L>,
}

#[async_trait]
impl<L: Layer> BlockWriter for WrappedWriter<L> {
    fn size(&self) -> u64 {
        self.inner.size()
    }
    fn granularity(&self) -> u64 {
        self.inner.granularity()
    }
    fn max_write(&self) -> u64 {
        self.inner.max_write()
    }
    fn starts_zeroed(&self) -> bool {
        self.inner.starts_zeroed()
    }
    fn stored_check(&self) -> StoredCheck {
        self.inner.stored_check()
    }
    async fn write(&self, offset: u64, buf: Buf) -> Result<Buf> {
        self.layer.before(change("write")).await?;
        self.inner.write(offset, buf).await
    }
    async fn zero(&self, offset: u64, len: u64) -> Result<()> {
        self.layer.before(change("zero")).await?;
        self.inner.zero(offset, len).await
    }
    async fn flush(&self) -> Result<()> {
        self.layer.before(change("flush")).await?;
        self.inner.flush().await
    }
    async fn read_back(&self, offset: u64, buf: Buf) -> Result<Buf> {
        self.layer.before(ask("read_back")).await?;
        let mut buf = self.inner.read_back(offset, buf).await?;
        self.layer.after_read(&mut buf);
        Ok(buf)
    }
}
