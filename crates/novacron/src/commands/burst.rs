//! `novacron burst`: machines that the local hosts have no room for.

use novacron_types::placement::{BurstAnswer, BurstRequest, BurstResult, PlacementRequest};

use super::{Context, place::requests, work};
use crate::{
    cli::BurstArgs,
    confirm::confirm,
    exit::{Exit, Failure, Result},
    output::plans,
    progress,
};

pub async fn run(context: &Context, args: BurstArgs) -> Result<()> {
    let mut all: Vec<PlacementRequest> =
        args.vm.iter().map(|vm| PlacementRequest { vm_id: Some(vm.clone()), ..PlacementRequest::default() }).collect();
    for path in &args.file {
        all.extend(requests(path)?);
    }
    if all.is_empty() {
        return Err(Failure::new(Exit::NothingToDo, "nothing to burst: the files describe no machine"));
    }
    let request = BurstRequest { requests: all, mode: args.mode.map(Into::into) };
    let output = &context.output;
    let plan: BurstAnswer = context.client.post("/burst?dry_run=true", &request).await?;
    if args.how.dry_run {
        output.one(&plan, || plans::burst(&plan))?;
        return outcome(&plan);
    }
    output.note(plans::burst(&plan));
    if plan.placed.is_empty() {
        return outcome(&plan);
    }
    confirm(output, args.how.yes, "Take them there?").await?;
    let answer: BurstAnswer = context.client.post("/burst", &request).await?;
    output.one(&answer, || plans::burst(&answer))?;
    let migrations = answer.placed.iter().filter_map(|placed| placed.migration_id.as_ref());
    let Some(operation) = &answer.operation_id else {
        outcome(&answer)?;
        return Err(Failure::new(Exit::NothingToDo, "only places were decided: nothing was made and nothing moved")
            .hint("A request makes its machine with `create: true` and an `image`; a VM on a local host is moved by its name."));
    };
    if args.how.no_watch {
        output.note(format_args!("Follow it: novacron operation watch {operation}"));
        return outcome(&answer);
    }
    // They run side by side; each is followed from where it is by then.
    for id in migrations {
        output.note(format_args!("{id} begins; ctrl-C stops watching, not the migration."));
        progress::watch(&context.client, output, id).await?;
    }
    work::begins(context, operation);
    let ended = work::follow(context, operation).await?;
    let came = plans::outcomes(&ended);
    came.iter().for_each(|outcome| output.note(plans::outcome(outcome)));
    work::outcome(&ended)?;
    let failed = came.iter().filter(|outcome| outcome.result == BurstResult::Failed).count();
    if failed > 0 {
        let message = format!("{failed} of {} machines failed, and were rolled back; the others are there", came.len());
        return Err(Failure::new(Exit::RolledBack, message));
    }
    outcome(&answer)
}

fn outcome(answer: &BurstAnswer) -> Result<()> {
    let left = &answer.plan.left_out;
    if answer.placed.is_empty() && !left.is_empty() || !answer.plan.in_the_way.is_empty() && answer.placed.is_empty() {
        return Err(Failure::new(Exit::Infeasible, "no machine found a place")
            .hint("The answer says why for each; `novacron place -f FILE` says what to ask less of."));
    }
    Ok(())
}
