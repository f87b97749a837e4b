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
}
