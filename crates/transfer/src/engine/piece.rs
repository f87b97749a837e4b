//! One piece: read, digest, compare, write what differs.

use std::{
    ops::Range,
    sync::{Arc, atomic::Ordering::Relaxed},
};

use novacron_provider::Buf;

use super::{
    TransferError,
    copier::{Copier, off_thread},
};
use crate::{
    budget::Lease,
    content::{CHUNK, Digest, chunk_count, digest_chunks, zero_digest},
    ledger::{ChunkState, Entry},
};

/// How many chunks of a hole are looked up at once.
const HOLE_STEP: u64 = 4096;

/// What is to be done with a unit of the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// The target holds it already.
    Keep,
    Zero,
    Write,
}

impl Copier {
    /// Settles a run of at most one piece. It is tried again after what passes by itself.
    pub(super) async fn piece(self: &Arc<Self>, offset: u64, len: u64) -> Result<(), TransferError> {
        let first = offset / CHUNK;
        let states = self.states(first, chunk_count(len)).await?;
        let Some(todo) = self.not_done(&states) else {
            self.meter.resumed.fetch_add(len, Relaxed);
            return Ok(());
        };
        let (skip, chunks) = (todo.start as u64, todo.len() as u64);
        let moved = self.span(first + skip, chunks);
        self.meter.resumed.fetch_add(len - moved, Relaxed);
        let states = &states[todo];

        let lease = self.control.budget.lease(2 * self.piece).await;
        let mut tries = 0;
        loop {
            match self.move_once(first + skip, moved, states, &lease).await {
                Ok((entries, bytes)) => {
                    self.gate.went_well();
                    self.patience.went_well();
                    self.barrier.push(entries, bytes).await;
                    return Ok(());
                }
                Err(error) => self.patience.wait(error, &mut tries, &self.gate, &self.meter).await?,
            }
        }
    }

    /// What is known of the target's chunks; without a word from the ledger, what follows from how it was made.
    pub(super) async fn states(&self, first: u64, chunks: u64) -> Result<Vec<ChunkState>, TransferError> {
        if self.ledger.is_blank() {
            return Ok(vec![ChunkState::default(); chunks as usize]);
        }
        self.on_ledger(move |ledger| ledger.lookup(first, chunks)).await
    }

    /// What the target is known to hold.
    pub(super) fn known(&self, state: &ChunkState) -> Option<Digest> {
        state.digest.or_else(|| self.absent_is_zero.then(zero_digest))
    }

    /// The part, in whole units, that this sync has not settled yet.
    fn not_done(&self, states: &[ChunkState]) -> Option<Range<usize>> {
        let unit = (self.unit / CHUNK) as usize;
        let open = |state: &ChunkState| !state.done;
        let start = states.iter().position(open)? / unit * unit;
        let end = states.iter().rposition(open)? + 1;
        Some(start..end.next_multiple_of(unit).min(states.len()))
    }

    async fn move_once(
        self: &Arc<Self>,
        first: u64,
        len: u64,
        states: &[ChunkState],
        lease: &Lease,
    ) -> Result<(Vec<Entry>, u64), TransferError> {
        self.control.rate.pass(len).await;
        let _pass = self.gate.enter().await;
        let buf = self.reader.read(first * CHUNK, lease.buf(len)).await?;
        let (mut buf, digests) = digest_off_thread(buf).await?;
        let held: Vec<Option<Digest>> = states.iter().map(|state| self.known(state)).collect();
        let verdicts = self.verdicts(&digests, &held);
        let mut entries = Vec::with_capacity(digests.len());
        let mut written = 0;
        for (verdict, run) in runs(&verdicts) {
            let run_first = first + run.start as u64;
            let run_len = self.span(run_first, run.len() as u64);
            match verdict {
                Verdict::Keep => {}
                Verdict::Zero => self.writer.zero(run_first * CHUNK, run_len).await?,
                Verdict::Write => buf = self.write(buf, first, run_first, run_len, lease).await?,
            }
            written += if verdict == Verdict::Write { run_len } else { 0 };
            let wrote = verdict != Verdict::Keep;
            entries.extend(run.map(|at| Entry {
                chunk: first + at as u64,
                digest: digests[at],
                wrote,
                verified: wrote && self.checked_store,
            }));
        }
        lease.give_back(buf);
        runs(&verdicts).for_each(|(verdict, run)| self.count(verdict, &digests[run.clone()], first + run.start as u64));
        Ok((entries, written))
    }

    /// Writes a part of what was read from `first` on, at most as much at once as the target takes.
    pub(super) async fn write(
        &self,
        buf: Buf,
        first: u64,
        run_first: u64,
        len: u64,
        lease: &Lease,
    ) -> Result<Buf, TransferError> {
        if len == buf.len() as u64 && len <= self.writer.max_write() {
            return Ok(self.writer.write(first * CHUNK, buf).await?);
        }
        let start = ((run_first - first) * CHUNK) as usize;
        let Some(bytes) = buf.get(start..start + len as usize) else {
            return Err(TransferError::Internal("a part lies outside of its piece".into()));
        };
        let mut at = run_first * CHUNK;
        for bytes in bytes.chunks(self.writer.max_write() as usize) {
            let mut part = lease.buf(bytes.len() as u64);
            part.copy_from_slice(bytes);
            lease.give_back(self.writer.write(at, part).await?);
            at += bytes.len() as u64;
        }
        Ok(buf)
    }

    /// One verdict a chunk; all chunks of a unit of the target have the same.
    fn verdicts(&self, digests: &[Digest], held: &[Option<Digest>]) -> Vec<Verdict> {
        let unit = (self.write_unit / CHUNK) as usize;
        let zero = zero_digest();
        let of_unit = |(digests, held): (&[Digest], &[Option<Digest>])| {
            let verdict = if digests.iter().zip(held).all(|(digest, held)| Some(*digest) == *held) {
                Verdict::Keep
            } else if digests.iter().all(|digest| *digest == zero) {
                Verdict::Zero
            } else {
                Verdict::Write
            };
            std::iter::repeat_n(verdict, digests.len())
        };
        digests.chunks(unit).zip(held.chunks(unit)).flat_map(of_unit).collect()
    }

    fn count(&self, verdict: Verdict, digests: &[Digest], first: u64) {
        let len = self.span(first, digests.len() as u64);
        match verdict {
            Verdict::Write => self.meter.transferred.fetch_add(len, Relaxed),
            Verdict::Zero => self.meter.zero.fetch_add(len, Relaxed),
            Verdict::Keep => {
                let zero = zero_digest();
                let chunks = (first..).zip(digests).filter(|(_, digest)| **digest == zero);
                let zeros: u64 = chunks.map(|(chunk, _)| self.span(chunk, 1)).sum();
                self.meter.zero.fetch_add(zeros, Relaxed);
                self.meter.unchanged.fetch_add(len - zeros, Relaxed)
            }
        };
    }

    /// Settles a hole of the source: the target reads as zeros there.
    pub(super) async fn hole(&self, offset: u64, len: u64) -> Result<(), TransferError> {
        if self.ledger.is_blank() && self.absent_is_zero {
            self.meter.zero.fetch_add(len, Relaxed);
            return Ok(());
        }
        let unit = (self.write_unit / CHUNK) as usize;
        let (mut chunk, end) = (offset / CHUNK, chunk_count(offset + len));
        while chunk < end {
            self.may_go_on()?;
            let count = HOLE_STEP.min(end - chunk);
            let states = self.states(chunk, count).await?;
            let zero = Some(zero_digest());
            let verdicts: Vec<Verdict> = states
                .chunks(unit)
                .flat_map(|states| {
                    let kept = states.iter().all(|state| self.known(state) == zero);
                    std::iter::repeat_n(if kept { Verdict::Keep } else { Verdict::Zero }, states.len())
                })
                .collect();
            for (verdict, run) in runs(&verdicts) {
                let first = chunk + run.start as u64;
                let bytes = self.span(first, run.len() as u64);
                if verdict == Verdict::Zero {
                    self.zero(first * CHUNK, bytes).await?;
                    let entries = run.map(|at| Entry {
                        chunk: chunk + at as u64,
                        digest: zero_digest(),
                        wrote: true,
                        verified: self.checked_store,
                    });
                    self.barrier.push(entries.collect(), 0).await;
                }
                self.meter.zero.fetch_add(bytes, Relaxed);
            }
            chunk += count;
        }
        Ok(())
    }

    async fn zero(&self, offset: u64, len: u64) -> Result<(), TransferError> {
        let mut tries = 0;
        loop {
            match self.writer.zero(offset, len).await {
                Ok(()) => return Ok(()),
                Err(error) => self.patience.wait(error.into(), &mut tries, &self.gate, &self.meter).await?,
            }
        }
    }
}

/// Equal neighbours together.
fn runs(verdicts: &[Verdict]) -> impl Iterator<Item = (Verdict, Range<usize>)> {
    let mut at = 0;
    verdicts.chunk_by(|a, b| a == b).map(move |run| {
        let range = at..at + run.len();
        at = range.end;
        (run[0], range)
    })
}

/// The digests of a piece's chunks, taken on a thread that may be held up.
pub(super) async fn digest_off_thread(buf: Buf) -> Result<(Buf, Vec<Digest>), TransferError> {
    off_thread(move || {
        let digests = digest_chunks(&buf);
        Ok((buf, digests))
    })
    .await
}
