//! Time, passed in, so that deadlines, holds and leases can be tested without waiting.

use std::{sync::Mutex, time::Duration};

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::sync::watch;

/// Where the engine and its steps get the time from.
#[async_trait]
pub trait Clock: Send + Sync + 'static {
    /// The wall clock's time. It may jump.
    fn now(&self) -> Timestamp;
    /// Waits for that long by this clock.
    async fn sleep(&self, duration: Duration);
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

/// A clock that moves when it is told to.
#[derive(Debug)]
pub struct ManualClock {
    now: watch::Sender<Timestamp>,
    // Serialises `advance`, so that no two callers start from the same instant.
    moving: Mutex<()>,
}

impl ManualClock {
    pub fn new(start: Timestamp) -> Self {
        Self { now: watch::Sender::new(start), moving: Mutex::new(()) }
    }

    /// Moves the time on and wakes who sleeps until then.
    pub fn advance(&self, duration: Duration) {
        let _moving = self.moving.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let then = later(*self.now.borrow(), duration);
        self.now.send_replace(then);
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.now.borrow()
    }
    async fn sleep(&self, duration: Duration) {
        let until = later(self.now(), duration);
        let mut now = self.now.subscribe();
        // An error means that the clock is gone, and then nobody waits for it.
        let _ = now.wait_for(|now| *now >= until).await;
    }
}

/// `at + duration`, held at the end of time where that would be beyond it.
pub(crate) fn later(at: Timestamp, duration: Duration) -> Timestamp {
    at.checked_add(duration).unwrap_or(Timestamp::MAX)
}

/// How long from `now` until `at`; zero if that is past.
pub(crate) fn until(now: Timestamp, at: Timestamp) -> Duration {
    Duration::try_from(at.duration_since(now)).unwrap_or(Duration::ZERO)
}
