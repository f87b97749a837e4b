//! Decisions about where machines run, what machines people have declared, and places that had no room.

use std::collections::HashMap;

use async_trait::async_trait;
use jiff::Timestamp;
use novacron_operations::{Created, NewOperation, Page, PageCursor, StoreError};
use novacron_types::placement::{PlacementFailure, PlacementRecord, PlacementRequest, PlacementStatus};
use serde_json::Value;

/// Keeps placements. A machine may have several, of which the newest counts.
#[async_trait]
pub trait PlacementStore: Send + Sync + 'static {
    /// Makes or replaces the record of that id.
    async fn put_placement(&self, placement: &PlacementRecord) -> Result<(), StoreError>;

    /// Makes an operation, as [`OperationStore::create`](novacron_operations::OperationStore::create) does, together with
    /// what is to be kept with it: all is stored, or nothing. Where the operation had been made before, nothing else is
    /// stored. [`StoreError::AnsweredBefore`] where [`Kept::once`] is.
    async fn take_on(&self, new: NewOperation, kept: Kept<'_>, now: Timestamp) -> Result<Created, StoreError>;

    /// Stores all of it, unless the name of `once` has a declaration already: then this is answered, and nothing is stored.
    /// Of several at once one is first, whether they keep this or take work on with it.
    async fn keep_once(
        &self,
        placements: &[PlacementRecord],
        declared: &[Declared],
        once: &Declared,
    ) -> Result<Option<Declared>, StoreError>;

    async fn placement(&self, id: &str) -> Result<Option<PlacementRecord>, StoreError>;

    /// The newest of a machine.
    async fn placement_of(&self, vm_id: &str) -> Result<Option<PlacementRecord>, StoreError>;

    /// Newest first.
    async fn placements(&self, query: &PlacementQuery) -> Result<Page<PlacementRecord>, StoreError>;

    /// The newest failure of a kind, region and type replaces an older one.
    async fn note_failure(&self, failure: &PlacementFailure) -> Result<(), StoreError>;

    /// At most 1,000, newest first; those before `since` are forgotten.
    async fn failures(&self, since: Timestamp) -> Result<Vec<PlacementFailure>, StoreError>;

    /// Makes or replaces what was declared under a name.
    async fn put_declared(&self, declared: &Declared) -> Result<(), StoreError>;

    async fn declared(&self, name: &str) -> Result<Option<Declared>, StoreError>;

    /// What work keeps for itself under names that begin with `kind` and a colon, but for what it has emptied.
    async fn kept(&self, kind: &str) -> Result<Vec<Declared>, StoreError>;

    /// What the newest placement of each VM that there is was asked for, by the VM's id.
    async fn asked_of_vms(&self) -> Result<HashMap<String, PlacementRequest>, StoreError>;

    /// Removes up to `limit` of each that nobody needs and that did not change since `before`: placements that a newer one
    /// follows, or of which there is neither a machine nor a declaration; and declarations that work keeps for itself,
    /// whose names have a colon. Answers how many were removed.
    async fn prune(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError>;

    /// True for one of all processes that ask with this name and time: the one that is to do what is due then.
    async fn claim_run(&self, name: &str, due: Timestamp) -> Result<bool, StoreError>;
}

/// Which placements to list. What is absent means any.
#[derive(Debug, Clone, PartialEq)]
pub struct PlacementQuery {
    pub status: Option<PlacementStatus>,
    pub vm_id: Option<String>,
    pub cursor: Option<PageCursor>,
    pub limit: u32,
}

impl Default for PlacementQuery {
    fn default() -> Self {
        Self { status: None, vm_id: None, cursor: None, limit: 50 }
    }
}

/// What is stored together.
#[derive(Debug, Clone, Copy, Default)]
pub struct Kept<'k> {
    pub placements: &'k [PlacementRecord],
    /// Each replaces what was declared under its name.
    pub declared: &'k [Declared],
    /// This replaces nothing.
    pub once: Option<&'k Declared>,
}

/// What a person declared in a manifest, as it was last applied.
#[derive(Debug, Clone, PartialEq)]
pub struct Declared {
    pub name: String,
    /// The manifest, as JSON.
    pub manifest: Value,
    pub updated_at: Timestamp,
}
