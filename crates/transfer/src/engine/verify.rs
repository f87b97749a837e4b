//! Reading back what the target stores, and mending what differs.

use std::{
    ops::Range,
    sync::{Arc, atomic::Ordering::Relaxed},
};

use tokio::{sync::Mutex, task::JoinSet};

use super::{TransferError, copier::Copier, piece::digest_off_thread};
use crate::{
    content::{CHUNK, Digest, zero_digest},
    ledger::{ChunkState, Entry},
};

/// How many chunks of the ledger are looked at together.
const WINDOW: u64 = 4096;

/// Gives out the runs of chunks that are to be read back, at most a piece each.
struct Agenda {
    next: u64,
    runs: Vec<(u64, Vec<Digest>)>,
    all: bool,
}

impl Copier {
    pub(super) fn spawn_verify(self: Arc<Self>, all: bool, lanes: &mut JoinSet<Result<(), TransferError>>) {
        let agenda = Arc::new(Mutex::new(Agenda { next: 0, runs: Vec::new(), all }));
        for _ in 0..self.options.workers.max(1) * self.depth {
            let (copier, agenda) = (self.clone(), agenda.clone());
            lanes.spawn(async move {
                loop {
                    let run = agenda.lock().await.next(&copier).await?;
                    let Some((first, wanted)) = run else { return Ok(()) };
                    copier.may_go_on().await?;
                    copier.verify_run(first, &wanted).await?;
                }
            });
        }
    }

    async fn verify_run(self: &Arc<Self>, first: u64, wanted: &[Digest]) -> Result<(), TransferError> {
        let len = self.span(first, wanted.len() as u64);
        let stored = self.stored(first, len).await?;
        let wrong: Vec<usize> = (0..wanted.len()).filter(|at| stored[*at] != wanted[*at]).collect();
        for range in wrong.chunk_by(|a, b| a + 1 == *b) {
            self.heal(first, wanted, range[0]..range[range.len() - 1] + 1).await?;
        }
        self.meter.verified.fetch_add(len, Relaxed);
        let entry = |(chunk, digest): (u64, &Digest)| Entry { chunk, digest: *digest, wrote: false, verified: true };
        self.barrier.push((first..).zip(wanted).map(entry).collect(), 0).await;
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
    async fn heal(self: &Arc<Self>, first: u64, wanted: &[Digest], wrong: Range<usize>) -> Result<(), TransferError> {
        let unit = self.unit / CHUNK;
        let start = (first + wrong.start as u64) / unit * unit;
        let end = (first + wrong.end as u64).next_multiple_of(unit).min(self.chunks());
        tracing::warn!(offset = start * CHUNK, chunks = end - start, "the target does not hold what was written to it");
        let right = |digests: &[Digest]| {
            wrong.clone().all(|at| digests.get((first + at as u64 - start) as usize) == Some(&wanted[at]))
        };
        for _ in 0..self.options.heal_attempts {
            let mut from = start;
            while from < end {
                let chunks = (end - from).min(self.piece / CHUNK);
                self.rewrite(from, self.span(from, chunks)).await?;
                from += chunks;
            }
            self.flush().await?;
            let mut digests = Vec::new();
            while start + (digests.len() as u64) < end {
                let at = start + digests.len() as u64;
                let chunks = (end - at).min(self.piece / CHUNK);
                digests.extend(self.stored(at, self.span(at, chunks)).await?);
            }
            if right(&digests) {
                self.meter.healed.fetch_add(wrong.len() as u64, Relaxed);
                return Ok(());
            }
        }
        let offset = (first + wrong.start as u64) * CHUNK;
        Err(TransferError::StoredWrongly { offset, tries: self.options.heal_attempts })
    }

    /// Reads a run from the source once more and writes it. The source must still give what the ledger has.
    async fn rewrite(self: &Arc<Self>, first: u64, len: u64) -> Result<(), TransferError> {
        let lease = self.control.budget.lease(2 * self.piece).await;
        let recorded = self.on_ledger(move |ledger| ledger.lookup(first, crate::content::chunk_count(len))).await?;
        let (mut tries, mut unlike) = (0, 0);
        loop {
            let read = match self.reader.read(first * CHUNK, lease.buf(len)).await {
                Ok(buf) => digest_off_thread(buf).await?,
                Err(error) => {
                    self.patience.wait(error.into(), &mut tries, &self.gate, &self.meter).await?;
                    continue;
                }
            };
            let (buf, digests) = read;
            let differs = |(state, digest): (&ChunkState, &Digest)| state.digest.unwrap_or_else(zero_digest) != *digest;
            if let Some(at) = recorded.iter().zip(&digests).position(differs) {
                unlike += 1;
                if unlike > self.options.heal_attempts {
                    return Err(TransferError::SourceChanges { offset: (first + at as u64) * CHUNK });
                }
                continue;
            }
            match self.writer.write(first * CHUNK, buf).await {
                Ok(buf) => {
                    lease.give_back(buf);
                    return Ok(());
                }
                Err(error) => self.patience.wait(error.into(), &mut tries, &self.gate, &self.meter).await?,
            }
        }
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
            self.runs = self.select(first, &states, (copier.piece / CHUNK) as usize);
            self.runs.reverse();
        }
        Ok(self.runs.pop())
    }

    fn select(&self, first: u64, states: &[ChunkState], most: usize) -> Vec<(u64, Vec<Digest>)> {
        let due = |state: &ChunkState| self.all || state.written && !state.verified && state.digest.is_some();
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
}
