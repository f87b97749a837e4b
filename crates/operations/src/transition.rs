//! Every way in which an operation's owner may change its row: pure, and shared by all stores.

use jiff::Timestamp;
use novacron_types::{Checkpoint, Status, TransferStats};
use serde_json::Value;

use crate::{
    Budget, Change, Cursor, Event, Hold, Lease, NewOperation, Operation, OperationRecord, RunState, StoreError,
    UnwindCause, clock::later, plan::not_undone_yet,
};

/// Log messages kept of one operation, and the longest one.
const MAX_LOG: u32 = 2_000;
const MAX_MESSAGE: usize = 4_096;

impl Operation {
    /// The row of a new operation, and its first events.
    pub fn create(new: NewOperation, now: Timestamp) -> (Self, Vec<Event>) {
        let record = OperationRecord {
            id: new.id,
            kind: new.kind,
            subject: new.subject,
            status: Status::Pending,
            phase: String::new(),
            progress: 0.0,
            error: None,
            hold: None,
            checkpoints: Vec::new(),
            transfer: TransferStats::default(),
            created_at: now,
            started_at: None,
            ended_at: None,
            updated_at: now,
            owner: None,
            generation: 0,
            attempt: 0,
            cancel_requested: None,
            controls: new.controls,
            summary: new.summary,
        };
        let run = RunState {
            params: new.state.clone(),
            state: new.state,
            steps: new.steps,
            cursor: Cursor::default(),
            unwinding: None,
            cause: None,
            committed: false,
            continued: false,
            held_for: None,
            forward_retries: 0,
            committed_retries: 0,
            undo_retries: 0,
            furthest: 0,
            deaths: 0,
            options: new.options,
            deadline: None,
            exclusive: new.exclusive,
            runnable_at: Some(now),
            last_event: 0,
            logged: 0,
        };
        let mut operation = Self { record, run, lease: Lease::default() };
        let created = operation.event(now, "created", None, String::new());
        (operation, vec![created])
    }

    /// Applies what the owner of `generation` writes. On an error the row is in no defined state: drop it.
    pub fn apply(&mut self, generation: u64, changes: Vec<Change>, now: Timestamp) -> Result<Vec<Event>, StoreError> {
        self.check_owner(generation)?;
        let mut events = Vec::new();
        for change in changes {
            events.extend(self.change(change, now)?);
        }
        self.record.updated_at = now;
        Ok(events)
    }

    fn change(&mut self, change: Change, now: Timestamp) -> Result<Option<Event>, StoreError> {
        let step = self.record.phase.clone();
        Ok(match change {
            Change::StepStarted { index, phase, status, commits } => {
                self.step_started(index, phase, status, commits, now)?
            }
            Change::Saved { state } => {
                self.run.state = state;
                None
            }
            // Stored before, by a call whose answer was lost.
            Change::StepFinished { index, .. } if self.run.cursor == (Cursor { next: index + 1, started: false }) => {
                None
            }
            Change::StepFinished { index, state, progress, summary } => {
                self.run.cursor = Cursor { next: index + 1, started: false };
                self.run.state = state;
                self.run.deaths = 0;
                self.run.forward_retries = 0;
                self.run.continued = false;
                self.run.held_for = None;
                let record = &mut self.record;
                record.error = None;
                record.progress = progress;
                record.summary = summary;
                record.checkpoints.push(Checkpoint {
                    phase: step.clone(),
                    progress,
                    reversible: !self.run.committed,
                    at: now,
                });
                Some(self.event(now, "step_finished", Some(step), String::new()))
            }
            Change::Settled => {
                self.run.deadline = None;
                None
            }
            Change::Progress { progress, transfer } => {
                // Each attempt counts up from the start what was done before it.
                if transfer.bytes_done > self.run.furthest {
                    // It goes forward: many short failures over days are not one long one.
                    self.run.furthest = transfer.bytes_done;
                    self.run.forward_retries = 0;
                }
                self.record.progress = progress;
                self.record.transfer = transfer;
                None
            }
            Change::Log { message } => self.logged(step, message, now),
            Change::Held { state, reason, resume_at } => self.held(step, state, reason, resume_at, now),
            Change::Waiting { state, fault, until, budget } => {
                let (used, deadline) = match budget {
                    Budget::Forward => (&mut self.run.forward_retries, self.run.deadline),
                    Budget::Committed => (&mut self.run.committed_retries, None),
                    Budget::Undo => (&mut self.run.undo_retries, None),
                };
                *used += 1;
                let retry = *used;
                self.run.state = state.unwrap_or_else(|| self.run.state.take());
                self.record.error = Some(match budget {
                    Budget::Undo => not_undone_yet(self, &fault),
                    _ => fault.clone(),
                });
                let until = deadline.map_or(until, |deadline| until.min(deadline));
                self.give_back(Some(if self.to_be_cancelled() { now } else { until }));
                let message = format!("{}; retry {retry} at {until}", fault.message);
                Some(self.event(now, "attempt_failed", Some(step), message))
            }
            Change::Unwinding { cause, fault, state } => {
                if self.run.committed {
                    return Err(StoreError::PastPointOfNoReturn { id: self.record.id.clone(), phase: step });
                }
                self.run.unwinding = Some(cause);
                self.run.state = state.unwrap_or_else(|| self.run.state.take());
                self.run.deaths = 0;
                self.record.attempt = 0;
                self.record.hold = None;
                self.record.status = Status::RollingBack;
                let message = fault.as_ref().map(|fault| fault.message.clone()).unwrap_or_default();
                self.run.cause = match cause {
                    UnwindCause::Failed => fault.or(self.record.error.take()),
                    UnwindCause::Cancelled => None,
                };
                self.record.error.clone_from(&self.run.cause);
                Some(self.event(now, "rolling_back", Some(step), message))
            }
            Change::UndoStarted { phase } => {
                self.record.phase.clone_from(&phase);
                self.record.attempt += 1;
                self.record.status = Status::RollingBack;
                Some(self.event(now, "undo_started", Some(phase), String::new()))
            }
            Change::UndoFinished { index, .. } if self.run.cursor == (Cursor { next: index, started: false }) => None,
            Change::UndoFinished { index, phase, state } => {
                self.run.cursor = Cursor { next: index, started: false };
                self.run.state = state;
                self.run.deaths = 0;
                self.record.attempt = 0;
                self.record.error.clone_from(&self.run.cause);
                Some(self.event(now, "undo_finished", Some(phase), String::new()))
            }
            Change::Ended { status, fault, summary } => {
                self.end(status, now);
                self.record.error = fault.or(self.record.error.take());
                self.record.summary = summary.or(self.record.summary.take());
                Some(self.event(now, status.as_str(), None, String::new()))
            }
            Change::Released => {
                self.give_back(Some(now));
                Some(self.event(now, "released", None, String::new()))
            }
        })
    }

    fn step_started(
        &mut self,
        index: usize,
        phase: String,
        status: Status,
        commits: bool,
        now: Timestamp,
    ) -> Result<Option<Event>, StoreError> {
        if self.record.cancel_requested.is_some() && !self.run.committed {
            return Err(StoreError::CancelRequested);
        }
        let again = self.run.cursor == Cursor { next: index, started: true };
        self.run.cursor = Cursor { next: index, started: true };
        self.run.committed |= commits;
        let record = &mut self.record;
        record.attempt = if again { record.attempt + 1 } else { 1 };
        record.phase.clone_from(&phase);
        record.status = status;
        // A held step is looked at again and again: that is no news.
        let quiet = record.hold.take().is_some();
        if record.started_at.is_none() {
            record.started_at = Some(now);
            self.run.deadline = self.run.options.timeout.map(|timeout| later(now, timeout));
        }
        let message = if again { format!("attempt {}", self.record.attempt) } else { String::new() };
        Ok((!quiet).then(|| self.event(now, "step_started", Some(phase), message)))
    }

    fn held(
        &mut self,
        step: String,
        state: Value,
        reason: String,
        resume_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Option<Event> {
        self.run.state = state;
        self.run.continued = false;
        // It was looked at and is in order: earlier failures and deaths do not count any more.
        self.run.deaths = 0;
        self.record.error = None;
        self.record.status = Status::Held;
        self.record.hold = Some(Hold { reason: reason.clone(), resume_at, since: now });
        let deadline = self.run.deadline.filter(|_| !self.run.committed);
        self.give_back(match (resume_at, deadline) {
            _ if self.to_be_cancelled() => Some(now),
            (Some(resume), Some(deadline)) => Some(resume.min(deadline)),
            (resume, deadline) => resume.or(deadline),
        });
        let news = self.run.held_for.as_ref() != Some(&reason);
        self.run.held_for = Some(reason.clone());
        news.then(|| self.event(now, "held", Some(step), reason))
    }

    fn logged(&mut self, step: String, mut message: String, now: Timestamp) -> Option<Event> {
        self.run.logged = self.run.logged.saturating_add(1);
        if self.run.logged > MAX_LOG + 1 {
            return None;
        }
        if self.run.logged > MAX_LOG {
            "later messages are not kept".clone_into(&mut message);
        }
        message.truncate(message.floor_char_boundary(MAX_MESSAGE));
        Some(self.event(now, "log", Some(step), message))
    }

    // A cancel that came in while the owner was writing something else must not wait for it.
    fn to_be_cancelled(&self) -> bool {
        self.record.cancel_requested.is_some() && !self.run.committed && self.run.unwinding.is_none()
    }

    pub(crate) fn end(&mut self, status: Status, now: Timestamp) {
        self.record.status = status;
        self.record.ended_at = Some(now);
        self.record.updated_at = now;
        self.record.hold = None;
        if status == Status::Completed {
            self.record.progress = 100.0;
            self.record.error = None;
        }
        self.give_back(None);
    }

    pub(crate) fn event(&mut self, at: Timestamp, kind: &str, step: Option<String>, message: String) -> Event {
        self.run.last_event += 1;
        let step = step.filter(|step| !step.is_empty());
        let generation = self.lease.generation;
        Event { seq: self.run.last_event, at, generation, kind: kind.to_owned(), step, message }
    }
}
