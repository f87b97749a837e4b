//! Long work that is no migration, followed to its end.

use std::{
    pin::pin,
    time::{Duration, Instant},
};

use futures::StreamExt;
use novacron_types::{OperationId, Status, placement::Work};

use super::Context;
use crate::{
    client::{SseEvent, escape},
    exit::{Exit, Failure, Result},
};

/// A server that is away this long is given up.
const GIVE_UP: Duration = Duration::from_secs(60);
/// A stream that says nothing this long is opened anew.
const SILENCE: Duration = Duration::from_secs(30);
const SOON: Duration = Duration::from_millis(100);
const SLOWEST: Duration = Duration::from_secs(2);

/// Says that it was taken on.
pub fn begins(context: &Context, id: &OperationId) {
    context.output.note(format_args!("{id} begins; ctrl-C stops watching, not the work."));
}

/// Says each new phase until the work has ended. Ctrl-C stops following, not the work.
pub async fn follow(context: &Context, id: &OperationId) -> Result<Work> {
    tokio::select! {
        ended = until_end(context, id) => ended,
        _ = tokio::signal::ctrl_c() => {
            Err(Failure::new(Exit::Interrupted, format!("stopped watching; {id} goes on"))
                .hint(format!("novacron operation watch {id}\nnovacron operation cancel {id}")))
        }
    }
}

async fn until_end(context: &Context, id: &OperationId) -> Result<Work> {
    let client = &context.client;
    let path = format!("/operations/{}", escape(id.as_str()));
    let (mut said, mut seen, mut pause) = (String::new(), Instant::now(), SOON);
    let mut last_event: Option<String> = None;
    let mut say = |work: &Work| {
        let line = line(work);
        if line != said {
            context.output.note(&line);
            said = line;
        }
    };
    loop {
        match client.get::<Work>(&path).await {
            Ok(work) => {
                seen = Instant::now();
                say(&work);
                if work.status.is_terminal() {
                    return Ok(work);
                }
                // Where there is no stream, the next look says whether something is wrong.
                if let Ok(events) = client.events(&format!("{path}/events"), last_event.as_deref()).await {
                    let mut events = pin!(events);
                    while let Ok(Some(event)) = tokio::time::timeout(SILENCE, events.next()).await {
                        pause = SOON;
                        last_event = event.id.clone().or(last_event);
                        if let Ok(work) = serde_json::from_str::<Work>(&event.data) {
                            say(&work);
                            if work.status.is_terminal() {
                                return Ok(work);
                            }
                        } else if let Some(message) = logged(&event) {
                            context.output.note(message);
                        }
                    }
                }
            }
            Err(failure) if failure.exit == Exit::Unreachable && seen.elapsed() < GIVE_UP => {}
            Err(failure) => return Err(failure),
        }
        // The stream broke off, or there is none: not to press a server that is starting or in trouble.
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(SLOWEST);
    }
}

fn logged(event: &SseEvent) -> Option<String> {
    let data: serde_json::Value = serde_json::from_str(&event.data).ok()?;
    (event.event == "log").then(|| data["message"].as_str().map(str::to_owned)).flatten()
}

fn line(work: &Work) -> String {
    let held = work.hold_reason.as_ref().map(|why| format!("  held: {why}")).unwrap_or_default();
    let phase = if work.phase.is_empty() { String::new() } else { format!(": {}", work.phase) };
    format!("{:5.1}%  {}{phase}{held}", work.progress, work.status)
}

/// How the work ended, as an exit: nothing for a success.
pub fn outcome(work: &Work) -> Result<()> {
    // Of many moves, those that were done stay.
    let moves = work.kind == "rebalance";
    let (exit, what) = match work.status {
        Status::Completed => return Ok(()),
        Status::Cancelled if work.kind == "burst" => {
            (Exit::Cancelled, "was cancelled; what had moved by then stays there, unless it was all or nothing")
        }
        Status::RolledBack if moves => (Exit::RolledBack, "stopped at a move that failed and was undone"),
        Status::Cancelled if moves => (Exit::Cancelled, "was cancelled, and the move that it was at undone or ended"),
        Status::RolledBack => (Exit::RolledBack, "failed and was rolled back; nothing was left behind"),
        Status::Cancelled => (Exit::Cancelled, "was cancelled and undone; nothing was left behind"),
        Status::Failed => (Exit::Failed, "failed, and a person is needed"),
        _ => (Exit::Failed, "has not ended"),
    };
    let failure = Failure::new(exit, format!("{} ({}) {what}", work.operation_id, work.kind));
    Err(match &work.error {
        Some(error) => failure.why(format!("{} ({})", error.message, error.code)).maybe_hint(error.advice.clone()),
        None => failure,
    })
}
