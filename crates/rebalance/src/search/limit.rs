//! How long a walk goes on.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// An end in time or in steps, and a flag that ends either.
#[derive(Clone, Copy)]
pub(super) struct Limit<'a> {
    pub end: End,
    pub stop: &'a AtomicBool,
}

#[derive(Clone, Copy)]
pub(super) enum End {
    Time { start: Instant, end: Instant },
    Steps(u64),
}

impl Limit<'_> {
    /// How much of it is over, from 0 to 1.
    pub fn progress(&self, steps: u64) -> f64 {
        if self.stop.load(Ordering::Relaxed) {
            return 1.0;
        }
        match self.end {
            End::Steps(all) => steps as f64 / all.max(1) as f64,
            End::Time { start, end } => {
                let (now, all) = (start.elapsed().as_secs_f64(), (end - start).as_secs_f64());
                if all > 0.0 { now / all } else { 1.0 }
            }
        }
        .min(1.0)
    }
}
