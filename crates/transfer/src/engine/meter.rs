//! Counting what was moved, and how fast.

use std::{
    collections::VecDeque,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use novacron_types::TransferStats;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

/// The rate is that of so long.
const WINDOW: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    #[default]
    Preparing,
    Copying,
    Verifying,
    Done,
}

/// Where a sync stands.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Progress {
    pub phase: Phase,
    pub stats: TransferStats,
}

#[derive(Debug, Default)]
pub(super) struct Meter {
    pub total: u64,
    pub transferred: AtomicU64,
    pub zero: AtomicU64,
    pub unchanged: AtomicU64,
    pub resumed: AtomicU64,
    pub verified: AtomicU64,
    pub healed: AtomicU64,
    pub retries: AtomicU64,
    samples: Mutex<VecDeque<(Instant, u64, u64)>>,
}

impl Meter {
    pub fn new(total: u64) -> Self {
        Self { total, ..Self::default() }
    }

    /// The figures now. Called a few times a second, it knows the rate of the last seconds.
    pub fn stats(&self) -> TransferStats {
        let get = |counter: &AtomicU64| counter.load(Relaxed);
        let (transferred, zero) = (get(&self.transferred), get(&self.zero));
        let (unchanged, resumed) = (get(&self.unchanged), get(&self.resumed));
        let done = transferred + zero + unchanged + resumed;
        let (rate, remaining) = self.rates(transferred, done);
        TransferStats {
            bytes_total: self.total,
            bytes_done: done.min(self.total),
            bytes_transferred: transferred,
            bytes_zero: zero,
            bytes_unchanged: unchanged,
            bytes_resumed: resumed,
            bytes_verified: get(&self.verified),
            transfer_rate: rate,
            estimated_time_remaining: remaining,
        }
    }

    fn rates(&self, transferred: u64, done: u64) -> (Option<f64>, Option<f64>) {
        let now = Instant::now();
        let mut samples = self.samples.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        samples.push_back((now, transferred, done));
        while samples.len() > 2 && samples.get(1).is_some_and(|(at, ..)| now - *at >= WINDOW) {
            samples.pop_front();
        }
        let Some((first, was_transferred, was_done)) = samples.front().copied() else { return (None, None) };
        let seconds = (now - first).as_secs_f64();
        if seconds < 0.05 {
            return (None, None);
        }
        let rate = (transferred - was_transferred) as f64 / seconds / 1e6;
        let pace = (done - was_done) as f64 / seconds;
        let remaining = (pace > 0.0).then(|| self.total.saturating_sub(done) as f64 / pace);
        (Some(rate), remaining)
    }
}
