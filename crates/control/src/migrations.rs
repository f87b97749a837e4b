//! Imports, exports, and what is asked about them.

use futures::Stream;
use novacron_operations::{Event, IdempotencyKey, ListQuery, OperationRecord, PageCursor, StoreError};
use novacron_types::{
    ByteSize, ExportRequest, ImportRequest, MigrateRequest, Migration, MigrationAccepted, MigrationKind, OperationId,
    Status,
};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::{
    Caller, Control, ControlError, MigrationPlan, ProviderSummary,
    request::{self, Prepared},
    view,
    workflow::{BANDWIDTH_LIMIT, Export, Import, Migrate, MoveState, runs, step_names},
};

/// Which migrations to list. Empty lists and no text mean any.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MigrationQuery {
    pub statuses: Vec<Status>,
    pub kinds: Vec<MigrationKind>,
    /// In the id or the machine's id, whatever the case.
    pub text: Option<String>,
    pub cursor: Option<String>,
    /// Absent: 50; at most 500.
    pub limit: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MigrationPage {
    pub items: Vec<Migration>,
    pub next: Option<String>,
}

impl Control {
    /// Takes an import on. Everything that can be refused at once is; then it is stored, and will be done or undone.
    pub async fn import(
        &self,
        provider: &str,
        request: ImportRequest,
        caller: Caller,
    ) -> Result<MigrationAccepted, ControlError> {
        let key = request::idempotency(&caller, &("import", provider, &request))?;
        if let Some(accepted) = self.accepted_before(key.as_ref()).await? {
            return Ok(accepted);
        }
        let prepared = request::import(self, provider, &request).await?;
        let detail = json!({"instance_id": request.instance_id, "destination": prepared.params.target});
        let submission = prepared.submission(key);
        let accepted = self.inner.engine.submit::<Import>(submission).await.map_err(ControlError::from);
        self.accepted("import", provider, detail, &caller, accepted).await
    }

    /// Takes an export on, as [`import`](Self::import) does.
    pub async fn export(
        &self,
        provider: &str,
        request: ExportRequest,
        caller: Caller,
    ) -> Result<MigrationAccepted, ControlError> {
        let key = request::idempotency(&caller, &("export", provider, &request))?;
        if let Some(accepted) = self.accepted_before(key.as_ref()).await? {
            return Ok(accepted);
        }
        let prepared = request::export(self, provider, &request).await?;
        let detail = json!({"vm_id": request.vm_id, "source": prepared.params.source});
        let submission = prepared.submission(key);
        let accepted = self.inner.engine.submit::<Export>(submission).await.map_err(ControlError::from);
        self.accepted("export", provider, detail, &caller, accepted).await
    }

    /// Takes a migration between any two providers on, as [`import`](Self::import) does.
    pub async fn migrate(&self, request: MigrateRequest, caller: Caller) -> Result<MigrationAccepted, ControlError> {
        let key = request::idempotency(&caller, &("migrate", &request))?;
        if let Some(accepted) = self.accepted_before(key.as_ref()).await? {
            return Ok(accepted);
        }
        let prepared = request::migrate(self, &request).await?;
        let detail = json!({"instance_id": request.instance_id, "destination": prepared.params.target});
        let source = request.source.clone();
        let submission = prepared.submission(key);
        let accepted = self.inner.engine.submit::<Migrate>(submission).await.map_err(ControlError::from);
        self.accepted("migrate", &source, detail, &caller, accepted).await
    }

    /// What was answered to the same request under the same key. This comes before every other check: what the first
    /// request has done since may well forbid a second one.
    async fn accepted_before(&self, key: Option<&IdempotencyKey>) -> Result<Option<MigrationAccepted>, ControlError> {
        let Some(key) = key else { return Ok(None) };
        Ok(self.inner.engine.requested(key).await?.map(accepted_as))
    }

    async fn accepted(
        &self,
        action: &str,
        provider: &str,
        mut detail: Value,
        caller: &Caller,
        submitted: Result<novacron_operations::Submitted, ControlError>,
    ) -> Result<MigrationAccepted, ControlError> {
        if let Ok(submitted) = &submitted {
            detail["migration_id"] = json!(submitted.record.id);
        }
        self.audit_result(&caller.actor, action, provider, detail, &submitted).await?;
        Ok(accepted_as(submitted?.record))
    }

    /// What [`import`](Self::import) would do, after the same checks. Nothing is stored or changed.
    pub async fn plan_import(&self, provider: &str, request: &ImportRequest) -> Result<MigrationPlan, ControlError> {
        Ok(self.plan(request::import(self, provider, request).await?))
    }

    /// What [`export`](Self::export) would do, after the same checks. Nothing is stored or changed.
    pub async fn plan_export(&self, provider: &str, request: &ExportRequest) -> Result<MigrationPlan, ControlError> {
        Ok(self.plan(request::export(self, provider, request).await?))
    }

    /// What [`migrate`](Self::migrate) would do, after the same checks. Nothing is stored or changed.
    pub async fn plan_migrate(&self, request: &MigrateRequest) -> Result<MigrationPlan, ControlError> {
        Ok(self.plan(request::migrate(self, request).await?))
    }

    fn plan(&self, prepared: Prepared) -> MigrationPlan {
        let Prepared { params, source, .. } = prepared;
        let mut state = MoveState::new(params.clone());
        state.was_running = runs(source.state);
        state.source = Some(source.clone());
        let target_runs = self
            .providers()
            .into_iter()
            .any(|ProviderSummary { name, runs_guests, .. }| name == params.target && runs_guests);
        let stops_source = state.was_running && params.migration_type == novacron_types::MigrationType::Cold;
        let mut notes = Vec::new();
        if state.was_running && !stops_source {
            notes.push("The source runs on: the copy is crash-consistent, as after a loss of power.".to_owned());
        }
        if state.starts() && !target_runs {
            notes.push(format!(
                "{} keeps disks and runs no guests: the machine will not be started there.",
                params.target
            ));
        }
        if params.delete_source {
            let grace = params.grace_seconds;
            notes.push(format!(
                "The source is deleted {grace} s after the target is verified; until then it can be undone."
            ));
        }
        MigrationPlan {
            name: state.name(),
            disk_bytes: source.disks.iter().map(|disk| disk.size_bytes).sum(),
            steps: step_names(&self.inner.tools, &params),
            starts_at_target: state.starts() && target_runs,
            stops_source,
            deletes_source: params.delete_source,
            source: params.source,
            destination: params.target,
            transfer: params.transfer,
            instance: source,
            notes,
        }
    }

    pub async fn migration(&self, id: &OperationId) -> Result<Migration, ControlError> {
        let record = self.inner.engine.get(id).await?.ok_or_else(|| StoreError::NotFound(id.clone()))?;
        view::migration(record)
    }

    /// Newest first.
    pub async fn migrations(&self, query: MigrationQuery) -> Result<MigrationPage, ControlError> {
        let kinds: &[MigrationKind] = if query.kinds.is_empty() { &MigrationKind::ALL } else { &query.kinds };
        let query = ListQuery {
            statuses: query.statuses,
            kinds: kinds.iter().map(|kind| kind.as_str().to_owned()).collect(),
            text: query.text,
            cursor: query.cursor.map(|cursor| cursor.parse::<PageCursor>()).transpose()?,
            limit: query.limit.unwrap_or(50),
        };
        let page = self.inner.engine.list(&query).await?;
        Ok(MigrationPage {
            items: page.items.into_iter().map(view::migration).collect::<Result<_, _>>()?,
            next: page.next.map(|cursor| cursor.to_string()),
        })
    }

    /// The migration as it is, and then each time it has changed, until it has ended.
    pub async fn watch(
        &self,
        id: &OperationId,
    ) -> Result<impl Stream<Item = Result<Migration, ControlError>> + Send + use<>, ControlError> {
        let watch = self.inner.engine.watch(id).await?;
        Ok(futures::stream::unfold(watch, |mut watch| async move {
            let next = watch.next().await?;
            Some((next.map_err(ControlError::from).and_then(view::migration), watch))
        }))
    }

    /// What has happened to it, after event number `after`, oldest first.
    pub async fn events(&self, id: &OperationId, after: u64, limit: u32) -> Result<Vec<Event>, ControlError> {
        Ok(self.inner.engine.events(id, after, limit).await?)
    }

    /// Asks that it be undone. It is when its status says `cancelled`.
    pub async fn cancel(&self, id: &OperationId, actor: &str) -> Result<Migration, ControlError> {
        let record = self.inner.engine.cancel(id, actor).await.map_err(ControlError::from);
        self.changed("cancel", id, actor, Value::Null, record).await
    }

    /// Lets a held one go on now.
    pub async fn continue_(&self, id: &OperationId, actor: &str) -> Result<Migration, ControlError> {
        let record = self.inner.engine.continue_(id, actor).await.map_err(ControlError::from);
        self.changed("continue", id, actor, Value::Null, record).await
    }

    /// Takes a failed one up again where it stopped.
    pub async fn retry(&self, id: &OperationId, actor: &str) -> Result<Migration, ControlError> {
        let record = self.inner.engine.retry(id, actor).await.map_err(ControlError::from);
        self.changed("retry", id, actor, Value::Null, record).await
    }

    /// Changes the rate limit of a running one: bytes a second, or none.
    pub async fn set_bandwidth(
        &self,
        id: &OperationId,
        limit: Option<ByteSize>,
        actor: &str,
    ) -> Result<Migration, ControlError> {
        let limit = limit.filter(|limit| limit.0 > 0).map_or(Value::Null, |limit| Value::from(limit.0));
        let patch = Map::from_iter([(BANDWIDTH_LIMIT.to_owned(), limit.clone())]);
        let record = self.inner.engine.set_controls(id, patch, actor).await.map_err(ControlError::from);
        self.changed("set_bandwidth", id, actor, json!({ BANDWIDTH_LIMIT: limit }), record).await
    }

    async fn changed(
        &self,
        action: &str,
        id: &OperationId,
        actor: &str,
        detail: Value,
        outcome: Result<OperationRecord, ControlError>,
    ) -> Result<Migration, ControlError> {
        self.audit_result(actor, action, id.as_str(), detail, &outcome).await?;
        view::migration(outcome?)
    }
}

fn accepted_as(record: OperationRecord) -> MigrationAccepted {
    MigrationAccepted {
        migration_id: record.id,
        status: record.status,
        progress: record.progress,
        start_time: record.created_at,
    }
}
