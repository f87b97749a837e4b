//! Moving a machine between two providers, as a durable sequence of steps.
//!
//! An import and an export are the same work seen from the two ends, so both are built of the same steps over the
//! same [`MoveState`]:
//!
//! ```text
//! inspect → [stop_source] → snapshot → create_disks → transfer → seal_disks → create_vm → record
//!         → [grace] → clean_up → [delete_source]
//! ```
//!
//! A move between two regions of one vendor has `create_image → copy_image` in place of `snapshot` to `seal_disks`.
//!
//! Until `delete_source` every step can be undone: what it made carries the operation's id as a tag, and undoing
//! sweeps whatever carries it. The source is only ever stopped (and started again) before that.

mod burst;
mod create;
mod rebalance;
mod state;
mod steps;
#[cfg(test)]
pub(crate) mod tests;

use std::sync::{Arc, OnceLock, Weak};

use novacron_operations::{OperationRecord, Step, StepError, Workflow};
use novacron_store::Store;
use serde_json::Value;

pub(crate) use burst::{BEGIN, Burst, BurstMove, BurstState, NewMachine};
use create::Fate;
pub(crate) use create::{Create, CreateState, Making};
pub(crate) use rebalance::{Moving, Rebalance, RebalanceState};
pub(crate) use state::{MoveParams, MoveState, MoveSummary, StartPolicy, runs};
pub(crate) use steps::{BANDWIDTH_LIMIT, NOT_COMPRESSED};

use crate::{Control, Directory, DiskMover, control::Inner, placing::Placing};

/// What steps work with.
#[derive(Clone)]
pub(crate) struct Tools {
    pub directory: Arc<Directory>,
    pub store: Store,
    pub mover: Arc<dyn DiskMover>,
    pub placing: Arc<Placing>,
    /// The control plane itself, for work that is made of other work. Set once it has started.
    pub control: Arc<OnceLock<Weak<Inner>>>,
}

impl Tools {
    /// For work that is made of other work.
    fn control(&self) -> Result<Control, StepError> {
        let inner = self.control.get().and_then(Weak::upgrade);
        inner
            .map(|inner| Control { inner })
            .ok_or_else(|| StepError::transient("stopping", "the control plane is stopping"))
    }
}

/// An import, an export and a migration differ in how a request is read, and in their name.
macro_rules! workflow {
    ($name:ident, $kind:expr) => {
        pub(crate) struct $name(pub Tools);

        impl Workflow for $name {
            type State = MoveState;
            const KIND: &'static str = $kind;
            fn steps(&self, params: &MoveState) -> Vec<Box<dyn Step<MoveState>>> {
                steps::all(&self.0, &params.params)
            }
            fn summary(&self, state: &MoveState) -> Option<Value> {
                serde_json::to_value(MoveSummary::of(state)).ok()
            }
        }
    };
}
workflow!(Import, "import");
workflow!(Export, "export");
workflow!(Migrate, "migrate");

/// The names of the steps that these parameters lead to, for showing a plan.
pub(crate) fn step_names(tools: &Tools, params: &MoveParams) -> Vec<String> {
    steps::all(tools, params).iter().map(|step| step.name().to_owned()).collect()
}

/// `export-… ended rolled_back: the cloud has no room`
fn ended_as(ended: &OperationRecord) -> String {
    let why = ended.error.as_ref().map(|error| format!(": {}", error.message)).unwrap_or_default();
    format!("{} ended {}{why}", ended.id, ended.status)
}
