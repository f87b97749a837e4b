//! The configured providers, and what can be done with the machines there.

use std::collections::BTreeMap;

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};
use novacron_control::{MigrationPlan, MoveRequest};
use novacron_provider::ListFilter;
use novacron_types::{ExportRequest, ImportRequest, MigrationAccepted};

use super::work::Ask;
use crate::{
    auth::Viewer,
    cursor::Place,
    input::{Body, Params},
    problem::{Failure, Result},
    state::AppState,
    views::{Instances, Providers},
};

/// List the configured providers.
#[utoipa::path(get, path = "/providers", tag = "providers", operation_id = "list_providers",
    responses((status = 200, description = "All of them", body = Providers)))]
pub async fn list(_: Viewer, State(state): State<AppState>, params: Params) -> Result<Json<Providers>> {
    params.end()?;
    Ok(Json(Providers { providers: state.control.providers() }))
}

/// Discover the machines at a provider, a page at a time.
///
/// Filters are the vendor's own, as parameters `filter.NAME=VALUE`: for AWS the names of EC2's DescribeInstances
/// (`filter.instance-state-name=running&filter.tag:ManagedBy=NovaCron`). A filter takes several values, each as a
/// parameter of its own or with commas between; a machine must match one value of every filter. A name that the
/// provider does not know is refused with 422.
#[utoipa::path(get, path = "/providers/{provider}/discover", tag = "providers", operation_id = "discover",
    params(
        ("provider" = String, Path, description = "A provider's name, or its kind where one is of that kind", max_length = 255),
        ("limit" = Option<u32>, Query, description = "Machines on a page, at most. Default: as many as the vendor gives at once", minimum = 1, maximum = 1000),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before, of the same discovery", min_length = 1, max_length = 8192),
    ),
    responses((status = 200, description = "A page of machines", body = Instances)))]
pub async fn discover(
    _: Viewer,
    State(state): State<AppState>,
    Path(provider): Path<String>,
    mut params: Params,
) -> Result<Json<Instances>> {
    let limit = params.number("limit", 1..=1000)?;
    let cursor = params.one::<String>("cursor")?;
    let filter = filter(params.prefixed("filter."))?;
    params.end()?;
    let place = match cursor {
        Some(cursor) => Place::read(&cursor, &provider, &filter).ok_or_else(|| {
            Failure::new(StatusCode::NOT_FOUND, "bad_cursor", "the cursor is not of this discovery")
                .advice("Begin without a cursor, and keep provider and filters the same from page to page.")
        })?,
        None => Place::default(),
    };
    let page = state.control.discover(&provider, &filter, place.page.as_ref()).await?;
    let mut instances = page.items;
    instances.drain(..place.skip.min(instances.len()));
    let limit = limit.map_or(usize::MAX, |limit| limit as usize);
    let next = if instances.len() > limit {
        instances.truncate(limit);
        Some(Place { skip: place.skip + limit, ..place })
    } else {
        page.next.map(|page| Place { page: Some(page), skip: 0 })
    };
    let next_cursor = next.map(|next| next.write(&provider, &filter));
    Ok(Json(Instances { instances, next_cursor }))
}

fn filter(given: Vec<(String, String)>) -> Result<ListFilter> {
    let mut filters: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, values) in given {
        if name.is_empty() {
            return Err(Failure::bad_request("invalid_parameter", "a filter has a name: `filter.NAME=VALUE`"));
        }
        filters.entry(name).or_default().extend(values.split(',').map(str::to_owned));
    }
    Ok(ListFilter { filters })
}

/// Import a machine from a provider.
///
/// What can be refused at once is. Then the work is stored, and will be done or undone, whatever happens to this
/// process. `dry_run=true` makes the same checks and answers with the plan.
#[utoipa::path(post, path = "/providers/{provider}/import", tag = "migrations", operation_id = "import",
    params(
        ("provider" = String, Path, description = "Where the machine is: a provider's name or kind", max_length = 255),
        ("dry_run" = Option<bool>, Query, description = "Only check, and answer with the plan"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key with the same request makes one migration, however often it is sent", min_length = 1, max_length = 255, pattern = "^[!-~]+$"),
    ),
    request_body = ImportRequest,
    responses(
        (status = 200, description = "The plan, for a dry run", body = MigrationPlan),
        (status = 202, description = "Taken on", body = MigrationAccepted,
            headers(("Location" = String, description = "Where the migration can be followed"))),
    ))]
pub async fn import(ask: Ask, Path(provider): Path<String>, Body(request): Body<ImportRequest>) -> Result<Response> {
    ask.answer(MoveRequest::Import { provider, request }).await
}

/// Export a VM to a provider.
///
/// As an import, the other way: from where the VM is to the provider of the path.
#[utoipa::path(post, path = "/providers/{provider}/export", tag = "migrations", operation_id = "export",
    params(
        ("provider" = String, Path, description = "Where to: a provider's name or kind", max_length = 255),
        ("dry_run" = Option<bool>, Query, description = "Only check, and answer with the plan"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key with the same request makes one migration, however often it is sent", min_length = 1, max_length = 255, pattern = "^[!-~]+$"),
    ),
    request_body = ExportRequest,
    responses(
        (status = 200, description = "The plan, for a dry run", body = MigrationPlan),
        (status = 202, description = "Taken on", body = MigrationAccepted,
            headers(("Location" = String, description = "Where the migration can be followed"))),
    ))]
pub async fn export(ask: Ask, Path(provider): Path<String>, Body(request): Body<ExportRequest>) -> Result<Response> {
    ask.answer(MoveRequest::Export { provider, request }).await
}
