//! Time as the sandbox's resources see it. States are functions of this clock, so nothing has to wake up
//! to make a snapshot complete, and a test may move it.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// Milliseconds since the Unix epoch.
pub(crate) type Millis = i64;

#[derive(Debug, Default)]
pub(crate) struct Clock {
    ahead: AtomicI64,
}

impl Clock {
    pub fn now(&self) -> Millis {
        real_now() + self.ahead.load(Ordering::Relaxed)
    }

    pub fn advance(&self, by: Duration) {
        let millis = i64::try_from(by.as_millis()).unwrap_or(i64::MAX / 4);
        self.ahead.fetch_add(millis, Ordering::Relaxed);
    }
}

/// The machine's own clock, by which signatures are judged.
pub(crate) fn real_now() -> Millis {
    jiff::Timestamp::now().as_millisecond()
}

/// `2026-11-23T10:00:00.000Z`, the way EC2 prints times.
pub(crate) fn iso(at: Millis) -> String {
    match jiff::Timestamp::from_millisecond(at) {
        Ok(t) => t.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
        Err(_) => "1970-01-01T00:00:00.000Z".to_owned(),
    }
}

/// Something that is on its way from one state to another and arrives when its time is up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Transition<S> {
    from: S,
    to: S,
    since: Millis,
    takes: Millis,
}

impl<S: Copy> Transition<S> {
    pub fn settled(state: S) -> Self {
        Self { from: state, to: state, since: 0, takes: 0 }
    }

    pub fn begin(from: S, to: S, now: Millis, takes: Duration) -> Self {
        Self { from, to, since: now, takes: i64::try_from(takes.as_millis()).unwrap_or(i64::MAX / 4) }
    }

    pub fn at(&self, now: Millis) -> S {
        if self.arrived(now) { self.to } else { self.from }
    }

    pub fn arrived(&self, now: Millis) -> bool {
        now - self.since >= self.takes
    }

    /// When it arrives.
    pub fn due(&self) -> Millis {
        self.since.saturating_add(self.takes)
    }

    /// How far it is, from 0 to 100.
    pub fn percent(&self, now: Millis) -> i64 {
        if self.arrived(now) {
            return 100;
        }
        ((now - self.since).max(0) * 100 / self.takes.max(1)).clamp(0, 99)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transition_is_a_function_of_the_clock() {
        let t = Transition::begin("pending", "running", 1_000, Duration::from_millis(300));
        assert_eq!((t.at(1_000), t.at(1_299), t.at(1_300)), ("pending", "pending", "running"));
        assert_eq!((t.percent(1_150), t.percent(9_000)), (50, 100));
        assert_eq!(Transition::begin(1, 2, 5, Duration::ZERO).at(5), 2);
    }

    #[test]
    fn times_are_printed_with_milliseconds() {
        assert_eq!(iso(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(iso(1_500), "1970-01-01T00:00:01.500Z");
    }
}
