//! A store beyond a network that has gone silent: nothing is refused, and nothing answers.

use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use jiff::Timestamp;
use novacron_operations::*;

pub struct SilentStore {
    pub store: Arc<dyn OperationStore>,
    pub silent: AtomicBool,
    /// So often it is away when it is asked for an operation.
    pub away: AtomicUsize,
}

impl SilentStore {
    pub fn new(store: Arc<dyn OperationStore>) -> Arc<Self> {
        Arc::new(Self { store, silent: AtomicBool::new(false), away: AtomicUsize::new(0) })
    }

    async fn reached(&self) -> &Arc<dyn OperationStore> {
        if self.silent.load(Ordering::SeqCst) {
            pending::<()>().await;
        }
        &self.store
    }
}

#[async_trait]
impl OperationStore for SilentStore {
    async fn create(&self, new: NewOperation, now: Timestamp) -> Result<Created, StoreError> {
        self.reached().await.create(new, now).await
    }
    async fn requested(&self, key: &IdempotencyKey) -> Result<Option<Operation>, StoreError> {
        self.reached().await.requested(key).await
    }
    async fn get(&self, id: &OperationId) -> Result<Option<Operation>, StoreError> {
        let fewer = |away: usize| away.checked_sub(1);
        if self.away.fetch_update(Ordering::SeqCst, Ordering::SeqCst, fewer).is_ok() {
            return Err(StoreError::Unavailable("it is away".to_owned()));
        }
        self.reached().await.get(id).await
    }
    async fn list(&self, query: &ListQuery) -> Result<Page<OperationRecord>, StoreError> {
        self.reached().await.list(query).await
    }
    async fn claim(&self, claim: &Claim, now: Timestamp) -> Result<Claimed, StoreError> {
        self.reached().await.claim(claim, now).await
    }
    async fn renew(&self, id: &OperationId, generation: u64, ttl: Duration, now: Timestamp) -> Result<(), StoreError> {
        self.reached().await.renew(id, generation, ttl, now).await
    }
    async fn apply(
        &self,
        id: &OperationId,
        generation: u64,
        changes: Vec<Change>,
        now: Timestamp,
    ) -> Result<Operation, StoreError> {
        self.reached().await.apply(id, generation, changes, now).await
    }
    async fn hold(&self, id: &OperationId, generation: u64, key: &str) -> Result<Option<OperationId>, StoreError> {
        self.reached().await.hold(id, generation, key).await
    }
    async fn request(&self, id: &OperationId, request: Request, now: Timestamp) -> Result<Operation, StoreError> {
        self.reached().await.request(id, request, now).await
    }
    async fn release_owner(&self, owner: &str, now: Timestamp) -> Result<u64, StoreError> {
        self.reached().await.release_owner(owner, now).await
    }
    async fn prune(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        self.reached().await.prune(before, limit).await
    }
    async fn events(&self, id: &OperationId, after: u64, limit: u32) -> Result<Vec<Event>, StoreError> {
        self.reached().await.events(id, after, limit).await
    }
}
