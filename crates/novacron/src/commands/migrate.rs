//! `novacron migrate …`: plan, ask, do, follow.

use novacron_types::{
    ExportRequest, ImportRequest, InstanceId, MigrateRequest, Migration, MigrationAccepted, OperationId, VmId,
};
use serde::Serialize;

use super::Context;
use crate::{
    cli::{CommonArgs, ExportArgs, ImportArgs, MigrateCommand, MoveArgs},
    client::{escape, types::MigrationPlan},
    confirm::confirm,
    exit::{Failure, Result},
    output::detail,
    progress,
};

pub async fn run(context: &Context, command: MigrateCommand) -> Result<()> {
    match command {
        MigrateCommand::Import(args) => import(context, args).await,
        MigrateCommand::Export(args) => export(context, args).await,
        MigrateCommand::Move(args) => between(context, args).await,
    }
}

async fn import(context: &Context, args: ImportArgs) -> Result<()> {
    let request = ImportRequest {
        instance_id: instance(&args.instance)?,
        target: args.to.clone(),
        name: args.name.clone(),
        options: args.options(),
    };
    plan_and_do(context, &format!("/providers/{}/import", escape(&args.provider)), &request, &args.common).await
}

async fn export(context: &Context, args: ExportArgs) -> Result<()> {
    let request = ExportRequest {
        vm_id: VmId::new(args.vm.as_str()).map_err(|error| Failure::usage(error.to_string()))?,
        name: args.name.clone(),
        options: args.options(),
    };
    plan_and_do(context, &format!("/providers/{}/export", escape(&args.provider)), &request, &args.common).await
}

async fn between(context: &Context, args: MoveArgs) -> Result<()> {
    let request = MigrateRequest {
        source: args.source.clone(),
        instance_id: instance(&args.instance)?,
        destination: args.destination.clone(),
        name: args.name.clone(),
        options: args.options(),
    };
    plan_and_do(context, "/migrations", &request, &args.common).await
}

fn instance(id: &str) -> Result<InstanceId> {
    InstanceId::new(id).map_err(|error| Failure::usage(error.to_string()))
}

async fn plan_and_do(context: &Context, path: &str, request: &impl Serialize, how: &CommonArgs) -> Result<()> {
    let plan: MigrationPlan = context.client.post(&format!("{path}?dry_run=true"), request).await?;
    if how.dry_run {
        return context.output.one(&plan, || detail::plan(&plan));
    }
    context.output.note(detail::plan(&plan));
    confirm(&context.output, how.yes, "Do it?").await?;
    let accepted: MigrationAccepted = context.client.post(path, request).await?;
    if how.no_watch {
        context.output.note(format_args!("Follow it: novacron migration watch {}", accepted.migration_id));
        return context.output.one(&accepted, || accepted.migration_id.to_string());
    }
    context.output.note(format_args!("{} begins; ctrl-C stops watching, not the migration.", accepted.migration_id));
    follow(context, &accepted.migration_id).await
}

/// Follows a migration to its end, prints it, and returns how it ended.
pub async fn follow(context: &Context, id: &OperationId) -> Result<()> {
    let migration: Migration = progress::watch(&context.client, &context.output, id).await?;
    context.output.one(&migration, || detail::migration(&migration))?;
    progress::outcome(&migration)
}
