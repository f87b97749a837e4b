//! Forgets what ended long ago: operations, their events, entries of the audit log, and placements that nobody needs.
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
                    Ok([0, 0, 0]) => {}
                    Ok([operations, entries, placements]) => {
                        tracing::info!(operations, entries, placements, %before, "forgot what is old")
                    }
                    Err(error) => {
                        tracing::warn!(%error, "what is old could not be removed; the next try is in an hour")
                    }
                }
            }
        }))
    }
}

/// How many operations, entries of the audit log, and placements with what work keeps for itself were removed.
async fn sweep(store: &Store, before: Timestamp) -> Result<[u64; 3], StoreError> {
    let (operations, audit, placements) = (store.operations(), store.audit(), store.placements());
    let mut removed = [0; 3];
    for _ in 0..BATCHES {
        let now = [
            operations.prune(before, BATCH).await,
            audit.prune(before, BATCH).await,
            placements.prune(before, BATCH).await,
        ];
        let mut most = 0;
        for (sum, now) in removed.iter_mut().zip(now) {
            let now = now?;
            (*sum, most) = (*sum + now, most.max(now));
        }
        if most < u64::from(BATCH) {
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(removed)
}
