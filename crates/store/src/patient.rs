//! A backend beyond a network, which may go silent: each call ends in time, with an error if it must.

use std::{collections::HashMap, time::Duration};

use async_trait::async_trait;
use jiff::Timestamp;
use novacron_operations::{
    Change, Claim, Claimed, Created, Event, IdempotencyKey, ListQuery, NewOperation, Operation, OperationId,
    OperationRecord, OperationStore, Page, Request, StoreError,
};
use novacron_types::{
    InstanceId, ProviderName, VmId, VmRecord,
    placement::{PlacementFailure, PlacementRecord, PlacementRequest, PlacementStatus},
};
use tokio::time::timeout;

use crate::{
    AuditEntry, AuditLog, AuditQuery, Backend, Counts, Declared, EndedCount, Kept, PlacementQuery, PlacementStore,
    VmCount, VmQuery, VmStore,
};

/// As with any error that says the store can't be reached, a call that was given up may have happened.
pub(crate) struct Patient<B> {
    pub(crate) backend: B,
    pub(crate) limit: Duration,
}

/// One trait, each of its methods passed on within the limit.
macro_rules! within_limit {
    ($trait:ident { $(fn $name:ident($($argument:ident: $type:ty),*) -> $answer:ty;)* }) => {
        #[async_trait]
        impl<B: Backend> $trait for Patient<B> {
            $(async fn $name(&self, $($argument: $type),*) -> Result<$answer, StoreError> {
                let call = $trait::$name(&self.backend, $($argument),*);
                timeout(self.limit, call).await.unwrap_or_else(|_| Err(no_answer(self.limit)))
            })*
        }
    };
}

fn no_answer(limit: Duration) -> StoreError {
    StoreError::Unavailable(format!("it did not answer within {} s", limit.as_secs_f32()))
}

within_limit!(OperationStore {
    fn create(new: NewOperation, now: Timestamp) -> Created;
    fn requested(key: &IdempotencyKey) -> Option<Operation>;
    fn get(id: &OperationId) -> Option<Operation>;
    fn list(query: &ListQuery) -> Page<OperationRecord>;
    fn claim(claim: &Claim, now: Timestamp) -> Claimed;
    fn renew(id: &OperationId, generation: u64, ttl: Duration, now: Timestamp) -> ();
    fn apply(id: &OperationId, generation: u64, changes: Vec<Change>, now: Timestamp) -> Operation;
    fn hold(id: &OperationId, generation: u64, key: &str) -> Option<OperationId>;
    fn request(id: &OperationId, request: Request, now: Timestamp) -> Operation;
    fn release_owner(owner: &str, now: Timestamp) -> u64;
    fn prune(before: Timestamp, limit: u32) -> u64;
    fn events(id: &OperationId, after: u64, limit: u32) -> Vec<Event>;
});

within_limit!(VmStore {
    fn put_vm(vm: &VmRecord) -> ();
    fn vm(id: &VmId) -> Option<VmRecord>;
    fn vm_by_instance(provider: &ProviderName, instance: &InstanceId) -> Option<VmRecord>;
    fn vms(query: &VmQuery) -> Page<VmRecord>;
    fn delete_vm(id: &VmId, at: Timestamp) -> bool;
});

within_limit!(PlacementStore {
    fn put_placement(placement: &PlacementRecord) -> ();
    fn take_on(new: NewOperation, kept: Kept<'_>, now: Timestamp) -> Created;
    fn placement(id: &str) -> Option<PlacementRecord>;
    fn placement_of(vm_id: &str) -> Option<PlacementRecord>;
    fn placements(query: &PlacementQuery) -> Page<PlacementRecord>;
    fn note_failure(failure: &PlacementFailure) -> ();
    fn failures(since: Timestamp) -> Vec<PlacementFailure>;
    fn keep_once(placements: &[PlacementRecord], declared: &[Declared], once: &Declared) -> Option<Declared>;
    fn put_declared(declared: &Declared) -> ();
    fn declared(name: &str) -> Option<Declared>;
    fn kept(kind: &str) -> Vec<Declared>;
    fn asked_of_vms() -> HashMap<String, PlacementRequest>;
    fn prune(before: Timestamp, limit: u32) -> u64;
    fn claim_run(name: &str, due: Timestamp) -> bool;
});

within_limit!(AuditLog {
    fn append(entry: &AuditEntry) -> ();
    fn prune(before: Timestamp, limit: u32) -> u64;
    fn entries(query: &AuditQuery) -> Page<AuditEntry>;
});

within_limit!(Counts {
    fn vm_counts() -> Vec<VmCount>;
    fn placement_counts() -> HashMap<PlacementStatus, u64>;
    fn ended_counts(kinds: &[&str]) -> Vec<EndedCount>;
});

#[async_trait]
impl<B: Backend> Backend for Patient<B> {
    async fn ping(&self) -> Result<(), StoreError> {
        timeout(self.limit, self.backend.ping()).await.unwrap_or_else(|_| Err(no_answer(self.limit)))
    }
    async fn close(&self) {
        // What does not answer is closed by the end of the process.
        let _ = timeout(self.limit, self.backend.close()).await;
    }
}
