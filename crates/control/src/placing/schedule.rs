//! What is done without being asked: the regular search for better places, overflow from hosts that are too busy, and fresh
//! prices.
//!
//! Any number of processes of one store run this; a due time is taken on by one of them, but for prices, which each has its own.

use std::{fmt, sync::Arc, time::Duration};

use jiff::Timestamp;
use novacron_types::placement::OptimizationRequest;
use tokio::task::JoinHandle;

use crate::{Caller, Control, ControlError};

/// How often hosts are looked at.
const EVERY: Duration = Duration::from_secs(60);

/// When something is due next, after a time.
#[derive(Clone)]
pub struct Schedule(pub Arc<dyn Fn(Timestamp) -> Option<Timestamp> + Send + Sync>);

impl fmt::Debug for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Schedule")
    }
}

/// What runs in the background, as long as it is kept.
pub(crate) struct Background(Vec<JoinHandle<()>>);

impl Drop for Background {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}

impl Background {
    /// Starts what is configured. The tasks hold the control plane, and so must be dropped before it can end.
    pub fn start(control: &Control) -> Self {
        let settings = &control.inner.tools.placing.settings;
        let mut tasks = Vec::new();
        if let Some(schedule) = settings.optimization.schedule.clone() {
            tasks.push(tokio::spawn(optimize(control.clone(), schedule)));
        }
        if let Some(settings) = settings.refresh.clone() {
            tasks.push(tokio::spawn(super::refresh::on_schedule(control.clone(), settings)));
        }
        if let Some(watch) = settings.bursting.watch.clone() {
            tasks.push(tokio::spawn(super::overflow::watch(control.clone(), watch, EVERY)));
        }
        Self(tasks)
    }
}

impl Schedule {
    /// Waits until it is due, and says what was the time; `None` where it never is again.
    pub(super) async fn due(&self) -> Option<Timestamp> {
        let due = (self.0)(Timestamp::now())?;
        let wait = due.duration_since(Timestamp::now());
        tokio::time::sleep(Duration::try_from(wait).unwrap_or_default()).await;
        Some(due)
    }
}

async fn optimize(control: Control, schedule: Schedule) {
    while let Some(due) = schedule.due().await {
        match search(&control, due).await {
            Ok(()) => {}
            Err(error) => tracing::warn!(%error, "better places could not be looked for; the next try is on schedule"),
        }
    }
}

async fn search(control: &Control, due: Timestamp) -> Result<(), ControlError> {
    if !control.store().placements().claim_run("optimization", due).await? {
        return Ok(());
    }
    let record = control.plan_optimization(OptimizationRequest::default()).await?;
    let (moves, saves) = (record.plan.moves.len(), record.plan.saves_per_month);
    tracing::info!(plan = record.plan_id, moves, %saves, "a plan for better places was made");
    if control.inner.tools.placing.settings.optimization.apply && moves > 0 {
        let caller = Caller { actor: "schedule".to_owned(), idempotency_key: Some(record.plan_id.clone()) };
        control.apply_plan(&record.plan_id, caller).await?;
    }
    Ok(())
}
