//! Carries one claimed operation on until it ends, waits, or is no longer ours.

use std::sync::Arc;

use novacron_types::OperationId;
use tokio::{sync::watch, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    Inner,
    attend::{Attendant, Stop},
    lock,
};
use crate::{
    Change, Next, Operation, Outcome, StepContext, StepError, StoreError,
    backoff::STORE_TROUBLE,
    context::Live,
    plan::{after_failure, plan},
    workflow::{ErasedStep, ErasedWorkflow, Failure},
};

/// `claimed_at` is when the claim was sent: the lease runs from then.
pub(super) async fn run(inner: Arc<Inner>, operation: Operation, claimed_at: Instant) {
    let Some(workflow) = inner.workflows.get(operation.record.kind.as_str()).cloned() else { return };
    let id = operation.id().clone();
    let live = Arc::new(Live::new(operation.record.clone()));
    let before = lock(&inner.running).insert(id.clone(), live.clone());
    let _listed = Listed { inner: inner.clone(), live: live.clone(), id: id.clone() };
    if let Some(before) = before {
        // Our own lease ended while we were at it (the clock jumped, or the store was away): first that run must be over.
        before.mark_stale();
        let over = tokio::time::timeout(inner.config.lease / 2, before.gone.cancelled());
        if over.await.is_err() {
            tracing::error!(operation = %id, "an earlier run of it does not stop; leaving it to others");
            return;
        }
    }
    let attendant = Attendant {
        inner: inner.clone(),
        id: id.clone(),
        generation: operation.lease.generation,
        live: live.clone(),
        controls: watch::Sender::new(operation.record.controls.clone()),
        renewed: claimed_at,
    };
    let mut runner = Runner { inner, workflow, operation, live, attendant };
    match runner.carry_on().await {
        Ok(()) => {}
        Err(stop) => tracing::info!(operation = %id, ?stop, "no longer run here"),
    }
}

/// Takes the operation out of the list of what runs here, however the run ends.
struct Listed {
    inner: Arc<Inner>,
    live: Arc<Live>,
    id: OperationId,
}

impl Drop for Listed {
    fn drop(&mut self) {
        let mut running = lock(&self.inner.running);
        // A later claim by this same process may be there already.
        if running.get(&self.id).is_some_and(|live| Arc::ptr_eq(live, &self.live)) {
            running.remove(&self.id);
        }
        self.live.gone.cancel();
    }
}

struct Runner {
    inner: Arc<Inner>,
    workflow: Arc<dyn ErasedWorkflow>,
    operation: Operation,
    live: Arc<Live>,
    attendant: Attendant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Applied {
    Whole,
    /// Nothing was: a cancel had come in before the step could start.
    CancelledFirst,
}

type Steps = [Box<dyn ErasedStep>];

impl Runner {
    /// Ends well when the operation has ended or was given back.
    async fn carry_on(&mut self) -> Result<(), Stop> {
        let steps = match self.steps() {
            Ok(steps) => steps,
            Err(error) => {
                let ended = Change::Ended { status: crate::Status::Failed, fault: Some(error.fault), summary: None };
                return self.apply(vec![ended]).await.map(drop);
            }
        };
        while self.operation.lease.owner.is_some() {
            if self.inner.shutdown.is_cancelled() {
                return self.release().await;
            }
            match plan(&self.operation, &self.inner.config.retry, self.inner.clock.now()) {
                Next::Run(index) => self.run_step(&steps, index).await?,
                Next::Undo(index) => self.undo_step(&steps, index).await?,
                Next::Unwind(cause, fault) => {
                    let mut changes = self.live.take_unsaved();
                    changes.push(Change::Unwinding { cause, fault, state: None });
                    self.apply(changes).await?;
                }
                Next::End(status, fault) => {
                    let summary = self.workflow.summary(&self.operation.run.state);
                    self.apply(vec![Change::Ended { status, fault, summary }]).await?;
                }
            }
        }
        Ok(())
    }

    fn steps(&self) -> Result<Vec<Box<dyn ErasedStep>>, StepError> {
        let steps = self.workflow.steps(&self.operation.run.params)?;
        let known = &self.operation.run.steps;
        if steps.iter().map(|step| step.name()).eq(known.iter().map(String::as_str)) {
            return Ok(steps);
        }
        Err(StepError::permanent(
            "plan_changed",
            "it was begun by a version of this program that does the work in other steps",
        )
        .advice("let that version end it: run it, and retry this operation"))
    }

    async fn run_step(&mut self, steps: &Steps, index: usize) -> Result<(), Stop> {
        let Some(step) = steps.get(index) else { return Err(Stop::Stale) };
        let started = Change::StepStarted {
            index,
            phase: step.name().to_owned(),
            status: step.status(),
            commits: !step.reversible(),
        };
        if self.apply(vec![started]).await? == Applied::CancelledFirst {
            return Ok(());
        }
        let (base, end) = (bar(steps, index), bar(steps, index + 1));
        self.live.enter(base, end - base);
        let cx = self.context(step.name());
        let work = step.run(&cx, &self.operation.run.state);
        let result = self.attendant.attend(work, cx.token.clone(), false).await;
        let mut changes = self.live.take_unsaved();
        match result {
            Ok(Ok((Outcome::Done, state))) => {
                let summary = self.workflow.summary(&state);
                changes.push(Change::StepFinished { index, state, progress: end, summary });
                changes.extend(step.settles().then_some(Change::Settled));
            }
            Ok(Ok((Outcome::Hold { reason, resume_at }, state))) => {
                changes.push(Change::Held { state, reason, resume_at });
            }
            Ok(Err(failure)) => changes.extend(self.failed(failure)?),
            // With what is left over stored, the row says what is next.
            Err(Stop::Replan) => {}
            Err(Stop::Shutdown) => changes.push(Change::Released),
            Err(Stop::Stale) => return Err(Stop::Stale),
        }
        self.apply(changes).await.map(drop)
    }

    async fn undo_step(&mut self, steps: &Steps, index: usize) -> Result<(), Stop> {
        let Some(step) = steps.get(index) else { return Err(Stop::Stale) };
        let phase = step.name().to_owned();
        self.apply(vec![Change::UndoStarted { phase: phase.clone() }]).await?;
        self.live.enter(self.operation.record.progress, 0.0);
        let cx = self.context(step.name());
        let limit = self.inner.config.undo_timeout;
        let work = async {
            tokio::time::timeout(limit, step.undo(&cx, &self.operation.run.state)).await.unwrap_or_else(|_| {
                let message = format!("the undo was not done within {} s", limit.as_secs());
                Err(StepError::transient("undo_timeout", message).into())
            })
        };
        let result = self.attendant.attend(work, cx.token.clone(), true).await;
        let mut changes = self.live.take_unsaved();
        match result {
            Ok(Ok(state)) => changes.push(Change::UndoFinished { index, phase, state }),
            Ok(Err(failure)) => changes.extend(self.failed(failure)?),
            Err(Stop::Replan) => {}
            Err(Stop::Shutdown) => changes.push(Change::Released),
            Err(Stop::Stale) => return Err(Stop::Stale),
        }
        self.apply(changes).await.map(drop)
    }

    fn failed(&self, Failure { error, state }: Failure) -> Result<Vec<Change>, Stop> {
        if error.is_stale_owner() {
            return Err(Stop::Stale);
        }
        let (id, step) = (self.operation.id(), &self.operation.record.phase);
        tracing::warn!(operation = %id, step, code = error.fault.code, "{error}");
        let (now, unit) = (self.inner.clock.now(), self.inner.random.unit());
        let change = after_failure(&self.operation, error, state.clone(), &self.inner.config.retry, now, unit);
        Ok(match (change, state) {
            // The person whom it now waits for sees what it came to, and goes on from there.
            (Change::Ended { status, fault, .. }, Some(state)) => {
                let summary = self.workflow.summary(&state);
                vec![Change::Saved { state }, Change::Ended { status, fault, summary }]
            }
            (change, _) => vec![change],
        })
    }

    fn context(&self, step: &'static str) -> StepContext {
        StepContext {
            id: self.operation.id().clone(),
            generation: self.operation.lease.generation,
            step,
            attempt: self.operation.record.attempt,
            continued: self.operation.run.continued,
            token: CancellationToken::new(),
            undo_limit: self.inner.config.undo_timeout,
            clock: self.inner.clock.clone(),
            store: self.inner.store.clone(),
            live: self.live.clone(),
            controls: self.attendant.controls.subscribe(),
        }
    }

    async fn release(&mut self) -> Result<(), Stop> {
        let mut changes = self.live.take_unsaved();
        changes.push(Change::Released);
        self.apply(changes).await.map(drop)
    }

    /// Stores changes; while the store is in trouble, tries again for as long as the lease lasts.
    async fn apply(&mut self, changes: Vec<Change>) -> Result<Applied, Stop> {
        let id = self.operation.id().clone();
        let generation = self.operation.lease.generation;
        for retry in 0.. {
            let now = self.inner.clock.now();
            let stored = self.inner.store.apply(&id, generation, changes.clone(), now);
            let error = match self.attendant.within_lease(stored).await {
                Ok(operation) => {
                    self.stored(operation);
                    return Ok(Applied::Whole);
                }
                Err(error) => error,
            };
            match error {
                StoreError::StaleOwner | StoreError::NotFound(_) => return Err(Stop::Stale),
                StoreError::CancelRequested => {
                    // The row, with the cancel in it, says what is next.
                    let stored = self.attendant.within_lease(self.inner.store.get(&id)).await;
                    if let Ok(Some(operation)) = stored {
                        operation.check_owner(generation).map_err(|_| Stop::Stale)?;
                        self.stored(operation);
                        return Ok(Applied::CancelledFirst);
                    }
                }
                error => tracing::warn!(operation = %id, %error, "what a step came to was not stored; trying again"),
            }
            if self.attendant.lease_is_over() {
                break;
            }
            // Real time: the lease runs by it.
            tokio::time::sleep(STORE_TROUBLE.delay(retry, None, self.inner.random.unit())).await;
        }
        Err(Stop::Stale)
    }

    fn stored(&mut self, operation: Operation) {
        self.operation = operation;
        self.live.stored(&self.operation.record);
    }
}

/// Percent done when `steps[..index]` are.
fn bar(steps: &Steps, index: usize) -> f64 {
    let all: f64 = steps.iter().map(|step| step.weight()).sum();
    let done: f64 = steps.iter().take(index).map(|step| step.weight()).sum();
    if all > 0.0 { done / all * 100.0 } else { 0.0 }
}
