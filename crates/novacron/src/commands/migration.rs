//! `novacron migration …`

use novacron_types::{ByteSize, Migration, OperationId, Status};
use serde_json::json;

use super::{Context, migrate::follow};
use crate::{
    cli::MigrationCommand,
    client::escape,
    exit::{Exit, Failure, Result},
    output::detail,
};

pub async fn run(context: &Context, command: MigrationCommand) -> Result<()> {
    match command {
        MigrationCommand::List { status, kind, limit } => {
            let mut query = Vec::new();
            if let Some(status) = status {
                let status: Status = status.parse().map_err(|error: String| Failure::usage(error))?;
                query.push(("status".to_owned(), status.to_string()));
            }
            query.extend(kind.map(|kind| ("kind".to_owned(), kind)));
            context.list::<Migration>("/migrations", query, limit).await
        }
        MigrationCommand::Show { migration } => {
            let migration: Migration = context.client.get(&path(&migration)).await?;
            context.output.one(&migration, || detail::migration(&migration))
        }
        MigrationCommand::Watch { migration } => follow(context, &id(&migration)?).await,
        MigrationCommand::Cancel { migration, no_watch } => cancel(context, &migration, !no_watch).await,
        MigrationCommand::Continue { migration } => {
            let migration: Migration =
                context.client.post(&format!("{}/continue", path(&migration)), &json!({})).await?;
            context.output.note(format_args!("{} goes on.", migration.migration_id));
            context.output.one(&migration, || detail::migration(&migration))
        }
        MigrationCommand::Retry { migration } => {
            let migration: Migration = context.client.post(&format!("{}/retry", path(&migration)), &json!({})).await?;
            context.output.note(format_args!("{} is taken up again.", migration.migration_id));
            context.output.one(&migration, || detail::migration(&migration))
        }
        MigrationCommand::Limit { migration, rate } => {
            let limit = limit(&rate)?;
            let migration: Migration = context
                .client
                .patch(&path(&migration), &json!({ "bandwidth_limit": limit.map_or(0, |l| l.0) }))
                .await?;
            context.output.note(match limit {
                Some(limit) => format!("{} moves at most {limit} a second.", migration.migration_id),
                None => format!("{} has no limit.", migration.migration_id),
            });
            context.output.one(&migration, || detail::migration(&migration))
        }
    }
}

async fn cancel(context: &Context, migration: &str, watch: bool) -> Result<()> {
    let before: Migration = context.client.get(&path(migration)).await?;
    if before.status.is_terminal() {
        return Err(Failure::new(
            Exit::NothingToDo,
            format!("nothing to cancel: {} is {}", before.migration_id, before.status),
        ));
    }
    let asked: Migration = context.client.post(&format!("{}/cancel", path(migration)), &json!({})).await?;
    context.output.note(format_args!("{} is being undone.", asked.migration_id));
    if !watch {
        return context.output.one(&asked, || detail::migration(&asked));
    }
    match follow(context, &asked.migration_id).await {
        // That is what was asked for.
        Err(failure) if failure.exit == Exit::Cancelled => Ok(()),
        Ok(()) => Err(Failure::refused(format!("{} was completed before it could be cancelled", asked.migration_id))),
        other => other,
    }
}

fn id(text: &str) -> Result<OperationId> {
    OperationId::new(text).map_err(|error| Failure::usage(error.to_string()))
}

fn path(id: &str) -> String {
    format!("/migrations/{}", escape(id))
}

/// `none` and `0` are no limit.
fn limit(text: &str) -> Result<Option<ByteSize>> {
    if text == "none" {
        return Ok(None);
    }
    let text = text.trim_end_matches("/s");
    let size: ByteSize = text.parse().map_err(|error: novacron_types::ParseSizeError| {
        Failure::usage(error.to_string()).hint("Or `none` for no limit.")
    })?;
    Ok((size.0 > 0).then_some(size))
}
