//! What a burst answers: at once what was decided, and the ids of what was begun; the same for the same key, whoever asks.

use std::time::Duration;

use jiff::Timestamp;
use novacron_operations::{IdempotencyKey, NewOperation, OperationId, OperationRecord, Status, StoreError, Submission};
use novacron_store::Declared;
use novacron_types::placement::{BurstAnswer, BurstOutcome, BurstRequest, BurstResult};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::{
    super::records::{Keep, begun},
    moving::leave_out,
};
use crate::{
    Caller, Control, ControlError, ErrorClass, request,
    workflow::{BEGIN, Burst, BurstState},
};

/// So long an answer waits for the ids of what is begun. Later the operation tells them.
const PATIENCE: Duration = Duration::from_secs(30);
const SOON: Duration = Duration::from_millis(20);

/// A caller's key, and the id that it gives the burst.
pub(in super::super) struct Key {
    pub burst_id: String,
    idempotency: IdempotencyKey,
}

/// What was answered under a key. It is stored with what it tells of.
#[derive(Serialize, Deserialize)]
struct Known {
    digest: String,
    answer: BurstAnswer,
}

impl Key {
    pub fn of(caller: &Caller, asked: &BurstRequest) -> Result<Option<Self>, ControlError> {
        let of = |idempotency: IdempotencyKey| Self {
            burst_id: format!("burst-{}", &blake3::hash(idempotency.key.as_bytes()).to_hex()[..32]),
            idempotency,
        };
        Ok(request::idempotency(caller, asked)?.map(of))
    }

    fn declares(&self, answer: &BurstAnswer) -> Result<Declared, StoreError> {
        let known = Known { digest: self.idempotency.digest.clone(), answer: answer.clone() };
        let manifest = serde_json::to_value(known).map_err(|error| StoreError::Corrupt(error.to_string()))?;
        Ok(Declared { name: kept_as(&self.burst_id), manifest, updated_at: Timestamp::now() })
    }

    /// What was answered; refused if that was to another request.
    fn read(&self, kept: Declared) -> Result<BurstAnswer, ControlError> {
        let known: Known = serde_json::from_value(kept.manifest)
            .map_err(|error| ControlError::new(ErrorClass::Internal, "store", error.to_string()))?;
        if known.digest != self.idempotency.digest {
            let message = "the idempotency key was used before, for another burst";
            return Err(ControlError::new(ErrorClass::Conflict, "idempotency_key_reused", message));
        }
        Ok(known.answer)
    }
}

/// No machine can have this name.
fn kept_as(burst_id: &str) -> String {
    format!("burst:{burst_id}")
}

impl Control {
    pub(super) async fn answered(&self, key: &Key) -> Result<Option<BurstAnswer>, ControlError> {
        let kept = self.store().placements().declared(&kept_as(&key.burst_id)).await?;
        kept.map(|kept| key.read(kept)).transpose()
    }

    /// Nothing is made and nothing moves: the decisions are kept.
    pub(super) async fn only_places(
        &self,
        answer: BurstAnswer,
        keep: &Keep,
        key: Option<&Key>,
    ) -> Result<BurstAnswer, ControlError> {
        let placements = self.store().placements();
        let Some(key) = key else {
            for record in &keep.placements {
                placements.put_placement(record).await?;
            }
            return Ok(answer);
        };
        let declared = key.declares(&answer)?;
        // Somebody else's answer to the same may have been first. Also this one is answered as others will read it.
        let kept = placements.keep_once(&keep.placements, &declared).await?;
        let answered = match kept {
            Some(kept) => Some(key.read(kept)?),
            None => self.answered(key).await?,
        };
        self.told(answered.unwrap_or(answer)).await
    }

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
                let declared = declared?;
                store.take_on(new, &placements, declared.as_slice(), now).await
            }
        };
        let submitted = self.inner.engine.submit_by::<Burst, _>(submission, create).await?;
        // As others will read it, who may have been first.
        if let Some(key) = key
            && let Some(answered) = self.answered(key).await?
        {
            return self.told(answered).await;
        }
        answer.operation_id = Some(submitted.record.id);
        self.told(answer).await
    }

    /// The answer with what is known by now of what it began.
    pub(super) async fn told(&self, mut answer: BurstAnswer) -> Result<BurstAnswer, ControlError> {
        let Some(id) = answer.operation_id.clone() else { return Ok(answer) };
        let Some(record) = self.begun(&id).await? else { return Ok(answer) };
        let has_begun = has_begun(&record);
        if !has_begun && let Some(error) = record.error.filter(|_| record.status == Status::RolledBack) {
            return Err(ControlError::new(ErrorClass::Conflict, error.code, error.message));
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

    /// The operation once it has begun all that it is made of, has ended, or takes too long for that.
    async fn begun(&self, id: &OperationId) -> Result<Option<OperationRecord>, ControlError> {
        let end = Instant::now() + PATIENCE;
        loop {
            let record = self.inner.engine.get(id).await?;
            let known = record.as_ref().is_none_or(|record| has_begun(record) || record.status.is_terminal());
            if known || Instant::now() > end {
                return Ok(record);
            }
            tokio::time::sleep(SOON).await;
        }
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
