//! Pacing: no more calls a second than the account is allowed.

use std::{future::Future, sync::Mutex, time::Duration};

use tokio::time::Instant;

use crate::{Call, Layer, Result};

/// A token bucket over all calls of a provider. Callers wait their turn, in order of arrival.
pub struct RateLimit {
    interval: Duration,
    burst: u32,
    /// When the bucket will be full again.
    full_at: Mutex<Instant>,
}

impl RateLimit {
    /// `per_second` calls, and up to `burst` at once after a pause. A rate of zero or less counts as one call an hour.
    pub fn new(per_second: f64, burst: u32) -> Self {
        let interval =
            Duration::try_from_secs_f64(1.0 / per_second).unwrap_or(Duration::MAX).min(Duration::from_secs(3600));
        Self { interval, burst: burst.max(1), full_at: Mutex::new(Instant::now()) }
    }

    async fn turn(&self) {
        let at = {
            let mut full_at = self.full_at.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            *full_at = (*full_at).max(Instant::now()) + self.interval;
            *full_at - self.interval * self.burst
        };
        tokio::time::sleep_until(at).await;
    }
}

impl Layer for RateLimit {
    async fn call<T, F, Fut>(&self, _call: Call, attempt: F) -> Result<T>
    where
        T: Send,
        F: Fn() -> Fut + Send + Sync,
        Fut: Future<Output = Result<T>> + Send,
    {
        self.turn().await;
        attempt().await
    }

    async fn before(&self, _call: Call) -> Result<()> {
        self.turn().await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn paces_after_the_burst() {
        let limit = RateLimit::new(10.0, 5);
        let start = Instant::now();
        for _ in 0..5 {
            limit.turn().await;
        }
        assert_eq!(start.elapsed(), Duration::ZERO);
        for _ in 0..10 {
            limit.turn().await;
        }
        assert!(
            (Duration::from_millis(995)..Duration::from_millis(1010)).contains(&start.elapsed()),
            "{:?}",
            start.elapsed()
        );
    }
}
