//! What the handlers share.

use std::{future::Future, sync::Arc};

use axum::http::StatusCode;
use novacron_control::{Control, ControlError};
use tokio_util::sync::CancellationToken;

use crate::{
    observe::HttpMetrics,
    problem::{Failure, Result},
};

#[derive(Clone)]
pub struct AppState {
    pub control: Control,
    pub metrics: Arc<HttpMetrics>,
    /// One profile at a time.
    pub profiling: Arc<tokio::sync::Mutex<()>>,
    /// Ends streams when the server stops.
    pub stopping: CancellationToken,
}

impl AppState {
    pub fn new(control: Control, stopping: CancellationToken) -> Self {
        Self { control, metrics: Arc::default(), profiling: Arc::default(), stopping }
    }
}

/// Carries a change through even if the caller hangs up, so that nothing is done without a try to note it in the audit log.
pub async fn carry_through<T: Send + 'static>(
    change: impl Future<Output = Result<T, ControlError>> + Send + 'static,
) -> Result<T> {
    match tokio::spawn(change).await {
        Ok(outcome) => Ok(outcome?),
        Err(error) => {
            tracing::error!(%error, "a change to the control plane broke off");
            Err(Failure::of_status(StatusCode::INTERNAL_SERVER_ERROR))
        }
    }
}
