//! Stays beside a running step: keeps the lease, stores progress, and notices when the step must stop.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures::FutureExt as _;
use novacron_types::OperationId;
use serde_json::Value;
use tokio::{
    sync::watch,
    time::{Instant, timeout_at},
};
use tokio_util::sync::CancellationToken;

use super::Inner;
use crate::{Change, Operation, StepError, StoreError, context::Live, workflow::Failure};

/// Why a step was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// The operation is another's, or may be by now: not one more write.
    Stale,
    /// What is stored says what to do next (a cancel, a deadline).
    Replan,
    Shutdown,
}

pub(super) struct Attendant {
    pub(super) inner: Arc<Inner>,
    pub(super) id: OperationId,
    pub(super) generation: u64,
    pub(super) live: Arc<Live>,
    pub(super) controls: watch::Sender<Value>,
    /// When the last renewal that succeeded was sent.
    pub(super) renewed: Instant,
}

impl Attendant {
    /// Runs `work` until it ends or has to stop; then it is dropped, and `token` cancelled.
    /// A panic in it is an error of its own.
    pub(super) async fn attend<T>(
        &mut self,
        work: impl Future<Output = Result<T, Failure>>,
        token: CancellationToken,
        undoing: bool,
    ) -> Result<Result<T, Failure>, Stop> {
        let _cancelled_at_the_end = token.drop_guard();
        let work = AssertUnwindSafe(work).catch_unwind();
        tokio::select! {
            biased;
            result = work => Ok(result.unwrap_or_else(|panic| Err(panicked(&*panic).into()))),
            stop = self.watch_over(undoing) => Err(stop),
        }
    }

    async fn watch_over(&mut self, undoing: bool) -> Stop {
        let config = self.inner.config.clone();
        let tick = config.persist.min(config.poll).min(config.lease / 3).max(Duration::from_millis(1));
        let live = self.live.clone();
        loop {
            tokio::select! {
                () = self.inner.shutdown.cancelled() => return Stop::Shutdown,
                () = live.signal.notified() => {}
                // Real time: looking at the store is not part of the work.
                () = tokio::time::sleep_until((Instant::now() + tick).min(self.lease_end())) => {}
            }
            if live.is_stale() || self.keep_lease().await == Err(Stop::Stale) {
                return Stop::Stale;
            }
            let now = self.inner.clock.now();
            let unsaved = Unsaved::take(&live);
            let store = &self.inner.store;
            let look = async {
                match unsaved.changes.is_empty() {
                    true => store.get(&self.id).await.and_then(|op| op.ok_or(StoreError::StaleOwner)),
                    false => store.apply(&self.id, self.generation, unsaved.changes.clone(), now).await,
                }
            };
            match self.within_lease(look).await {
                Ok(operation) if operation.check_owner(self.generation).is_err() => return Stop::Stale,
                Ok(operation) => {
                    unsaved.are_stored();
                    live.stored(&operation.record);
                    self.controls.send_if_modified(|controls| {
                        let changed = *controls != operation.record.controls;
                        controls.clone_from(&operation.record.controls);
                        changed
                    });
                    if !undoing && must_stop(&operation, now) {
                        return Stop::Replan;
                    }
                }
                Err(StoreError::StaleOwner | StoreError::NotFound(_)) => return Stop::Stale,
                // It is stored with the next tick; the lease sets the limit to this.
                Err(error) => {
                    tracing::debug!(operation = %self.id, %error, "progress was not stored");
                    drop(unsaved);
                }
            }
        }
    }

    /// Renews the lease when a third of it is gone.
    pub(super) async fn keep_lease(&mut self) -> Result<(), Stop> {
        let lease = self.inner.config.lease;
        if self.renewed.elapsed() < lease / 3 {
            return Ok(());
        }
        let sent = Instant::now();
        let renewal = self.inner.store.renew(&self.id, self.generation, lease, self.inner.clock.now());
        match self.within_lease(renewal).await {
            Ok(()) => self.renewed = sent,
            Err(StoreError::StaleOwner | StoreError::NotFound(_)) => return Err(Stop::Stale),
            Err(error) => tracing::warn!(operation = %self.id, %error, "the lease was not renewed"),
        }
        if self.lease_is_over() { Err(Stop::Stale) } else { Ok(()) }
    }

    /// Waits for the store no longer than the lease lasts, and leaves time in it to ask once more.
    pub(super) async fn within_lease<T>(
        &self,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let limit = (Instant::now() + self.inner.config.lease / 3).min(self.lease_end());
        let no_answer = || StoreError::Unavailable("it does not answer".to_owned());
        timeout_at(limit, call).await.unwrap_or_else(|_| Err(no_answer()))
    }

    /// Whether another may own the operation by now, for all we know.
    pub(super) fn lease_is_over(&self) -> bool {
        Instant::now() >= self.lease_end()
    }

    /// A little early, for a step takes a moment to stop.
    fn lease_end(&self) -> Instant {
        self.renewed + self.inner.config.lease * 9 / 10
    }
}

fn must_stop(operation: &Operation, now: jiff::Timestamp) -> bool {
    let late = operation.run.deadline.is_some_and(|deadline| deadline <= now);
    !operation.run.committed && (late || operation.record.cancel_requested.is_some())
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> StepError {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
    StepError::permanent("internal", format!("the program failed in this step: {text}"))
        .advice("this is a bug: please report it with the log")
}

/// What is being stored. A step that ends meanwhile drops the writing; then it is to be stored with what follows.
struct Unsaved<'a> {
    live: &'a Live,
    changes: Vec<Change>,
}

impl<'a> Unsaved<'a> {
    fn take(live: &'a Live) -> Self {
        Self { live, changes: live.take_unsaved() }
    }

    fn are_stored(mut self) {
        self.changes.clear();
    }
}

impl Drop for Unsaved<'_> {
    fn drop(&mut self) {
        self.live.put_back(std::mem::take(&mut self.changes));
    }
}
