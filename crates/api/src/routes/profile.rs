//! A profile of this process.

use std::time::Duration;

use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};

use crate::{
    auth::Admin,
    input::Params,
    problem::{Failure, Result},
    profile::sample,
    state::AppState,
};

/// Where the process spends its CPU time, for `go tool pprof`.
///
/// Samples for `seconds`, one profile at a time.
#[utoipa::path(get, path = "/debug/pprof/profile", tag = "health", operation_id = "profile",
    params(("seconds" = Option<u32>, Query, description = "How long. Default: 30", minimum = 1, maximum = 300)),
    responses((status = 200, description = "A gzipped `profile.proto`", body = Vec<u8>, content_type = "application/octet-stream")))]
pub async fn profile(admin: Admin, State(state): State<AppState>, mut params: Params) -> Result<Response> {
    let seconds = params.number("seconds", 1..=300)?.unwrap_or(30);
    params.end()?;
    let Ok(_one) = state.profiling.clone().try_lock_owned() else {
        return Err(Failure::new(StatusCode::CONFLICT, "profile_running", "another profile is being taken")
            .advice("Try again when it is done."));
    };
    tracing::info!(actor = admin.name(), seconds, "a profile is taken");
    let duration = Duration::from_secs(seconds.into());
    let profile = tokio::select! {
        profile = sample(duration) => profile,
        () = state.stopping.cancelled() => Err("the server is stopping".to_owned()),
    };
    let profile = profile.map_err(|error| {
        Failure::new(StatusCode::SERVICE_UNAVAILABLE, "no_profile", format!("no profile could be taken: {error}"))
    })?;
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"profile.pb.gz\""),
    ];
    Ok((headers, profile).into_response())
}
