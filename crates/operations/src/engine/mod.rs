//! Runs operations: takes requests, claims work, and shows how far it is.

mod attend;
mod dispatch;
mod run;
mod submit;
mod wait;
mod watch;

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use novacron_types::OperationId;
use serde_json::Value;
use tokio::{sync::Notify, task::JoinHandle};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use submit::{Submission, Submitted};
pub use watch::Watch;

use crate::{
    Clock, EngineError, Event, IdempotencyKey, ListQuery, OperationRecord, OperationStore, Page, Request, RetryPolicy,
    StoreError, SystemClock, Workflow,
    context::Live,
    workflow::{ErasedWorkflow, erase},
};

/// How the engine works.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// The name that this process has in leases.
    pub owner: String,
    /// No other live process uses this name, because the caller holds a lock that says so. Then what an earlier
    /// process of this name was at work on is taken over at once, instead of when its lease ends.
    pub sole_owner: bool,
    /// Operations run at once; those that wait for others ([`Workflow::WAITS`]) are not counted.
    pub concurrency: usize,
    /// How long after its last sign of life another may take an owner's operation.
    pub lease: Duration,
    /// How often to look for what other processes have written: new work, requests, progress.
    pub poll: Duration,
    /// How often progress is stored.
    pub persist: Duration,
    /// How long one undo may take before that counts as its failure.
    pub undo_timeout: Duration,
    pub retry: RetryPolicy,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            owner: format!("{}-{:08x}", std::process::id(), rand::random::<u32>()),
            sole_owner: false,
            concurrency: 4,
            lease: Duration::from_secs(30),
            poll: Duration::from_secs(1),
            persist: Duration::from_secs(1),
            undo_timeout: Duration::from_secs(30 * 60),
            retry: RetryPolicy::default(),
        }
    }
}

/// Where the engine takes its random numbers from: ids and jitter, nothing secret.
#[derive(Clone)]
pub struct Random(Arc<dyn Fn() -> u64 + Send + Sync>);

impl Random {
    pub fn new(next: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        Self(Arc::new(next))
    }
    fn next(&self) -> u64 {
        (self.0)()
    }
    /// Of [0, 1).
    fn unit(&self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

impl Default for Random {
    fn default() -> Self {
        Self::new(rand::random::<u64>)
    }
}

impl fmt::Debug for Random {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Random")
    }
}

/// Puts an [`Engine`] together.
pub struct EngineBuilder {
    store: Arc<dyn OperationStore>,
    clock: Arc<dyn Clock>,
    random: Random,
    config: EngineConfig,
    workflows: HashMap<&'static str, Arc<dyn ErasedWorkflow>>,
}

impl EngineBuilder {
    #[must_use]
    pub fn config(mut self, config: EngineConfig) -> Self {
        self.config = config;
        self
    }

    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    #[must_use]
    pub fn random(mut self, random: Random) -> Self {
        self.random = random;
        self
    }

    /// Adds a kind of operation; the last one of a name counts.
    #[must_use]
    pub fn register<W: Workflow>(mut self, workflow: W) -> Self {
        self.workflows.insert(W::KIND, erase(workflow));
        self
    }

    /// The engine, which takes requests but runs nothing before [`Engine::start`].
    pub fn build(self) -> Engine {
        let inner = Inner {
            store: self.store,
            clock: self.clock,
            random: self.random,
            config: self.config,
            workflows: self.workflows,
            work: Notify::new(),
            waiting_work: Notify::new(),
            shutdown: CancellationToken::new(),
            running: Mutex::new(HashMap::new()),
            tasks: TaskTracker::new(),
        };
        Engine { inner: Arc::new(inner), workers: Arc::new(Mutex::new(None)) }
    }
}

/// The handle. When the last clone is dropped without [`shutdown`](Self::shutdown), all that runs is dropped with it,
/// as if the process had died.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
    workers: Arc<Mutex<Option<Workers>>>,
}

struct Inner {
    store: Arc<dyn OperationStore>,
    clock: Arc<dyn Clock>,
    random: Random,
    config: EngineConfig,
    workflows: HashMap<&'static str, Arc<dyn ErasedWorkflow>>,
    /// There may be something to claim.
    work: Notify,
    /// The same, of the kinds that wait for others.
    waiting_work: Notify,
    shutdown: CancellationToken,
    running: Mutex<HashMap<OperationId, Arc<Live>>>,
    tasks: TaskTracker,
}

struct Workers(JoinHandle<()>);

impl Drop for Workers {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Engine {
    pub fn builder(store: Arc<dyn OperationStore>) -> EngineBuilder {
        EngineBuilder {
            store,
            clock: Arc::new(SystemClock),
            random: Random::default(),
            config: EngineConfig::default(),
            workflows: HashMap::new(),
        }
    }

    /// Starts to claim and run operations. A second call has no effect.
    pub fn start(&self) {
        let mut workers = lock(&self.workers);
        if workers.is_none() && !self.inner.shutdown.is_cancelled() {
            *workers = Some(Workers(tokio::spawn(dispatch::dispatch(self.inner.clone()))));
        }
    }

    /// Stops: running steps are dropped, and what was at work is given back for anyone to carry on at once.
    /// Returns when all of that is stored, or after `grace`; what was not given back by then is when its lease ends.
    pub async fn shutdown(&self, grace: Duration) {
        self.inner.shutdown.cancel();
        self.inner.tasks.close();
        if tokio::time::timeout(grace, self.inner.tasks.wait()).await.is_err() {
            tracing::warn!("operations were not given back in time; others take them over when the leases end");
        }
        lock(&self.workers).take();
    }

    /// Drops everything in mid-work and writes nothing more, as a death of the process would.
    #[cfg(feature = "testkit")]
    pub async fn kill(&self) {
        lock(&self.workers).take();
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
    }

    /// Asks that an operation be undone. It is when its status says so.
    pub async fn cancel(&self, id: &OperationId, by: &str) -> Result<OperationRecord, EngineError> {
        self.request(id, Request::Cancel { by: by.to_owned() }).await
    }

    /// Lets a held operation go on now.
    pub async fn continue_(&self, id: &OperationId, by: &str) -> Result<OperationRecord, EngineError> {
        self.request(id, Request::Continue { by: by.to_owned() }).await
    }

    /// Takes a failed operation up again where it stopped: its undoing, or the rest of its work.
    pub async fn retry(&self, id: &OperationId, by: &str) -> Result<OperationRecord, EngineError> {
        self.request(id, Request::Retry { by: by.to_owned() }).await
    }

    /// Changes controls that the running step follows; null removes one.
    pub async fn set_controls(
        &self,
        id: &OperationId,
        patch: serde_json::Map<String, Value>,
        by: &str,
    ) -> Result<OperationRecord, EngineError> {
        self.request(id, Request::Controls { patch, by: by.to_owned() }).await
    }

    async fn request(&self, id: &OperationId, request: Request) -> Result<OperationRecord, EngineError> {
        let operation = self.inner.store.request(id, request, self.inner.clock.now()).await?;
        if let Some(live) = self.inner.live(id) {
            live.signal.notify_one();
        }
        self.inner.wake();
        Ok(operation.record)
    }

    /// The operation as it is now; what runs here is shown as it runs.
    pub async fn get(&self, id: &OperationId) -> Result<Option<OperationRecord>, EngineError> {
        if let Some(live) = self.inner.live(id) {
            return Ok(Some(live.record()));
        }
        Ok(self.inner.store.get(id).await?.map(|operation| operation.record))
    }

    /// What an earlier request under this key has started, if there was one.
    pub async fn requested(&self, key: &IdempotencyKey) -> Result<Option<OperationRecord>, EngineError> {
        Ok(self.inner.store.requested(key).await?.map(|operation| operation.record))
    }

    /// Newest first.
    pub async fn list(&self, query: &ListQuery) -> Result<Page<OperationRecord>, EngineError> {
        let mut page = self.inner.store.list(query).await?;
        for record in &mut page.items {
            if let Some(live) = self.inner.live(&record.id) {
                let newer = live.record();
                (record.progress, record.transfer) = (newer.progress, newer.transfer);
            }
        }
        Ok(page)
    }

    pub async fn events(&self, id: &OperationId, after: u64, limit: u32) -> Result<Vec<Event>, EngineError> {
        Ok(self.inner.store.events(id, after, limit.clamp(1, ListQuery::MAX_LIMIT)).await?)
    }

    /// The operation now, and then each time it has changed, until it has ended.
    pub async fn watch(&self, id: &OperationId) -> Result<Watch, EngineError> {
        let now = self.get(id).await?.ok_or_else(|| StoreError::NotFound(id.clone()))?;
        Ok(Watch::new(self.inner.clone(), now))
    }

    /// How many operations run in this process.
    pub fn running(&self) -> usize {
        lock(&self.inner.running).len()
    }
}

impl Inner {
    fn wake(&self) {
        self.work.notify_one();
        self.waiting_work.notify_one();
    }

    fn live(&self, id: &OperationId) -> Option<Arc<Live>> {
        lock(&self.running).get(id).cloned()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
