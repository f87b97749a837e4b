//! From "the target has taken it" to "the ledger says so": a flush in between, while the lanes go on.

use std::{
    ops::Range,
    sync::{Mutex, MutexGuard},
    time::Duration,
};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{TransferError, copier::Copier};
use crate::ledger::Entry;

/// A flush begins when so many bytes wait for one, by the disk's size, for a flush stops a disk's other work …
const FEWEST: u64 = 24 << 20;
const MOST: u64 = 128 << 20;
/// … or so many chunks, or so much time has passed.
const ENTRIES: usize = 16 * 1024;
const TIME: Duration = Duration::from_secs(1);
/// While a flush is under way, so much more may come to wait.
const SLACK: u64 = 8 << 20;
/// What is in flight beside.
const IN_FLIGHT: u64 = 16 << 20;

#[derive(Debug)]
pub(super) struct Barrier {
    bytes: u64,
    state: Mutex<Waiting>,
    filled: Notify,
    emptied: Notify,
    /// Held while what waited is recorded.
    recording: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Waiting {
    entries: Vec<Entry>,
    bytes: u64,
}

impl Barrier {
    /// A crash makes move twice what is being flushed, what waits, and what is in flight: at most 2 % of a disk of
    /// 4 GiB or more.
    pub fn new(size: u64) -> Self {
        let bytes = ((size / 50).saturating_sub(IN_FLIGHT + 2 * SLACK) / 2).clamp(FEWEST, MOST);
        Self {
            bytes,
            state: Mutex::default(),
            filled: Notify::new(),
            emptied: Notify::new(),
            recording: Default::default(),
        }
    }

    /// Hands over what was written, to be recorded after the next flush; `bytes` is how much was.
    pub async fn push(&self, entries: Vec<Entry>, bytes: u64) {
        loop {
            let emptied = self.emptied.notified();
            {
                let mut waiting = self.lock();
                if waiting.bytes == 0 || waiting.bytes + bytes <= self.bytes + SLACK {
                    waiting.entries.extend(entries);
                    waiting.bytes += bytes;
                    let full = waiting.bytes >= self.bytes || waiting.entries.len() >= ENTRIES;
                    drop(waiting);
                    if full {
                        self.filled.notify_one();
                    }
                    return;
                }
            }
            emptied.await;
        }
    }

    /// Forgets what waits of these chunks. While the guard is held nothing is recorded here, so that what is recorded
    /// under it is not overwritten by what was known before.
    pub async fn forget(&self, chunks: Range<u64>) -> tokio::sync::MutexGuard<'_, ()> {
        let recording = self.recording.lock().await;
        self.lock().entries.retain(|entry| !chunks.contains(&entry.chunk));
        recording
    }

    /// Flushes and records until told that nothing more comes, and then once more.
    pub async fn run(&self, copier: &Copier, no_more: &CancellationToken) -> Result<(), TransferError> {
        loop {
            let last = tokio::select! {
                biased;
                () = no_more.cancelled() => true,
                () = self.filled.notified() => false,
                () = tokio::time::sleep(TIME) => false,
            };
            let recording = self.recording.lock().await;
            let mut entries = {
                let mut waiting = self.lock();
                waiting.bytes = 0;
                std::mem::take(&mut waiting.entries)
            };
            self.emptied.notify_waiters();
            if !entries.is_empty() {
                copier.flush().await?;
                copier.on_ledger(move |ledger| ledger.record(&mut entries)).await?;
            }
            drop(recording);
            if last {
                return Ok(());
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}
