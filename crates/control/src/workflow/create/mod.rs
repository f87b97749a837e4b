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
mod take_apart;

use std::time::Duration;

use novacron_operations::{Step, Workflow};
use novacron_provider::Patience;
use serde_json::Value;

use super::Tools;

pub(crate) use state::{CreateState, Making};
pub(super) use take_apart::Fate;

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
