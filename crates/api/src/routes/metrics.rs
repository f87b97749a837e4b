//! Figures for Prometheus.

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};

use crate::{
    auth::Viewer,
    exposition::{OPENMETRICS, PROMETHEUS, join, to_prometheus},
    input::Params,
    problem::{Failure, Result},
    state::AppState,
};

/// Metrics, as text for Prometheus or, where that is asked for, as OpenMetrics.
#[utoipa::path(get, path = "/metrics", tag = "health", operation_id = "metrics",
    responses((status = 200, description = "The metrics", content(
        (String = "text/plain"), (String = "application/openmetrics-text"),
    ))))]
pub async fn metrics(_: Viewer, State(state): State<AppState>, params: Params, headers: HeaderMap) -> Result<Response> {
    params.end()?;
    let own = state.metrics.encode().map_err(|_| Failure::of_status(StatusCode::INTERNAL_SERVER_ERROR))?;
    let text = join(&[state.control.metrics_text().await?, own]);
    let accepts = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if accepts.contains("application/openmetrics-text") {
        return Ok(([(header::CONTENT_TYPE, OPENMETRICS)], text).into_response());
    }
    Ok(([(header::CONTENT_TYPE, PROMETHEUS)], to_prometheus(&text)).into_response())
}
