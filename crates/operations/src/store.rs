//! What the engine needs stored.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use novacron_types::{OperationId, Status};
use serde_json::Value;

use crate::{
    Change, Event, IdempotencyKey, Operation, OperationRecord, Options, Page, PageCursor, Request, StoreError,
};

/// Keeps operations. Each method is one atomic, durable update: it happened whole or not at all, and once it
/// has returned it outlives a crash. A dropped call may have happened.
///
/// A store decides nothing itself: it finds the row, lets [`Operation`]'s pure methods change it, and writes it back.
/// `now` is the caller's time; a store that many machines share may use its own for leases.
#[async_trait]
pub trait OperationStore: Send + Sync + 'static {
    /// Makes an operation, unless its idempotency key was used before, or one of its exclusive keys is held by an
    /// operation that has not ended.
    async fn create(&self, new: NewOperation, now: Timestamp) -> Result<Created, StoreError>;

    /// The operation that was made under this key. [`StoreError::IdempotencyMismatch`] if that was for another request.
    async fn requested(&self, key: &IdempotencyKey) -> Result<Option<Operation>, StoreError>;

    async fn get(&self, id: &OperationId) -> Result<Option<Operation>, StoreError>;

    /// Newest first.
    async fn list(&self, query: &ListQuery) -> Result<Page<OperationRecord>, StoreError>;

    /// Hands out the operation that has been runnable for longest, under a new generation.
    async fn claim(&self, claim: &Claim, now: Timestamp) -> Result<Claimed, StoreError>;

    /// Extends the lease to `now + ttl`. [`StoreError::StaleOwner`] if it is another's by now.
    async fn renew(&self, id: &OperationId, generation: u64, ttl: Duration, now: Timestamp) -> Result<(), StoreError>;

    /// Applies all changes, or none. [`StoreError::StaleOwner`] unless `generation` holds the lease.
    async fn apply(
        &self,
        id: &OperationId,
        generation: u64,
        changes: Vec<Change>,
        now: Timestamp,
    ) -> Result<Operation, StoreError>;

    /// Takes one more exclusive key for an operation that has not ended, until it ends: a retry afterwards does not have it.
    /// Answers the operation that holds it, where that is another. [`StoreError::StaleOwner`] unless `generation` holds
    /// the lease.
    async fn hold(&self, id: &OperationId, generation: u64, key: &str) -> Result<Option<OperationId>, StoreError>;

    /// What a person asks of an operation, whoever owns it.
    async fn request(&self, id: &OperationId, request: Request, now: Timestamp) -> Result<Operation, StoreError>;

    /// Ends the leases of an owner that is known to be dead, and says how many there were.
    async fn release_owner(&self, owner: &str, now: Timestamp) -> Result<u64, StoreError>;

    /// Removes up to `limit` operations that ended before `before` in a way that nobody has to see to, with their events
    /// and the keys of their requests, and says how many. One that has not ended, or has failed, stays.
    async fn prune(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError>;

    /// Up to `limit` events after number `after`, oldest first.
    async fn events(&self, id: &OperationId, after: u64, limit: u32) -> Result<Vec<Event>, StoreError>;
}

/// An operation to be made.
#[derive(Debug, Clone)]
pub struct NewOperation {
    pub id: OperationId,
    pub kind: String,
    pub subject: String,
    pub state: Value,
    pub steps: Vec<String>,
    pub summary: Option<Value>,
    pub controls: Value,
    /// At most one operation that has not ended may hold each.
    pub exclusive: Vec<String>,
    pub idempotency: Option<IdempotencyKey>,
    pub options: Options,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Created {
    pub operation: Operation,
    /// It had been made before, under the same idempotency key.
    pub existing: bool,
}

/// Who wants work, and what sorts of it.
#[derive(Debug, Clone)]
pub struct Claim {
    pub owner: String,
    pub ttl: Duration,
    pub kinds: Vec<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Claimed {
    Operation(Box<Operation>),
    /// Nothing is due; `next_due` is when something will be, if nothing changes.
    Nothing {
        next_due: Option<Timestamp>,
    },
}

/// Which operations to list. Empty lists and no text mean any.
#[derive(Debug, Clone, PartialEq)]
pub struct ListQuery {
    pub statuses: Vec<Status>,
    pub kinds: Vec<String>,
    /// In the id or the subject, whatever the case.
    pub text: Option<String>,
    pub cursor: Option<PageCursor>,
    pub limit: u32,
}

impl Default for ListQuery {
    fn default() -> Self {
        Self { statuses: Vec::new(), kinds: Vec::new(), text: None, cursor: None, limit: 50 }
    }
}

impl ListQuery {
    pub const MAX_LIMIT: u32 = 500;

    /// The limit, held within what a store reads at once.
    pub fn page_size(&self) -> u32 {
        self.limit.clamp(1, Self::MAX_LIMIT)
    }

    pub fn matches(&self, record: &OperationRecord) -> bool {
        let text = self.text.as_deref().map(str::to_lowercase);
        (self.statuses.is_empty() || self.statuses.contains(&record.status))
            && (self.kinds.is_empty() || self.kinds.contains(&record.kind))
            && text.is_none_or(|text| record.search_text().contains(&text))
    }
}

impl OperationRecord {
    /// What a list's text filter looks through, in lower case.
    pub fn search_text(&self) -> String {
        format!("{} {}", self.id, self.subject).to_lowercase()
    }
}
