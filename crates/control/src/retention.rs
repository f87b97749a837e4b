//! Forgets what ended long ago: operations, their events, and entries of the audit log.
//!
//! Every process of a store sweeps, in small batches: what one is at work on, another leaves out.

use std::time::Duration;

use jiff::Timestamp;
use novacron_store::{Store, StoreError};
use tokio::task::JoinHandle;

const EVERY: Duration = Duration::from_secs(3600);
/// Rows to a transaction, so that nobody waits long for it.
const BATCH: u32 = 100;
/// Batches to a sweep, with a pause after each: what is left then is for the next one.
const BATCHES: u32 = 1000;
const PAUSE: Duration = Duration::from_millis(50);

/// Sweeps as long as it is kept.
pub(crate) struct Retention(JoinHandle<()>);

impl Drop for Retention {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Retention {
    pub fn start(store: Store, keep: Duration) -> Self {
        Self(tokio::spawn(async move {
            let mut hours = tokio::time::interval(EVERY);
            hours.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                hours.tick().await;
                // A span that leads out of the calendar keeps everything.
                let Ok(before) = Timestamp::now().checked_sub(keep) else { return };
                match sweep(&store, before).await {
                    Ok((0, 0)) => {}
                    Ok((operations, entries)) => tracing::info!(operations, entries, %before, "forgot what is old"),
                    Err(error) => {
                        tracing::warn!(%error, "what is old could not be removed; the next try is in an hour")
                    }
                }
            }
        }))
    }
}

/// How many operations and entries of the audit log were removed.
async fn sweep(store: &Store, before: Timestamp) -> Result<(u64, u64), StoreError> {
    let (operations, audit) = (store.operations(), store.audit());
    let mut removed = (0, 0);
    for _ in 0..BATCHES {
        let (pruned, noted) = (operations.prune(before, BATCH).await, audit.prune(before, BATCH).await);
        let now = (pruned?, noted?);
        removed = (removed.0 + now.0, removed.1 + now.1);
        if now.0.max(now.1) < u64::from(BATCH) {
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(removed)
}
