//! `novacron place`: asks the server, or decides here.

mod located;
mod offline;
mod request;
pub mod words;

use std::{net::TcpStream, time::Duration};

use novacron_types::placement::{Decision, PlacementRecord, PlacementRequest, PlacementStatus, WhyNotAnswer};
use serde::Serialize;

pub use located::locate;
pub use offline::today;
pub use request::{machines, requests};

use super::{Context, DEFAULT_SERVER, explain, work};
use crate::{
    cli::{Global, PlaceArgs},
    client::escape,
    confirm::confirm,
    exit::{Exit, Failure, Result},
    output::{
        Format, Output,
        decision::{self, About},
    },
};

pub async fn run(global: &Global, output: Output, args: PlaceArgs) -> Result<()> {
    let request = request::request(&args)?;
    if args.create && request.image.is_none() {
        return Err(Failure::usage("a machine can't be made without an image")
            .hint("--image IMAGE: the provider's image id, or a name that its `image_map` maps to one."));
    }
    let done = match decides_here(global, &args)? {
        true => here(&output, &args, &request),
        false => asks(&Context::new(global, output)?, &args, request).await,
    };
    done.map_err(|failure| locate(args.file.as_deref(), failure))
}

/// Whether this process decides: where that was said, or where nobody said who else should.
fn decides_here(global: &Global, args: &PlaceArgs) -> Result<bool> {
    if args.offline || args.config.is_some() {
        if global.server.is_some() && args.config.is_some() && !args.offline {
            return Err(Failure::usage("--config is for deciding in this process, and a server was named too")
                .hint("Add --offline, or leave out --config, or --server and $NOVACRON_SERVER."));
        }
        return Ok(true);
    }
    if global.server.is_some() || global.token_file.is_some() {
        return Ok(false);
    }
    let address = DEFAULT_SERVER.trim_start_matches("http://").parse();
    let listens = address.is_ok_and(|address| TcpStream::connect_timeout(&address, Duration::from_millis(500)).is_ok());
    Ok(!listens)
}

/// The decision of this process; nothing is kept.
#[derive(Serialize)]
struct Here<'a> {
    vm_id: &'a str,
    status: PlacementStatus,
    #[serde(flatten)]
    decision: &'a Decision,
    request: &'a PlacementRequest,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    why_not: &'a [WhyNotAnswer],
}

fn here(output: &Output, args: &PlaceArgs, request: &PlacementRequest) -> Result<()> {
    if args.create {
        return Err(Failure::refused("nothing can be created without a server")
            .hint("Start one with `novacron serve`, or leave out --create."));
    }
    let decided = offline::decide(output, args, request)?;
    let said = if args.offline || args.config.is_some() { "" } else { "No server was named and none listens. " };
    output.note(format_args!("{said}Decided in this process by {}; nothing is kept.\n", decided.by));
    let name = request.vm_id.as_deref().unwrap_or_default();
    let (decision, why_not) = (&decided.decision, decided.why_not.as_slice());
    let status = match decision.primary_placement {
        Some(_) => PlacementStatus::Decided,
        None => PlacementStatus::Infeasible,
    };
    let about = About { name, record: None, why_not };
    output.one(&Here { vm_id: name, status, decision, request, why_not }, || {
        decision::text(&about, decision, output.format == Format::Wide)
    })?;
    outcome(name, decision)
}

async fn asks(context: &Context, args: &PlaceArgs, mut request: PlacementRequest) -> Result<()> {
    if args.dry_run && !args.why_not.is_empty() {
        return Err(Failure::usage("--why-not is asked of a decision that is kept, and --dry-run keeps none")
            .hint("Leave out --dry-run, or decide in this process with --offline."));
    }
    let output = &context.output;
    let dry = "/placements?dry_run=true";
    request.create = args.create;
    if args.create {
        let plan: PlacementRecord = context.client.post(dry, &request).await?;
        if args.dry_run || plan.decision.primary_placement.is_none() {
            return explain::show(output, &plan, &[]);
        }
        output.note(explain::text(output, &plan, &[]));
        confirm(output, args.yes, "Make it there?").await?;
    }
    let record: PlacementRecord = context.client.post(if args.dry_run { dry } else { "/placements" }, &request).await?;
    if args.dry_run {
        output.note("Nothing was kept.\n");
    }
    let why_not = explain::why_not(context, &record.vm_id, &args.why_not).await?;
    let Some(operation) = &record.operation_id else { return explain::show(output, &record, &why_not) };
    work::begins(context, operation);
    let ended = work::follow(context, operation).await?;
    let record: PlacementRecord = context.client.get(&format!("/placements/{}", escape(&record.vm_id))).await?;
    explain::show(output, &record, &why_not)?;
    work::outcome(&ended)
}

/// That no place will do is no failure, and no success either.
pub fn outcome(name: &str, decision: &Decision) -> Result<()> {
    if decision.primary_placement.is_some() {
        return Ok(());
    }
    let name = if name.is_empty() { "the machine".to_owned() } else { format!("`{name}`") };
    let failure = Failure::new(Exit::Infeasible, format!("no place will do for {name}"));
    Err(match decision.relaxations.first() {
        Some(first) => failure.hint(format!(
            "Relax {}: {} in {} would do, at {}.",
            first.constraints.join(" and "),
            first.instance_type,
            first.region,
            crate::output::human::hourly(first.cost_per_hour.money())
        )),
        None => failure,
    })
}
