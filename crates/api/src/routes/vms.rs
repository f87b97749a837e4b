//! The federation's records of machines.

use axum::{
    Json,
    extract::{Path, State},
};
use novacron_control::{VmPage, VmQuery};
use novacron_types::{InstanceState, VmRecord};

use crate::{
    auth::Viewer,
    input::Params,
    problem::{Failure, Result},
    state::AppState,
};

/// List the machines that the federation has a record of.
#[utoipa::path(get, path = "/vms", tag = "vms", operation_id = "list_vms",
    params(
        ("provider" = Option<String>, Query, description = "Only at this provider: its name or kind", max_length = 255),
        ("state" = Option<InstanceState>, Query, description = "Only in this state, as last seen"),
        ("text" = Option<String>, Query, description = "Only where this is part of the name, whatever the case", max_length = 255),
        ("limit" = Option<u32>, Query, description = "Machines on a page. Default: 50", minimum = 1, maximum = 500),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before", pattern = "^c[0-7][0-9a-f]{15}$"),
    ),
    responses((status = 200, description = "A page", body = VmPage)))]
pub async fn list(_: Viewer, State(state): State<AppState>, mut params: Params) -> Result<Json<VmPage>> {
    let query = VmQuery {
        provider: params.text("provider")?,
        state: params.one::<String>("state")?.map(|text| instance_state(&text)).transpose()?,
        text: params.text("text")?,
        limit: params.number("limit", 1..=500)?,
        cursor: params.one("cursor")?,
    };
    params.end()?;
    Ok(Json(state.control.vms(query).await?))
}

fn instance_state(text: &str) -> Result<InstanceState> {
    serde_json::from_value(text.into()).map_err(|_| {
        Failure::bad_request("invalid_parameter", "`state`: there is no such state")
            .advice("There are: pending, running, stopping, stopped, paused, terminated, failed, unknown.")
    })
}

/// Get a machine, by its id, or by its name where one has it.
#[utoipa::path(get, path = "/vms/{id}", tag = "vms", operation_id = "get_vm",
    params(("id" = String, Path, description = "The VM's id or name", max_length = 255)),
    responses((status = 200, description = "As last seen", body = VmRecord)))]
pub async fn get(
    _: Viewer,
    State(state): State<AppState>,
    Path(id): Path<String>,
    params: Params,
) -> Result<Json<VmRecord>> {
    params.end()?;
    Ok(Json(state.control.vm(&id).await?))
}
