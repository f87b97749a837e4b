//! The routes, one file a resource.

mod audit;
mod docs;
mod events;
mod fleet;
mod health;
mod metrics;
mod migrations;
mod operations;
mod placements;
mod profile;
mod providers;
mod vms;
mod work;

use axum::{Router, extract::DefaultBodyLimit};
use utoipa::openapi::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::state::AppState;

pub use docs::DOCUMENT_PATH;

/// Where the seeds' paths begin.
pub const BASE: &str = "/api/v1/multicloud";

/// What needs a caller who is known, and the paths of all of it.
pub fn protected() -> (Router<AppState>, OpenApi) {
    let many = OpenApiRouter::new()
        .routes(routes!(fleet::burst))
        .routes(routes!(fleet::apply))
        .layer(DefaultBodyLimit::max(fleet::MAX_BODY));
    let multicloud = OpenApiRouter::new()
        .routes(routes!(providers::list))
        .routes(routes!(providers::discover))
        .routes(routes!(providers::import))
        .routes(routes!(providers::export))
        .routes(routes!(migrations::list, migrations::create))
        .routes(routes!(migrations::get, migrations::change))
        .routes(routes!(migrations::cancel))
        .routes(routes!(migrations::continue_))
        .routes(routes!(migrations::retry))
        .routes(routes!(events::stream))
        .routes(routes!(vms::list))
        .routes(routes!(vms::get))
        .routes(routes!(placements::list, placements::create))
        .routes(routes!(placements::get))
        .routes(routes!(placements::why_not))
        .routes(routes!(fleet::statistics))
        .routes(routes!(fleet::plan))
        .routes(routes!(fleet::apply_plan))
        .routes(routes!(operations::list))
        .routes(routes!(operations::get))
        .routes(routes!(operations::cancel))
        .routes(routes!(operations::retry))
        .routes(routes!(events::work))
        .merge(many)
        .routes(routes!(audit::list))
        .routes(routes!(health::health))
        .routes(routes!(health::whoami));
    OpenApiRouter::new()
        .nest(BASE, multicloud)
        .routes(routes!(metrics::metrics))
        .routes(routes!(profile::profile))
        .split_for_parts()
}

/// What anyone may ask who gets past the guard: that it runs, and what it can be asked.
pub fn open() -> (Router<AppState>, OpenApi) {
    OpenApiRouter::new()
        .routes(routes!(health::healthz))
        .routes(routes!(docs::document))
        .routes(routes!(docs::page))
        .split_for_parts()
}
