//! A model of an operation's whole life, driven by the pure functions alone: whatever happens in it, in whatever order,
//! it comes to an end that keeps the promises.

use std::time::Duration;

use jiff::Timestamp;
use novacron_types::{OperationId, Status};
use proptest::prelude::*;
use serde_json::json;

use crate::{
    Change, Claim, NewOperation, Next, Operation, Options, Request, RetryPolicy, StepError, StoreError,
    plan::{after_failure, plan},
};

#[derive(Debug, Clone, Copy)]
enum Happens {
    Done,
    Transient,
    Permanent,
    NeedsPerson,
    Hold,
    Death,
    Cancel,
    LongWait,
}

fn happens() -> impl Strategy<Value = Happens> {
    use Happens::{Cancel, Death, Done, Hold, LongWait, NeedsPerson, Permanent, Transient};
    prop_oneof![
        8 => Just(Done), 3 => Just(Transient), 1 => Just(Permanent), 1 => Just(NeedsPerson), 2 => Just(Hold), 3 => Just(Death),
        1 => Just(Cancel), 1 => Just(LongWait),
    ]
}

/// What the steps have done to the world.
#[derive(Debug, Default)]
struct World {
    /// Begun and not undone since.
    dirty: Vec<usize>,
    finished: usize,
    committed: bool,
}

struct Life {
    operation: Operation,
    world: World,
    now: Timestamp,
    policy: RetryPolicy,
    point_of_no_return: Option<usize>,
    /// The step after which it is not late any more.
    settles: Option<usize>,
    settled: bool,
    events: u64,
}

impl Life {
    fn new(steps: usize, point_of_no_return: Option<usize>, settles: Option<usize>, options: Options) -> Self {
        let now = Timestamp::UNIX_EPOCH;
        let new = NewOperation {
            id: OperationId::new("op").unwrap(),
            kind: "k".to_owned(),
            subject: "s".to_owned(),
            state: json!({}),
            steps: (0..steps).map(|i| i.to_string()).collect(),
            summary: None,
            controls: json!({}),
            exclusive: Vec::new(),
            idempotency: None,
            options,
        };
        let (operation, events) = Operation::create(new, now);
        let policy = RetryPolicy { deaths: 4, undo: 3, committed: 3, forward: 2, ..RetryPolicy::default() };
        let events = events.len() as u64;
        Self { operation, world: World::default(), now, policy, point_of_no_return, settles, settled: false, events }
    }

    fn note(&mut self, events: Vec<crate::Event>) {
        for event in events {
            self.events += 1;
            assert_eq!(event.seq, self.events, "a gap in the events");
        }
    }

    fn write(&mut self, change: Change) -> Result<(), StoreError> {
        // As a store does: an error leaves the row as it was.
        let mut next = self.operation.clone();
        let events = next.apply(self.operation.lease.generation, vec![change], self.now)?;
        self.operation = next;
        self.note(events);
        Ok(())
    }

    fn ask(&mut self, request: Request) -> Result<(), StoreError> {
        let mut next = self.operation.clone();
        let events = next.request(request, self.now)?;
        self.operation = next;
        self.note(events);
        Ok(())
    }

    fn cancel(&mut self) {
        let answer = self.ask(Request::Cancel { by: "me".to_owned() });
        let ended = self.operation.is_terminal();
        match answer {
            Ok(()) => assert!(!self.world.committed),
            Err(StoreError::PastPointOfNoReturn { .. }) => assert!(self.world.committed),
            Err(StoreError::AlreadyEnded { .. }) => assert!(ended),
            Err(error) => panic!("{error}"),
        }
    }

    /// One turn of an owner, in which `happens` happens.
    fn turn(&mut self, happens: Happens) {
        if matches!(happens, Happens::Cancel) {
            self.cancel();
        }
        if self.operation.is_terminal() {
            return;
        }
        if self.operation.lease.owner.is_none() {
            match self.operation.due() {
                Some(due) => self.now = self.now.max(due),
                None => self.ask(Request::Continue { by: "me".to_owned() }).unwrap(),
            }
            let generation = self.operation.lease.generation;
            let claim = Claim { owner: "x".to_owned(), ttl: Duration::from_secs(30), kinds: Vec::new() };
            assert!(self.operation.is_claimable(self.now));
            let events = self.operation.claimed(&claim, self.now);
            self.note(events);
            assert_eq!(self.operation.lease.generation, generation + 1);
        }
        match plan(&self.operation, &self.policy, self.now) {
            Next::Run(index) => self.run(index, happens),
            Next::Undo(index) => self.undo(index, happens),
            Next::Unwind(cause, fault) => {
                let late = fault.as_ref().is_some_and(|fault| fault.code == "timeout");
                assert!(!(late && self.settled), "undone for being late though it was settled");
                self.write(Change::Unwinding { cause, fault, state: None }).unwrap();
            }
            Next::End(status, fault) => self.write(Change::Ended { status, fault, summary: None }).unwrap(),
        }
    }

    fn run(&mut self, index: usize, happens: Happens) {
        assert!(self.operation.run.unwinding.is_none());
        assert_eq!(index, self.world.finished, "steps run in order");
        let commits = self.point_of_no_return == Some(index);
        let started = Change::StepStarted { index, phase: index.to_string(), status: Status::Transferring, commits };
        self.write(started).unwrap();
        self.world.committed |= commits;
        if self.world.dirty.last() != Some(&index) {
            self.world.dirty.push(index);
        }
        let state = json!({});
        match happens {
            Happens::Death => self.die(),
            Happens::Hold => {
                let held = Change::Held { state, reason: "r".to_owned(), resume_at: None };
                self.write(held).unwrap();
            }
            Happens::Transient | Happens::Permanent | Happens::NeedsPerson => self.fail(happens),
            Happens::Done | Happens::Cancel | Happens::LongWait => {
                if matches!(happens, Happens::LongWait) {
                    self.now += Duration::from_secs(3600);
                }
                self.write(Change::StepFinished { index, state, progress: 1.0, summary: None }).unwrap();
                self.world.finished += 1;
                if self.settles == Some(index) {
                    self.write(Change::Settled).unwrap();
                    self.settled = true;
                }
            }
        }
    }

    fn undo(&mut self, index: usize, happens: Happens) {
        assert!(!self.world.committed, "undone past the point of no return");
        self.write(Change::UndoStarted { phase: index.to_string() }).unwrap();
        match happens {
            Happens::Death => self.die(),
            Happens::Transient | Happens::Permanent | Happens::NeedsPerson => self.fail(happens),
            _ => {
                assert_eq!(self.world.dirty.pop(), Some(index), "undone in reverse");
                self.write(Change::UndoFinished { index, phase: index.to_string(), state: json!({}) }).unwrap();
            }
        }
    }

    fn fail(&mut self, happens: Happens) {
        let error = match happens {
            Happens::Transient => StepError::transient("t", "t"),
            Happens::NeedsPerson => StepError::needs_person("n", "n"),
            _ => StepError::permanent("p", "p"),
        };
        let undoing = self.operation.run.unwinding.is_some();
        let no_way_but_on = undoing || self.operation.run.committed;
        let change = after_failure(&self.operation, error, None, &self.policy, self.now, 0.5);
        self.write(change).unwrap();
        assert!(self.operation.record.error.is_some(), "nobody sees why");
        if matches!(happens, Happens::NeedsPerson) && no_way_but_on {
            assert_eq!(self.operation.record.status, Status::Failed, "tried again though only a person can help");
        }
    }

    fn die(&mut self) {
        self.now = self.operation.lease.until.unwrap();
        let generation = self.operation.lease.generation;
        let claim = Claim { owner: "y".to_owned(), ttl: Duration::from_secs(30), kinds: Vec::new() };
        let events = self.operation.claimed(&claim, self.now);
        self.note(events);
        let mut stale = self.operation.clone();
        assert_eq!(stale.apply(generation, vec![Change::Released], self.now), Err(StoreError::StaleOwner));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn every_life_ends_well(
        steps in 1usize..6,
        no_return in proptest::option::of(0usize..6),
        settles in proptest::option::of(0usize..6),
        timeout in proptest::option::of(1u64..5000),
        retry_on_failure: bool,
        script in proptest::collection::vec(happens(), 0..60),
    ) {
        let options = Options { timeout: timeout.map(Duration::from_secs), retry_on_failure };
        let mut life = Life::new(steps, no_return, settles, options);
        // After the script all goes well, so it must come to its end within a few turns a step.
        for happens in script.into_iter().chain(std::iter::repeat_n(Happens::Done, 4 * steps + 4)) {
            life.turn(happens);
        }
        let Life { operation, world, .. } = &life;
        let status = operation.record.status;
        prop_assert!(status.is_terminal(), "{status}");
        prop_assert_eq!(operation.due(), None);
        prop_assert_eq!(&operation.lease.owner, &None);
        prop_assert_eq!(operation.record.ended_at.is_some(), true);
        match status {
            Status::Completed => prop_assert_eq!(world.finished, steps),
            Status::RolledBack | Status::Cancelled => {
                prop_assert!(world.dirty.is_empty(), "left behind: {:?}", world.dirty);
                prop_assert!(!world.committed);
                prop_assert_eq!(status == Status::RolledBack, operation.record.error.is_some());
            }
            _ => {
                let advice = operation.record.error.as_ref().and_then(|error| error.advice.as_ref());
                prop_assert!(advice.is_some(), "nobody is told what to do");
                // A person mends it and retries: then it ends.
                life.ask(Request::Retry { by: "me".to_owned() }).unwrap();
                for _ in 0..4 * steps + 4 {
                    life.turn(Happens::Done);
                }
                let expected = if life.world.committed { Status::Completed } else { life.operation.record.status };
                prop_assert_eq!(life.operation.record.status, expected);
                prop_assert!(life.operation.is_terminal() && life.operation.record.status != Status::Failed);
            }
        }
    }
}
