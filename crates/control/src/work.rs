//! Long work that is no migration: machines being made, bursts and plans being carried out.

use futures::Stream;
use novacron_operations::{ListQuery, OperationRecord, PageCursor, Workflow};
use novacron_types::{OperationFault, OperationId, Status, placement::Work};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    Control, ControlError, view,
    workflow::{Burst, Create, Rebalance},
};

/// Which work to list. Empty lists mean any.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct WorkQuery {
    pub statuses: Vec<Status>,
    pub kinds: Vec<WorkKind>,
    pub cursor: Option<String>,
    /// Absent: 50; at most 500.
    pub limit: Option<u32>,
}

/// What there is beside migrations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WorkKind {
    Create,
    Burst,
    Rebalance,
}

impl WorkKind {
    pub const ALL: [Self; 3] = [Self::Create, Self::Burst, Self::Rebalance];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => Create::KIND,
            Self::Burst => Burst::KIND,
            Self::Rebalance => Rebalance::KIND,
        }
    }
}

/// A page of long work that is no migration, newest first.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Operations)]
pub struct WorkPage {
    pub operations: Vec<Work>,
    /// Give it as `cursor` for the next page. Absent on the last.
    pub next_cursor: Option<String>,
}

impl Control {
    pub async fn work(&self, id: &OperationId) -> Result<Work, ControlError> {
        let record = self.inner.engine.get(id).await?.ok_or_else(|| {
            ControlError::not_found("no_such_operation", format!("there is no operation {id}"))
                .advice("`novacron operation list` lists them. What ended well long ago is forgotten.")
        })?;
        if view::kind(&record.kind).is_some() {
            return Err(ControlError::not_found("no_such_operation", format!("{id} is a migration"))
                .advice(format!("`novacron migration show {id}` shows it.")));
        }
        Ok(work(record))
    }

    /// Newest first.
    pub async fn works(&self, query: WorkQuery) -> Result<WorkPage, ControlError> {
        let kinds: &[WorkKind] = if query.kinds.is_empty() { &WorkKind::ALL } else { &query.kinds };
        let query = ListQuery {
            statuses: query.statuses,
            kinds: kinds.iter().map(|kind| kind.as_str().to_owned()).collect(),
            text: None,
            cursor: query.cursor.map(|cursor| cursor.parse::<PageCursor>()).transpose()?,
            limit: query.limit.unwrap_or(50),
        };
        let page = self.inner.engine.list(&query).await?;
        Ok(WorkPage {
            operations: page.items.into_iter().map(work).collect(),
            next_cursor: page.next.map(|cursor| cursor.to_string()),
        })
    }

    /// The work now, and then each time it has changed, until it has ended.
    pub async fn watch_work(
        &self,
        id: &OperationId,
    ) -> Result<impl Stream<Item = Result<Work, ControlError>> + Send + use<>, ControlError> {
        self.work(id).await?;
        let watch = self.inner.engine.watch(id).await?;
        Ok(futures::stream::unfold(watch, |mut watch| async move {
            let next = watch.next().await?;
            Some((next.map_err(ControlError::from).map(work), watch))
        }))
    }

    /// Asks that long work be undone.
    pub async fn cancel_work(&self, id: &OperationId, actor: &str) -> Result<Work, ControlError> {
        self.work(id).await?;
        let outcome = self.inner.engine.cancel(id, actor).await.map_err(ControlError::from);
        self.note(actor, "cancel", id.as_str(), Value::Null, outcome.as_ref().err()).await;
        Ok(work(outcome?))
    }

    /// Takes long work that has failed up again where it stopped.
    pub async fn retry_work(&self, id: &OperationId, actor: &str) -> Result<Work, ControlError> {
        self.work(id).await?;
        let outcome = self.inner.engine.retry(id, actor).await.map_err(ControlError::from);
        self.note(actor, "retry", id.as_str(), Value::Null, outcome.as_ref().err()).await;
        Ok(work(outcome?))
    }
}

pub(crate) fn work(record: OperationRecord) -> Work {
    let error = record.error.map(|error| match record.status {
        Status::Failed => with_command(error, &format!("novacron operation retry {}", record.id)),
        _ => error,
    });
    Work {
        operation_id: record.id,
        kind: record.kind,
        status: record.status,
        phase: record.phase,
        progress: record.progress,
        start_time: record.created_at,
        end_time: record.ended_at,
        error,
        hold_reason: record.hold.map(|hold| hold.reason),
        summary: record.summary,
    }
}

/// What has failed waits for a person, who is told how to take it up again.
pub(crate) fn with_command(fault: OperationFault, command: &str) -> OperationFault {
    let before = fault.advice.map(|advice| format!("{}. ", advice.trim_end_matches('.'))).unwrap_or_default();
    OperationFault { advice: Some(format!("{before}`{command}` takes it up again.")), ..fault }
}
