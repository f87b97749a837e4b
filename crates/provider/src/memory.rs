//! A provider in memory, for tests: the whole contract, with real bytes and without a clock.
//!
//! What would take time at a cloud takes questions here: a transition is over after
//! [`MemoryOptions::settle_after`] questions about it, so that tests neither sleep nor race.
//! Providers of one [`MemoryCloud`] are its regions, and can copy images from each other.

mod control;
mod disks;
mod host;
mod images;
mod sparse;
mod state;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
};

use novacron_types::{DiskId, ImageId, InstanceId, ProviderKind, ProviderName, VmSpec};

use crate::{Datapoint, ErrorKind, Identity, ProviderError, Result};
use sparse::Sparse;
use state::{Image, Machine, State};

pub use state::Counts;

/// How the provider should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemoryOptions {
    pub region: String,
    /// The unit of its readers and writers: a power of two, at least 512.
    pub granularity: u64,
    /// Items to a page, for machines and for extents.
    pub page_size: usize,
    /// How many questions about a thing are answered "not yet" after each change.
    pub settle_after: u32,
    /// False: it has no [`ChangedBlocks`](crate::ChangedBlocks).
    pub changed_blocks: bool,
    /// Whether its writers say that a new disk reads as zeros.
    pub starts_zeroed: bool,
    /// Bytes that all its disks together may store; a write beyond is refused as `Full`.
    pub capacity: Option<u64>,
    /// Absent: it is like a cloud, and has no [`HostCapacity`](crate::HostCapacity).
    pub host: Option<MemoryHost>,
}

/// What a provider in memory says that its host has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryHost {
    pub vcpus: u32,
    pub memory_bytes: u64,
}

impl Default for MemoryOptions {
    fn default() -> Self {
        Self {
            region: "memory-1".to_owned(),
            granularity: 4096,
            page_size: 100,
            settle_after: 0,
            changed_blocks: true,
            starts_zeroed: true,
            capacity: None,
            host: None,
        }
    }
}

/// The regions of one account, by name.
#[derive(Clone, Default)]
pub struct MemoryCloud {
    regions: Arc<Mutex<BTreeMap<String, State>>>,
}

/// The provider. Clones share their machines.
#[derive(Clone)]
pub struct MemoryProvider {
    identity: Identity,
    options: Arc<MemoryOptions>,
    cloud: MemoryCloud,
}

impl MemoryProvider {
    /// A provider in a cloud of its own. A name that can't be a provider's becomes `memory`.
    pub fn new(name: &str, options: MemoryOptions) -> Self {
        Self::in_cloud(&MemoryCloud::default(), name, options)
    }

    /// A region of a cloud.
    pub fn in_cloud(cloud: &MemoryCloud, name: &str, options: MemoryOptions) -> Self {
        let name = ProviderName::new(name).unwrap_or_else(|_| fallback_name());
        let identity = Identity {
            name,
            kind: ProviderKind::Memory,
            region: Some(options.region.clone()),
            runs_guests: true,
            emulated: true,
        };
        Self { identity, options: Arc::new(options), cloud: cloud.clone() }
    }

    /// A running machine with these disks, the first one for booting, that no operation has made.
    pub fn seed_instance(&self, name: &str, spec: VmSpec, disks: &[&[u8]]) -> InstanceId {
        let contents = disks.iter().map(|bytes| Sparse::from_bytes(bytes)).collect();
        self.seed(name, spec, contents)
    }

    /// As [`seed_instance`](Self::seed_instance), with disks of zeros of these sizes.
    pub fn seed_blank(&self, name: &str, spec: VmSpec, sizes: &[u64]) -> InstanceId {
        let contents = sizes.iter().map(|size| Sparse::new(*size)).collect();
        self.seed(name, spec, contents)
    }

    fn seed(&self, name: &str, spec: VmSpec, contents: Vec<Sparse>) -> InstanceId {
        let mut state = self.state();
        let id: InstanceId = state.new_id("i");
        let mut disks = Vec::new();
        for (index, content) in contents.into_iter().enumerate() {
            disks.push(state.attach_new_disk(&id, index, content, None));
        }
        let machine = Machine::new(id.clone(), name, spec, disks, None, None);
        state.machines.insert(id.as_str().to_owned(), machine);
        id
    }

    /// A machine image under a name, to create machines from.
    pub fn seed_image(&self, name: &str, bytes: &[u8]) -> ImageId {
        let mut state = self.state();
        let id: ImageId = state.new_id("image");
        let disks = vec![Sparse::from_bytes(bytes)];
        let image = Image { name: Some(name.to_owned()), disks, tag: None, asks: 0 };
        state.images.insert(id.as_str().to_owned(), image);
        id
    }

    /// What the vendor would have measured.
    pub fn seed_datapoint(&self, instance: &InstanceId, metric: &str, point: Datapoint) {
        let key = (instance.as_str().to_owned(), metric.to_owned());
        self.state().datapoints.entry(key).or_default().push(point);
    }

    /// What the host would have measured as its load in the last second, in thousandths; absent: it measures none.
    pub fn seed_load(&self, permille: Option<u32>) {
        self.state().load_permille = permille;
    }

    /// Changes a disk as its guest would.
    pub fn write_disk(&self, disk: &DiskId, offset: u64, bytes: &[u8]) -> Result<()> {
        let mut state = self.state();
        let content = &mut state.disk_mut(disk, "write_disk")?.content;
        content.check_range(offset, bytes.len(), "write_disk")?;
        content.write(offset, bytes);
        Ok(())
    }

    /// The whole content of a disk.
    pub fn read_disk(&self, disk: &DiskId) -> Result<Vec<u8>> {
        let mut state = self.state();
        let content = &state.disk_mut(disk, "read_disk")?.content;
        let mut bytes = vec![0; usize::try_from(content.size()).unwrap_or(usize::MAX)];
        content.read(0, &mut bytes);
        Ok(bytes)
    }

    /// How many there are of everything, to find what was left behind.
    pub fn counts(&self) -> Counts {
        self.state().counts()
    }

    fn state(&self) -> Region<'_> {
        let mut regions = lock(&self.cloud.regions);
        regions.entry(self.options.region.clone()).or_default();
        Region { regions, name: &self.options.region }
    }
}

/// One region, locked with all the others.
struct Region<'a> {
    regions: MutexGuard<'a, BTreeMap<String, State>>,
    name: &'a str,
}

impl std::ops::Deref for Region<'_> {
    type Target = State;
    fn deref(&self) -> &State {
        &self.regions[self.name]
    }
}

impl std::ops::DerefMut for Region<'_> {
    fn deref_mut(&mut self) -> &mut State {
        self.regions.entry(self.name.to_owned()).or_default()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

#[expect(clippy::expect_used, reason = "it is fixed")]
fn fallback_name() -> ProviderName {
    ProviderName::new("memory").expect("a fixed, valid name")
}

fn not_found(operation: &str, what: &str, id: &str) -> ProviderError {
    ProviderError::new(ErrorKind::NotFound, operation, format!("there is no {what} {id}"))
}

fn conflict(operation: &str, message: impl Into<String>) -> ProviderError {
    ProviderError::new(ErrorKind::Conflict, operation, message)
}

fn invalid(operation: &str, message: impl Into<String>) -> ProviderError {
    ProviderError::new(ErrorKind::Invalid, operation, message)
}
