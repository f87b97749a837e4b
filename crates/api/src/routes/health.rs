//! How things are, and who is asking.

use axum::{Json, extract::State, http::StatusCode};
use novacron_control::HealthReport;

use crate::{auth::Viewer, input::Params, problem::Result, state::AppState, views::Whoami};

/// How the control plane is, and each provider as it sees it.
///
/// Providers are asked at most every ten seconds, and so is the store whether it takes writes; `reasons` says what is wrong. The
/// status is 503 if the store or the mover does not answer.
#[utoipa::path(get, path = "/health", tag = "health", operation_id = "health",
    responses(
        (status = 200, description = "`healthy` or `degraded`", body = HealthReport),
        (status = 503, description = "`unhealthy`", body = HealthReport),
    ))]
pub async fn health(
    _: Viewer,
    State(state): State<AppState>,
    params: Params,
) -> Result<(StatusCode, Json<HealthReport>)> {
    params.end()?;
    let health = state.control.health().await;
    let status = if health.status == "unhealthy" { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    Ok((status, Json(health)))
}

/// Who the server takes the caller for.
#[utoipa::path(get, path = "/whoami", tag = "health", operation_id = "whoami",
    responses((status = 200, description = "The actor of the audit log, and the role", body = Whoami)))]
pub async fn whoami(Viewer(actor): Viewer, params: Params) -> Result<Json<Whoami>> {
    params.end()?;
    Ok(Json(Whoami { actor: actor.name, role: actor.role }))
}

/// Whether the process answers. It asks nobody else, and needs no token.
#[utoipa::path(get, path = "/healthz", tag = "health", operation_id = "healthz", security(()),
    responses((status = 200, description = "It does", body = String, content_type = "text/plain")))]
pub async fn healthz(params: Params) -> Result<&'static str> {
    params.end()?;
    Ok("ok\n")
}
