//! The generated tests. Each panics with all that it found wrong.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use novacron_types::{OperationId, Status};
use tokio::{sync::Notify, time::timeout};

use super::{
    End, Scenario,
    crash::CrashStore,
    probe::{Act, Moment, Probed, Script},
};
use crate::{
    Backoff, Engine, EngineConfig, EngineError, OperationRecord, OperationStore, RetryPolicy, StoreError, Workflow,
};

/// All of them.
pub async fn check_all<S: Scenario>(scenario: &S) {
    check_failure(scenario).await;
    check_repeated_steps(scenario).await;
    check_death(scenario).await;
    check_death_at_writes(scenario).await;
    check_cancel(scenario).await;
    check_stale_owner(scenario).await;
}

/// Tests 1 and 2: it fails at each step and unwinds, with each undo run once and twice. Past the point of no return it
/// must get over one failure instead.
pub async fn check_failure<S: Scenario>(scenario: &S) {
    let mut wrong = Vec::new();
    for step in steps(scenario).await {
        for moment in [Moment::Before, Moment::After] {
            for repeat_undos in [false, true] {
                let mut script = Script::new(step.name, Act::Fail(moment));
                script.repeat_undos = repeat_undos;
                let case = Case::new(scenario, script).await;
                let expected = if step.committed { Status::Completed } else { Status::RolledBack };
                let name = format!("failing {moment:?} step {}, undos twice: {repeat_undos}", step.name);
                wrong.extend(case.run_out(&name, &[expected]).await);
            }
        }
    }
    report("failure", wrong);
}

/// Test 3: each step runs twice.
pub async fn check_repeated_steps<S: Scenario>(scenario: &S) {
    let mut wrong = Vec::new();
    for step in steps(scenario).await {
        let case = Case::new(scenario, Script::new(step.name, Act::Repeat)).await;
        let name = format!("step {} twice", step.name);
        wrong.extend(case.run_out(&name, &[Status::Completed]).await);
    }
    report("repeated steps", wrong);
}

/// Test 4: the process dies at each step and at each undo, and another takes over.
pub async fn check_death<S: Scenario>(scenario: &S) {
    let mut wrong = Vec::new();
    let all = steps(scenario).await;
    for step in &all {
        for moment in moments(scenario) {
            let case = Case::new(scenario, Script::new(step.name, Act::Freeze(moment))).await;
            let name = format!("dying {moment:?} step {}", step.name);
            wrong.extend(case.die_and_take_over(&name, Status::Completed).await);
        }
    }
    // The last step that can be undone fails; then the process dies in the undo of each step up to it.
    let reversible: Vec<&StepInfo> = all.iter().filter(|step| !step.committed).collect();
    for step in &reversible {
        for moment in moments(scenario) {
            let Some(last) = reversible.last() else { continue };
            let fail = Arc::new(Script::new(last.name, Act::Fail(Moment::After)));
            let mut script = Script::new(step.name, Act::Nothing);
            script.undo = Act::Freeze(moment);
            let mut case = Case::new(scenario, script).await;
            case.also = Some(fail);
            let name = format!("dying {moment:?} the undo of step {}", step.name);
            wrong.extend(case.die_and_take_over(&name, Status::RolledBack).await);
        }
    }
    report("death", wrong);
}

/// Test 4 again: the process dies before and after each write to the store, on the way forward and on the way back.
pub async fn check_death_at_writes<S: Scenario>(scenario: &S) {
    let mut wrong = Vec::new();
    let all = steps(scenario).await;
    let last = all.iter().rfind(|step| !step.committed).map(|step| step.name);
    let ways = [(None, Status::Completed), (last, Status::RolledBack)];
    for (failing, expected) in ways.into_iter().filter(|(failing, end)| failing.is_some() || *end == Status::Completed)
    {
        for after in [false, true] {
            // A workflow writes a few times a step; the loop ends when there is no such write any more.
            for at in 0..10_000 {
                let act = if failing.is_some() { Act::Fail(Moment::After) } else { Act::Nothing };
                let case = Case::new(scenario, Script::new(failing.unwrap_or_default(), act)).await;
                let name = format!("dying at write {at} (made: {after}), on the way to {expected}");
                match case.die_at_write(&name, at, after, expected).await {
                    Some(found) => wrong.extend(found),
                    None => break,
                }
            }
        }
    }
    report("death at writes", wrong);
}

/// Test 5: it is cancelled at each step. Past the point of no return that is refused, and it completes.
pub async fn check_cancel<S: Scenario>(scenario: &S) {
    let mut wrong = Vec::new();
    for step in steps(scenario).await {
        for moment in moments(scenario) {
            let case = Case::new(scenario, Script::new(step.name, Act::Freeze(moment))).await;
            let name = format!("cancelled {moment:?} step {}", step.name);
            wrong.extend(case.cancel(&name, step.committed).await);
        }
    }
    report("cancel", wrong);
}

/// Test 6: an owner that was taken for dead goes on, and its step succeeds, fails, or is still at it.
pub async fn check_stale_owner<S: Scenario>(scenario: &S) {
    let mut wrong = Vec::new();
    for step in steps(scenario).await {
        for act in [Act::Freeze(Moment::After), Act::FreezeAndFail] {
            let case = Case::new(scenario, Script::new(step.name, act)).await;
            wrong.extend(case.outlive(&format!("stale owner in step {} ({act:?})", step.name), false).await);
        }
        let case = Case::new(scenario, Script::new(step.name, Act::Freeze(Moment::Before))).await;
        wrong.extend(case.outlive(&format!("stale owner at work in step {}", step.name), true).await);
    }
    report("stale owner", wrong);
}

struct StepInfo {
    name: &'static str,
    /// From this step's start on there is no way back.
    committed: bool,
}

async fn steps<S: Scenario>(scenario: &S) -> Vec<StepInfo> {
    let world = scenario.world().await;
    let params = scenario.submission(&world).state;
    let mut committed = false;
    let steps = scenario.workflow(&world).steps(&params);
    let info = steps.iter().map(|step| {
        committed |= !step.reversible();
        StepInfo { name: step.name(), committed }
    });
    info.collect()
}

fn moments<S: Scenario>(scenario: &S) -> Vec<Moment> {
    let amid = scenario.polls().into_iter().map(Moment::Amid);
    [Moment::Before].into_iter().chain(amid).chain([Moment::After]).collect()
}

fn report(what: &str, wrong: Vec<String>) {
    assert!(wrong.is_empty(), "{what}:\n  {}", wrong.join("\n  "));
}

/// One run of the workflow in a world of its own.
struct Case<'a, S: Scenario> {
    scenario: &'a S,
    world: S::World,
    store: Arc<dyn OperationStore>,
    script: Arc<Script>,
    also: Option<Arc<Script>>,
}

const OWNER: &str = "first";

impl<'a, S: Scenario> Case<'a, S> {
    async fn new(scenario: &'a S, script: Script) -> Self {
        let world = scenario.world().await;
        Self { scenario, world, store: scenario.store().await, script: Arc::new(script), also: None }
    }

    fn config(owner: &str) -> EngineConfig {
        EngineConfig {
            owner: owner.to_owned(),
            poll: Duration::from_millis(5),
            persist: Duration::from_millis(5),
            lease: Duration::from_secs(60),
            retry: RetryPolicy {
                backoff: Backoff { first: Duration::from_millis(1), longest: Duration::from_millis(2) },
                ..RetryPolicy::default()
            },
            ..EngineConfig::default()
        }
    }

    /// An engine whose workflow follows the script.
    fn engine(&self, store: Arc<dyn OperationStore>, config: EngineConfig) -> Engine {
        let workflow = Probed { workflow: self.scenario.workflow(&self.world), script: self.script.clone() };
        let builder = Engine::builder(store).config(config);
        match &self.also {
            Some(also) => builder.register(Probed { workflow, script: also.clone() }).build(),
            None => builder.register(workflow).build(),
        }
    }

    /// An engine of a later process: nothing stands in the workflow's way.
    fn successor(&self, owner: &str, sole_owner: bool) -> Engine {
        let config = EngineConfig { sole_owner, ..Self::config(owner) };
        Engine::builder(self.store.clone()).config(config).register(self.scenario.workflow(&self.world)).build()
    }

    async fn submit(&self, engine: &Engine) -> Result<OperationId, EngineError> {
        let submission = self.scenario.submission(&self.world);
        Ok(engine.submit::<S::Workflow>(submission).await?.record.id)
    }

    /// Follows the operation to its end, saying continue whenever it is held.
    async fn end(&self, engine: &Engine, id: &OperationId) -> Result<OperationRecord, String> {
        self.end_by(engine, engine, id).await
    }

    /// Watches by one engine and says continue to another, which has no need to look for it in the store then.
    async fn end_by(&self, watcher: &Engine, engine: &Engine, id: &OperationId) -> Result<OperationRecord, String> {
        let follow = async {
            let mut watch = watcher.watch(id).await.map_err(|e| e.to_string())?;
            loop {
                match watch.next().await {
                    Some(Ok(record)) if record.status.is_terminal() => return Ok(record),
                    // It may have gone on in the meantime.
                    Some(Ok(record)) if record.status == Status::Held => {
                        let _ = engine.continue_(id, "testkit").await;
                    }
                    Some(Ok(_)) => {}
                    Some(Err(error)) => return Err(error.to_string()),
                    None => return Err("the watch ended before the operation".to_owned()),
                }
            }
        };
        timeout(self.scenario.patience(), follow).await.unwrap_or_else(|_| Err("it hung".to_owned()))
    }

    async fn judge(&self, record: Result<OperationRecord, String>, expected: &[Status]) -> Vec<String> {
        let record = match record {
            Ok(record) => record,
            Err(wrong) => return vec![wrong],
        };
        if !expected.contains(&record.status) {
            return vec![format!("ended {} ({:?}), not {expected:?}", record.status, record.error)];
        }
        let end = if record.status == Status::Completed { End::Done } else { End::Undone };
        self.scenario.check(&self.world, end).await.into_iter().map(|wrong| format!("{end}, but {wrong}")).collect()
    }

    /// Waits until the script froze the step; `false` if the operation ended without that.
    async fn frozen(&self, watcher: &Engine, engine: &Engine, id: &OperationId) -> Result<bool, String> {
        tokio::select! {
            biased;
            () = self.script.reached.notified() => Ok(true),
            end = self.end_by(watcher, engine, id) => end.map(|_| false),
        }
    }

    async fn run_out(self, name: &str, expected: &[Status]) -> Vec<String> {
        let engine = self.engine(self.store.clone(), Self::config(OWNER));
        engine.start();
        let found = match self.submit(&engine).await {
            Ok(id) => {
                let record = self.end(&engine, &id).await;
                let mut found = self.judge(record, expected).await;
                if !self.script.has_fired() {
                    found.push("the step was never run".to_owned());
                }
                found
            }
            Err(error) => vec![error.to_string()],
        };
        engine.kill().await;
        label(name, found)
    }

    async fn die_and_take_over(self, name: &str, expected: Status) -> Vec<String> {
        let engine = self.engine(self.store.clone(), Self::config(OWNER));
        engine.start();
        let id = match self.submit(&engine).await {
            Ok(id) => id,
            Err(error) => return label(name, vec![error.to_string()]),
        };
        let frozen = self.frozen(&engine, &engine, &id).await;
        engine.kill().await;
        let found = match frozen {
            Err(wrong) => vec![wrong],
            // The step was over before that moment.
            Ok(false) => Vec::new(),
            Ok(true) => self.take_over(&id, expected).await,
        };
        label(name, found)
    }

    async fn take_over(&self, id: &OperationId, expected: Status) -> Vec<String> {
        let successor = self.successor(OWNER, true);
        successor.start();
        let record = self.end(&successor, id).await;
        successor.kill().await;
        self.judge(record, &[expected]).await
    }

    /// `None` when there is no such write.
    async fn die_at_write(self, name: &str, at: usize, after: bool, expected: Status) -> Option<Vec<String>> {
        let store = Arc::new(CrashStore {
            store: self.store.clone(),
            at,
            after,
            writes: AtomicUsize::new(0),
            dead: AtomicBool::new(false),
            died: Notify::new(),
        });
        // Progress is written at random times: without it the writes can be counted.
        let config = EngineConfig { persist: Duration::from_secs(3600), ..Self::config(OWNER) };
        let config = EngineConfig { poll: Duration::from_millis(50), ..config };
        let engine = self.engine(store.clone(), config);
        engine.start();
        let id = match self.submit(&engine).await {
            Ok(id) => id,
            Err(error) => return Some(label(name, vec![error.to_string()])),
        };
        let died = tokio::select! {
            biased;
            () = store.died.notified() => true,
            _ = self.end(&engine, &id) => false,
        };
        engine.kill().await;
        if !died && !store.dead.load(Ordering::SeqCst) {
            return None;
        }
        // The script's failure may not have come yet: it is still in the way of who takes over. Or it came, and died
        // with the process before it was written: then the step is run again, and all is well.
        let ends = [expected, Status::Completed];
        let config = EngineConfig { sole_owner: true, ..Self::config(OWNER) };
        let successor = self.engine(self.store.clone(), config);
        successor.start();
        let record = self.end(&successor, &id).await;
        successor.kill().await;
        Some(label(name, self.judge(record, &ends).await))
    }

    async fn cancel(self, name: &str, committed: bool) -> Vec<String> {
        let engine = self.engine(self.store.clone(), Self::config(OWNER));
        engine.start();
        let id = match self.submit(&engine).await {
            Ok(id) => id,
            Err(error) => return label(name, vec![error.to_string()]),
        };
        let found = match self.frozen(&engine, &engine, &id).await {
            Err(wrong) => vec![wrong],
            Ok(false) => Vec::new(),
            Ok(true) => {
                let answer = engine.cancel(&id, "testkit").await;
                let refused = matches!(answer, Err(EngineError::Store(StoreError::PastPointOfNoReturn { .. })));
                if committed {
                    self.script.release.notify_one();
                }
                let expected = if committed { Status::Completed } else { Status::Cancelled };
                let record = self.end(&engine, &id).await;
                let mut found = self.judge(record, &[expected]).await;
                if refused != committed {
                    found.push(format!("the cancel was answered with {answer:?}"));
                }
                found
            }
        };
        engine.kill().await;
        label(name, found)
    }

    async fn outlive(self, name: &str, notices: bool) -> Vec<String> {
        // Unless it is to notice, nothing but its own write tells the stale owner.
        let slow = Duration::from_secs(3600);
        let attentive = Self::config(OWNER);
        let config = EngineConfig { persist: slow, poll: slow, lease: slow, ..attentive.clone() };
        let stale = self.engine(self.store.clone(), if notices { attentive } else { config });
        stale.start();
        let id = match self.submit(&stale).await {
            Ok(id) => id,
            Err(error) => return label(name, vec![error.to_string()]),
        };
        let helper = self.successor("helper", false);
        let frozen = self.frozen(&helper, &stale, &id).await;
        if frozen != Ok(true) {
            stale.kill().await;
            return label(name, frozen.err().into_iter().collect());
        }
        let mut found = Vec::new();
        if let Err(error) = self.store.release_owner(OWNER, jiff::Timestamp::now()).await {
            found.push(error.to_string());
        }
        let successor = self.successor("second", false);
        successor.start();
        let record = self.end(&successor, &id).await;
        let ended = self.store.get(&id).await;
        if !notices {
            self.script.release.notify_one();
        }
        let gone = async {
            while stale.running() > 0 {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        if timeout(self.scenario.patience(), gone).await.is_err() {
            found.push("the stale owner did not stop".to_owned());
        }
        if self.store.get(&id).await != ended {
            found.push("the stale owner has written".to_owned());
        }
        if self.script.undos.load(Ordering::SeqCst) > 0 {
            found.push("the stale owner has run an undo".to_owned());
        }
        stale.kill().await;
        successor.kill().await;
        found.extend(self.judge(record, &[Status::Completed]).await);
        label(name, found)
    }
}

fn label(name: &str, found: Vec<String>) -> Vec<String> {
    found.into_iter().map(|wrong| format!("{name}: {wrong}")).collect()
}
