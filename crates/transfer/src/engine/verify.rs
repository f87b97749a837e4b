//! Reading back what the target stores, and mending what differs.

use std::{
    ops::Range,
    sync::{Arc, atomic::Ordering::Relaxed},
};

use tokio::{sync::Mutex, task::JoinSet};

use super::{TransferError, copier::Copier, piece::digest_off_thread};
use crate::{
    budget::Lease,
    content::{CHUNK, Digest, zero_digest},
    ledger::{ChunkState, Entry},
};

/// How many chunks of the ledger are looked at together.
const WINDOW: u64 = 4096;

/// Gives out the runs of chunks that are to be read back, at most a piece each.
struct Agenda {
    next: u64,
    runs: Vec<(u64, Vec<Digest>)>,
}

impl Copier {
    pub(super) fn spawn_verify(self: Arc<Self>, lanes: &mut JoinSet<Result<(), TransferError>>) {
        let agenda = Arc::new(Mutex::new(Agenda { next: 0, runs: Vec::new() }));
        for _ in 0..self.options.workers.max(1) * self.depth {
            let (copier, agenda) = (self.clone(), agenda.clone());
            lanes.spawn(async move {
                loop {
                    let run = agenda.lock().await.next(&copier).await?;
                    let Some((first, wanted)) = run else { return Ok(()) };
                    copier.may_go_on()?;
                    copier.verify_run(first, &wanted).await?;
                }
            });
        }
    }

    async fn verify_run(self: &Arc<Self>, first: u64, wanted: &[Digest]) -> Result<(), TransferError> {
        let len = self.span(first, wanted.len() as u64);
        let mut looking = self.healing.read().await;
        let stored = self.stored(first, len).await?;
        let wrong: Vec<usize> = (0..wanted.len()).filter(|at| stored[*at] != wanted[*at]).collect();
        if !wrong.is_empty() {
            drop(looking);
            for range in wrong.chunk_by(|a, b| a + 1 == *b) {
                self.heal(first, range[0]..range[range.len() - 1] + 1).await?;
            }
            looking = self.healing.read().await;
        }
        self.meter.verified.fetch_add(len, Relaxed);
        let entry = |(chunk, digest): (u64, &Digest)| Entry { chunk, digest: *digest, wrote: false, verified: true };
        self.barrier.push((first..).zip(wanted).map(entry).collect(), 0).await;
        drop(looking);
        Ok(())
    }

    /// The digests of what the target stores.
    async fn stored(self: &Arc<Self>, first: u64, len: u64) -> Result<Vec<Digest>, TransferError> {
        let mut tries = 0;
        loop {
            match self.read_back(first, len).await {
                Ok(digests) => return Ok(digests),
                Err(error) => self.patience.wait(error, &mut tries, &self.gate, &self.meter).await?,
            }
        }
    }

    async fn read_back(&self, first: u64, len: u64) -> Result<Vec<Digest>, TransferError> {
        let lease = self.control.budget.lease(self.piece).await;
        let _pass = self.gate.enter().await;
        let buf = self.writer.read_back(first * CHUNK, lease.buf(len)).await?;
        let (buf, digests) = digest_off_thread(buf).await?;
        lease.give_back(buf);
        Ok(digests)
    }

    /// Writes chunks again that the target holds wrongly, from the source, until it holds them right.
    ///
    /// Whole units are written, so the chunks beside the wrong ones are looked at again too. One at a time: two runs may
    /// share a unit.
    async fn heal(self: &Arc<Self>, first: u64, wrong: Range<usize>) -> Result<(), TransferError> {
        let _alone = self.healing.write().await;
        let unit = self.unit / CHUNK;
        let start = (first + wrong.start as u64) / unit * unit;
        let end = (first + wrong.end as u64).next_multiple_of(unit).min(self.chunks());
        tracing::warn!(offset = start * CHUNK, chunks = end - start, "the target does not hold what was written to it");
        let recorded = self.on_ledger(move |ledger| ledger.lookup(start, end - start)).await?;
        let recorded: Vec<Digest> =
            recorded.iter().map(|state: &ChunkState| state.digest.unwrap_or_else(zero_digest)).collect();
        let entries = |verified: bool| -> Vec<Entry> {
            let entry = |(chunk, digest): (u64, &Digest)| Entry { chunk, digest: *digest, wrote: !verified, verified };
            (start..).zip(&recorded).map(entry).collect()
        };
        // Killed in between, none of them counts as looked at.
        let mut unsure = entries(false);
        let recording = self.barrier.forget(start..end).await;
        self.on_ledger(move |ledger| ledger.record(&mut unsure)).await?;
        drop(recording);
        for _ in 0..self.options.heal_attempts {
            let pieces = recorded.chunks((self.piece / CHUNK) as usize);
            let mut from = start;
            for piece in pieces.clone() {
                self.rewrite(from, piece).await?;
                from += piece.len() as u64;
            }
            self.flush().await?;
            let (mut from, mut right) = (start, true);
            for piece in pieces {
                right &= self.stored(from, self.span(from, piece.len() as u64)).await? == piece;
                from += piece.len() as u64;
            }
            if right {
                let mut sure = entries(true);
                self.on_ledger(move |ledger| ledger.record(&mut sure)).await?;
                self.meter.healed.fetch_add(wrong.len() as u64, Relaxed);
                return Ok(());
            }
        }
        let offset = (first + wrong.start as u64) * CHUNK;
        Err(TransferError::StoredWrongly { offset, tries: self.options.heal_attempts })
    }

    /// Reads a run from the source once more and writes it. The source must still give what the ledger has.
    async fn rewrite(&self, first: u64, recorded: &[Digest]) -> Result<(), TransferError> {
        let lease = self.control.budget.lease(2 * self.piece).await;
        let (mut tries, mut unlike) = (0, 0);
        loop {
            match self.rewrite_once(first, recorded, &lease).await {
                Ok(()) => return Ok(()),
                Err(TransferError::SourceChanges { .. }) if unlike < self.options.heal_attempts => unlike += 1,
                Err(error) => self.patience.wait(error, &mut tries, &self.gate, &self.meter).await?,
            }
        }
    }

    async fn rewrite_once(&self, first: u64, recorded: &[Digest], lease: &Lease) -> Result<(), TransferError> {
        let len = self.span(first, recorded.len() as u64);
        self.control.rate.pass(len).await;
        let _pass = self.gate.enter().await;
        let buf = self.reader.read(first * CHUNK, lease.buf(len)).await?;
        let (buf, digests) = digest_off_thread(buf).await?;
        if let Some(at) = recorded.iter().zip(&digests).position(|(recorded, digest)| recorded != digest) {
            lease.give_back(buf);
            return Err(TransferError::SourceChanges { offset: (first + at as u64) * CHUNK });
        }
        lease.give_back(self.write(buf, first, first, len, lease).await?);
        Ok(())
    }
}

impl Agenda {
    async fn next(&mut self, copier: &Copier) -> Result<Option<(u64, Vec<Digest>)>, TransferError> {
        while self.runs.is_empty() {
            if self.next >= copier.chunks() {
                return Ok(None);
            }
            let first = self.next;
            let count = WINDOW.min(copier.chunks() - first);
            let states = copier.on_ledger(move |ledger| ledger.lookup(first, count)).await?;
            self.next += count;
            self.runs = select(first, &states, (copier.piece / CHUNK) as usize);
            self.runs.reverse();
        }
        Ok(self.runs.pop())
    }
}

fn select(first: u64, states: &[ChunkState], most: usize) -> Vec<(u64, Vec<Digest>)> {
    let due = |state: &ChunkState| state.written && !state.verified && state.digest.is_some();
    let mut runs: Vec<(u64, Vec<Digest>)> = Vec::new();
    for (chunk, state) in (first..).zip(states).filter(|(_, state)| due(state)) {
        let digest = state.digest.unwrap_or_else(zero_digest);
        match runs.last_mut() {
            Some((start, run)) if *start + run.len() as u64 == chunk && run.len() < most => run.push(digest),
            _ => runs.push((chunk, vec![digest])),
        }
    }
    runs
}
