//! Where machines should run: decisions, and why.

use axum::{
    Json,
    extract::{FromRequestParts, Path, State},
    http::{StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use novacron_control::{Caller, Control, PlacementPage, PlacementQuery};
use novacron_types::placement::{PlacementRecord, PlacementRequest, PlacementStatus, WhyNotAnswer};

use super::BASE;
use crate::{
    auth::{Operator, Viewer},
    input::{Body, Params, idempotency_key},
    problem::{Failure, Result},
    state::{AppState, carry_through},
};

/// Somebody asks for a decision or what follows from one: who, and whether only to see it.
pub struct Asked {
    pub control: Control,
    pub caller: Caller,
    pub dry_run: bool,
}

impl FromRequestParts<AppState> for Asked {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self> {
        let Operator(actor) = Operator::from_request_parts(parts, state).await?;
        let mut params = Params::from_request_parts(parts, state).await?;
        let dry_run = params.flag("dry_run")?;
        params.end()?;
        let caller = Caller { actor: actor.name, idempotency_key: idempotency_key(&parts.headers)? };
        Ok(Self { control: state.control.clone(), caller, dry_run })
    }
}

/// Request a placement: decide where a machine should run, and say why.
///
/// The decision is kept. With `create` the machine is made there too, or at the next best place where that fails.
/// Where no place will do, the status is `infeasible` and `relaxations` has the smallest sets of constraints to relax.
#[utoipa::path(post, path = "/placements", tag = "placements", operation_id = "place",
    params(
        ("dry_run" = Option<bool>, Query, description = "Only decide; nothing is kept or made"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key with the same request is answered as it was, and makes one machine at most, however often it is sent", min_length = 1, max_length = 255, pattern = "^[!-~]+$"),
    ),
    request_body = PlacementRequest,
    responses(
        (status = 200, description = "The decision", body = PlacementRecord),
        (status = 202, description = "The decision; the machine is being made", body = PlacementRecord,
            headers(("Location" = String, description = "Where the making can be followed"))),
    ))]
pub async fn create(asked: Asked, Body(request): Body<PlacementRequest>) -> Result<Response> {
    let Asked { control, caller, dry_run } = asked;
    let record = carry_through(async move { control.place(request, caller, dry_run).await }).await?;
    match &record.operation_id {
        Some(id) => {
            let location = format!("{BASE}/operations/{id}");
            Ok((StatusCode::ACCEPTED, [(header::LOCATION, location)], Json(record)).into_response())
        }
        None => Ok(Json(record).into_response()),
    }
}

/// List placements, newest first.
#[utoipa::path(get, path = "/placements", tag = "placements", operation_id = "list_placements",
    params(
        ("status" = Option<PlacementStatus>, Query, description = "Only with this status"),
        ("vm_id" = Option<String>, Query, description = "Only of this VM", max_length = 255),
        ("limit" = Option<u32>, Query, description = "Placements on a page. Default: 50", minimum = 1, maximum = 500),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before", pattern = "^c[0-7][0-9a-f]{15}$"),
    ),
    responses((status = 200, description = "A page", body = PlacementPage)))]
pub async fn list(_: Viewer, State(state): State<AppState>, mut params: Params) -> Result<Json<PlacementPage>> {
    let query = PlacementQuery {
        status: params.one("status")?,
        vm_id: params.text("vm_id")?,
        limit: params.number("limit", 1..=500)?,
        cursor: params.one("cursor")?,
    };
    params.end()?;
    Ok(Json(state.control.placements(query).await?))
}

/// Get the newest placement of a VM, or one by its own id.
#[utoipa::path(get, path = "/placements/{vm_id}", tag = "placements", operation_id = "get_placement",
    params(("vm_id" = String, Path, description = "The VM's id, or a placement's", max_length = 255)),
    responses((status = 200, description = "With its question and its reasons", body = PlacementRecord)))]
pub async fn get(
    _: Viewer,
    State(state): State<AppState>,
    Path(vm_id): Path<String>,
    params: Params,
) -> Result<Json<PlacementRecord>> {
    params.end()?;
    Ok(Json(state.control.placement(&vm_id).await?))
}

/// Why another place is not the one, as things are now.
#[utoipa::path(get, path = "/placements/{vm_id}/why-not", tag = "placements", operation_id = "why_not",
    params(
        ("vm_id" = String, Path, description = "The VM's id, or a placement's", max_length = 255),
        ("place" = Vec<String>, Query, description = "A provider, region, pricing model or instance type; several narrow it down"),
    ),
    responses((status = 200, description = "The best of the places that are meant, and what speaks against it", body = WhyNotAnswer)))]
pub async fn why_not(
    _: Viewer,
    State(state): State<AppState>,
    Path(vm_id): Path<String>,
    mut params: Params,
) -> Result<Json<WhyNotAnswer>> {
    let words = params.all("place");
    params.end()?;
    if words.is_empty() {
        return Err(Failure::bad_request("invalid_parameter", "`place` is given once or several times")
            .advice("`?place=aws&place=us-east-1&place=m5.large`"));
    }
    Ok(Json(state.control.why_not(&vm_id, &words).await?))
}
