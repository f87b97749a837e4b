//! Who may run an operation: claims, and their end.

use jiff::Timestamp;

use crate::{Claim, Event, Lease, Operation, StoreError, clock::later};

impl Operation {
    /// Whether a claim at `now` may take it.
    pub fn is_claimable(&self, now: Timestamp) -> bool {
        self.due().is_some_and(|due| due <= now)
    }

    /// When a claim may take it, if nothing changes before.
    pub fn due(&self) -> Option<Timestamp> {
        let runnable = self.run.runnable_at?;
        Some(self.lease.until.filter(|_| self.lease.owner.is_some()).map_or(runnable, |until| until.max(runnable)))
    }

    /// Hands it to an owner under a new generation.
    pub fn claimed(&mut self, claim: &Claim, now: Timestamp) -> Vec<Event> {
        let before = self.lease.owner.take();
        self.lease = Lease {
            owner: Some(claim.owner.clone()),
            generation: self.lease.generation + 1,
            until: Some(later(now, claim.ttl)),
        };
        self.mirror_lease();
        let Some(dead) = before else { return Vec::new() };
        self.run.deaths += 1;
        vec![self.event(now, "taken_over", None, format!("by {} from {dead}", claim.owner))]
    }

    /// [`StoreError::StaleOwner`] unless that generation holds the operation.
    pub fn check_owner(&self, generation: u64) -> Result<(), StoreError> {
        let held = self.lease.owner.is_some() && self.lease.generation == generation;
        if held { Ok(()) } else { Err(StoreError::StaleOwner) }
    }

    /// Ends the lease of an owner that is dead.
    pub fn owner_died(&mut self, now: Timestamp) -> Vec<Event> {
        let Some(owner) = self.lease.owner.clone() else { return Vec::new() };
        self.run.deaths += 1;
        self.give_back(Some(now));
        vec![self.event(now, "owner_died", None, owner)]
    }

    /// Ends the lease; it may be claimed again at `runnable_at`.
    pub(crate) fn give_back(&mut self, runnable_at: Option<Timestamp>) {
        self.lease.owner = None;
        self.lease.until = None;
        self.run.runnable_at = runnable_at;
        self.mirror_lease();
    }

    fn mirror_lease(&mut self) {
        self.record.owner.clone_from(&self.lease.owner);
        self.record.generation = self.lease.generation;
    }
}
