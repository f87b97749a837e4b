//! Claims operations and starts a task for each, up to the limit.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::Semaphore,
    task::JoinSet,
    time::{Instant, timeout},
};

use super::{Inner, run::run};
use crate::{Backoff, Claim, Claimed, StoreError, clock::until};

const TROUBLE: Backoff = Backoff { first: Duration::from_millis(200), longest: Duration::from_secs(10) };

/// Ends when the engine shuts down and all that ran has given its operation back. Dropping it drops all that runs.
pub(super) async fn dispatch(inner: Arc<Inner>) {
    let config = &inner.config;
    let claim = Claim {
        owner: config.owner.clone(),
        ttl: config.lease,
        kinds: inner.workflows.keys().map(|kind| (*kind).to_owned()).collect(),
    };
    let slots = Arc::new(Semaphore::new(config.concurrency.max(1)));
    let mut tasks = JoinSet::new();
    let mut trouble = 0;
    let mut inherit = config.sole_owner;
    let _alive = inner.tasks.token();
    while !inner.shutdown.is_cancelled() {
        while tasks.try_join_next().is_some() {}
        let slot = tokio::select! {
            () = inner.shutdown.cancelled() => break,
            slot = slots.clone().acquire_owned() => slot,
        };
        // The semaphore is never closed.
        let Ok(slot) = slot else { break };
        let sent = Instant::now();
        let next = async {
            if inherit {
                let count = inner.store.release_owner(&claim.owner, inner.clock.now()).await?;
                inherit = false;
                if count > 0 {
                    tracing::info!(count, "taking up what was interrupted");
                }
            }
            inner.store.claim(&claim, inner.clock.now()).await
        };
        // Not raced against the shutdown: a claim that was dropped may have been made. One that takes as long as the lease
        // is of no use any more.
        let claimed = timeout(config.lease, next).await;
        let wait = match claimed.unwrap_or_else(|_| Err(StoreError::Unavailable("it does not answer".to_owned()))) {
            Ok(Claimed::Operation(operation)) => {
                trouble = 0;
                let work = run(inner.clone(), *operation, sent);
                tasks.spawn(inner.tasks.track_future(async move {
                    work.await;
                    drop(slot);
                }));
                continue;
            }
            Ok(Claimed::Nothing { next_due }) => {
                trouble = 0;
                next_due.map_or(config.poll, |due| until(inner.clock.now(), due)).max(Duration::from_millis(1))
            }
            Err(error) => {
                tracing::warn!(%error, "no operation could be claimed; trying again");
                trouble += 1;
                TROUBLE.delay(trouble - 1, None, inner.random.unit())
            }
        };
        drop(slot);
        tokio::select! {
            () = inner.shutdown.cancelled() => break,
            () = inner.work.notified() => {}
            () = inner.clock.sleep(wait) => {}
            // Real time: others may have written something at any time.
            () = tokio::time::sleep(config.poll) => {}
        }
    }
    while tasks.join_next().await.is_some() {}
}
