//! Takes moves on. Each that is asked for is in the audit log, refused ones too.

use novacron_operations::{NewOperation, OperationId, Submitted};
use novacron_store::{Declared, Kept};
use novacron_types::{
    ExportRequest, ImportRequest, MigrateRequest, MigrationAccepted, MigrationKind, ProviderName, VmId,
    placement::PlacementRecord,
};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::{
    Caller, Control, ControlError,
    request::{self, Prepared},
    workflow::{Export, Import, Migrate},
};

/// A move as somebody asks for it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MoveRequest {
    /// From this provider to the local host, or to another target.
    Import { provider: String, request: ImportRequest },
    /// From where the VM is to this provider.
    Export { provider: String, request: ExportRequest },
    /// Between any two providers.
    Migrate { request: MigrateRequest },
}

impl MoveRequest {
    /// Of a VM that is to be elsewhere: where it was is freed once the target is verified and the grace period has passed.
    /// `instance_type` is absent for a host of one's own.
    pub(crate) fn whole(vm_id: VmId, to: &ProviderName, instance_type: Option<&str>) -> Self {
        let mut options = Map::from_iter([("delete_source".to_owned(), Value::from(true))]);
        if let Some(instance_type) = instance_type {
            options.insert("instance_type".to_owned(), Value::from(instance_type));
        }
        Self::Export { provider: to.to_string(), request: ExportRequest { vm_id, name: None, options } }
    }

    fn kind(&self) -> MigrationKind {
        match self {
            Self::Import { .. } => MigrationKind::Import,
            Self::Export { .. } => MigrationKind::Export,
            Self::Migrate { .. } => MigrationKind::Migrate,
        }
    }

    /// The provider that it is asked of, as the caller named it.
    fn provider(&self) -> &str {
        match self {
            Self::Import { provider, .. } | Self::Export { provider, .. } => provider,
            Self::Migrate { request } => &request.source,
        }
    }

    /// What the audit log says of it.
    fn detail(&self) -> Value {
        match self {
            Self::Import { request, .. } => json!({ "instance_id": request.instance_id }),
            Self::Export { request, .. } => json!({ "vm_id": request.vm_id }),
            Self::Migrate { request } => json!({ "instance_id": request.instance_id }),
        }
    }
}

impl Control {
    /// Takes a move on. Everything that can be refused at once is; then it is stored, and will be done or undone.
    pub async fn take_on(&self, asked: MoveRequest, caller: Caller) -> Result<MigrationAccepted, ControlError> {
        self.take_on_placed(asked, caller, Follows::default()).await
    }

    /// The same, of a move that follows from a placement: that, and what is declared with it, is stored in the same step
    /// or not at all.
    pub(crate) async fn take_on_placed(
        &self,
        asked: MoveRequest,
        caller: Caller,
        follows: Follows,
    ) -> Result<MigrationAccepted, ControlError> {
        let mut detail = asked.detail();
        let submitted = self.submit(&asked, &caller, &follows, &mut detail).await;
        // What was answered before was noted before.
        if !submitted.as_ref().is_ok_and(|submitted| submitted.existing) {
            self.note(&caller.actor, asked.kind().as_str(), asked.provider(), detail, submitted.as_ref().err()).await;
        }
        let record = submitted?.record;
        Ok(MigrationAccepted {
            migration_id: record.id,
            status: record.status,
            progress: record.progress,
            start_time: record.created_at,
        })
    }

    async fn submit(
        &self,
        asked: &MoveRequest,
        caller: &Caller,
        follows: &Follows,
        detail: &mut Value,
    ) -> Result<Submitted, ControlError> {
        let engine = &self.inner.engine;
        let key = request::idempotency(caller, asked)?;
        // This comes before every other check: what the first request has done since may well forbid a second one.
        if let Some(key) = &key
            && let Some(record) = engine.requested(key).await?
        {
            return Ok(Submitted { record, existing: true });
        }
        let prepared = request::prepare(self, asked).await?;
        detail["source"] = json!(prepared.params.source);
        detail["destination"] = json!(prepared.params.target);
        let submission = prepared.submission(key);
        let store = self.store().placements();
        let create = |new: NewOperation, now| {
            let (placement, note, store) = (follows.placement_of(&new.id), follows.note_of(&new.id), &store);
            async move {
                let kept = Kept { placements: placement.as_slice(), declared: note.as_slice(), once: None };
                store.take_on(new, kept, now).await
            }
        };
        let submitted = match asked.kind() {
            MigrationKind::Import => engine.submit_by::<Import, _>(submission, create).await,
            MigrationKind::Export => engine.submit_by::<Export, _>(submission, create).await,
            MigrationKind::Migrate => engine.submit_by::<Migrate, _>(submission, create).await,
        }?;
        detail["migration_id"] = json!(submitted.record.id);
        Ok(submitted)
    }

    /// What the move would do, after the same checks. Nothing is stored or changed.
    pub async fn plan(&self, asked: &MoveRequest) -> Result<crate::MigrationPlan, ControlError> {
        let prepared: Prepared = request::prepare(self, asked).await?;
        Ok(crate::plan::of(self, prepared))
    }
}

/// What is stored with a move, once its id is known.
#[derive(Default)]
pub(crate) struct Follows {
    pub placement: Option<PlacementRecord>,
    pub note: Option<Note>,
}

pub(crate) type Note = Box<dyn Fn(&OperationId) -> Declared + Send + Sync>;

impl Follows {
    fn placement_of(&self, operation: &OperationId) -> Option<PlacementRecord> {
        let placement = self.placement.clone()?;
        Some(PlacementRecord { operation_id: Some(operation.clone()), ..placement })
    }

    fn note_of(&self, operation: &OperationId) -> Option<Declared> {
        self.note.as_ref().map(|note| note(operation))
    }
}
