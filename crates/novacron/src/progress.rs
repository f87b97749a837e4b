//! Follows a migration to its end: a bar on a terminal, plain lines elsewhere.

use std::{
    io::{self, IsTerminal},
    pin::pin,
    time::{Duration, Instant},
};

use futures::StreamExt;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use novacron_types::{Migration, OperationId, Status, TransferStats};
use serde_json::Value;

use crate::{
    client::{Client, SseEvent, escape},
    exit::{Exit, Failure, Result},
    output::{Output, human, plain, plain_lines},
};

/// A server that is away this long is given up.
const GIVE_UP: Duration = Duration::from_secs(60);
/// A stream that says nothing this long is opened anew.
const SILENCE: Duration = Duration::from_secs(30);
/// Plain lines come at a new phase, and this often.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Shows progress until the migration has ended, and returns it. Ctrl-C detaches.
pub async fn watch(client: &Client, output: &Output, id: &OperationId) -> Result<Migration> {
    let mut display = Display::new(output);
    tokio::select! {
        ended = follow(client, id, &mut display) => {
            display.end();
            ended
        }
        _ = tokio::signal::ctrl_c() => {
            display.end();
            Err(Failure::new(Exit::Interrupted, format!("stopped watching; {id} goes on"))
                .hint(format!("novacron migration watch {id}\nnovacron migration cancel {id}")))
        }
    }
}

async fn follow(client: &Client, id: &OperationId, display: &mut Display) -> Result<Migration> {
    let path = format!("/migrations/{}", escape(id.as_str()));
    let mut last_event: Option<String> = None;
    let mut seen = Instant::now();
    let mut pause = Duration::from_millis(100);
    loop {
        match client.get::<Migration>(&path).await {
            Ok(migration) => {
                seen = Instant::now();
                display.update(&migration);
                if migration.status.is_terminal() {
                    return Ok(migration);
                }
                match client.events(&format!("{path}/events"), last_event.as_deref()).await {
                    Ok(events) => {
                        let mut events = pin!(events);
                        while let Ok(Some(event)) = tokio::time::timeout(SILENCE, events.next()).await {
                            pause = Duration::from_millis(100);
                            last_event = event.id.clone().or(last_event);
                            if display.event(&event) {
                                break;
                            }
                        }
                    }
                    Err(failure) if failure.exit == Exit::Unreachable => {}
                    Err(failure) => return Err(failure),
                }
            }
            Err(failure) if failure.exit == Exit::Unreachable && seen.elapsed() < GIVE_UP => {
                display.lost(client.base());
            }
            Err(failure) => return Err(failure),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(2));
    }
}

/// How the migration ended, as an exit: nothing for a success.
pub fn outcome(migration: &Migration) -> Result<()> {
    let (exit, what) = match migration.status {
        Status::Completed => return Ok(()),
        Status::RolledBack => (Exit::RolledBack, "failed and was rolled back; nothing was left behind"),
        Status::Cancelled => (Exit::Cancelled, "was cancelled and undone; nothing was left behind"),
        Status::Failed => (Exit::Failed, "failed, and a person is needed"),
        _ => (Exit::Failed, "has not ended"),
    };
    let failure = Failure::new(exit, format!("{} {what}", migration.migration_id));
    Err(match &migration.error {
        Some(error) => failure.why(format!("{} ({})", error.message, error.code)).maybe_hint(error.advice.clone()),
        None => failure,
    })
}

enum Mode {
    Bar(ProgressBar),
    Lines { at: Instant },
    Silent,
}

struct Display {
    mode: Mode,
    phase: String,
    lost: bool,
}

impl Display {
    fn new(output: &Output) -> Self {
        let mode = if output.quiet {
            Mode::Silent
        } else if io::stderr().is_terminal() {
            let bar = ProgressBar::with_draw_target(Some(1000), ProgressDrawTarget::stderr_with_hz(10));
            let template = if output.color { "{bar:30.green/dim} {msg}" } else { "{bar:30} {msg}" };
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style.progress_chars("█▉▊▋▌▍▎▏ "));
            }
            Mode::Bar(bar)
        } else {
            Mode::Lines { at: Instant::now() }
        };
        Self { mode, phase: String::new(), lost: false }
    }

    /// Returns whether it was the last one.
    fn event(&mut self, event: &SseEvent) -> bool {
        if let Ok(migration) = serde_json::from_str::<Migration>(&event.data) {
            self.update(&migration);
            return migration.status.is_terminal();
        }
        let Ok(data) = serde_json::from_str::<Value>(&event.data) else { return false };
        if event.event == "log"
            && let Some(message) = data.get("message").and_then(Value::as_str)
        {
            self.say(message);
        }
        data.get("status").and_then(Value::as_str).and_then(|text| text.parse().ok()).is_some_and(Status::is_terminal)
    }

    fn update(&mut self, migration: &Migration) {
        self.lost = false;
        let new_phase = self.phase != label(migration);
        if new_phase {
            self.phase = label(migration);
        }
        let line = line(migration);
        match &mut self.mode {
            Mode::Bar(bar) => {
                bar.set_position((migration.progress * 10.0).clamp(0.0, 1000.0) as u64);
                bar.set_message(line);
            }
            Mode::Lines { at } if new_phase || at.elapsed() >= LINE_EVERY => {
                *at = Instant::now();
                say(&line);
            }
            Mode::Lines { .. } | Mode::Silent => {}
        }
    }

    fn lost(&mut self, server: &str) {
        if !std::mem::replace(&mut self.lost, true) {
            self.say(&format!("The connection to {server} is lost; trying again. The migration is not affected."));
        }
    }

    fn say(&self, text: &str) {
        match &self.mode {
            Mode::Bar(bar) => bar.println(plain_lines(text)),
            Mode::Lines { .. } => say(text),
            Mode::Silent => {}
        }
    }

    /// Leaves the last state on the screen.
    fn end(&self) {
        if let Mode::Bar(bar) = &self.mode {
            bar.abandon();
        }
    }
}

fn say(text: &str) {
    use std::io::Write;
    let _ = writeln!(io::stderr().lock(), "{}", plain_lines(text));
}

/// What the user is told that it does: the phase, or the status where the phase adds nothing.
fn label(migration: &Migration) -> String {
    let status = migration.status.as_str();
    if migration.phase.is_empty() || migration.status.is_terminal() || migration.status == Status::Pending {
        status.to_owned()
    } else {
        format!("{status}: {}", migration.phase)
    }
}

/// `42.0%  transferring: copy  512.0 MiB of 1.0 GiB  180.2 MB/s  2.9 s left`
fn line(migration: &Migration) -> String {
    let mut parts = vec![format!("{:5.1}%", migration.progress), label(migration)];
    let stats = &migration.transfer_stats;
    if stats.bytes_total > 0 {
        parts.push(format!("{} of {}", human::bytes(stats.bytes_done), human::bytes(stats.bytes_total)));
    }
    if migration.status == Status::Transferring {
        parts.extend(moving(stats));
    }
    if let Some(reason) = &migration.hold_reason {
        parts.push(format!("held: {reason}"));
    }
    plain(&parts.join("  "))
}

fn moving(stats: &TransferStats) -> Vec<String> {
    let mut parts = Vec::new();
    if stats.transfer_rate.is_some() {
        parts.push(human::rate(stats.transfer_rate));
    }
    if let Some(left) = stats.estimated_time_remaining {
        parts.push(format!("{} left", human::seconds(left)));
    }
    parts
}
