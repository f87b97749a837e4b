//! Carrying out a plan of moves, one migration after the other, in the plan's order.
//!
//! Each move is a migration of its own, durable and undone by itself when it fails. What was moved before stays moved: each
//! state of the plan fits, so the plan can stop after any step.

use async_trait::async_trait;
use novacron_operations::{Outcome, Status, Step, StepContext, StepError, Workflow};
use novacron_types::{OperationId, ProviderName, VmId};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Tools, burst::cancelled};
use crate::{Caller, Control, ControlError, MoveRequest, error::step_error_of};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct RebalanceState {
    pub plan_id: String,
    pub actor: String,
    pub moves: Vec<Moving>,
    /// Of `moves`, how many are done.
    pub done: usize,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Moving {
    pub vm_id: VmId,
    pub to: ProviderName,
    /// Absent on a host of one's own.
    pub instance_type: Option<String>,
    pub migration_id: Option<OperationId>,
}

pub(crate) struct Rebalance(pub Tools);

impl Workflow for Rebalance {
    type State = RebalanceState;
    const KIND: &'static str = "rebalance";
    const WAITS: bool = true;

    fn steps(&self, _params: &RebalanceState) -> Vec<Box<dyn Step<RebalanceState>>> {
        vec![Box::new(Move(self.0.clone()))]
    }

    fn summary(&self, state: &RebalanceState) -> Option<Value> {
        Some(json!({ "plan_id": state.plan_id, "done": state.done, "moves": state.moves }))
    }
}

struct Move(Tools);

#[async_trait]
impl Step<RebalanceState> for Move {
    fn name(&self) -> &'static str {
        "move"
    }

    async fn run(&self, cx: &StepContext, state: &mut RebalanceState) -> Result<Outcome, StepError> {
        while state.done < state.moves.len() {
            let control = self.0.control()?;
            let index = state.done;
            let id = match &state.moves[index].migration_id {
                Some(id) => id.clone(),
                None => {
                    let id = begin(&control, cx, state, index).await?;
                    state.moves[index].migration_id = Some(id.clone());
                    cx.save(state).await?;
                    id
                }
            };
            let ended = control.inner.engine.wait(&id).await.map_err(ControlError::from).map_err(step_error_of)?;
            if ended.status != Status::Completed {
                let why = ended.error.map(|error| format!(": {}", error.message)).unwrap_or_default();
                let message = format!("{} of {} ended {}{why}", id, state.moves[index].vm_id, ended.status);
                return Err(StepError::permanent("move_failed", message)
                    .advice("What was moved before stays moved. Plan again when the cause is mended."));
            }
            state.done += 1;
            cx.progress(state.done as f64 / state.moves.len() as f64);
            cx.save(state).await?;
        }
        Ok(Outcome::Done)
    }

    /// The move that is on its way is undone, or ends where it can't be undone any more. Those before it stay.
    async fn undo(&self, cx: &StepContext, state: &mut RebalanceState) -> Result<(), StepError> {
        let Some(moving) = state.moves.get(state.done) else { return Ok(()) };
        let control = self.0.control()?;
        let engine = &control.inner.engine;
        let id = match &moving.migration_id {
            Some(id) => Some(id.clone()),
            // It may have begun without its id having been stored.
            None => {
                let (asked, caller) = asked(cx, state, state.done);
                self.0.begun_as(&caller, &asked).await?
            }
        };
        let Some(id) = id else { return Ok(()) };
        cancelled(engine.cancel(&id, &state.actor).await.map(drop).map_err(ControlError::from))?;
        let ended = engine.wait(&id).await.map_err(ControlError::from).map_err(step_error_of)?;
        cx.log(format!("{id} of {} ended {}", moving.vm_id, ended.status));
        Ok(())
    }
}

/// Takes the move on. The same key finds it again if its id was not stored.
async fn begin(
    control: &Control,
    cx: &StepContext,
    state: &RebalanceState,
    index: usize,
) -> Result<OperationId, StepError> {
    let (asked, caller) = asked(cx, state, index);
    // Boxed: taking on knows all workflows, and this is one of them.
    let accepted = Box::pin(control.take_on(asked, caller)).await.map_err(step_error_of)?;
    let moving = &state.moves[index];
    cx.log(format!("{} moves to {}: {}", moving.vm_id, moving.to, accepted.migration_id));
    Ok(accepted.migration_id)
}

fn asked(cx: &StepContext, state: &RebalanceState, index: usize) -> (MoveRequest, Caller) {
    let moving = &state.moves[index];
    let asked = MoveRequest::whole(moving.vm_id.clone(), &moving.to, moving.instance_type.as_deref());
    let key = format!("{}-{index}", cx.operation_id());
    let caller = Caller { actor: state.actor.clone(), idempotency_key: Some(key) };
    (asked, caller)
}
