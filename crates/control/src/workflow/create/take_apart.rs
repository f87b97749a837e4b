//! Removing machines that were made, after the operation that made them has ended. Nobody is hindered who moves one.

use futures::StreamExt;
use novacron_operations::{OperationId, Status, StepContext, StepError};
use novacron_types::VmId;

use super::{
    super::{Tools, ended_as},
    state::{CreateState, Making},
};
use crate::{ControlError, error::step_error_of, request::vm_key};

/// So many are waited for, or removed, side by side.
const AT_ONCE: usize = 64;

/// What became of a machine that was to be removed.
pub(in super::super) enum Fate {
    Removed,
    /// It was moved since, by which operation, and is left where that takes it.
    Moved(String),
    /// Who was at work on it has left it to a person, and why.
    Stays(String),
}

impl Tools {
    /// Removes the machines that an operation of this kind has made, and says what became of each.
    pub(in super::super) async fn take_apart(
        &self,
        cx: &StepContext,
        operation: &OperationId,
    ) -> Result<Vec<(VmId, Fate)>, StepError> {
        let Some(made) = self.store.operations().get(operation).await? else { return Ok(Vec::new()) };
        let state: CreateState = serde_json::from_value(made.run.state)
            .map_err(|error| StepError::permanent("state_unreadable", format!("{operation}: {error}")))?;
        let mut all = Vec::new();
        for (index, making) in state.machines.iter().enumerate() {
            all.push(self.take_away(cx, operation, making, index));
        }
        // One that can't be removed yet keeps no other.
        let fates: Vec<Result<Fate, StepError>> = futures::stream::iter(all).buffered(AT_ONCE).collect().await;
        let fates = fates.into_iter().collect::<Result<Vec<Fate>, StepError>>()?;
        Ok(state.machines.into_iter().map(|making| making.vm_id).zip(fates).collect())
    }

    /// Whoever moves it may have it at two places, neither of them whole: that is let come to its end first. From then on
    /// nobody else begins anything with it.
    async fn take_away(
        &self,
        cx: &StepContext,
        operation: &OperationId,
        making: &Making,
        index: usize,
    ) -> Result<Fate, StepError> {
        let engine = &self.control()?.inner.engine;
        let mut last = None;
        loop {
            if let Some(by) = self.taken_by(operation, making).await? {
                return Ok(Fate::Moved(by));
            }
            let Some(other) = cx.hold(&vm_key(&making.vm_id)).await? else { break };
            cx.log(format!("{other} is at work on {}, which is seen to once that has ended", making.vm_id));
            let mut watch = engine.watch(&other).await.map_err(unseen)?;
            while let Some(seen) = watch.next().await {
                let seen = seen.map_err(unseen)?;
                last = (seen.status == Status::Failed).then(|| ended_as(&seen));
                if let Some(by) = self.taken_by(operation, making).await? {
                    return Ok(Fate::Moved(by));
                }
            }
        }
        if let Some(why) = last {
            return Ok(Fate::Stays(why));
        }
        self.forget(cx, operation, making).await?;
        self.unmake(cx, operation, making, index).await?;
        Ok(Fate::Removed)
    }

    /// The other operation that has put the machine elsewhere.
    async fn taken_by(&self, operation: &OperationId, making: &Making) -> Result<Option<String>, StepError> {
        let record = self.store.vms().vm(&making.vm_id).await?;
        let other = record.filter(|record| record.placed_by.as_ref() != Some(operation));
        Ok(other.map(|record| record.placed_by.map_or_else(|| "somebody".to_owned(), |by| by.to_string())))
    }
}

fn unseen(error: novacron_operations::EngineError) -> StepError {
    step_error_of(ControlError::from(error))
}
