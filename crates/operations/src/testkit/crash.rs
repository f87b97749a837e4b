//! A store whose process dies at a chosen write.

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
use novacron_types::OperationId;
use tokio::sync::Notify;

use crate::{
    Change, Claim, Claimed, Created, Event, IdempotencyKey, ListQuery, NewOperation, Operation, OperationRecord,
    OperationStore, Page, Request, StoreError,
};

/// Passes everything on, until the chosen write of an owner: then nothing answers any more.
pub(super) struct CrashStore {
    pub(super) store: Arc<dyn OperationStore>,
    /// Number of the write, from 0.
    pub(super) at: usize,
    /// The write is made, only its answer never comes.
    pub(super) after: bool,
    pub(super) writes: AtomicUsize,
    pub(super) dead: AtomicBool,
    pub(super) died: Notify,
}

impl CrashStore {
    async fn alive(&self) {
        if self.dead.load(Ordering::SeqCst) {
            pending::<()>().await;
        }
    }

    async fn die(&self) {
        self.dead.store(true, Ordering::SeqCst);
        self.died.notify_one();
        pending::<()>().await;
    }
}

#[async_trait]
impl OperationStore for CrashStore {
    async fn create(&self, new: NewOperation, now: Timestamp) -> Result<Created, StoreError> {
        self.store.create(new, now).await
    }
    async fn requested(&self, key: &IdempotencyKey) -> Result<Option<Operation>, StoreError> {
        self.store.requested(key).await
    }
    async fn get(&self, id: &OperationId) -> Result<Option<Operation>, StoreError> {
        self.alive().await;
        self.store.get(id).await
    }
    async fn list(&self, query: &ListQuery) -> Result<Page<OperationRecord>, StoreError> {
        self.store.list(query).await
    }
    async fn claim(&self, claim: &Claim, now: Timestamp) -> Result<Claimed, StoreError> {
        self.alive().await;
        self.store.claim(claim, now).await
    }
    async fn renew(&self, id: &OperationId, generation: u64, ttl: Duration, now: Timestamp) -> Result<(), StoreError> {
        self.alive().await;
        self.store.renew(id, generation, ttl, now).await
    }
    async fn apply(
        &self,
        id: &OperationId,
        generation: u64,
        changes: Vec<Change>,
        now: Timestamp,
    ) -> Result<Operation, StoreError> {
        self.alive().await;
        let number = self.writes.fetch_add(1, Ordering::SeqCst);
        if number == self.at && !self.after {
            self.die().await;
        }
        let applied = self.store.apply(id, generation, changes, now).await;
        if number == self.at {
            self.die().await;
        }
        applied
    }
    async fn hold(&self, id: &OperationId, generation: u64, key: &str) -> Result<Option<OperationId>, StoreError> {
        self.alive().await;
        self.store.hold(id, generation, key).await
    }
    async fn request(&self, id: &OperationId, request: Request, now: Timestamp) -> Result<Operation, StoreError> {
        self.store.request(id, request, now).await
    }
    async fn release_owner(&self, owner: &str, now: Timestamp) -> Result<u64, StoreError> {
        self.store.release_owner(owner, now).await
    }
    async fn prune(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        self.store.prune(before, limit).await
    }
    async fn events(&self, id: &OperationId, after: u64, limit: u32) -> Result<Vec<Event>, StoreError> {
        self.store.events(id, after, limit).await
    }
}
