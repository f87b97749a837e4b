//! The events of a migration or of other long work, as they happen.

use std::{collections::VecDeque, convert::Infallible, pin::Pin, time::Duration};

use axum::{
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::{
        IntoResponse, Response,
        sse::{self, KeepAlive, Sse},
    },
};
use futures::{Stream, StreamExt, stream};
use novacron_control::{Control, ControlError, Event};
use novacron_types::{OperationId, Status};
use serde::Serialize;
use serde_json::json;

use crate::{
    auth::Viewer,
    input::Params,
    problem::{Failure, Result},
    routes::migrations::id,
    state::AppState,
};

/// Read from the store at once.
const BATCH: u32 = 100;
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// Follow a migration.
///
/// Server-sent events: `status`, `step`, `checkpoint` and `log` carry what happened (`seq`, `at`, `kind`, `step`,
/// `message`) under ids that go on after a break with `Last-Event-ID`; `progress` carries the migration as it is
/// then. The stream ends with the migration; one that has ended and of which everything was seen answers 204.
#[utoipa::path(get, path = "/migrations/{id}/events", tag = "migrations", operation_id = "migration_events",
    params(
        ("id" = String, Path, description = "The migration's id", max_length = 255),
        ("Last-Event-ID" = Option<u64>, Header, description = "Events up to this one were seen", minimum = 0, maximum = 9007199254740991u64),
    ),
    responses(
        (status = 200, description = "The events", body = String, content_type = "text/event-stream"),
        (status = 204, description = "There is nothing more to come"),
    ))]
pub async fn stream(
    _: Viewer,
    State(state): State<AppState>,
    Path(text): Path<String>,
    params: Params,
    headers: HeaderMap,
) -> Result<Response> {
    params.end()?;
    let id = id(text)?;
    let migration = state.control.migration(&id).await?;
    let changes = state.control.watch(&id).await?.boxed();
    follow(state, id, &headers, migration.status, changes).await
}

/// Follow long work that is no migration.
///
/// As the events of a migration; `progress` carries the work as it is then.
#[utoipa::path(get, path = "/operations/{id}/events", tag = "placements", operation_id = "operation_events",
    params(
        ("id" = String, Path, description = "The operation's id", max_length = 255),
        ("Last-Event-ID" = Option<u64>, Header, description = "Events up to this one were seen", minimum = 0, maximum = 9007199254740991u64),
    ),
    responses(
        (status = 200, description = "The events", body = String, content_type = "text/event-stream"),
        (status = 204, description = "There is nothing more to come"),
    ))]
pub async fn work(
    _: Viewer,
    State(state): State<AppState>,
    Path(text): Path<String>,
    params: Params,
    headers: HeaderMap,
) -> Result<Response> {
    params.end()?;
    let id = super::operations::id(text)?;
    let work = state.control.work(&id).await?;
    let changes = state.control.watch_work(&id).await?.boxed();
    follow(state, id, &headers, work.status, changes).await
}

async fn follow<T: Serialize + Send + 'static>(
    state: AppState,
    id: OperationId,
    headers: &HeaderMap,
    status: Status,
    changes: Changes<T>,
) -> Result<Response> {
    let seen = last_event_id(headers)?;
    if let Some(seen) = seen
        && status.is_terminal()
        && state.control.events(&id, seen, 1).await?.is_empty()
    {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let follow = Follow { control: state.control, id, seen: seen.unwrap_or(0), changes, ready: VecDeque::new() };
    let events = stream::unfold(follow, Follow::next).take_until(state.stopping.cancelled_owned());
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response())
}

fn last_event_id(headers: &HeaderMap) -> Result<Option<u64>> {
    let Some(value) = headers.get("last-event-id") else { return Ok(None) };
    let id = value.to_str().ok().and_then(|text| text.trim().parse::<u64>().ok()).filter(|id| *id <= i64::MAX as u64);
    id.map(Some).ok_or_else(|| {
        Failure::bad_request("invalid_last_event_id", "`Last-Event-ID` is the id of an event of this stream: a number")
    })
}

type Changes<T> = Pin<Box<dyn Stream<Item = Result<T, ControlError>> + Send>>;

struct Follow<T> {
    control: Control,
    id: OperationId,
    /// Number of the last event that was put into the stream.
    seen: u64,
    changes: Changes<T>,
    ready: VecDeque<sse::Event>,
}

impl<T: Serialize> Follow<T> {
    async fn next(mut self) -> Option<(Result<sse::Event, Infallible>, Self)> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some((Ok(event), self));
            }
            match self.changes.next().await? {
                Ok(now) => {
                    if self.fetch().await.is_err() {
                        return None;
                    }
                    self.ready.extend(sse::Event::default().event("progress").json_data(&now));
                }
                // The client comes again with its Last-Event-ID, and gets the reason as a problem if it lasts.
                Err(error) => {
                    tracing::warn!(id = %self.id, %error, "a stream of events broke off");
                    return None;
                }
            }
        }
    }

    async fn fetch(&mut self) -> Result<(), ControlError> {
        loop {
            let events = self.control.events(&self.id, self.seen, BATCH).await?;
            let more = events.len() == BATCH as usize;
            for event in events {
                self.seen = event.seq;
                self.ready.extend(written(&event));
            }
            if !more {
                return Ok(());
            }
        }
    }
}

fn written(event: &Event) -> Result<sse::Event, axum::Error> {
    let data = json!({
        "seq": event.seq, "at": event.at, "kind": event.kind, "step": event.step, "message": event.message,
    });
    sse::Event::default().id(event.seq.to_string()).event(sort(&event.kind)).json_data(data)
}

fn sort(kind: &str) -> &'static str {
    match kind {
        "step_finished" => "checkpoint",
        "step_started" | "undo_started" | "undo_finished" => "step",
        "log" | "attempt_failed" | "controls" => "log",
        _ => "status",
    }
}
