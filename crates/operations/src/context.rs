//! What a step can see and say while it runs.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use novacron_types::{OperationId, TransferStats};
use serde::Serialize;
use serde_json::Value;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use crate::{
    Change, Clock, OperationRecord, OperationStore, StepError, StoreError, backoff::STORE_TROUBLE, workflow::encode,
};

/// Messages that wait to be stored; more than this at once are counted, not kept.
const MAX_PENDING_LOG: usize = 256;

/// A step's view of its operation. Cheap to clone, so that tasks of the step can report through it.
#[derive(Clone)]
pub struct StepContext {
    pub(crate) id: OperationId,
    pub(crate) generation: u64,
    pub(crate) step: &'static str,
    pub(crate) attempt: u32,
    pub(crate) continued: bool,
    pub(crate) token: CancellationToken,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) store: Arc<dyn OperationStore>,
    pub(crate) live: Arc<Live>,
    pub(crate) controls: watch::Receiver<Value>,
    pub(crate) undo_limit: Duration,
}

impl StepContext {
    pub fn operation_id(&self) -> &OperationId {
        &self.id
    }

    /// The claim under which this step runs: a later one is always higher. Pass it to whatever can fence by it.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// How often this step has been started, this time included.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// A person said continue to the hold that this step asked for.
    pub fn continued(&self) -> bool {
        self.continued
    }

    /// Cancelled when the step has ended or was dropped: tasks and children that the step started must then end.
    pub fn token(&self) -> CancellationToken {
        self.token.clone()
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// An undo that takes longer is dropped, which counts as its failure.
    pub fn undo_limit(&self) -> Duration {
        self.undo_limit
    }

    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// How much of this step is done, from 0 to 1. Shown at once, stored now and then. In an undo it has no effect.
    pub fn progress(&self, fraction: f64) {
        self.live.progress(fraction);
    }

    /// What has been moved so far. Shown at once, stored now and then.
    pub fn transfer(&self, stats: TransferStats) {
        self.live.transfer(stats);
    }

    /// Tells people something worth knowing later. Holds no secrets.
    pub fn log(&self, message: impl Into<String>) {
        let message = message.into();
        tracing::info!(operation = %self.id, step = self.step, "{message}");
        self.live.log(message);
    }

    /// The operation's controls, and every change to them.
    pub fn controls(&self) -> watch::Receiver<Value> {
        self.controls.clone()
    }

    /// Keeps others from what the key stands for until this operation ends. Answers the operation that is at work on it,
    /// where that is another; ask again when that has ended.
    pub async fn hold(&self, key: &str) -> Result<Option<OperationId>, StepError> {
        let held = self.store.hold(&self.id, self.generation, key).await;
        if held == Err(StoreError::StaleOwner) {
            self.live.mark_stale();
        }
        Ok(held?)
    }

    /// Stores the state in mid-step, so that it outlives a crash. `state` is the one that the step was given.
    /// While the store is in trouble this waits, at most until the lease ends: then the step is dropped.
    /// When it has returned an error, pass it on: another owner may be at work.
    pub async fn save<S: Serialize + Sync>(&self, state: &S) -> Result<(), StepError> {
        let saved = vec![Change::Saved { state: encode(state)? }];
        #[cfg(feature = "testkit")]
        let _saving = self.live.saving();
        for retry in 0.. {
            match self.store.apply(&self.id, self.generation, saved.clone(), self.clock.now()).await {
                Ok(_) => break,
                Err(StoreError::Unavailable(_) | StoreError::Full(_)) => {
                    tokio::time::sleep(STORE_TROUBLE.delay(retry, None, 0.5)).await;
                }
                Err(error) => {
                    if error == StoreError::StaleOwner {
                        self.live.mark_stale();
                    }
                    return Err(error.into());
                }
            }
        }
        Ok(())
    }
}

/// What is known of a running operation before it is stored.
pub(crate) struct Live {
    state: Mutex<LiveState>,
    feed: watch::Sender<OperationRecord>,
    /// Wakes who attends the step.
    pub(crate) signal: Notify,
    stale: AtomicBool,
    /// Cancelled when nothing of it runs here any more.
    pub(crate) gone: CancellationToken,
    #[cfg(feature = "testkit")]
    saves: std::sync::atomic::AtomicUsize,
}

struct LiveState {
    record: OperationRecord,
    base: f64,
    span: f64,
    dirty: bool,
    log: Vec<String>,
    lost: usize,
}

impl Live {
    pub(crate) fn new(record: OperationRecord) -> Self {
        let feed = watch::Sender::new(record.clone());
        let state = LiveState { record, base: 0.0, span: 0.0, dirty: false, log: Vec::new(), lost: 0 };
        Self {
            state: Mutex::new(state),
            feed,
            signal: Notify::new(),
            stale: AtomicBool::new(false),
            gone: CancellationToken::new(),
            #[cfg(feature = "testkit")]
            saves: 0.into(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, LiveState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<OperationRecord> {
        self.feed.subscribe()
    }

    pub(crate) fn record(&self) -> OperationRecord {
        self.lock().record.clone()
    }

    /// The part of the bar, in percent, that the step about to run fills.
    pub(crate) fn enter(&self, base: f64, span: f64) {
        let mut state = self.lock();
        (state.base, state.span) = (base, span);
    }

    /// Takes in what was stored, but for what is newer here.
    pub(crate) fn stored(&self, record: &OperationRecord) {
        let mut state = self.lock();
        let before = std::mem::replace(&mut state.record, record.clone());
        if state.dirty && !record.status.is_terminal() {
            state.record.progress = before.progress;
            state.record.transfer = before.transfer;
        }
        self.publish(&state.record);
    }

    /// What has yet to be stored. It counts as stored from now on.
    pub(crate) fn take_unsaved(&self) -> Vec<Change> {
        let mut state = self.lock();
        let mut changes: Vec<Change> =
            std::mem::take(&mut state.log).into_iter().map(|message| Change::Log { message }).collect();
        let lost = std::mem::take(&mut state.lost);
        if lost > 0 {
            changes.push(Change::Log { message: format!("{lost} messages came too fast to be kept") });
        }
        if std::mem::take(&mut state.dirty) {
            let (progress, transfer) = (state.record.progress, state.record.transfer.clone());
            changes.push(Change::Progress { progress, transfer });
        }
        changes
    }

    /// What could not be stored is to be stored with the next.
    pub(crate) fn put_back(&self, changes: Vec<Change>) {
        let mut state = self.lock();
        let newer = std::mem::take(&mut state.log);
        for change in changes {
            match change {
                Change::Log { message } => state.log.push(message),
                Change::Progress { .. } => state.dirty = true,
                _ => {}
            }
        }
        state.log.extend(newer);
    }

    pub(crate) fn mark_stale(&self) {
        self.stale.store(true, Ordering::Release);
        self.signal.notify_one();
    }

    pub(crate) fn is_stale(&self) -> bool {
        self.stale.load(Ordering::Acquire)
    }

    /// Saves under way count until the guard is dropped.
    #[cfg(feature = "testkit")]
    fn saving(&self) -> impl Drop {
        struct Saving<'a>(&'a Live);
        impl Drop for Saving<'_> {
            fn drop(&mut self) {
                self.0.saves.fetch_sub(1, Ordering::SeqCst);
            }
        }
        self.saves.fetch_add(1, Ordering::SeqCst);
        Saving(self)
    }

    #[cfg(feature = "testkit")]
    pub(crate) fn is_saving(&self) -> bool {
        self.saves.load(Ordering::SeqCst) > 0
    }

    fn progress(&self, fraction: f64) {
        if fraction.is_nan() {
            return;
        }
        let mut state = self.lock();
        if state.span > 0.0 {
            state.record.progress = state.base + state.span * fraction.clamp(0.0, 1.0);
            state.dirty = true;
            self.publish(&state.record);
        }
    }

    fn transfer(&self, stats: TransferStats) {
        let mut state = self.lock();
        state.record.transfer = stats;
        state.dirty = true;
        self.publish(&state.record);
    }

    fn log(&self, message: String) {
        let mut state = self.lock();
        if state.log.len() < MAX_PENDING_LOG {
            state.log.push(message);
        } else {
            state.lost += 1;
        }
    }

    fn publish(&self, record: &OperationRecord) {
        if self.feed.receiver_count() > 0 {
            self.feed.send_replace(record.clone());
        }
    }
}
