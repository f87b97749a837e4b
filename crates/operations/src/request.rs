//! What people ask of an operation: pure, and shared by all stores.

use jiff::Timestamp;
use novacron_types::Status;
use serde_json::Value;

use crate::{CancelRequest, Cursor, Event, Operation, Request, StoreError};

impl Operation {
    /// Applies what a person asks.
    pub fn request(&mut self, request: Request, now: Timestamp) -> Result<Vec<Event>, StoreError> {
        let (id, status) = (self.record.id.clone(), self.record.status);
        let ended = || StoreError::AlreadyEnded { id: id.clone(), status };
        let event = match request {
            Request::Cancel { .. } if status.is_terminal() => return Err(ended()),
            // Being undone or asked for already: nothing to add.
            Request::Cancel { .. } if self.run.unwinding.is_some() => return Ok(Vec::new()),
            Request::Cancel { .. } if self.run.committed => {
                return Err(StoreError::PastPointOfNoReturn { id, phase: self.record.phase.clone() });
            }
            Request::Cancel { .. } if self.record.cancel_requested.is_some() => return Ok(Vec::new()),
            Request::Cancel { by } => {
                let asked = self.event(now, "cancel_requested", None, by.clone());
                self.record.cancel_requested = Some(CancelRequest { by, at: now });
                if self.lease.owner.is_none() && self.run.cursor == Cursor::default() {
                    // Nothing was begun, so there is nothing to undo.
                    self.end(Status::Cancelled, now);
                    return Ok(vec![asked, self.event(now, "cancelled", None, String::new())]);
                }
                if self.lease.owner.is_none() {
                    self.run.runnable_at = Some(now);
                }
                asked
            }
            Request::Continue { .. } if status != Status::Held => {
                return Err(StoreError::NotHeld { id, status });
            }
            Request::Continue { by } => {
                self.run.continued = true;
                self.run.held_for = None;
                self.run.runnable_at = Some(now);
                self.event(now, "continued", None, by)
            }
            Request::Controls { .. } if status.is_terminal() => return Err(ended()),
            Request::Controls { patch, by } => {
                let message = format!("{} by {by}", Value::Object(patch.clone()));
                merge(&mut self.record.controls, patch);
                self.event(now, "controls", None, message)
            }
            Request::Retry { .. } if status != Status::Failed => {
                return Err(StoreError::NotFailed { id, status });
            }
            Request::Retry { by } => {
                let run = &mut self.run;
                (run.forward_retries, run.committed_retries, run.undo_retries, run.deaths) = (0, 0, 0, 0);
                run.runnable_at = Some(now);
                self.record.ended_at = None;
                let undoing = self.run.unwinding.is_some();
                self.record.status = if undoing { Status::RollingBack } else { Status::Pending };
                self.event(now, "retried", None, by)
            }
        };
        self.record.updated_at = now;
        Ok(vec![event])
    }
}

fn merge(controls: &mut Value, patch: serde_json::Map<String, Value>) {
    if !controls.is_object() {
        *controls = Value::Object(serde_json::Map::new());
    }
    let Some(controls) = controls.as_object_mut() else { return };
    for (key, value) in patch {
        if value.is_null() {
            controls.remove(&key);
        } else {
            controls.insert(key, value);
        }
    }
}
