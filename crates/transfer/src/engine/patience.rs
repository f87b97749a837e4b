//! Trying a piece again after what passes by itself, within limits.

use std::{
    sync::{Mutex, atomic::Ordering::Relaxed},
    time::Duration,
};

use novacron_provider::ErrorKind;

use super::{TransferError, gate::Gate, meter::Meter};

/// Retries that all pieces of a sync together may have without success; each piece that goes well gives a part back.
const BUDGET: f64 = 100.0;
const REFILL: f64 = 0.25;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct Patience {
    attempts: u32,
    tokens: Mutex<f64>,
}

impl Patience {
    pub fn new(attempts: u32) -> Self {
        Self { attempts: attempts.max(1), tokens: Mutex::new(BUDGET) }
    }

    pub fn went_well(&self) {
        let mut tokens = self.tokens.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        *tokens = (*tokens + REFILL).min(BUDGET);
    }

    /// Waits before the next try, or gives the error back where there should be none. `tries` counts those that failed.
    pub async fn wait(
        &self,
        error: TransferError,
        tries: &mut u32,
        gate: &Gate,
        meter: &Meter,
    ) -> Result<(), TransferError> {
        *tries += 1;
        let TransferError::Provider(cause) = &error else { return Err(error) };
        let asked = match cause.kind {
            ErrorKind::Throttled { retry_after } => {
                gate.throttled(retry_after);
                retry_after
            }
            kind if kind.is_transient() => None,
            _ => return Err(error),
        };
        // A throttled request was not a failed one, and its pace is the gate's to find.
        let allowed = if matches!(cause.kind, ErrorKind::Throttled { .. }) { self.attempts * 4 } else { self.attempts };
        if *tries >= allowed || asked.is_some_and(|pause| pause > LONGEST_RETRY_AFTER) || !self.take() {
            return Err(error);
        }
        let doubled = FIRST_PAUSE.saturating_mul(1 << (*tries - 1).min(10)).min(LONGEST_PAUSE);
        let pause = doubled.mul_f64(rand::random_range(0.5..1.0)).max(asked.unwrap_or_default());
        tracing::debug!(%error, tries, ?pause, "trying a piece again");
        meter.retries.fetch_add(1, Relaxed);
        tokio::time::sleep(pause).await;
        Ok(())
    }

    fn take(&self) -> bool {
        let mut tokens = self.tokens.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let enough = *tokens >= 1.0;
        if enough {
            *tokens -= 1.0;
        }
        enough
    }
}
