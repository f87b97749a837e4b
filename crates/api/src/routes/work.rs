//! What all requests for work have in common, and all changes of a migration.

use axum::{
    Json,
    extract::{FromRequestParts, Path},
    http::{StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use novacron_control::{Caller, Change, Control, MoveRequest};
use novacron_types::{Migration, OperationId};

use super::{BASE, migrations};
use crate::{
    auth::Operator,
    input::{Params, idempotency_key},
    problem::{Failure, Result},
    state::{AppState, carry_through},
};

/// Somebody asks for work: who, under which key, and whether only for the plan.
pub struct Ask {
    control: Control,
    caller: Caller,
    dry_run: bool,
}

impl FromRequestParts<AppState> for Ask {
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

impl Ask {
    /// The plan, or that the work was taken on and where it can be followed.
    pub async fn answer(self, asked: MoveRequest) -> Result<Response> {
        let Self { control, caller, dry_run } = self;
        if dry_run {
            return Ok(Json(control.plan(&asked).await?).into_response());
        }
        let accepted = carry_through(async move { control.take_on(asked, caller).await }).await?;
        let location = format!("{BASE}/migrations/{}", accepted.migration_id);
        Ok((StatusCode::ACCEPTED, [(header::LOCATION, location)], Json(accepted)).into_response())
    }
}

/// Somebody asks something of a migration.
pub struct Changing {
    control: Control,
    actor: String,
    id: OperationId,
}

impl FromRequestParts<AppState> for Changing {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self> {
        let Operator(actor) = Operator::from_request_parts(parts, state).await?;
        let Path(text) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|error| Failure::of_status(error.into_response().status()))?;
        Params::from_request_parts(parts, state).await?.end()?;
        Ok(Self { control: state.control.clone(), actor: actor.name, id: migrations::id(text)? })
    }
}

impl Changing {
    pub async fn make(self, change: Change) -> Result<Json<Migration>> {
        let Self { control, actor, id } = self;
        carry_through(async move { control.change(&id, change, &actor).await }).await.map(Json)
    }
}
