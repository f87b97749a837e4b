//! Block requests at the rate that the account is allowed, and less for a while when AWS says that it is too much.

use std::{future::Future, sync::Mutex, time::Duration};

use novacron_provider::{ErrorKind, Result};
use tokio::time::Instant;

/// Attempts at one request while AWS throttles.
const ATTEMPTS: u32 = 8;
/// The slowest it gets, of the configured rate.
const FLOOR: f64 = 0.02;
const BURST_SECONDS: f64 = 0.1;

pub struct Pace {
    most: f64,
    state: Mutex<State>,
}

struct State {
    rate: f64,
    /// When the next request may go.
    next: Instant,
    /// When it was last slowed down: many requests in flight fail at once, and count as one.
    slowed: Option<Instant>,
}

impl Pace {
    /// `per_second` requests at most; 0 is no limit, until AWS throttles.
    pub fn new(per_second: f64) -> Self {
        let most = if per_second > 0.0 { per_second } else { 100_000.0 };
        Self { most, state: Mutex::new(State { rate: most, next: Instant::now(), slowed: None }) }
    }

    /// Runs a request when its turn comes, and again as long as AWS throttles it.
    pub async fn run<T, F, Fut>(&self, request: F) -> Result<T>
    where
        F: Fn() -> Fut,
        Fut: Future<Output = Result<T>>,
    {
        let mut attempt = 1;
        loop {
            self.turn().await;
            let result = request().await;
            match &result {
                Err(error) if matches!(error.kind, ErrorKind::Throttled { .. }) => {
                    let ErrorKind::Throttled { retry_after } = error.kind else { return result };
                    self.slow_down();
                    if attempt == ATTEMPTS {
                        return result;
                    }
                    let pause = Duration::from_millis(50 << attempt.min(6));
                    tokio::time::sleep(retry_after.unwrap_or(pause).min(Duration::from_secs(10))).await;
                    attempt += 1;
                }
                Err(_) => return result,
                Ok(_) => {
                    self.speed_up();
                    return result;
                }
            }
        }
    }

    async fn turn(&self) {
        let at = {
            let mut state = self.lock();
            let now = Instant::now();
            let burst = Duration::from_secs_f64(BURST_SECONDS);
            let earliest = now.checked_sub(burst).unwrap_or(now);
            let at = state.next.max(earliest);
            state.next = at + Duration::from_secs_f64(1.0 / state.rate);
            at
        };
        if at > Instant::now() {
            tokio::time::sleep_until(at).await;
        }
    }

    fn slow_down(&self) {
        let mut state = self.lock();
        let now = Instant::now();
        if state.slowed.is_none_or(|at| now - at > Duration::from_millis(500)) {
            state.rate = (state.rate * 0.6).max(self.most * FLOOR);
            state.slowed = Some(now);
        }
    }

    /// A hundred successes give back what one throttling took.
    fn speed_up(&self) {
        let mut state = self.lock();
        if state.rate < self.most {
            state.rate = (state.rate * 1.005).min(self.most);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use novacron_provider::ProviderError;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn keeps_the_rate_and_slows_down_once_for_many() {
        let pace = Pace::new(100.0);
        let start = Instant::now();
        for _ in 0..210 {
            pace.run(|| async { Ok(()) }).await.unwrap();
        }
        let took = start.elapsed();
        assert!(took > Duration::from_millis(1900) && took < Duration::from_millis(2200), "{took:?}");
        pace.slow_down();
        pace.slow_down();
        assert!((pace.lock().rate - 60.0).abs() < 0.1);
    }

    #[tokio::test(start_paused = true)]
    async fn repeats_what_was_throttled_but_not_for_ever() {
        let pace = Pace::new(0.0);
        let count = AtomicU32::new(0);
        let throttled = || ProviderError::new(ErrorKind::Throttled { retry_after: None }, "Get", "slow");
        let answer = pace
            .run(|| async { if count.fetch_add(1, Ordering::SeqCst) < 3 { Err(throttled()) } else { Ok(7) } })
            .await;
        assert_eq!(answer.unwrap(), 7);
        assert!(pace.run(|| async { Err::<(), _>(throttled()) }).await.is_err());
    }
}
