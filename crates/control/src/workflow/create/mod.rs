//! Making machines where placement says, each at the next best place where one fails.
//!
//! ```text
//! create → record → clean_up
//! ```
//!
//! What is made carries a tag of its own for each machine, under the operation's id, so that a repeated step finds it and
//! an undone one removes it. A place that fails is swept before the next is tried; one that can't be is swept at
//! the end, so that a place need not answer to be left.

mod clean_up;
mod make;
mod next;
mod record;
mod remove;
mod state;

use std::time::Duration;

use novacron_operations::{OperationId, Step, StepContext, StepError, Workflow};
use novacron_provider::Patience;
use novacron_types::VmId;
use serde_json::Value;

use super::Tools;

pub(crate) use state::{CreateState, Making};

/// For a machine to run once it was accepted.
const PATIENCE: Patience =
    Patience { first: Duration::from_millis(200), most: Duration::from_secs(5), limit: Duration::from_secs(15 * 60) };

pub(crate) struct Create {
    pub tools: Tools,
    pub patience: Patience,
}

impl Create {
    pub fn new(tools: Tools) -> Self {
        Self { tools, patience: PATIENCE }
    }
}

impl Workflow for Create {
    type State = CreateState;
    const KIND: &'static str = "create";

    fn steps(&self, _params: &CreateState) -> Vec<Box<dyn Step<CreateState>>> {
        let make = make::Make { tools: self.tools.clone(), patience: self.patience };
        let record = record::Record(self.tools.clone());
        vec![Box::new(make), Box::new(record), Box::new(clean_up::CleanUp(self.tools.clone()))]
    }

    fn summary(&self, state: &CreateState) -> Option<Value> {
        serde_json::to_value(state.machines.iter().map(Making::told).collect::<Vec<_>>()).ok()
    }
}

impl Tools {
    /// Removes the machines that an operation of this kind has made, after it has ended. Answers those that were moved since,
    /// and are left alone.
    pub(super) async fn take_apart(&self, cx: &StepContext, operation: &OperationId) -> Result<Vec<VmId>, StepError> {
        let Some(made) = self.store.operations().get(operation).await? else { return Ok(Vec::new()) };
        let state: CreateState = serde_json::from_value(made.run.state)
            .map_err(|error| StepError::permanent("state_unreadable", format!("{operation}: {error}")))?;
        let (mut moved, mut failed) = (Vec::new(), None);
        for (index, making) in state.machines.iter().enumerate() {
            let removed = match self.forget(cx, operation, making).await? {
                true => self.unmake(cx, operation, making, index).await,
                false => {
                    moved.push(making.vm_id.clone());
                    Ok(())
                }
            };
            failed = failed.or(removed.err());
        }
        failed.map_or(Ok(moved), Err)
    }
}
