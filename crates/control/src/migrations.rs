//! What is asked about moves that were taken on, and of them.

use futures::Stream;
use novacron_operations::{Event, ListQuery, PageCursor, StoreError};
use novacron_types::{ByteSize, Migration, MigrationKind, OperationId, Status};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::{Control, ControlError, view, workflow::BANDWIDTH_LIMIT};

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

/// A page of migrations, newest first.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Migrations)]
pub struct MigrationPage {
    pub migrations: Vec<Migration>,
    /// Give it as `cursor` for the next page. Absent on the last.
    pub next_cursor: Option<String>,
}

/// What can be asked of a migration that was taken on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// That it be undone. It is when its status says `cancelled`.
    Cancel,
    /// That a held one go on now.
    Continue,
    /// That a failed one be taken up again where it stopped.
    Retry,
    /// That it move at most so many bytes a second; without a number, or with 0, as many as it can.
    Bandwidth(Option<ByteSize>),
}

impl Control {
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
            migrations: page.items.into_iter().map(view::migration).collect::<Result<_, _>>()?,
            next_cursor: page.next.map(|cursor| cursor.to_string()),
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

    /// Asks something of a migration, whoever is at work on it.
    pub async fn change(&self, id: &OperationId, change: Change, actor: &str) -> Result<Migration, ControlError> {
        let (action, detail) = match change {
            Change::Cancel => ("cancel", Value::Null),
            Change::Continue => ("continue", Value::Null),
            Change::Retry => ("retry", Value::Null),
            Change::Bandwidth(limit) => ("set_bandwidth", Value::Object(bandwidth(limit))),
        };
        let changed = self.changed(id, change, actor).await;
        self.note(actor, action, id.as_str(), detail, changed.as_ref().err()).await;
        changed
    }

    async fn changed(&self, id: &OperationId, change: Change, actor: &str) -> Result<Migration, ControlError> {
        let engine = &self.inner.engine;
        // Other work is not there for who asks about migrations, and nothing is done to it.
        self.migration(id).await?;
        view::migration(match change {
            Change::Cancel => engine.cancel(id, actor).await?,
            Change::Continue => engine.continue_(id, actor).await?,
            Change::Retry => engine.retry(id, actor).await?,
            Change::Bandwidth(limit) => engine.set_controls(id, bandwidth(limit), actor).await?,
        })
    }
}

/// 0 is no limit.
fn bandwidth(limit: Option<ByteSize>) -> Map<String, Value> {
    let limit = limit.filter(|limit| limit.0 > 0).map_or(Value::Null, |limit| Value::from(limit.0));
    Map::from_iter([(BANDWIDTH_LIMIT.to_owned(), limit)])
}
