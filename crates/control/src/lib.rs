//! The control plane. It knows providers by their traits only, and moves no disk byte itself.
//!
//! [`Control`] is what the API calls: what can be answered at once is answered here, and what takes long is handed to
//! the operations engine as a workflow, whose steps call providers and movers.

mod audit;
mod control;
mod directory;
mod error;
mod health;
mod metrics;
mod migrations;
mod mover;
mod mover_client;
mod options;
mod placing;
mod plan;
mod request;
mod retention;
mod take_on;
mod view;
mod vms;
mod work;
mod workflow;

pub use audit::AuditPage;
pub use control::{Caller, Control, ControlSettings};
pub use directory::{ProviderHealth, ProviderSummary};
pub use error::{ControlError, ErrorClass};
pub use health::HealthReport;
pub use migrations::{Change, MigrationPage, MigrationQuery};
pub use mover::{DiskJob, DiskMover, DiskResult, MoverFault};
pub use novacron_operations::{EngineConfig, Event};
pub use placing::{
    BurstSettings, BurstWatch, CatalogSource, CloudRefreshed, HostSettings, OnCloudRefreshed, OptimizationSettings,
    PlacementPage, PlacementQuery, PlacingSettings, PriceRefresh, RefreshSettings, Schedule,
};
pub use plan::MigrationPlan;
pub use take_on::MoveRequest;
pub use vms::{VmPage, VmQuery};
pub use work::{WorkKind, WorkPage, WorkQuery};

pub(crate) use directory::Directory;
