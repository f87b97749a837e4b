//! When to try again, and how often: pure, with the randomness passed in.

use std::time::Duration;

/// Exponential delays with jitter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Backoff {
    pub first: Duration,
    pub longest: Duration,
}

/// Between attempts to write to a store that is full or can't be reached.
pub(crate) const STORE_TROUBLE: Backoff = Backoff { first: Duration::from_millis(50), longest: Duration::from_secs(2) };

impl Backoff {
    /// The delay before retry number `retry` (from 0): between half of and the whole of `first × 2^retry`, at most
    /// `longest`, but never sooner than who refused us asked for. `unit` is a random number of [0, 1).
    pub fn delay(&self, retry: u32, retry_after: Option<Duration>, unit: f64) -> Duration {
        let whole = self.first.saturating_mul(2u32.saturating_pow(retry.min(30))).min(self.longest);
        let jittered = whole.mul_f64(0.5 + 0.5 * unit.clamp(0.0, 1.0));
        jittered.max(retry_after.unwrap_or_default())
    }
}

/// How often an operation tries again before it gives up.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RetryPolicy {
    /// Retries of an operation that asked for `retry_on_failure`, from one progress to the next; transient failures only.
    pub forward: u32,
    /// Retries past the point of no return.
    pub committed: u32,
    /// Retries of undos.
    pub undo: u32,
    /// After so many retries of an undo, or past the point of no return, a permanent failure, such as a missing permission,
    /// is left to a person.
    pub permanent: u32,
    /// How many owners may die in one step before that counts as the step's failure.
    pub deaths: u32,
    pub backoff: Backoff,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        let backoff = Backoff { first: Duration::from_secs(1), longest: Duration::from_secs(300) };
        // With these delays going forward sits out an outage of ten minutes at least; undoing, and going on past the point
        // of no return, one of 25 minutes. What is refused for good is left to a person after half a minute.
        Self { forward: 12, committed: 18, undo: 18, permanent: 6, deaths: 20, backoff }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn delays_stay_within_bounds(retry in 0u32..200, unit in 0.0f64..1.0, after in 0u64..100) {
            let backoff = Backoff { first: Duration::from_secs(1), longest: Duration::from_secs(60) };
            let delay = backoff.delay(retry, Some(Duration::from_secs(after)), unit);
            prop_assert!(delay >= Duration::from_secs(after));
            prop_assert!(delay <= Duration::from_secs(after.max(60)));
            let whole = Duration::from_secs(60.min(1u64 << retry.min(10)));
            prop_assert!(backoff.delay(retry, None, unit) >= whole / 2);
        }
    }
}
