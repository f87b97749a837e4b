//! A workflow with something in its way.

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use futures::future::{Either, poll_fn, select};
use novacron_types::Status;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::Notify;

use crate::{Outcome, Step, StepContext, StepError, Workflow};

/// When, in the run of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    Before,
    /// After so many polls.
    Amid(usize),
    After,
}

/// What is in the way, and of which step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    Nothing,
    /// Once.
    Fail(Moment),
    /// Stands still once, until released.
    Freeze(Moment),
    /// Freezes after its work, and then fails.
    FreezeAndFail,
    Repeat,
}

#[derive(Debug)]
pub(super) struct Script {
    pub(super) step: &'static str,
    pub(super) run: Act,
    pub(super) undo: Act,
    /// Applies to the undos of all steps.
    pub(super) repeat_undos: bool,
    pub(super) fired: AtomicBool,
    pub(super) reached: Notify,
    pub(super) release: Notify,
    pub(super) undos: AtomicUsize,
}

impl Script {
    pub(super) fn new(step: &'static str, run: Act) -> Self {
        Self {
            step,
            run,
            undo: Act::Nothing,
            repeat_undos: false,
            fired: AtomicBool::new(false),
            reached: Notify::new(),
            release: Notify::new(),
            undos: AtomicUsize::new(0),
        }
    }

    fn fire(&self) -> bool {
        !self.fired.swap(true, Ordering::SeqCst)
    }

    pub(super) fn has_fired(&self) -> bool {
        self.fired.load(Ordering::SeqCst)
    }

    async fn freeze(&self) {
        if self.fire() {
            self.reached.notify_one();
            self.release.notified().await;
        }
    }

    /// Polls `work` so often, stands still, then goes on with it. It doesn't stand still in the midst of a write to
    /// the store, which may hold a lock that everybody needs: a real step is polled for as long as it lives.
    async fn freeze_amid<T>(&self, polls: usize, cx: &StepContext, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        let mut left = polls;
        let first = poll_fn(|task| {
            if left == 0 && !cx.live.is_saving() {
                return std::task::Poll::Ready(());
            }
            left = left.saturating_sub(1);
            // Waking at once counts polls, not events.
            task.waker().wake_by_ref();
            std::task::Poll::Pending
        });
        match select(work.as_mut(), pin!(first)).await {
            Either::Left((done, _)) => done,
            Either::Right(((), _)) => {
                self.freeze().await;
                work.await
            }
        }
    }
}

pub(super) struct Probed<W> {
    pub(super) workflow: W,
    pub(super) script: Arc<Script>,
}

impl<W: Workflow> Workflow for Probed<W> {
    type State = W::State;
    const KIND: &'static str = W::KIND;
    const WAITS: bool = W::WAITS;

    fn steps(&self, params: &W::State) -> Vec<Box<dyn Step<W::State>>> {
        let steps = self.workflow.steps(params).into_iter();
        steps.map(|step| Box::new(ProbedStep { step, script: self.script.clone() }) as Box<dyn Step<_>>).collect()
    }

    fn summary(&self, state: &W::State) -> Option<Value> {
        self.workflow.summary(state)
    }
}

struct ProbedStep<S> {
    step: Box<dyn Step<S>>,
    script: Arc<Script>,
}

#[async_trait]
impl<S: DeserializeOwned + Send + Sync> Step<S> for ProbedStep<S> {
    fn name(&self) -> &'static str {
        self.step.name()
    }
    fn status(&self) -> Status {
        self.step.status()
    }
    fn weight(&self) -> f64 {
        self.step.weight()
    }
    fn reversible(&self) -> bool {
        self.step.reversible()
    }
    fn settles(&self) -> bool {
        self.step.settles()
    }

    async fn run(&self, cx: &StepContext, state: &mut S) -> Result<Outcome, StepError> {
        let script = &*self.script;
        let act = if script.step == self.step.name() { script.run } else { Act::Nothing };
        match act {
            Act::Nothing => self.step.run(cx, state).await,
            Act::Fail(Moment::After) => {
                let outcome = self.step.run(cx, state).await?;
                if outcome == Outcome::Done && script.fire() { Err(injected()) } else { Ok(outcome) }
            }
            Act::Fail(_) => {
                if script.fire() {
                    return Err(injected());
                }
                self.step.run(cx, state).await
            }
            Act::Freeze(Moment::Before) => {
                script.freeze().await;
                self.step.run(cx, state).await
            }
            Act::Freeze(Moment::Amid(polls)) => script.freeze_amid(polls, cx, self.step.run(cx, state)).await,
            Act::Freeze(Moment::After) => {
                let outcome = self.step.run(cx, state).await?;
                script.freeze().await;
                Ok(outcome)
            }
            Act::FreezeAndFail => {
                self.step.run(cx, state).await?;
                script.freeze().await;
                Err(injected())
            }
            Act::Repeat => {
                let outcome = self.step.run(cx, state).await?;
                if outcome != Outcome::Done {
                    return Ok(outcome);
                }
                script.fired.store(true, Ordering::SeqCst);
                // As after a crash: what the first run learned and did not save is gone.
                if let Ok(Some(operation)) = cx.store.get(&cx.id).await
                    && let Ok(stored) = S::deserialize(&operation.run.state)
                {
                    *state = stored;
                }
                self.step.run(cx, state).await
            }
        }
    }

    async fn undo(&self, cx: &StepContext, state: &mut S) -> Result<(), StepError> {
        let script = &*self.script;
        script.undos.fetch_add(1, Ordering::SeqCst);
        let act = if script.step == self.step.name() { script.undo } else { Act::Nothing };
        if act == Act::Freeze(Moment::Before) {
            script.freeze().await;
        }
        match act {
            Act::Freeze(Moment::Amid(polls)) => script.freeze_amid(polls, cx, self.step.undo(cx, state)).await?,
            _ => self.step.undo(cx, state).await?,
        }
        if script.repeat_undos {
            self.step.undo(cx, state).await?;
        }
        if act == Act::Freeze(Moment::After) {
            script.freeze().await;
        }
        Ok(())
    }
}

fn injected() -> StepError {
    StepError::permanent("injected", "a failure put in the way by the test")
}
