//! Who asked for which change, and what came of it.

use axum::{Json, extract::State};

use crate::{auth::Admin, input::Params, problem::Result, state::AppState, views::Audit};

/// The audit log, newest first: every change that was asked for, refused ones too.
#[utoipa::path(get, path = "/audit", tag = "health", operation_id = "audit",
    params(
        ("limit" = Option<u32>, Query, description = "Entries on a page. Default: 50", minimum = 1, maximum = 500),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before", pattern = "^c[0-7][0-9a-f]{15}$"),
    ),
    responses((status = 200, description = "A page", body = Audit)))]
pub async fn list(_: Admin, State(state): State<AppState>, mut params: Params) -> Result<Json<Audit>> {
    let limit = params.number("limit", 1..=500)?;
    let cursor = params.one("cursor")?;
    params.end()?;
    Ok(Json(Audit::from(state.control.audit(cursor, limit).await?)))
}
