//! Migrations: imports, exports, and moves between any two providers.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};
use novacron_control::{Change, MigrationPage, MigrationPlan, MigrationQuery, MoveRequest};
use novacron_types::{MigrateRequest, Migration, MigrationAccepted, MigrationKind, OperationId, Status};

use super::work::{Ask, Changing};
use crate::{
    auth::Viewer,
    input::{Body, NoBody, Params},
    problem::{Failure, Result},
    state::AppState,
    views::MigrationChange,
};

/// A kind as a parameter.
struct Kind(MigrationKind);

impl std::str::FromStr for Kind {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let known = MigrationKind::ALL.into_iter().find(|kind| kind.as_str() == text);
        known.map(Self).ok_or_else(|| format!("{text:?} is not a kind; there are import, export and migrate"))
    }
}

pub(super) fn id(text: String) -> Result<OperationId> {
    OperationId::new(text).map_err(|error| {
        Failure::new(StatusCode::NOT_FOUND, "no_such_migration", error.to_string())
            .advice("`GET /api/v1/multicloud/migrations` lists them.")
    })
}

/// List migrations, newest first.
#[utoipa::path(get, path = "/migrations", tag = "migrations", operation_id = "list_migrations",
    params(
        ("status" = Option<Vec<Status>>, Query, description = "Only with one of these statuses"),
        ("kind" = Option<Vec<MigrationKind>>, Query, description = "Only of these kinds"),
        ("text" = Option<String>, Query, description = "Only where this is part of the migration's id or the machine's", max_length = 255),
        ("limit" = Option<u32>, Query, description = "Migrations on a page. Default: 50", minimum = 1, maximum = 500),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before", pattern = "^c[0-7][0-9a-f]{15}$"),
    ),
    responses((status = 200, description = "A page", body = MigrationPage)))]
pub async fn list(_: Viewer, State(state): State<AppState>, mut params: Params) -> Result<Json<MigrationPage>> {
    let query = MigrationQuery {
        statuses: params.list("status")?,
        kinds: params.list::<Kind>("kind")?.into_iter().map(|kind| kind.0).collect(),
        text: params.text("text")?,
        limit: params.number("limit", 1..=500)?,
        cursor: params.one("cursor")?,
    };
    params.end()?;
    Ok(Json(state.control.migrations(query).await?))
}

/// Migrate a machine from any provider to any other.
///
/// Between two regions of one vendor that can copy images the machine goes as an image; else disk by disk.
#[utoipa::path(post, path = "/migrations", tag = "migrations", operation_id = "migrate",
    params(
        ("dry_run" = Option<bool>, Query, description = "Only check, and answer with the plan"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key with the same request makes one migration, however often it is sent", min_length = 1, max_length = 255, pattern = "^[!-~]+$"),
    ),
    request_body = MigrateRequest,
    responses(
        (status = 200, description = "The plan, for a dry run", body = MigrationPlan),
        (status = 202, description = "Taken on", body = MigrationAccepted,
            headers(("Location" = String, description = "Where the migration can be followed"))),
    ))]
pub async fn create(ask: Ask, Body(request): Body<MigrateRequest>) -> Result<Response> {
    ask.answer(MoveRequest::Migrate { request }).await
}

/// Get a migration: where it stands, what was moved, and the proof.
#[utoipa::path(get, path = "/migrations/{id}", tag = "migrations", operation_id = "get_migration",
    params(("id" = String, Path, description = "The migration's id", max_length = 255)),
    responses((status = 200, description = "As it is now", body = Migration)))]
pub async fn get(
    _: Viewer,
    State(state): State<AppState>,
    Path(text): Path<String>,
    params: Params,
) -> Result<Json<Migration>> {
    params.end()?;
    Ok(Json(state.control.migration(&id(text)?).await?))
}

/// Change a migration that has not ended: its rate limit.
#[utoipa::path(patch, path = "/migrations/{id}", tag = "migrations", operation_id = "change_migration",
    params(("id" = String, Path, description = "The migration's id", max_length = 255)),
    request_body = MigrationChange,
    responses((status = 200, description = "As it is now", body = Migration)))]
pub async fn change(asked: Changing, Body(change): Body<MigrationChange>) -> Result<Json<Migration>> {
    asked.make(Change::Bandwidth(Some(change.bandwidth_limit))).await
}

/// Cancel a migration: what it did is undone.
///
/// It is undone when its status is `cancelled`. Once the source is being deleted it can't be any more, and 409
/// says so. No body is needed.
#[utoipa::path(post, path = "/migrations/{id}/cancel", tag = "migrations", operation_id = "cancel_migration",
    params(("id" = String, Path, description = "The migration's id", max_length = 255)),
    responses((status = 202, description = "Taken note of", body = Migration)))]
pub async fn cancel(asked: Changing, _: NoBody) -> Result<(StatusCode, Json<Migration>)> {
    Ok((StatusCode::ACCEPTED, asked.make(Change::Cancel).await?))
}

/// Let a held migration go on now. No body is needed.
#[utoipa::path(post, path = "/migrations/{id}/continue", tag = "migrations", operation_id = "continue_migration",
    params(("id" = String, Path, description = "The migration's id", max_length = 255)),
    responses((status = 202, description = "Taken note of", body = Migration)))]
pub async fn continue_(asked: Changing, _: NoBody) -> Result<(StatusCode, Json<Migration>)> {
    Ok((StatusCode::ACCEPTED, asked.make(Change::Continue).await?))
}

/// Take a failed migration up again where it stopped. No body is needed.
#[utoipa::path(post, path = "/migrations/{id}/retry", tag = "migrations", operation_id = "retry_migration",
    params(("id" = String, Path, description = "The migration's id", max_length = 255)),
    responses((status = 202, description = "Taken note of", body = Migration)))]
pub async fn retry(asked: Changing, _: NoBody) -> Result<(StatusCode, Json<Migration>)> {
    Ok((StatusCode::ACCEPTED, asked.make(Change::Retry).await?))
}
