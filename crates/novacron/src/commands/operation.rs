//! `novacron operation …`: long work that is no migration.

use novacron_types::{OperationId, Status, placement::Work};
use serde_json::json;

use super::{Context, work};
use crate::{
    cli::OperationCommand,
    client::escape,
    exit::{Exit, Failure, Result},
    output::plans,
};

pub async fn run(context: &Context, command: OperationCommand) -> Result<()> {
    match command {
        OperationCommand::List { status, kind, limit } => {
            let mut query = Vec::new();
            if let Some(status) = status {
                let status: Status = status.parse().map_err(|error: String| Failure::usage(error))?;
                query.push(("status".to_owned(), status.to_string()));
            }
            query.extend(kind.map(|kind| ("kind".to_owned(), kind)));
            context.list::<Work>("/operations", query, limit).await
        }
        OperationCommand::Show { operation } => {
            let work: Work = context.client.get(&path(&operation)).await?;
            context.output.one(&work, || plans::work(&work))
        }
        OperationCommand::Watch { operation } => {
            let id = OperationId::new(&operation).map_err(|error| Failure::usage(error.to_string()))?;
            follow(context, &id).await
        }
        OperationCommand::Cancel { operation, no_watch } => cancel(context, &operation, !no_watch).await,
        OperationCommand::Retry { operation, no_watch } => {
            let asked: Work = context.client.post(&format!("{}/retry", path(&operation)), &json!({})).await?;
            context.output.note(format_args!("{} is taken up again.", asked.operation_id));
            if no_watch {
                return context.output.one(&asked, || plans::work(&asked));
            }
            follow(context, &asked.operation_id).await
        }
    }
}

/// Follows work to its end, prints it, and returns how it ended.
async fn follow(context: &Context, id: &OperationId) -> Result<()> {
    let ended = work::follow(context, id).await?;
    context.output.one(&ended, || plans::work(&ended))?;
    work::outcome(&ended)
}

async fn cancel(context: &Context, operation: &str, watch: bool) -> Result<()> {
    let before: Work = context.client.get(&path(operation)).await?;
    if before.status.is_terminal() {
        let why = format!("nothing to cancel: {} is {}", before.operation_id, before.status);
        return Err(Failure::new(Exit::NothingToDo, why));
    }
    let asked: Work = context.client.post(&format!("{}/cancel", path(operation)), &json!({})).await?;
    context.output.note(format_args!("{} is being undone.", asked.operation_id));
    if !watch {
        return context.output.one(&asked, || plans::work(&asked));
    }
    match follow(context, &asked.operation_id).await {
        // That is what was asked for.
        Err(failure) if failure.exit == Exit::Cancelled => Ok(()),
        Ok(()) => Err(Failure::refused(format!("{} was completed before it could be cancelled", asked.operation_id))),
        other => other,
    }
}

fn path(id: &str) -> String {
    format!("/operations/{}", escape(id))
}
