//! `novacron plan`: better places for the machines that there are.

use novacron_types::placement::{OptimizationRequest, PlanRecord};

use super::{Context, place::words};
use crate::{
    cli::PlanArgs,
    exit::{Exit, Failure, Result},
    output::{Format, plans},
};

pub async fn run(context: &Context, args: PlanArgs) -> Result<()> {
    let request = OptimizationRequest {
        strategy: args.strategy.as_deref().map(words::strategy).transpose()?,
        max_moves: args.max_moves,
        min_saving: args.min_saving.as_deref().map(|text| words::dollars("--min-saving", text)).transpose()?,
        payback_days: args.payback_days,
        hysteresis_percent: args.hysteresis,
    };
    let record: PlanRecord = context.client.post("/optimization/plan", &request).await?;
    let output = &context.output;
    output.one(&record, || plans::rebalance(&record, output.format == Format::Wide))?;
    if record.plan.moves.is_empty() {
        return Err(Failure::new(Exit::NothingToDo, "nothing to do: no machine is worth moving"));
    }
    output.note(format_args!("Nothing was changed. To do it: novacron apply --plan {}", record.plan_id));
    Ok(())
}
