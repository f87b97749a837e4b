//! Placements that were decided, and the work that makes machines of them.

use futures::Stream;
use novacron_operations::{IdempotencyKey, NewOperation, OperationRecord, Submission, Submitted};
use novacron_store::{Declared, PlacementQuery as StoreQuery};
use novacron_types::{
    OperationId,
    placement::{PlacementRecord, PlacementStatus, PlanMode, Work},
};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    Control, ControlError, view,
    workflow::{Create, CreateState, Making},
};

/// Which placements to list. What is absent means any.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PlacementQuery {
    pub status: Option<PlacementStatus>,
    pub vm_id: Option<String>,
    pub cursor: Option<String>,
    /// Absent: 50; at most 500.
    pub limit: Option<u32>,
}

/// A page of placements, newest first.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Placements)]
pub struct PlacementPage {
    pub placements: Vec<PlacementRecord>,
    /// Give it as `cursor` for the next page. Absent on the last.
    pub next_cursor: Option<String>,
}

/// What is stored together with the work that it leads to.
#[derive(Default)]
pub(crate) struct Keep {
    pub placements: Vec<PlacementRecord>,
    pub declared: Vec<Declared>,
}

impl Control {
    /// The newest of a VM, or one by its own id.
    pub async fn placement(&self, reference: &str) -> Result<PlacementRecord, ControlError> {
        let placements = self.store().placements();
        if let Some(found) = placements.placement_of(reference).await? {
            return Ok(found);
        }
        placements.placement(reference).await?.ok_or_else(|| {
            ControlError::not_found("unknown_placement", format!("nothing was decided for {reference:?}"))
                .advice("`GET /api/v1/multicloud/placements` lists what was.")
        })
    }

    pub async fn placements(&self, query: PlacementQuery) -> Result<PlacementPage, ControlError> {
        let query = StoreQuery {
            status: query.status,
            vm_id: query.vm_id,
            cursor: query.cursor.map(|cursor| cursor.parse()).transpose()?,
            limit: query.limit.unwrap_or(50),
        };
        let page = self.store().placements().placements(&query).await?;
        Ok(PlacementPage { placements: page.items, next_cursor: page.next.map(|cursor| cursor.to_string()) })
    }

    /// Takes on the making of machines, and stores in the same step what is to be kept with it: both, or neither. Of the
    /// placements, those that are `creating` get the operation's id.
    pub(crate) async fn make(
        &self,
        machines: Vec<Making>,
        mode: PlanMode,
        idempotency: Option<IdempotencyKey>,
        kept: &Keep,
    ) -> Result<Submitted, ControlError> {
        let subject = match machines.as_slice() {
            [one] => one.vm_id.to_string(),
            several => format!("{}-machines", several.len()),
        };
        let exclusive = machines.iter().map(|making| format!("VM {}", making.vm_id)).collect();
        let mut submission = Submission::new(subject, CreateState::new(mode, machines));
        // Of the store's troubles none is the end of machines that are there already.
        submission.options.retry_on_failure = true;
        submission.exclusive = exclusive;
        submission.idempotency = idempotency;
        let store = self.store().placements();
        let create = |new: NewOperation, now| {
            let placements: Vec<_> = kept.placements.iter().map(|record| begun(record, &new.id)).collect();
            let store = &store;
            async move { store.take_on(new, &placements, &kept.declared, now).await }
        };
        Ok(self.inner.engine.submit_by::<Create, _>(submission, create).await?)
    }

    /// The placements of the machines that an operation makes, as they are stored.
    pub(super) async fn made_by(&self, operation: &OperationRecord) -> Result<Vec<PlacementRecord>, ControlError> {
        let told = operation.summary.as_ref().and_then(Value::as_array).into_iter().flatten();
        let mut found = Vec::new();
        for id in told.filter_map(|machine| machine["placement_id"].as_str()) {
            found.extend(self.store().placements().placement(id).await?);
        }
        Ok(found)
    }

    /// Long work that is no migration.
    pub async fn work(&self, id: &OperationId) -> Result<Work, ControlError> {
        let record = self.inner.engine.get(id).await?.ok_or_else(|| {
            ControlError::not_found("no_such_operation", format!("there is no operation {id}"))
                .advice("What ended long ago is forgotten. `GET /api/v1/multicloud/placements` has the operations of placements.")
        })?;
        if view::kind(&record.kind).is_some() {
            return Err(ControlError::not_found("no_such_operation", format!("{id} is a migration"))
                .advice("`GET /api/v1/multicloud/migrations/{id}` shows it."));
        }
        Ok(work(record))
    }

    /// The same now, and then each time it has changed, until it has ended.
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

/// As it is kept while its machine is being made.
pub(super) fn begun(record: &PlacementRecord, operation: &OperationId) -> PlacementRecord {
    let operation_id = (record.status == PlacementStatus::Creating).then(|| operation.clone());
    PlacementRecord { operation_id, ..record.clone() }
}

pub(super) fn work(record: OperationRecord) -> Work {
    Work {
        operation_id: record.id,
        kind: record.kind,
        status: record.status,
        phase: record.phase,
        progress: record.progress,
        start_time: record.created_at,
        end_time: record.ended_at,
        error: record.error,
        hold_reason: record.hold.map(|hold| hold.reason),
        summary: record.summary,
    }
}
