//! How many pieces may be on their way at once: fewer when the other side asks for less, then slowly more again.

use std::{
    sync::{Mutex, MutexGuard},
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

/// Throttled answers to requests that were sent together count as one.
const ONE_CUT: Duration = Duration::from_millis(500);

#[derive(Debug)]
pub(super) struct Gate {
    state: Mutex<State>,
    freed: Notify,
    most: f64,
}

#[derive(Debug)]
struct State {
    limit: f64,
    inside: usize,
    last_cut: Option<Instant>,
    not_before: Option<Instant>,
}

/// A place inside; dropping it leaves.
pub(super) struct Pass<'a>(&'a Gate);

impl Gate {
    pub fn new(most: usize) -> Self {
        let most = most.max(1) as f64;
        let state = State { limit: most, inside: 0, last_cut: None, not_before: None };
        Self { state: Mutex::new(state), freed: Notify::new(), most }
    }

    pub async fn enter(&self) -> Pass<'_> {
        loop {
            let freed = self.freed.notified();
            let wait_until = {
                let mut state = self.lock();
                let now = Instant::now();
                match state.not_before.filter(|until| *until > now) {
                    Some(until) => Some(until),
                    None if (state.inside as f64) < state.limit => {
                        state.inside += 1;
                        return Pass(self);
                    }
                    None => None,
                }
            };
            match wait_until {
                Some(until) => tokio::time::sleep_until(until).await,
                None => freed.await,
            }
        }
    }

    /// The other side asked for fewer requests, and perhaps for a pause.
    pub fn throttled(&self, retry_after: Option<Duration>) {
        let mut state = self.lock();
        let now = Instant::now();
        if state.last_cut.is_none_or(|cut| now - cut > ONE_CUT) {
            state.limit = (state.limit * 0.7).max(1.0);
            state.last_cut = Some(now);
        }
        if let Some(pause) = retry_after {
            state.not_before = state.not_before.max(Some(now + pause));
        }
    }

    /// A piece went well.
    pub fn went_well(&self) {
        let mut state = self.lock();
        if state.limit < self.most {
            state.limit = (state.limit + 1.0 / state.limit).min(self.most);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        self.0.lock().inside -= 1;
        self.0.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn narrows_once_and_widens_again() {
        let gate = Gate::new(10);
        (0..5).for_each(|_| gate.throttled(Some(Duration::from_secs(2))));
        assert_eq!(gate.lock().limit, 7.0);
        let start = Instant::now();
        drop(gate.enter().await);
        assert!(start.elapsed() >= Duration::from_secs(2));
        (0..100).for_each(|_| gate.went_well());
        assert_eq!(gate.lock().limit, 10.0);
    }
}
