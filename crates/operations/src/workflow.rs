//! What an operation does: a workflow is a sequence of steps over one state.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use novacron_types::Status;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{StepContext, StepError};

/// One kind of operation.
pub trait Workflow: Send + Sync + 'static {
    /// The parameters, and everything that steps learn and later ones need. It is stored and may be looked at:
    /// it never holds a secret.
    type State: Serialize + DeserializeOwned + Clone + Send + Sync + 'static;
    /// The kind's name (`import`): it starts the operation's id.
    const KIND: &'static str;
    /// Its steps do little but wait for other operations of the same engine, so it takes none of their places.
    const WAITS: bool = false;

    /// The steps, which must follow from the parameters alone: `params` is the state as it was submitted.
    fn steps(&self, params: &Self::State) -> Vec<Box<dyn Step<Self::State>>>;

    /// What to show as the result so far. Called at submission, after each step and at the end.
    fn summary(&self, _state: &Self::State) -> Option<Value> {
        None
    }
}

/// One idempotent action with its undo.
///
/// A step must expect to be dropped at any `await` and run again, with the state that was last stored: when it
/// began, or when it last called [`StepContext::save`]. So an id or client token is made and stored *before* the call that
/// uses it, best in a step of its own. A step must not block its thread: the lease is renewed on it.
#[async_trait]
pub trait Step<S: Send + Sync>: Send + Sync {
    /// Unique within the workflow.
    fn name(&self) -> &'static str;

    /// What users see while it runs: preparing, transferring or finalizing.
    fn status(&self) -> Status {
        Status::Transferring
    }

    /// Its share of the progress bar.
    fn weight(&self) -> f64 {
        1.0
    }

    /// Can it be undone? A step that says no is the point of no return: from its *start* on (it may have had its
    /// effect when its process died) nothing is unwound and cancel is refused.
    fn reversible(&self) -> bool {
        true
    }

    /// Once it is done, what was asked for is there, and is not undone for being late: the timeout counts no more.
    fn settles(&self) -> bool {
        false
    }

    async fn run(&self, cx: &StepContext, state: &mut S) -> Result<Outcome, StepError>;

    /// Removes whatever [`run`](Self::run) may have made, found by the ids in the state; all of it may already be gone,
    /// or never have been made. Runs for a step that was begun, finished or not.
    async fn undo(&self, _cx: &StepContext, _state: &mut S) -> Result<(), StepError> {
        Ok(())
    }
}

/// What a step that did not fail came to.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    Done,
    /// Run it again at `resume_at`, or sooner if a person says continue; without a time, only then.
    Hold {
        reason: String,
        resume_at: Option<Timestamp>,
    },
}

/// Why a step or an undo did not end well.
pub(crate) struct Failure {
    pub(crate) error: StepError,
    /// What it learned is kept: its undo may need it. Absent where nobody can tell (a panic): what it stored stands.
    pub(crate) state: Option<Value>,
}

impl From<StepError> for Failure {
    fn from(error: StepError) -> Self {
        Self { error, state: None }
    }
}

fn left<T>(outcome: Result<T, StepError>, state: &impl Serialize) -> Result<(T, Value), Failure> {
    let state = encode(state)?;
    match outcome {
        Ok(outcome) => Ok((outcome, state)),
        Err(error) => Err(Failure { error, state: Some(state) }),
    }
}

/// A step over the stored form of its state, so that the engine need not know the type.
#[async_trait]
pub(crate) trait ErasedStep: Send + Sync {
    fn name(&self) -> &'static str;
    fn status(&self) -> Status;
    fn weight(&self) -> f64;
    fn reversible(&self) -> bool;
    fn settles(&self) -> bool;
    async fn run(&self, cx: &StepContext, state: &Value) -> Result<(Outcome, Value), Failure>;
    async fn undo(&self, cx: &StepContext, state: &Value) -> Result<Value, Failure>;
}

pub(crate) trait ErasedWorkflow: Send + Sync {
    fn waits(&self) -> bool;
    fn steps(&self, params: &Value) -> Result<Vec<Box<dyn ErasedStep>>, StepError>;
    fn summary(&self, state: &Value) -> Option<Value>;
}

pub(crate) fn erase<W: Workflow>(workflow: W) -> Arc<dyn ErasedWorkflow> {
    Arc::new(Erased(workflow))
}

struct Erased<W>(W);

impl<W: Workflow> ErasedWorkflow for Erased<W> {
    fn waits(&self) -> bool {
        W::WAITS
    }
    fn steps(&self, params: &Value) -> Result<Vec<Box<dyn ErasedStep>>, StepError> {
        let params: W::State = decode(params)?;
        Ok(self.0.steps(&params).into_iter().map(|step| Box::new(Typed(step)) as Box<dyn ErasedStep>).collect())
    }
    fn summary(&self, state: &Value) -> Option<Value> {
        decode(state).ok().and_then(|state| self.0.summary(&state))
    }
}

struct Typed<S>(Box<dyn Step<S>>);

#[async_trait]
impl<S: Serialize + DeserializeOwned + Send + Sync> ErasedStep for Typed<S> {
    fn name(&self) -> &'static str {
        self.0.name()
    }
    fn status(&self) -> Status {
        self.0.status()
    }
    fn weight(&self) -> f64 {
        let weight = self.0.weight();
        if weight.is_finite() { weight.max(0.0) } else { 0.0 }
    }
    fn reversible(&self) -> bool {
        self.0.reversible()
    }
    fn settles(&self) -> bool {
        self.0.settles()
    }
    async fn run(&self, cx: &StepContext, state: &Value) -> Result<(Outcome, Value), Failure> {
        let mut state: S = decode(state)?;
        let outcome = self.0.run(cx, &mut state).await;
        left(outcome, &state)
    }
    async fn undo(&self, cx: &StepContext, state: &Value) -> Result<Value, Failure> {
        let mut state: S = decode(state)?;
        let outcome = self.0.undo(cx, &mut state).await;
        left(outcome, &state).map(|((), state)| state)
    }
}

pub(crate) fn encode<S: Serialize>(state: &S) -> Result<Value, StepError> {
    serde_json::to_value(state)
        .map_err(|e| StepError::permanent("state_unwritable", format!("the operation's state can't be stored: {e}")))
}

fn decode<S: DeserializeOwned>(state: &Value) -> Result<S, StepError> {
    S::deserialize(state).map_err(|e| {
        StepError::permanent("state_unreadable", format!("the operation's stored state can't be read: {e}"))
            .advice("it was probably written by another version of this program: run that version, or retry with it")
    })
}
