//! Placements that were decided, and the work that makes machines of them.

use novacron_operations::{IdempotencyKey, NewOperation, OperationRecord, Submission, Submitted};
use novacron_store::{Declared, Kept, PlacementQuery as StoreQuery};
use novacron_types::{
    OperationId,
    placement::{PlacementRecord, PlacementStatus, PlanMode},
};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    Control, ControlError,
    request::vm_key,
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
    /// The answer that tells of it, where others may be answering the same.
    pub once: Option<Declared>,
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
        let exclusive = machines.iter().map(|making| vm_key(&making.vm_id)).collect();
        let mut submission = Submission::new(subject, CreateState::new(mode, machines));
        // Of the store's troubles none is the end of machines that are there already.
        submission.options.retry_on_failure = true;
        submission.exclusive = exclusive;
        submission.idempotency = idempotency;
        let store = self.store().placements();
        let create = |new: NewOperation, now| {
            let placements: Vec<_> = kept.placements.iter().map(|record| begun(record, &new.id)).collect();
            let store = &store;
            async move {
                let kept = Kept { placements: &placements, declared: &kept.declared, once: kept.once.as_ref() };
                store.take_on(new, kept, now).await
            }
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
}

/// As it is kept while its machine is being made.
pub(super) fn begun(record: &PlacementRecord, operation: &OperationId) -> PlacementRecord {
    let operation_id = (record.status == PlacementStatus::Creating).then(|| operation.clone());
    PlacementRecord { operation_id, ..record.clone() }
}
