//! The trait that every provider has.

use std::{collections::BTreeMap, fmt, pin::Pin, sync::Arc};

use async_trait::async_trait;
use futures::{Stream, TryStreamExt, stream};
use novacron_types::{DiskSpec, ImageId, Instance, InstanceId, OperationId, ProviderKind, ProviderName, VmSpec};
use serde::{Deserialize, Serialize};

use crate::{ChangedBlocks, DiskSink, DiskSource, HostCapacity, Images, Metrics, Result, TargetDisk};

/// Who a provider is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    pub name: ProviderName,
    pub kind: ProviderKind,
    /// The vendor's region, or the host's name.
    pub region: Option<String>,
    /// False where disks are kept but nothing can run.
    pub runs_guests: bool,
    /// True where the answers come from an emulation, as far as the provider can tell.
    pub emulated: bool,
}

/// Where a provider's machines are. All providers that see the same machines have the same one, however they are named
/// or reached, and it stays the same over restarts: within it an instance's id means one machine.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Realm(String);

impl Realm {
    /// `place` is what makes a place out among those of its kind: an account and region, a host, a folder.
    pub fn new(kind: ProviderKind, place: impl fmt::Display) -> Self {
        Self(format!("{kind} {place}"))
    }
}

impl fmt::Display for Realm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// The optional parts of a provider, for showing and for error messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Capability {
    DiskSource,
    ChangedBlocks,
    DiskSink,
    Images,
    Metrics,
    HostCapacity,
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::DiskSource => "disk_source",
            Self::ChangedBlocks => "changed_blocks",
            Self::DiskSink => "disk_sink",
            Self::Images => "images",
            Self::Metrics => "metrics",
            Self::HostCapacity => "host_capacity",
        })
    }
}

/// Put on everything that an operation makes at a provider, so that it can be found again.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OperationTag(pub OperationId);

impl OperationTag {
    /// The key of the tag or label at a cloud.
    pub const KEY: &'static str = "novacron:operation";

    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl fmt::Display for OperationTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What to list. The map has the vendor's own filter names (`instance-state-name`, `tag:Owner`): a value matches
/// if it equals any of the list. A name that the provider does not know is an `Invalid` error naming the known ones.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ListFilter {
    #[serde(default)]
    pub filters: BTreeMap<String, Vec<String>>,
}

/// Where the next page begins. Opaque; only the provider that gave it can read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PageToken(pub String);

#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// Absent on the last page.
    pub next: Option<PageToken>,
}

/// What a new machine starts from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Boot {
    /// The provider's image id, or a name that its configuration maps to one.
    Image { image: String, root: DiskSpec, root_size_bytes: Option<u64> },
    /// An image in this provider by its id, made by [`Images`].
    ImageId { image: ImageId },
    /// Disks made and completed through [`DiskSink`] under the same tag; the first one boots.
    Disks { disks: Vec<TargetDisk> },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CreateRequest {
    pub tag: OperationTag,
    pub name: String,
    pub spec: VmSpec,
    pub boot: Boot,
    /// Whether it should run. A provider that can't make a machine without starting it stops it again.
    pub start: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// The account, project or host that the credentials belong to.
    pub account: Option<String>,
    /// What was asked to find out, and what it said.
    pub detail: String,
}

/// What [`Provider::sweep`] removes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SweepScope {
    /// Everything that carries the tag: the undo of an operation.
    Everything,
    /// What was only needed on the way (images, snapshots, staged disks), not the machine or its disks.
    Intermediates,
}

/// A place that runs, or keeps, machines. See the crate's documentation for the contract of changes.
#[async_trait]
pub trait Provider: Send + Sync + 'static {
    fn identity(&self) -> &Identity;

    /// Where its machines are. If it has to be asked for, that is done once.
    async fn realm(&self) -> Result<Realm>;

    /// Asks the cheapest question that needs the credentials.
    async fn health(&self) -> Result<Health>;

    /// One page of machines, terminated ones left out. Pages are as large as the vendor allows, so that memory
    /// is bounded by a page.
    async fn list_page(&self, filter: &ListFilter, page: Option<&PageToken>) -> Result<Page<Instance>>;

    /// One machine in full, user data included where the vendor gives it. A terminated one may be found or not.
    async fn get(&self, id: &InstanceId) -> Result<Instance>;

    /// Makes a machine, or finds the one made with this tag. It returns once the provider has accepted it;
    /// [`wait_for_state`](crate::wait_for_state) waits until it runs.
    async fn create(&self, request: &CreateRequest) -> Result<Instance>;

    /// Returns once accepted. Starting a running machine succeeds.
    async fn start(&self, id: &InstanceId) -> Result<()>;

    /// Asks the guest to stop, in the provider's usual way. Returns once accepted; stopping a stopped one succeeds.
    async fn stop(&self, id: &InstanceId) -> Result<()>;

    /// Deletes the machine and the disks that the provider deletes with it. Deleting what is gone succeeds.
    async fn delete(&self, id: &InstanceId) -> Result<()>;

    /// Removes what carries this tag, and returns the ids of what was removed. Safe to repeat. It waits, bounded,
    /// for what must be gone before the rest can go.
    async fn sweep(&self, tag: &OperationTag, scope: SweepScope) -> Result<Vec<String>>;

    fn disk_source(&self) -> Option<&dyn DiskSource> {
        None
    }
    fn changed_blocks(&self) -> Option<&dyn ChangedBlocks> {
        None
    }
    fn disk_sink(&self) -> Option<&dyn DiskSink> {
        None
    }
    fn images(&self) -> Option<&dyn Images> {
        None
    }
    fn metrics(&self) -> Option<&dyn Metrics> {
        None
    }
    fn host_capacity(&self) -> Option<&dyn HostCapacity> {
        None
    }
}

/// What follows from [`Provider`].
pub trait ProviderExt: Provider {
    /// All machines, page by page as they are asked for.
    fn list<'a>(&'a self, filter: &'a ListFilter) -> Pin<Box<dyn Stream<Item = Result<Instance>> + Send + 'a>> {
        enum State {
            First,
            Next(PageToken),
            End,
        }
        let pages = stream::try_unfold(State::First, move |state| async move {
            let token = match &state {
                State::First => None,
                State::Next(token) => Some(token),
                State::End => return Ok(None),
            };
            let page = self.list_page(filter, token).await?;
            let state = page.next.map_or(State::End, State::Next);
            Ok(Some((stream::iter(page.items.into_iter().map(Ok)), state)))
        });
        Box::pin(pages.try_flatten())
    }

    fn capabilities(&self) -> Vec<Capability> {
        let has = [
            (Capability::DiskSource, self.disk_source().is_some()),
            (Capability::ChangedBlocks, self.changed_blocks().is_some()),
            (Capability::DiskSink, self.disk_sink().is_some()),
            (Capability::Images, self.images().is_some()),
            (Capability::Metrics, self.metrics().is_some()),
            (Capability::HostCapacity, self.host_capacity().is_some()),
        ];
        has.into_iter().filter_map(|(capability, has)| has.then_some(capability)).collect()
    }
}

impl<P: Provider + ?Sized> ProviderExt for P {}

/// A shared provider is a provider.
#[async_trait]
impl<P: Provider + ?Sized> Provider for Arc<P> {
    fn identity(&self) -> &Identity {
        (**self).identity()
    }
    async fn realm(&self) -> Result<Realm> {
        (**self).realm().await
    }
    async fn health(&self) -> Result<Health> {
        (**self).health().await
    }
    async fn list_page(&self, filter: &ListFilter, page: Option<&PageToken>) -> Result<Page<Instance>> {
        (**self).list_page(filter, page).await
    }
    async fn get(&self, id: &InstanceId) -> Result<Instance> {
        (**self).get(id).await
    }
    async fn create(&self, request: &CreateRequest) -> Result<Instance> {
        (**self).create(request).await
    }
    async fn start(&self, id: &InstanceId) -> Result<()> {
        (**self).start(id).await
    }
    async fn stop(&self, id: &InstanceId) -> Result<()> {
        (**self).stop(id).await
    }
    async fn delete(&self, id: &InstanceId) -> Result<()> {
        (**self).delete(id).await
    }
    async fn sweep(&self, tag: &OperationTag, scope: SweepScope) -> Result<Vec<String>> {
        (**self).sweep(tag, scope).await
    }
    fn disk_source(&self) -> Option<&dyn DiskSource> {
        (**self).disk_source()
    }
    fn changed_blocks(&self) -> Option<&dyn ChangedBlocks> {
        (**self).changed_blocks()
    }
    fn disk_sink(&self) -> Option<&dyn DiskSink> {
        (**self).disk_sink()
    }
    fn images(&self) -> Option<&dyn Images> {
        (**self).images()
    }
    fn metrics(&self) -> Option<&dyn Metrics> {
        (**self).metrics()
    }
    fn host_capacity(&self) -> Option<&dyn HostCapacity> {
        (**self).host_capacity()
    }
}
