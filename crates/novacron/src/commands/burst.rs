//! `novacron burst`: machines that the local hosts have no room for.

use std::collections::HashSet;

use novacron_types::{
    VmRecord,
    placement::{BurstAnswer, BurstRequest, BurstResult, PlacementRequest},
};

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
    let mut described = Vec::new();
    for path in &args.file {
        let asked = requests(path)?;
        if asked.described { &mut described } else { &mut all }.extend(asked.requests);
    }
    make_new(context, &mut described).await?;
    all.append(&mut described);
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
            .hint(
                "A manifest with an `image` makes its machines, and a request with `create: true` too; a VM on a local host is moved \
                 by its name.",
            ));
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

/// As `apply` does: what a manifest describes is made, if it has an image and is not there yet. A VM that there is moves.
async fn make_new(context: &Context, described: &mut [PlacementRequest]) -> Result<()> {
    if described.iter().all(|request| request.image.is_none()) {
        return Ok(());
    }
    let (mut known, mut query) = (HashSet::new(), vec![("limit".to_owned(), "500".to_owned())]);
    loop {
        let page = context.client.page::<VmRecord>("/vms", &query).await?;
        known.extend(page.items.into_iter().map(|record| record.vm_id.to_string()));
        let Some(next) = page.next else { break };
        query = vec![("limit".to_owned(), "500".to_owned()), ("cursor".to_owned(), next)];
    }
    for request in described {
        let exists = request.vm_id.as_ref().is_some_and(|name| known.contains(name));
        request.create = request.image.is_some() && !exists;
    }
    Ok(())
}

fn outcome(answer: &BurstAnswer) -> Result<()> {
    let left = &answer.plan.left_out;
    if answer.placed.is_empty() && !left.is_empty() || !answer.plan.in_the_way.is_empty() && answer.placed.is_empty() {
        return Err(Failure::new(Exit::Infeasible, "no machine found a place")
            .hint("The answer says why for each; `novacron place -f FILE` says what to ask less of."));
    }
    Ok(())
}
