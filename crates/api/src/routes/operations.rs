//! Long work that is no migration: machines being made, bursts and plans being carried out.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use novacron_control::{WorkKind, WorkPage, WorkQuery};
use novacron_types::{OperationId, Status, placement::Work};

use crate::{
    auth::{Operator, Viewer},
    input::{NoBody, Params},
    problem::{Failure, Result},
    state::{AppState, carry_through},
};

/// A kind as a parameter.
struct Kind(WorkKind);

impl std::str::FromStr for Kind {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let known = WorkKind::ALL.into_iter().find(|kind| kind.as_str() == text);
        known.map(Self).ok_or_else(|| format!("{text:?} is not a kind; there are create, burst and rebalance"))
    }
}

/// List long work that is no migration, newest first.
#[utoipa::path(get, path = "/operations", tag = "placements", operation_id = "list_operations",
    params(
        ("status" = Option<Vec<Status>>, Query, description = "Only with one of these statuses"),
        ("kind" = inline(Option<Vec<WorkKind>>), Query, description = "Only of these kinds"),
        ("limit" = Option<u32>, Query, description = "Operations on a page. Default: 50", minimum = 1, maximum = 500),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before", pattern = "^c[0-7][0-9a-f]{15}$"),
    ),
    responses((status = 200, description = "A page", body = WorkPage)))]
pub async fn list(_: Viewer, State(state): State<AppState>, mut params: Params) -> Result<Json<WorkPage>> {
    let query = WorkQuery {
        statuses: params.list("status")?,
        kinds: params.list::<Kind>("kind")?.into_iter().map(|kind| kind.0).collect(),
        limit: params.number("limit", 1..=500)?,
        cursor: params.one("cursor")?,
    };
    params.end()?;
    Ok(Json(state.control.works(query).await?))
}

/// Get long work that is no migration: machines being made, a burst or a plan being carried out.
#[utoipa::path(get, path = "/operations/{id}", tag = "placements", operation_id = "get_operation",
    params(("id" = String, Path, description = "The operation's id", max_length = 255)),
    responses((status = 200, description = "How it stands", body = Work)))]
pub async fn get(
    _: Viewer,
    State(state): State<AppState>,
    Path(text): Path<String>,
    params: Params,
) -> Result<Json<Work>> {
    params.end()?;
    Ok(Json(state.control.work(&id(text)?).await?))
}

/// Ask that long work be undone.
#[utoipa::path(post, path = "/operations/{id}/cancel", tag = "placements", operation_id = "cancel_operation",
    params(("id" = String, Path, description = "The operation's id", max_length = 255)),
    responses((status = 200, description = "Asked; it is undone when its status says `cancelled`", body = Work)))]
pub async fn cancel(
    Operator(actor): Operator,
    State(state): State<AppState>,
    Path(text): Path<String>,
    params: Params,
    _: NoBody,
) -> Result<Json<Work>> {
    params.end()?;
    let id = id(text)?;
    carry_through(async move { state.control.cancel_work(&id, &actor.name).await }).await.map(Json)
}

/// Take long work that has failed up again where it stopped.
#[utoipa::path(post, path = "/operations/{id}/retry", tag = "placements", operation_id = "retry_operation",
    params(("id" = String, Path, description = "The operation's id", max_length = 255)),
    responses((status = 200, description = "Taken up: its undoing, or the rest of its work", body = Work)))]
pub async fn retry(
    Operator(actor): Operator,
    State(state): State<AppState>,
    Path(text): Path<String>,
    params: Params,
    _: NoBody,
) -> Result<Json<Work>> {
    params.end()?;
    let id = id(text)?;
    carry_through(async move { state.control.retry_work(&id, &actor.name).await }).await.map(Json)
}

pub(super) fn id(text: String) -> Result<OperationId> {
    OperationId::new(text).map_err(|error| Failure::new(StatusCode::NOT_FOUND, "no_such_operation", error.to_string()))
}
