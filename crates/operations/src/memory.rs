//! A store in memory, for tests.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use jiff::Timestamp;
use novacron_types::OperationId;

use crate::{
    Change, Claim, Claimed, Created, Event, IdempotencyKey, ListQuery, NewOperation, Operation, OperationRecord,
    OperationStore, Page, Request, StoreError, clock::later,
};

/// Forgets everything when it is dropped.
#[derive(Debug, Default)]
pub struct MemoryStore {
    tables: Mutex<Tables>,
}

#[derive(Debug, Default)]
struct Tables {
    // By place in the list, which is the order of creation.
    operations: BTreeMap<u64, Operation>,
    last_place: u64,
    places: HashMap<OperationId, u64>,
    keys: HashMap<String, OperationId>,
    idempotency: HashMap<String, (String, OperationId)>,
    events: HashMap<OperationId, Vec<Event>>,
}

impl MemoryStore {
    pub fn new() -> Self {
        Self::default()
    }

    fn lock(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tables {
    fn get(&self, id: &OperationId) -> Option<&Operation> {
        self.places.get(id).and_then(|place| self.operations.get(place))
    }

    fn read(&self, id: &OperationId) -> Result<Operation, StoreError> {
        self.get(id).cloned().ok_or_else(|| StoreError::NotFound(id.clone()))
    }

    fn requested(&self, IdempotencyKey { key, digest }: &IdempotencyKey) -> Result<Option<Operation>, StoreError> {
        match self.idempotency.get(key) {
            None => Ok(None),
            Some((known, id)) if known == digest => self.read(id).map(Some),
            Some((_, id)) => Err(StoreError::IdempotencyMismatch { key: key.clone(), other: id.clone() }),
        }
    }

    fn write(&mut self, operation: &Operation, events: Vec<Event>) -> Result<(), StoreError> {
        let id = operation.id();
        if operation.is_terminal() {
            self.keys.retain(|_, holder| holder != id);
        } else {
            self.take_keys(id, &operation.run.exclusive)?;
        }
        if let Some(place) = self.places.get(id) {
            self.operations.insert(*place, operation.clone());
        }
        self.events.entry(id.clone()).or_default().extend(events);
        Ok(())
    }

    fn take_keys(&mut self, id: &OperationId, keys: &[String]) -> Result<(), StoreError> {
        for key in keys {
            if let Some(other) = self.keys.get(key).filter(|holder| *holder != id) {
                return Err(StoreError::Conflict { key: key.clone(), other: other.clone() });
            }
        }
        self.keys.extend(keys.iter().map(|key| (key.clone(), id.clone())));
        Ok(())
    }
}

#[async_trait]
impl OperationStore for MemoryStore {
    async fn create(&self, new: NewOperation, now: Timestamp) -> Result<Created, StoreError> {
        let mut tables = self.lock();
        if let Some(key) = &new.idempotency
            && let Some(operation) = tables.requested(key)?
        {
            return Ok(Created { operation, existing: true });
        }
        if tables.places.contains_key(&new.id) {
            return Err(StoreError::IdTaken(new.id));
        }
        tables.take_keys(&new.id, &new.exclusive)?;
        if let Some(IdempotencyKey { key, digest }) = &new.idempotency {
            tables.idempotency.insert(key.clone(), (digest.clone(), new.id.clone()));
        }
        let (operation, events) = Operation::create(new, now);
        tables.last_place += 1;
        let place = tables.last_place;
        tables.places.insert(operation.id().clone(), place);
        tables.write(&operation, events)?;
        Ok(Created { operation, existing: false })
    }

    async fn requested(&self, key: &IdempotencyKey) -> Result<Option<Operation>, StoreError> {
        self.lock().requested(key)
    }

    async fn get(&self, id: &OperationId) -> Result<Option<Operation>, StoreError> {
        Ok(self.lock().get(id).cloned())
    }

    async fn list(&self, query: &ListQuery) -> Result<Page<OperationRecord>, StoreError> {
        let tables = self.lock();
        let before = query.cursor.map_or(u64::MAX, |cursor| cursor.0);
        let rows = tables
            .operations
            .range(..before)
            .rev()
            .filter(|(_, operation)| query.matches(&operation.record))
            .take(query.page_size() as usize + 1)
            .map(|(place, operation)| (*place, operation.record.clone()))
            .collect();
        Ok(Page::from_rows(rows, query.page_size()))
    }

    async fn claim(&self, claim: &Claim, now: Timestamp) -> Result<Claimed, StoreError> {
        let mut tables = self.lock();
        let ours = tables.operations.values().filter(|operation| claim.kinds.contains(&operation.record.kind));
        let first = ours.filter_map(|op| Some((op.due()?, op))).min_by_key(|(due, _)| *due);
        let Some((due, operation)) = first else { return Ok(Claimed::Nothing { next_due: None }) };
        if due > now {
            return Ok(Claimed::Nothing { next_due: Some(due) });
        }
        let mut operation = operation.clone();
        let events = operation.claimed(claim, now);
        tables.write(&operation, events)?;
        Ok(Claimed::Operation(Box::new(operation)))
    }

    async fn renew(&self, id: &OperationId, generation: u64, ttl: Duration, now: Timestamp) -> Result<(), StoreError> {
        let mut tables = self.lock();
        let mut operation = tables.read(id)?;
        operation.check_owner(generation)?;
        operation.lease.until = Some(later(now, ttl));
        tables.write(&operation, Vec::new())
    }

    async fn apply(
        &self,
        id: &OperationId,
        generation: u64,
        changes: Vec<Change>,
        now: Timestamp,
    ) -> Result<Operation, StoreError> {
        let mut tables = self.lock();
        let mut operation = tables.read(id)?;
        let events = operation.apply(generation, changes, now)?;
        tables.write(&operation, events)?;
        Ok(operation)
    }

    async fn hold(&self, id: &OperationId, generation: u64, key: &str) -> Result<Option<OperationId>, StoreError> {
        let mut tables = self.lock();
        tables.read(id)?.check_owner(generation)?;
        let holder = tables.keys.entry(key.to_owned()).or_insert_with(|| id.clone());
        Ok(Some(holder.clone()).filter(|holder| holder != id))
    }

    async fn request(&self, id: &OperationId, request: Request, now: Timestamp) -> Result<Operation, StoreError> {
        let mut tables = self.lock();
        let mut operation = tables.read(id)?;
        let events = operation.request(request, now)?;
        tables.write(&operation, events)?;
        Ok(operation)
    }

    async fn release_owner(&self, owner: &str, now: Timestamp) -> Result<u64, StoreError> {
        let mut tables = self.lock();
        let dead: Vec<Operation> = tables
            .operations
            .values()
            .filter(|operation| operation.lease.owner.as_deref() == Some(owner))
            .cloned()
            .collect();
        for mut operation in dead.clone() {
            let events = operation.owner_died(now);
            tables.write(&operation, events)?;
        }
        Ok(dead.len() as u64)
    }

    async fn prune(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        let mut tables = self.lock();
        let old = tables.operations.iter().filter(|(_, operation)| operation.may_be_pruned(before));
        let old: Vec<(u64, OperationId)> =
            old.map(|(place, operation)| (*place, operation.id().clone())).take(limit as usize).collect();
        for (place, id) in &old {
            tables.operations.remove(place);
            tables.places.remove(id);
            tables.events.remove(id);
            tables.idempotency.retain(|_, (_, made)| made != id);
        }
        Ok(old.len() as u64)
    }

    async fn events(&self, id: &OperationId, after: u64, limit: u32) -> Result<Vec<Event>, StoreError> {
        let tables = self.lock();
        let all = tables.events.get(id).map(Vec::as_slice).unwrap_or_default();
        Ok(all.iter().filter(|event| event.seq > after).take(limit as usize).cloned().collect())
    }
}
