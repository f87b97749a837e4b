//! What to do next with an operation, and what a failure leads to: pure.

use std::time::Duration;

use jiff::Timestamp;
use novacron_types::{OperationFault, Status};

use crate::{Budget, Change, ErrorKind, Operation, RetryPolicy, StepError, UnwindCause, clock::later};

/// The one next thing.
#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    Run(usize),
    Undo(usize),
    Unwind(UnwindCause, Option<OperationFault>),
    End(Status, Option<OperationFault>),
}

/// What its owner has to do next with an operation that has not ended.
pub fn plan(operation: &Operation, policy: &RetryPolicy, now: Timestamp) -> Next {
    let run = &operation.run;
    let cursor = run.cursor;
    let dies = run.deaths > policy.deaths;
    if let Some(cause) = run.unwinding {
        return match (cursor.started, cursor.next) {
            _ if dies => Next::End(Status::Failed, Some(keeps_dying(operation))),
            (true, index) => Next::Undo(index),
            (false, 0) => Next::End(ending(cause), None),
            (false, next) => Next::Undo(next - 1),
        };
    }
    if run.committed {
        return match cursor.next {
            _ if dies => Next::End(Status::Failed, Some(keeps_dying(operation))),
            next if next >= run.steps.len() => Next::End(Status::Completed, None),
            next => Next::Run(next),
        };
    }
    if operation.record.cancel_requested.is_some() {
        Next::Unwind(UnwindCause::Cancelled, None)
    } else if dies {
        Next::Unwind(UnwindCause::Failed, Some(keeps_dying(operation)))
    } else if cursor.next >= run.steps.len() {
        Next::End(Status::Completed, None)
    } else if run.deadline.is_some_and(|deadline| deadline <= now) {
        Next::Unwind(UnwindCause::Failed, Some(timed_out(operation)))
    } else {
        Next::Run(cursor.next)
    }
}

fn ending(cause: UnwindCause) -> Status {
    match cause {
        UnwindCause::Failed => Status::RolledBack,
        UnwindCause::Cancelled => Status::Cancelled,
    }
}

/// What the failure of a step's run or undo leads to. `state` is what it left; `unit` is a random number of [0, 1).
pub(crate) fn after_failure(
    operation: &Operation,
    error: StepError,
    state: Option<serde_json::Value>,
    policy: &RetryPolicy,
    now: Timestamp,
    unit: f64,
) -> Change {
    let run = &operation.run;
    let (budget, used, allowed) = if run.unwinding.is_some() {
        (Budget::Undo, run.undo_retries, policy.undo)
    } else if run.committed {
        (Budget::Committed, run.committed_retries, policy.committed)
    } else if run.options.retry_on_failure && error.is_transient() {
        (Budget::Forward, run.forward_retries, policy.forward)
    } else {
        (Budget::Forward, 0, 0)
    };
    let allowed = match error.kind {
        ErrorKind::Transient { .. } => allowed,
        ErrorKind::Permanent => allowed.min(policy.permanent),
        ErrorKind::NeedsPerson => 0,
    };
    if used < allowed {
        let retry_after = match error.kind {
            ErrorKind::Transient { retry_after } => retry_after,
            ErrorKind::Permanent | ErrorKind::NeedsPerson => None,
        };
        let until = later(now, policy.backoff.delay(used, retry_after, unit));
        return Change::Waiting { state, fault: error.fault, until, budget };
    }
    match budget {
        Budget::Forward => Change::Unwinding { cause: UnwindCause::Failed, fault: Some(error.fault), state },
        Budget::Committed | Budget::Undo => {
            let fault = needs_person(operation, budget, error.fault);
            Change::Ended { status: Status::Failed, fault: Some(fault), summary: None }
        }
    }
}

fn needs_person(operation: &Operation, budget: Budget, fault: OperationFault) -> OperationFault {
    let phase = &operation.record.phase;
    let (what, then) = match budget {
        Budget::Undo => ("could not be undone, so something may be left behind", "the rollback goes on"),
        _ => ("could not be finished, and there is no way back from it", "it goes on"),
    };
    OperationFault {
        code: fault.code,
        message: format!("step {phase} {what}: {}{}", fault.message, because(operation)),
        advice: Some(format!(
            "{}then retry this operation; {then} where it stopped",
            fault.advice.map(|advice| format!("{advice}; ")).unwrap_or_default(),
        )),
    }
}

/// What people see between two attempts to undo a step.
pub(crate) fn not_undone_yet(operation: &Operation, fault: &OperationFault) -> OperationFault {
    OperationFault {
        message: format!("step {} is not undone yet: {}{}", operation.record.phase, fault.message, because(operation)),
        ..fault.clone()
    }
}

/// Why it is being undone is worth as much as why that fails.
fn because(operation: &Operation) -> String {
    let cause = operation.run.cause.as_ref();
    cause.map(|cause| format!(" (rolling back because: {})", cause.message)).unwrap_or_default()
}

fn keeps_dying(operation: &Operation) -> OperationFault {
    OperationFault {
        code: "keeps_dying".to_owned(),
        message: format!(
            "{} processes in a row died in step {}",
            operation.run.deaths,
            operation.run.steps.get(operation.run.cursor.next).map_or("", String::as_str)
        ),
        advice: Some("look for why in the logs (out of memory?)".to_owned()),
    }
}

pub(crate) fn timed_out(operation: &Operation) -> OperationFault {
    let timeout = operation.run.options.timeout.unwrap_or(Duration::ZERO).as_secs();
    OperationFault {
        code: "timeout".to_owned(),
        message: format!("it was not done within its timeout of {timeout} s (step {})", operation.record.phase),
        advice: Some("start it again with a longer timeout".to_owned()),
    }
}
