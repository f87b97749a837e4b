//! The words of NovaCron as types: what a machine is, what can be asked of one, and what is answered.
//!
//! Nothing here does I/O, reads a clock or draws a random number, so every other crate may depend on it.

mod content_root;
mod id;
mod instance;
pub mod manifest;
mod migration;
mod money;
mod nearest;
mod options;
pub mod placement;
mod problem;
mod role;
mod size;
mod spec;
mod vm;
mod words;

pub use content_root::{ContentRoot, ParseContentRootError};
pub use id::{DiskId, IdError, ImageId, InstanceId, OperationId, ProviderName, SnapshotId, VmId};
pub use instance::{Instance, InstanceDisk, InstanceState, NetworkInterface};
pub use migration::{
    Checkpoint, DiskProof, ExportRequest, ImportRequest, MigrateRequest, Migration, MigrationAccepted, MigrationKind,
    MigrationProof, OperationFault, Status, TransferStats, VerifyLevel,
};
pub use money::{Money, ParseMoneyError};
pub use nearest::nearest;
pub use options::{ExportOptions, ImportOptions, MigrationType, NetworkMode, TransferOptions};
pub use problem::Problem;
pub use role::Role;
pub use size::{ByteSize, GIB, KIB, MIB, ParseSizeError};
pub use spec::{Architecture, DiskSpec, Firmware, NetworkSpec, Spot, VmSpec};
pub use vm::{ProviderKind, UnknownKind, VmRecord};
pub use words::in_words;
