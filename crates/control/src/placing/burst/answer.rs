//! What a burst answers: at once what was decided, and the ids of what was begun; the same for the same key, whoever asks.

use std::time::Duration;

use novacron_operations::{NewOperation, OperationId, OperationRecord, Status, Submission};
use novacron_store::Kept;
use novacron_types::placement::{BurstAnswer, BurstOutcome, BurstResult};
use tokio::time::{Instant, timeout_at};

use super::{
    super::{
        answered::Key,
        records::{Keep, begun},
    },
    moving::leave_out,
};
use crate::{
    Control, ControlError, ErrorClass,
    error::ANSWERED_BEFORE,
    workflow::{BEGIN, Burst, BurstState},
};

/// So long an answer waits for the ids of what is begun. Later the operation tells them.
const PATIENCE: Duration = Duration::from_secs(30);

impl Control {
    /// Takes the burst on, and stores in the same step what is to be kept with it: all, or nothing.
    pub(super) async fn carry_out(
        &self,
        state: BurstState,
        mut answer: BurstAnswer,
        keep: &Keep,
        key: Option<&Key>,
    ) -> Result<BurstAnswer, ControlError> {
        let mut submission = Submission::new(subject(&state), state);
        submission.idempotency = key.map(|key| key.idempotency.clone());
        submission.options.retry_on_failure = true;
        let store = self.store().placements();
        let create = |new: NewOperation, now| {
            let placements: Vec<_> = keep.placements.iter().map(|record| begun(record, &new.id)).collect();
            let answered = BurstAnswer { operation_id: Some(new.id.clone()), ..answer.clone() };
            let declared = key.map(|key| key.declares(&answered)).transpose();
            let store = &store;
            async move {
                let once = declared?;
                let kept = Kept { placements: &placements, declared: &[], once: once.as_ref() };
                store.take_on(new, kept, now).await
            }
        };
        let submitted = self.inner.engine.submit_by::<Burst, _>(submission, create).await.map_err(ControlError::from);
        let submitted = submitted.map(Some).or_else(|error| match error.code.as_str() {
            ANSWERED_BEFORE => Ok(None),
            _ => Err(error),
        })?;
        let is_new = submitted.as_ref().is_some_and(|submitted| !submitted.existing);
        // As others will read it, who may have been first.
        if let Some(key) = key {
            match self.answered(key).await {
                Ok(Some(answered)) => return self.told(answered).await,
                Ok(None) => {}
                // It was taken on: that is the answer, whatever can't be read now.
                Err(error) if is_new => tracing::warn!(%error, "the answer to a burst was not read again"),
                Err(error) => return Err(error),
            }
        }
        answer.operation_id = submitted.map(|submitted| submitted.record.id);
        self.told(answer).await
    }

    /// The answer with what is known by now of what it began. It was taken on, and so what can't be read is no refusal.
    pub(super) async fn told(&self, mut answer: BurstAnswer) -> Result<BurstAnswer, ControlError> {
        let Some(id) = answer.operation_id.clone() else { return Ok(answer) };
        let record = match self.begun(&id).await {
            Ok(Some(record)) => record,
            Ok(None) => return Ok(answer),
            Err(error) => {
                tracing::warn!(%error, operation = %id, "it can't be read what a burst has begun");
                return Ok(answer);
            }
        };
        let has_begun = has_begun(&record);
        if !has_begun && let Some(error) = record.error.filter(|_| record.status == Status::RolledBack) {
            let class = self.refused_as(&id).await.unwrap_or(ErrorClass::Conflict);
            return Err(ControlError { advice: error.advice, ..ControlError::new(class, error.code, error.message) });
        }
        let told = record.summary.and_then(|mut told| told.get_mut("machines").map(serde_json::Value::take));
        let outcomes: Vec<BurstOutcome> = told.and_then(|told| serde_json::from_value(told).ok()).unwrap_or_default();
        for outcome in outcomes {
            if outcome.result == BurstResult::LeftOut {
                leave_out(&mut answer, &outcome.vm_id, outcome.why.unwrap_or_default());
            } else if let Some(placed) = answer.placed.iter_mut().find(|placed| placed.vm_id == outcome.vm_id) {
                placed.migration_id = outcome.migration_id;
            }
        }
        Ok(answer)
    }

    /// Why something of it could not begin.
    async fn refused_as(&self, id: &OperationId) -> Option<ErrorClass> {
        let operation = self.store().operations().get(id).await.ok()??;
        serde_json::from_value::<BurstState>(operation.run.state).ok()?.refused
    }

    /// The operation once it has begun all that it is made of, has ended, or takes too long for that.
    async fn begun(&self, id: &OperationId) -> Result<Option<OperationRecord>, ControlError> {
        let end = Instant::now() + PATIENCE;
        let engine = &self.inner.engine;
        // What ended long ago is forgotten.
        let Some(mut last) = engine.get(id).await? else { return Ok(None) };
        let mut watch = engine.watch(id).await?;
        while let Ok(Some(record)) = timeout_at(end, watch.next()).await {
            last = record?;
            if has_begun(&last) || last.status.is_terminal() {
                break;
            }
        }
        Ok(Some(last))
    }
}

fn has_begun(record: &OperationRecord) -> bool {
    record.checkpoints.iter().any(|checkpoint| checkpoint.phase == BEGIN)
}

fn subject(state: &BurstState) -> String {
    let new = state.making.iter().map(|new| &new.vm_id);
    let all: Vec<_> = new.chain(state.moves.iter().map(|moving| &moving.vm_id)).collect();
    match all.as_slice() {
        [one] => one.to_string(),
        several => format!("{}-machines", several.len()),
    }
}
