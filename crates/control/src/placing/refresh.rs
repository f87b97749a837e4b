//! Prices on schedule. Every process does this for its own files; questions see that they changed, as they do when somebody
//! else refreshes them.

use super::{CloudRefreshed, RefreshSettings};
use crate::Control;

/// Waits until it is due, again and again.
pub(super) async fn on_schedule(control: Control, settings: RefreshSettings) {
    while settings.schedule.due().await.is_some() {
        refresh(&control, &settings).await;
    }
}

/// Says what became of each cloud's prices, as soon as that is known.
async fn refresh(control: &Control, settings: &RefreshSettings) {
    let each = |CloudRefreshed { cloud, outcome }| {
        control.inner.metrics.refreshed(&cloud, outcome.is_ok());
        match outcome {
            Ok(changes) => tracing::info!(cloud, changes, "prices were refreshed"),
            Err(why) => tracing::warn!(cloud, why, "prices could not be refreshed: those of before are kept"),
        }
    };
    if let Err(why) = settings.prices.refresh(&each).await {
        tracing::warn!(
            why,
            "the prices could not all be refreshed: those of before are kept; the next try is on schedule"
        );
    }
}
