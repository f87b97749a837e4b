//! A small workflow with everything in it: ids made first, a thing created, a hold, a point of no return.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may fail by panicking, and not each uses all"
)]

pub mod silent;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use async_trait::async_trait;
use novacron_operations::*;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What the workflow changes.
#[derive(Debug, Default)]
pub struct World {
    pub things: BTreeMap<String, u32>,
    pub source_is_gone: bool,
    pub creations: u32,
    pub panics_when_copied: bool,
    /// Failures to hand out, by step.
    pub failures: BTreeMap<&'static str, Vec<StepError>>,
    pub runs: Vec<&'static str>,
    pub undos: Vec<&'static str>,
}

pub type Shared = Arc<Mutex<World>>;

pub fn lock(world: &Shared) -> MutexGuard<'_, World> {
    world.lock().unwrap()
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Errand {
    pub size: u32,
    pub hold: bool,
    pub remove_source: bool,
    /// After the step `copy` it is late no more.
    pub settled: bool,
    /// Stays in the step `copy` until the operation is told to go on by a control.
    pub linger: bool,
    /// Fails after each thing that it copies, and goes on with the next one.
    pub shaky: bool,
    /// Counts up to here in each run, as one that goes on from where another ended, and then fails.
    pub stuck_at: u32,
    /// Takes its time over each thing that it copies.
    pub slow: bool,
    pub token: Option<String>,
    pub copied: u32,
}

pub struct ErrandWorkflow(pub Shared);

impl Workflow for ErrandWorkflow {
    type State = Errand;
    const KIND: &'static str = "errand";

    fn steps(&self, params: &Errand) -> Vec<Box<dyn Step<Errand>>> {
        let mut names = vec!["ids", "create", "copy"];
        if params.hold {
            names.push("approve");
        }
        names.push("start");
        if params.remove_source {
            names.push("remove_source");
        }
        names.push("tidy");
        let world = &self.0;
        let action = |name| Action { name, settles: params.settled && name == "copy", world: world.clone() };
        names.into_iter().map(|name| Box::new(action(name)) as Box<dyn Step<_>>).collect()
    }

    fn summary(&self, state: &Errand) -> Option<Value> {
        Some(json!({ "copied": state.copied }))
    }
}

struct Action {
    name: &'static str,
    settles: bool,
    world: Shared,
}

#[async_trait]
impl Step<Errand> for Action {
    fn name(&self) -> &'static str {
        self.name
    }
    fn status(&self) -> Status {
        match self.name {
            "ids" | "create" => Status::Preparing,
            "copy" | "approve" => Status::Transferring,
            _ => Status::Finalizing,
        }
    }
    fn weight(&self) -> f64 {
        if self.name == "copy" { 6.0 } else { 1.0 }
    }
    fn reversible(&self) -> bool {
        self.name != "remove_source"
    }
    fn settles(&self) -> bool {
        self.settles
    }

    async fn run(&self, cx: &StepContext, state: &mut Errand) -> Result<Outcome, StepError> {
        lock(&self.world).runs.push(self.name);
        tokio::task::yield_now().await;
        let failure = lock(&self.world).failures.get_mut(self.name).and_then(Vec::pop);
        if let Some(error) = failure {
            assert!(error.fault().code != "panic", "the step panics");
            return Err(error);
        }
        match self.name {
            "ids" => state.token = Some(format!("thing-{}", cx.operation_id())),
            "create" => {
                let token = state.token.clone().unwrap();
                let mut world = lock(&self.world);
                if !world.things.contains_key(&token) {
                    world.creations += 1;
                    world.things.insert(token, 0);
                }
            }
            "copy" => self.copy(cx, state).await?,
            "approve" if !cx.continued() => {
                return Ok(Outcome::Hold { reason: "waits for a nod".to_owned(), resume_at: None });
            }
            "remove_source" => lock(&self.world).source_is_gone = true,
            _ => {}
        }
        tokio::task::yield_now().await;
        Ok(Outcome::Done)
    }

    async fn undo(&self, _cx: &StepContext, state: &mut Errand) -> Result<(), StepError> {
        lock(&self.world).undos.push(self.name);
        tokio::task::yield_now().await;
        let failure = lock(&self.world).failures.get_mut("undo").and_then(Vec::pop);
        if let Some(error) = failure {
            return Err(error);
        }
        if let ("create", Some(token)) = (self.name, &state.token) {
            lock(&self.world).things.remove(token);
        }
        tokio::task::yield_now().await;
        Ok(())
    }
}

impl Action {
    async fn copy(&self, cx: &StepContext, state: &mut Errand) -> Result<(), StepError> {
        let token = state.token.clone().unwrap();
        let mut controls = cx.controls();
        while state.linger && !controls.borrow_and_update()["go"].is_boolean() {
            cx.progress(0.5);
            controls.changed().await.unwrap();
        }
        if state.stuck_at > 0 {
            for bytes_done in [0, u64::from(state.stuck_at)] {
                cx.transfer(TransferStats { bytes_done, ..TransferStats::default() });
                // Long enough for it to be stored.
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
            return Err(StepError::transient("busy", "the other side is busy"));
        }
        while state.copied < state.size {
            state.copied += 1;
            if state.slow {
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
            lock(&self.world).things.insert(token.clone(), state.copied);
            cx.progress(f64::from(state.copied) / f64::from(state.size));
            cx.transfer(TransferStats { bytes_done: u64::from(state.copied), ..TransferStats::default() });
            cx.save(state).await?;
            if state.shaky {
                return Err(StepError::transient("busy", "the other side is busy"));
            }
        }
        cx.log(format!("copied {}", state.copied));
        assert!(!lock(&self.world).panics_when_copied, "the step panics");
        Ok(())
    }
}

pub fn quick(owner: &str) -> EngineConfig {
    EngineConfig {
        owner: owner.to_owned(),
        poll: Duration::from_millis(5),
        persist: Duration::from_millis(5),
        retry: RetryPolicy {
            forward: 5,
            committed: 8,
            undo: 8,
            permanent: 8,
            backoff: Backoff { first: Duration::from_millis(1), longest: Duration::from_millis(4) },
            ..RetryPolicy::default()
        },
        ..EngineConfig::default()
    }
}

pub fn engine(store: &Arc<dyn OperationStore>, world: &Shared, config: EngineConfig) -> Engine {
    Engine::builder(store.clone()).config(config).register(ErrandWorkflow(world.clone())).build()
}

pub fn errand() -> Submission<Errand> {
    Submission::new("i-0123456789abcdef", Errand { size: 3, ..Errand::default() })
}

pub const PATIENCE: Duration = Duration::from_secs(20);

pub fn fresh() -> (Arc<dyn OperationStore>, Shared) {
    (Arc::new(MemoryStore::new()), Shared::default())
}

pub async fn end(engine: &Engine, id: &OperationId) -> OperationRecord {
    tokio::time::timeout(PATIENCE, engine.wait(id)).await.expect("it hung").unwrap()
}

pub async fn reach(engine: &Engine, id: &OperationId, status: Status) -> OperationRecord {
    let look = async {
        let mut watch = engine.watch(id).await.unwrap();
        loop {
            let record = watch.next().await.expect("it ended").unwrap();
            if record.status == status {
                return record;
            }
        }
    };
    tokio::time::timeout(PATIENCE, look).await.expect("it hung")
}

pub fn transient(code: &str) -> StepError {
    StepError::transient(code, "the other side is busy")
}
