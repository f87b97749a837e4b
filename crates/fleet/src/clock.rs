//! When to end.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Instant,
};

#[derive(Clone, Copy)]
pub(crate) struct Clock<'a> {
    pub until: Option<Instant>,
    pub stop: &'a AtomicBool,
}

impl Clock<'_> {
    pub fn over(&self) -> bool {
        self.stop.load(Ordering::Relaxed) || self.until.is_some_and(|until| Instant::now() >= until)
    }

    /// One that ends when such a part of what is left is over.
    pub fn part(&self, parts: usize) -> Self {
        let now = Instant::now();
        let until = self.until.map(|until| now + until.saturating_duration_since(now) / parts.max(1) as u32);
        Self { until, ..*self }
    }

    /// What part of the time from `start` to the end is over; nothing where there is no such end.
    pub fn share(&self, start: Instant) -> f64 {
        let Some(until) = self.until else { return 0.0 };
        let all = until.saturating_duration_since(start).as_secs_f64();
        if all > 0.0 { (start.elapsed().as_secs_f64() / all).min(1.0) } else { 1.0 }
    }
}
