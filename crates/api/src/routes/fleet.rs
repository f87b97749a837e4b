//! Many machines: bursts, declared machines, better places for those that there are, and counts.

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use novacron_types::placement::{
    ApplyAnswer, ApplyRequest, BurstAnswer, BurstRequest, OptimizationRequest, PlanApply, PlanRecord, Statistics, Work,
};

use super::{BASE, placements::Asked};
use crate::{
    auth::{Operator, Viewer},
    input::{Body, Params},
    problem::{Failure, Result},
    state::{AppState, carry_through},
};

/// The largest body of a request about many machines.
pub const MAX_BODY: usize = 4 * 1024 * 1024;

/// Trigger a cloud burst: machines that the local hosts have no room for go to clouds, placed together at the least cost.
#[utoipa::path(post, path = "/burst", tag = "placements", operation_id = "burst",
    params(
        ("dry_run" = Option<bool>, Query, description = "Only say where they would go"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key with the same VMs makes them once, however often it is sent", min_length = 1, max_length = 255, pattern = "^[!-~]+$"),
    ),
    request_body = BurstRequest,
    responses(
        (status = 200, description = "Where they go", body = BurstAnswer),
        (status = 202, description = "Where they go; machines are being made or moved", body = BurstAnswer),
    ))]
pub async fn burst(asked: Asked, Body(request): Body<BurstRequest>) -> Result<Response> {
    let Asked { control, caller, dry_run } = asked;
    let answer = carry_through(async move { control.burst(request, caller, dry_run).await }).await?;
    let at_work = answer.operation_id.is_some() || answer.placed.iter().any(|placed| placed.migration_id.is_some());
    let status = if at_work { StatusCode::ACCEPTED } else { StatusCode::OK };
    Ok((status, Json(answer)).into_response())
}

/// Apply machines as manifests declare them. Applying the same again changes nothing.
#[utoipa::path(post, path = "/machines", tag = "placements", operation_id = "apply",
    params(
        ("dry_run" = Option<bool>, Query, description = "Only say what would change"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key with the same request is applied once and answered the same, however often it is sent", min_length = 1, max_length = 255, pattern = "^[!-~]+$"),
    ),
    request_body = ApplyRequest,
    responses((status = 200, description = "What changed, or would change", body = ApplyAnswer)))]
pub async fn apply(asked: Asked, Body(request): Body<ApplyRequest>) -> Result<Json<ApplyAnswer>> {
    let Asked { control, caller, dry_run } = asked;
    carry_through(async move { control.apply(request, caller, dry_run).await }).await.map(Json)
}

/// Get statistics: how many machines are where, and what they cost.
#[utoipa::path(get, path = "/statistics", tag = "placements", operation_id = "statistics",
    responses((status = 200, description = "As the federation's records have it", body = Statistics)))]
pub async fn statistics(_: Viewer, State(state): State<AppState>, params: Params) -> Result<Json<Statistics>> {
    params.end()?;
    Ok(Json(state.control.statistics().await?))
}

/// Plan better places for the machines that there are. Nothing is moved; the plan is kept for a day, to be applied.
#[utoipa::path(post, path = "/optimization/plan", tag = "placements", operation_id = "plan_optimization",
    request_body = OptimizationRequest,
    responses((status = 200, description = "The plan", body = PlanRecord)))]
pub async fn plan(
    Operator(_): Operator,
    State(state): State<AppState>,
    params: Params,
    Body(request): Body<OptimizationRequest>,
) -> Result<Json<PlanRecord>> {
    params.end()?;
    Ok(Json(state.control.plan_optimization(request).await?))
}

/// Carry out a plan, move by move, through migrations.
#[utoipa::path(post, path = "/optimization/apply", tag = "placements", operation_id = "apply_optimization",
    params(
        ("Idempotency-Key" = Option<String>, Header, description = "The same key with the same plan carries it out once", min_length = 1, max_length = 255, pattern = "^[!-~]+$"),
    ),
    request_body = PlanApply,
    responses((status = 202, description = "Taken on", body = Work,
        headers(("Location" = String, description = "Where it can be followed")))))]
pub async fn apply_plan(asked: Asked, Body(request): Body<PlanApply>) -> Result<Response> {
    let Asked { control, caller, dry_run } = asked;
    if dry_run {
        return Err(Failure::bad_request("invalid_parameter", "`dry_run`: the plan itself says what would be done"));
    }
    let work = carry_through(async move { control.apply_plan(&request.plan_id, caller).await }).await?;
    let location = format!("{BASE}/operations/{}", work.operation_id);
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, location)], Json(work)).into_response())
}
