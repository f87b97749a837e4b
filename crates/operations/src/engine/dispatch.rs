//! Claims operations and starts a task for each, up to the limit. Those that only wait for others have a limit of their own:
//! what they wait for must find a place.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{Notify, Semaphore},
    task::JoinSet,
    time::{Instant, timeout},
};

use super::{Inner, run::run};
use crate::{Backoff, Claim, Claimed, StoreError, clock::until};

/// Operations that wait for others, at once.
const MOST_WAITING: usize = 1000;

const TROUBLE: Backoff = Backoff { first: Duration::from_millis(200), longest: Duration::from_secs(10) };

/// Ends when the engine shuts down and all that ran has given its operation back. Dropping it drops all that runs.
pub(super) async fn dispatch(inner: Arc<Inner>) {
    let _alive = inner.tasks.token();
    inherit(&inner).await;
    let kinds = |waits: bool| {
        let kinds = inner.workflows.iter().filter(|(_, workflow)| workflow.waits() == waits);
        kinds.map(|(kind, _)| (*kind).to_owned()).collect::<Vec<_>>()
    };
    let concurrency = inner.config.concurrency.max(1);
    tokio::join!(
        work(&inner, kinds(false), concurrency, &inner.work),
        work(&inner, kinds(true), MOST_WAITING, &inner.waiting_work)
    );
}

/// What an earlier process of this name was at work on is free to be claimed.
async fn inherit(inner: &Inner) {
    let mut trouble = 0;
    while inner.config.sole_owner && !inner.shutdown.is_cancelled() {
        let released = inner.store.release_owner(&inner.config.owner, inner.clock.now());
        match timeout(inner.config.lease, released).await {
            Ok(Ok(0)) => return,
            Ok(Ok(count)) => return tracing::info!(count, "taking up what was interrupted"),
            Ok(Err(error)) => tracing::warn!(%error, "what was interrupted can't be taken up; trying again"),
            Err(_) => tracing::warn!("what was interrupted can't be taken up: the store does not answer; trying again"),
        }
        let wait = TROUBLE.delay(trouble, None, inner.random.unit());
        trouble += 1;
        tokio::select! {
            () = inner.shutdown.cancelled() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// Claims and runs operations of these kinds.
async fn work(inner: &Arc<Inner>, kinds: Vec<String>, limit: usize, news: &Notify) {
    if kinds.is_empty() {
        return;
    }
    let config = &inner.config;
    let claim = Claim { owner: config.owner.clone(), ttl: config.lease, kinds };
    let slots = Arc::new(Semaphore::new(limit));
    let mut tasks = JoinSet::new();
    let mut trouble = 0;
    while !inner.shutdown.is_cancelled() {
        while tasks.try_join_next().is_some() {}
        let slot = tokio::select! {
            () = inner.shutdown.cancelled() => break,
            slot = slots.clone().acquire_owned() => slot,
        };
        // The semaphore is never closed.
        let Ok(slot) = slot else { break };
        let sent = Instant::now();
        let next = inner.store.claim(&claim, inner.clock.now());
        // Not raced against the shutdown: a claim that was dropped may have been made. One that takes as long as the lease
        // is of no use any more.
        let claimed = timeout(config.lease, next).await;
        let wait = match claimed.unwrap_or_else(|_| Err(StoreError::Unavailable("it does not answer".to_owned()))) {
            Ok(Claimed::Operation(operation)) => {
                trouble = 0;
                let running = run(inner.clone(), *operation, sent);
                tasks.spawn(inner.tasks.track_future(async move {
                    running.await;
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
            () = news.notified() => {}
            () = inner.clock.sleep(wait) => {}
            // Real time: others may have written something at any time.
            () = tokio::time::sleep(config.poll) => {}
        }
    }
    while tasks.join_next().await.is_some() {}
}
