//! Trying again what may succeed later.
//!
//! One budget serves all calls of a provider: each retry takes a token, each success gives a part of one back.
//! While a cloud is down the budget runs dry, and calls fail at once instead of piling up. What can't succeed is
//! never retried; a vendor's retry-after is honoured.

use std::{future::Future, sync::Mutex, time::Duration};

use crate::{Call, ErrorKind, Layer, Result};

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RetryPolicy {
    /// Attempts to a call, the first included.
    pub attempts: u32,
    /// The pause before the first retry; each later one is twice as long, then drawn from between half and all of it.
    pub first_pause: Duration,
    pub longest_pause: Duration,
    /// A vendor that asks for a longer pause than this is not waited for: the error goes to the caller.
    pub longest_retry_after: Duration,
    /// How many retries all calls together may make in a row without a success.
    pub budget: f64,
    /// What a success gives back.
    pub refill: f64,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: 5,
            first_pause: Duration::from_millis(100),
            longest_pause: Duration::from_secs(20),
            longest_retry_after: Duration::from_secs(60),
            budget: 50.0,
            refill: 0.5,
        }
    }
}

/// The layer. Make a provider retry with `Wrapped::new(provider, Retry::new(policy))`.
pub struct Retry {
    policy: RetryPolicy,
    tokens: Mutex<f64>,
}

impl Retry {
    pub fn new(policy: RetryPolicy) -> Self {
        Self { policy, tokens: Mutex::new(policy.budget) }
    }

    fn take(&self) -> bool {
        let mut tokens = self.tokens.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let enough = *tokens >= 1.0;
        if enough {
            *tokens -= 1.0;
        }
        enough
    }

    fn give_back(&self) {
        let mut tokens = self.tokens.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        *tokens = (*tokens + self.policy.refill).min(self.policy.budget);
    }

    /// How long to wait before the next attempt, or that there should be none.
    fn pause(&self, kind: ErrorKind, attempt: u32, random: f64) -> Option<Duration> {
        if !kind.is_transient() || attempt >= self.policy.attempts {
            return None;
        }
        let doubled = self.policy.first_pause.saturating_mul(1 << (attempt - 1).min(16)).min(self.policy.longest_pause);
        let backoff = doubled.mul_f64(0.5 + random / 2.0);
        match kind {
            ErrorKind::Throttled { retry_after: Some(asked) } if asked > self.policy.longest_retry_after => None,
            ErrorKind::Throttled { retry_after: Some(asked) } => Some(backoff.max(asked)),
            _ => Some(backoff),
        }
    }
}

impl Layer for Retry {
    async fn call<T, F, Fut>(&self, call: Call, attempt: F) -> Result<T>
    where
        T: Send,
        F: Fn() -> Fut + Send + Sync,
        Fut: Future<Output = Result<T>> + Send,
    {
        let mut count = 1;
        loop {
            let error = match attempt().await {
                Ok(value) => {
                    self.give_back();
                    return Ok(value);
                }
                Err(error) => error,
            };
            match self.pause(error.kind, count, rand::random()) {
                Some(pause) if self.take() => {
                    tracing::debug!(operation = call.operation, attempt = count, ?pause, %error, "retrying");
                    tokio::time::sleep(pause).await;
                    count += 1;
                }
                _ => return Err(error),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::ProviderError;

    const CALL: Call = Call { operation: "get", changes: false };

    async fn run(retry: &Retry, fail_times: u32, kind: ErrorKind) -> (u32, Result<()>) {
        let count = AtomicU32::new(0);
        let result = retry
            .call(CALL, || async {
                if count.fetch_add(1, Ordering::SeqCst) < fail_times {
                    Err(ProviderError::new(kind, "Get", "no"))
                } else {
                    Ok(())
                }
            })
            .await;
        (count.into_inner(), result)
    }

    #[tokio::test(start_paused = true)]
    async fn retries_only_what_may_succeed() {
        let retry = Retry::new(RetryPolicy::default());
        assert!(matches!(run(&retry, 2, ErrorKind::Unavailable).await, (3, Ok(()))));
        assert!(matches!(run(&retry, 99, ErrorKind::Unavailable).await, (5, Err(_))));
        for kind in [
            ErrorKind::NotFound,
            ErrorKind::Unauthorised,
            ErrorKind::Invalid,
            ErrorKind::Quota,
            ErrorKind::NoCapacity,
            ErrorKind::Conflict,
        ] {
            assert!(matches!(run(&retry, 1, kind).await, (1, Err(_))), "{kind:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn honours_retry_after() {
        let retry = Retry::new(RetryPolicy::default());
        let before = tokio::time::Instant::now();
        run(&retry, 1, ErrorKind::Throttled { retry_after: Some(Duration::from_secs(30)) }).await.1.unwrap();
        assert!(before.elapsed() >= Duration::from_secs(30));
        let (count, result) =
            run(&retry, 1, ErrorKind::Throttled { retry_after: Some(Duration::from_secs(3600)) }).await;
        assert!(count == 1 && result.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn one_budget_for_all_calls() {
        let retry = Retry::new(RetryPolicy { budget: 6.0, ..RetryPolicy::default() });
        assert_eq!(run(&retry, 99, ErrorKind::Unavailable).await.0, 5);
        assert_eq!(run(&retry, 99, ErrorKind::Unavailable).await.0, 3);
        assert_eq!(run(&retry, 99, ErrorKind::Unavailable).await.0, 1);
        for _ in 0..4 {
            run(&retry, 0, ErrorKind::Unavailable).await.1.unwrap();
        }
        assert_eq!(run(&retry, 99, ErrorKind::Unavailable).await.0, 3);
    }
}
