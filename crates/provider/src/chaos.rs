//! Bad luck on purpose: a layer that fails, delays and corrupts by a plan, so that tests can show what happens then.

use std::{collections::VecDeque, future::Future, sync::Mutex, time::Duration};

use rand::{Rng, SeedableRng, rngs::StdRng};

use crate::{Buf, Call, ErrorKind, Layer, ProviderError, Result};

/// When a fault strikes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum When {
    /// At the nth call (from 0) of the operation.
    Nth(u32),
    /// At each call, with this probability.
    Chance(f64),
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fault {
    /// The call is not made.
    FailBefore(ErrorKind),
    /// The call is made and its answer lost: the caller can't tell whether it happened.
    FailAfter(ErrorKind),
    Delay(Duration),
    /// One bit of what was read is turned over.
    FlipBit,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rule {
    /// The method's name; absent: any.
    pub operation: Option<&'static str>,
    pub when: When,
    pub fault: Fault,
}

/// The layer. The same seed and the same calls give the same faults.
pub struct Chaos {
    state: Mutex<State>,
}

struct State {
    rules: Vec<(Rule, u32)>,
    random: StdRng,
    struck: VecDeque<(&'static str, Fault)>,
    flip: bool,
}

impl Chaos {
    pub fn new(seed: u64, rules: impl IntoIterator<Item = Rule>) -> Self {
        let rules = rules.into_iter().map(|rule| (rule, 0)).collect();
        Self {
            state: Mutex::new(State {
                rules,
                random: StdRng::seed_from_u64(seed),
                struck: VecDeque::new(),
                flip: false,
            }),
        }
    }

    /// What has struck so far.
    pub fn struck(&self) -> Vec<(&'static str, Fault)> {
        self.lock().struck.iter().copied().collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn strike(&self, call: Call) -> Vec<Fault> {
        let state = &mut *self.lock();
        let mut faults = Vec::new();
        for (rule, count) in &mut state.rules {
            if rule.operation.is_some_and(|operation| operation != call.operation) {
                continue;
            }
            let now = match rule.when {
                When::Nth(n) => *count == n,
                When::Chance(p) => state.random.random_bool(p.clamp(0.0, 1.0)),
            };
            *count += 1;
            if now {
                state.struck.push_back((call.operation, rule.fault));
                state.flip |= rule.fault == Fault::FlipBit;
                faults.push(rule.fault);
            }
        }
        faults
    }
}

fn injected(kind: ErrorKind, call: Call) -> ProviderError {
    ProviderError::new(kind, call.operation, "a fault injected by the chaos layer")
}

impl Layer for Chaos {
    async fn call<T, F, Fut>(&self, call: Call, attempt: F) -> Result<T>
    where
        T: Send,
        F: Fn() -> Fut + Send + Sync,
        Fut: Future<Output = Result<T>> + Send,
    {
        let mut after = None;
        for fault in self.strike(call) {
            match fault {
                Fault::FailBefore(kind) => return Err(injected(kind, call)),
                Fault::FailAfter(kind) => after = Some(kind),
                Fault::Delay(delay) => tokio::time::sleep(delay).await,
                Fault::FlipBit => {}
            }
        }
        let result = attempt().await?;
        after.map_or(Ok(result), |kind| Err(injected(kind, call)))
    }

    async fn before(&self, call: Call) -> Result<()> {
        for fault in self.strike(call) {
            match fault {
                Fault::FailBefore(kind) | Fault::FailAfter(kind) => return Err(injected(kind, call)),
                Fault::Delay(delay) => tokio::time::sleep(delay).await,
                Fault::FlipBit => {}
            }
        }
        Ok(())
    }

    fn after_read(&self, buf: &mut Buf) {
        let state = &mut *self.lock();
        if std::mem::take(&mut state.flip) && !buf.is_empty() {
            let at = state.random.random_range(0..buf.len());
            buf[at] ^= 1 << state.random.random_range(0..8);
        }
    }
}
