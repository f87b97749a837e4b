//! A limit on bytes a second that can be changed while it is being waited for.

use std::{
    sync::{Mutex, MutexGuard},
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

/// What may be sent at once after a pause, as time.
const BURST: Duration = Duration::from_millis(100);

/// A token bucket. Without a limit it costs a lock.
#[derive(Debug, Default)]
pub struct RateLimiter {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    bytes_per_second: Option<u64>,
    /// When all that was let through would have been sent at the limit.
    paid_until: Option<Instant>,
}

impl RateLimiter {
    pub fn new(bytes_per_second: Option<u64>) -> Self {
        let limiter = Self::default();
        limiter.set(bytes_per_second);
        limiter
    }

    /// Zero and none are no limit. Those who wait now are counted by the new limit.
    pub fn set(&self, bytes_per_second: Option<u64>) {
        let mut state = self.lock();
        state.bytes_per_second = bytes_per_second.filter(|rate| *rate > 0);
        state.paid_until = None;
        drop(state);
        self.changed.notify_waiters();
    }

    pub fn get(&self) -> Option<u64> {
        self.lock().bytes_per_second
    }

    /// Waits until these bytes may be moved.
    pub async fn pass(&self, bytes: u64) {
        loop {
            let changed = self.changed.notified();
            let wait_until = {
                let mut state = self.lock();
                let Some(rate) = state.bytes_per_second else { return };
                let now = Instant::now();
                let paid = state.paid_until.unwrap_or(now).max(now.checked_sub(BURST).unwrap_or(now));
                if paid <= now {
                    let cost = Duration::from_secs_f64(bytes as f64 / rate as f64);
                    state.paid_until = Some(paid + cost.min(Duration::from_secs(3600)));
                    return;
                }
                paid
            };
            tokio::select! {
                () = tokio::time::sleep_until(wait_until) => {}
                () = changed => {}
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn keeps_the_limit_and_follows_a_change() {
        let limiter = Arc::new(RateLimiter::new(Some(1000)));
        let start = Instant::now();
        for _ in 0..11 {
            limiter.pass(500).await;
        }
        let took = start.elapsed();
        assert!((4.8..=5.2).contains(&took.as_secs_f64()), "{took:?}");

        limiter.set(Some(1));
        limiter.pass(3600).await;
        let waiting = tokio::spawn({
            let limiter = limiter.clone();
            async move { limiter.pass(1).await }
        });
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(!waiting.is_finished());
        limiter.set(None);
        let start = Instant::now();
        waiting.await.unwrap();
        assert!(start.elapsed() < Duration::from_secs(1));
    }
}
