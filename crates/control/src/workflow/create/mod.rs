//! Making machines where placement says, each at the next best place where one fails.
//!
//! ```text
//! create → record
//! ```
//!
//! What is made carries a tag of its own for each machine, under the operation's id, so that a repeated step finds it and
//! an undone one removes it. A place that fails is swept before the next is tried.

mod make;
mod record;
mod state;
mod take_apart;

use novacron_operations::{Step, Workflow};
use serde_json::Value;

use super::Tools;

pub(crate) use state::{CreateState, Making};
pub(super) use take_apart::Fate;

pub(crate) struct Create(pub Tools);

impl Workflow for Create {
    type State = CreateState;
    const KIND: &'static str = "create";

    fn steps(&self, _params: &CreateState) -> Vec<Box<dyn Step<CreateState>>> {
        vec![Box::new(make::Make(self.0.clone())), Box::new(record::Record(self.0.clone()))]
    }

    fn summary(&self, state: &CreateState) -> Option<Value> {
        serde_json::to_value(state.machines.iter().map(Making::told).collect::<Vec<_>>()).ok()
    }
}
