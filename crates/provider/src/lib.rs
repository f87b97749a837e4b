//! What NovaCron asks of a place that runs machines.
//!
//! [`Provider`] is small: who it is, list, get, create, start, stop, delete, health, sweep. Everything else is
//! a capability that a provider has or has not, reached through an accessor that returns `None` by default.
//! There are no "unsupported" errors: a caller asks for the capability first, and says which one was missing.
//!
//! ```text
//!                Provider
//!    ┌──────┬───────┼─────────┬───────────┐
//! Metrics Images DiskSource DiskSink HostCapacity   asked for with `provider.disk_source()` …
//!                   │          │
//!             ChangedBlocks    │               only with a DiskSource
//!                   │          │
//!              BlockReader  BlockWriter        opened by a mover, close to the disk
//! ```
//!
//! The control plane calls `Provider`, `DiskSource` and `DiskSink`; only a mover opens the readers and writers,
//! so disk bytes never pass through the control plane.
//!
//! Contract for every method that changes something: **idempotent and adoptable**. What it makes carries the
//! request's [`OperationTag`] (and a name within it), stored before the call; called again with the same tag it
//! finds what it made and returns that. Deleting what is not there succeeds.

mod block;
mod buf;
mod capability;
mod capacity;
mod definition;
mod disk;
mod error;
mod layer;
mod provider;
mod wait;

pub mod chaos;
pub mod memory;
pub mod prices;
pub mod rate_limit;
pub mod retry;

pub use block::{BlockReader, BlockWriter, Extent, ExtentPage, StoredCheck, end_within};
pub use buf::{ALIGN, Buf};
pub use capability::{Datapoint, ImageStatus, Images, MetricQuery, Metrics};
pub use capacity::{HostCapacity, HostUse};
pub use definition::{BuildFuture, KeyInfo, ProviderDefinition, ProviderFactory, Registry};
pub use disk::{
    ChangedBlocks, DiskSink, DiskSnapshot, DiskSource, NewDisk, Readiness, SnapshotRequest, TargetDisk, Written,
};
pub use error::{ErrorKind, ProviderError, Result};
pub use layer::{Call, Layer, Wrapped};
pub use provider::{
    Boot, Capability, CreateRequest, Health, Identity, ListFilter, OperationTag, Page, PageToken, Provider,
    ProviderExt, Realm, SweepScope,
};
pub use wait::{Patience, wait_for_disk, wait_for_image, wait_for_snapshot, wait_for_state};
