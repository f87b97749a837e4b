//! Taking an operation on.

use std::future::Future;

use jiff::Timestamp;
use novacron_types::OperationId;
use serde_json::Value;

use super::{Engine, Random};
use crate::{
    Created, EngineError, IdempotencyKey, NewOperation, OperationRecord, Options, StoreError, Workflow,
    workflow::encode,
};

const BASE32: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Submission<S> {
    /// What it is about; a part of the operation's id.
    pub subject: String,
    /// The parameters.
    pub state: S,
    /// Things that only one operation may be at work on.
    pub exclusive: Vec<String>,
    pub idempotency: Option<IdempotencyKey>,
    pub options: Options,
    /// First values of the controls: an object.
    pub controls: serde_json::Map<String, Value>,
}

impl<S> Submission<S> {
    pub fn new(subject: impl Into<String>, state: S) -> Self {
        Self {
            subject: subject.into(),
            state,
            exclusive: Vec::new(),
            idempotency: None,
            options: Options::default(),
            controls: serde_json::Map::new(),
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Submitted {
    pub record: OperationRecord,
    /// The same request had been made before; this is what it started then.
    pub existing: bool,
}

impl Engine {
    /// Stores the operation, to be run by this or another process. When this has returned, it will be done or undone.
    pub async fn submit<W: Workflow>(&self, submission: Submission<W::State>) -> Result<Submitted, EngineError> {
        self.submit_by::<W, _>(submission, |new, now| self.inner.store.create(new, now)).await
    }

    /// As [`submit`](Self::submit), with `create` in the place of [`OperationStore::create`](crate::OperationStore::create): the
    /// same to the engine, and to the store one with what the caller wants stored with the operation or not at all. It
    /// may be called again with another id.
    pub async fn submit_by<W: Workflow, F>(
        &self,
        submission: Submission<W::State>,
        mut create: impl FnMut(NewOperation, Timestamp) -> F,
    ) -> Result<Submitted, EngineError>
    where
        F: Future<Output = Result<Created, StoreError>>,
    {
        let inner = &self.inner;
        let workflow = inner.workflows.get(W::KIND).ok_or_else(|| EngineError::UnknownKind(W::KIND.to_owned()))?;
        let invalid = |error: crate::StepError| EngineError::Invalid(error.to_string());
        let state = encode(&submission.state).map_err(invalid)?;
        let steps = workflow.steps(&state).map_err(invalid)?;
        let now = inner.clock.now();
        let mut new = NewOperation {
            id: operation_id(W::KIND, &submission.subject, now, &inner.random)?,
            kind: W::KIND.to_owned(),
            subject: submission.subject,
            summary: workflow.summary(&state),
            state,
            steps: steps.iter().map(|step| step.name().to_owned()).collect(),
            controls: Value::Object(submission.controls),
            exclusive: submission.exclusive,
            idempotency: submission.idempotency,
            options: submission.options,
        };
        // Two of a second with the same four letters: once in a million.
        for _ in 0..8 {
            match create(new.clone(), now).await {
                Err(StoreError::IdTaken(_)) => {
                    new.id = operation_id(W::KIND, &new.subject, now, &inner.random)?;
                }
                created => {
                    let created = created?;
                    inner.wake();
                    return Ok(Submitted { record: created.operation.record, existing: created.existing });
                }
            }
        }
        Err(StoreError::IdTaken(new.id).into())
    }
}

/// `import-i-0123456789abcdef-1699564800-k3f9`
fn operation_id(kind: &str, subject: &str, now: Timestamp, random: &Random) -> Result<OperationId, EngineError> {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' };
    let subject: String = subject.chars().take(100).map(plain).collect();
    let bits = random.next();
    let letters: String = (0..4).map(|i| char::from(BASE32[(bits >> (5 * i)) as usize & 31])).collect();
    OperationId::new(format!("{kind}-{subject}-{}-{letters}", now.as_second()))
        .map_err(|error| EngineError::Invalid(error.to_string()))
}
