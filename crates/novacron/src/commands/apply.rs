//! `novacron apply`: what manifests describe, or a plan that was made.

use std::path::PathBuf;

use novacron_types::{
    manifest::VirtualMachine,
    placement::{Applied, ApplyAction, ApplyAnswer, ApplyRequest, PlanApply, Work},
};

use super::{
    Context,
    place::{locate, machines},
    work,
};
use crate::{
    cli::{ApplyArgs, HowArgs},
    confirm::confirm,
    exit::{Exit, Failure, Result},
    output::plans,
};

pub async fn run(context: &Context, args: ApplyArgs) -> Result<()> {
    match &args.plan {
        Some(plan) => carry_out(context, plan, &args.how).await,
        None => manifests(context, &args).await,
    }
}

async fn manifests(context: &Context, args: &ApplyArgs) -> Result<()> {
    let (machines, configurations) = machines(&args.file)?;
    for place in &configurations {
        context.output.note(format_args!(
            "{place}: the configuration is right. It is read by `novacron serve --config FILE` when that starts; nothing of it is sent to the server."
        ));
    }
    if machines.is_empty() {
        let what =
            if configurations.is_empty() { "there is no document in the files" } else { "no machine is described" };
        return Err(Failure::new(Exit::NothingToDo, format!("nothing to apply: {what}"))
            .hint("A machine is a document with `kind: VirtualMachine`; see examples/manifests."));
    }
    let request = ApplyRequest { machines: unique(machines)? };
    let output = &context.output;
    let located = |failure| locate(args.file.iter().map(PathBuf::as_path), failure);
    let plan: ApplyAnswer = context.client.post("/machines?dry_run=true", &request).await.map_err(located)?;
    let notes = plan.machines.iter().flat_map(|machine| &machine.notes).cloned().collect::<Vec<_>>();
    if args.how.dry_run {
        notes.iter().for_each(|note| output.note(note));
        output.one(&plan, || plans::applied(&plan))?;
        return outcome(&plan);
    }
    output.note(plans::applied(&plan));
    notes.iter().for_each(|note| output.note(note));
    outcome(&plan)?;
    confirm(output, args.how.yes, "Apply it?").await?;
    let answer: ApplyAnswer = context.client.post("/machines", &request).await?;
    let mut operations: Vec<_> = answer
        .machines
        .iter()
        .filter(|machine| machine.action != ApplyAction::Unchanged)
        .filter_map(|machine| machine.placement.as_ref()?.operation_id.clone())
        .collect();
    operations.sort();
    operations.dedup();
    output.one(&answer, || plans::applied(&answer))?;
    if args.how.no_watch {
        operations.iter().for_each(|id| output.note(format_args!("Follow it: novacron operation watch {id}")));
        return Ok(());
    }
    let mut failed = None;
    for operation in operations {
        work::begins(context, &operation);
        let ended = work::follow(context, &operation).await?;
        failed = failed.or(work::outcome(&ended).err());
    }
    failed.map_or(Ok(()), Err)
}

/// Files may each be right, and have a name in common.
fn unique(machines: Vec<VirtualMachine>) -> Result<Vec<VirtualMachine>> {
    let mut names = std::collections::BTreeSet::new();
    let twice = machines.iter().flat_map(VirtualMachine::names).find(|name| !names.insert(name.clone()));
    match twice {
        Some(twice) => Err(Failure::usage(format!("there are two machines with the name `{twice}` in the files"))),
        None => Ok(machines),
    }
}

/// Nothing to do and no place are told apart from success.
fn outcome(answer: &ApplyAnswer) -> Result<()> {
    let without = |machine: &&Applied| {
        machine.placement.as_ref().is_some_and(|record| record.decision.primary_placement.is_none())
    };
    let unplaced: Vec<&str> = answer.machines.iter().filter(without).map(|machine| machine.name.as_str()).collect();
    if !unplaced.is_empty() {
        return Err(Failure::new(
            Exit::Infeasible,
            format!("no place will do for {}; nothing was done", unplaced.join(", ")),
        )
        .hint("novacron place -f FILE shows every reason, and what to ask less of."));
    }
    if answer.machines.iter().all(|machine| machine.action == ApplyAction::Unchanged) {
        return Err(Failure::new(Exit::NothingToDo, "nothing to do: everything is as described"));
    }
    Ok(())
}

async fn carry_out(context: &Context, plan: &str, how: &HowArgs) -> Result<()> {
    let output = &context.output;
    if how.dry_run {
        return Err(Failure::usage("a plan that was made is shown by `novacron plan`; there is nothing to try")
            .hint("Leave out --dry-run."));
    }
    confirm(output, how.yes, &format!("Carry out plan {plan}?")).await?;
    let begun: Work = context.client.post("/optimization/apply", &PlanApply { plan_id: plan.to_owned() }).await?;
    if how.no_watch {
        output.note(format_args!("Follow it: novacron operation watch {}", begun.operation_id));
        return output.one(&begun, || plans::work(&begun));
    }
    work::begins(context, &begun.operation_id);
    let ended = work::follow(context, &begun.operation_id).await?;
    output.one(&ended, || plans::work(&ended))?;
    work::outcome(&ended)
}
