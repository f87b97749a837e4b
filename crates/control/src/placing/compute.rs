//! What takes seconds of computing: a few at once, away from all else, and no longer than somebody waits for it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::sync::Semaphore;

use crate::{ControlError, ErrorClass};

/// Each computes on two threads.
const AT_ONCE: usize = 2;
/// Who waits longer for a turn is told to come back.
const TURN: Duration = Duration::from_secs(30);

/// Turns to compute in.
pub(crate) struct Computing(Arc<Semaphore>);

impl Default for Computing {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE)))
    }
}

impl Computing {
    /// The work is given a flag that becomes true when nobody waits for it any more.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&AtomicBool) -> Result<T, ControlError> + Send + 'static,
    ) -> Result<T, ControlError> {
        let busy = || {
            let message = format!("{AT_ONCE} plans are being computed, and others wait for it");
            ControlError::new(ErrorClass::Unavailable, "busy", message).advice("Ask again in a minute.")
        };
        let turn = tokio::time::timeout(TURN, self.0.clone().acquire_owned()).await.map_err(|_| busy())?;
        let turn = turn.map_err(|_| busy())?;
        let given_up = GivenUp(Arc::default());
        let stop = given_up.0.clone();
        let computed = tokio::task::spawn_blocking(move || {
            let result = work(&stop);
            drop(turn);
            result
        });
        computed.await.map_err(|error| ControlError::new(ErrorClass::Internal, "planner", error.to_string()))?
    }
}

struct GivenUp(Arc<AtomicBool>);

impl Drop for GivenUp {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_turn_ends_when_nobody_waits_for_it() {
        let computing = Computing::default();
        let until_stopped = |stop: &AtomicBool| {
            let start = std::time::Instant::now();
            while !stop.load(Ordering::Relaxed) && start.elapsed() < Duration::from_secs(20) {
                std::thread::yield_now();
            }
            Ok(())
        };
        for _ in 0..AT_ONCE {
            let left = tokio::time::timeout(Duration::from_millis(50), computing.run(until_stopped)).await;
            assert!(left.is_err(), "it computes until it is told to stop");
        }
        assert_eq!(computing.run(|_| Ok(7)).await.ok(), Some(7));
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_too_long_for_a_turn_is_told_to_come_back() {
        let computing = Computing::default();
        let turns = [computing.0.clone().acquire_owned().await, computing.0.clone().acquire_owned().await];
        let refused = computing.run(|_| Ok(())).await.unwrap_err();
        assert_eq!((refused.code.as_str(), turns.len()), ("busy", AT_ONCE));
    }
}
