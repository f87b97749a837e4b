//! From "the target has taken it" to "the ledger says so": a flush in between, while the lanes go on.

use std::{
    sync::{Mutex, MutexGuard},
    time::Duration,
};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{TransferError, copier::Copier};
use crate::ledger::Entry;

/// A flush begins when so many bytes wait for one …
const BYTES: u64 = 24 << 20;
/// … or so many chunks, or so much time has passed.
const ENTRIES: usize = 16 * 1024;
const TIME: Duration = Duration::from_secs(1);
/// While a flush is under way no more than this may come to wait. It bounds what a crash makes move twice.
const MOST: u64 = 8 << 20;

#[derive(Debug, Default)]
pub(super) struct Barrier {
    state: Mutex<Waiting>,
    filled: Notify,
    emptied: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    entries: Vec<Entry>,
    bytes: u64,
}

impl Waiting {
    fn full(&self) -> bool {
        self.bytes >= BYTES || self.entries.len() >= ENTRIES
    }
}

impl Barrier {
    /// Hands over what was written, to be recorded after the next flush; `bytes` is how much was.
    pub async fn push(&self, entries: Vec<Entry>, bytes: u64) {
        loop {
            let emptied = self.emptied.notified();
            {
                let mut waiting = self.lock();
                if waiting.bytes == 0 || waiting.bytes + bytes <= BYTES + MOST {
                    waiting.entries.extend(entries);
                    waiting.bytes += bytes;
                    let full = waiting.full();
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

    /// Flushes and records until told that nothing more comes, and then once more.
    pub async fn run(&self, copier: &Copier, no_more: &CancellationToken) -> Result<(), TransferError> {
        loop {
            let last = tokio::select! {
                biased;
                () = no_more.cancelled() => true,
                () = self.filled.notified() => false,
                () = tokio::time::sleep(TIME) => false,
            };
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
            if last {
                return Ok(());
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}
