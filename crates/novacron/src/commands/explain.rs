//! `novacron explain`: a decision that was kept, in full.

use novacron_types::placement::{PlacementRecord, PlacementStatus, WhyNotAnswer};
use serde::Serialize;

use super::{Context, place};
use crate::{
    cli::ExplainArgs,
    client::{escape, with_query},
    exit::{Failure, Result},
    output::{
        Format, Output,
        decision::{self, About},
    },
};

pub async fn run(context: &Context, args: ExplainArgs) -> Result<()> {
    let Some(vm) = &args.vm else { return list(context, args.status.as_deref(), args.limit).await };
    let record: PlacementRecord = context.client.get(&format!("/placements/{}", escape(vm))).await?;
    let why_not = why_not(context, vm, &args.why_not).await?;
    show(&context.output, &record, &why_not)
}

async fn list(context: &Context, status: Option<&str>, limit: Option<u64>) -> Result<()> {
    let status = status.map(str::parse::<PlacementStatus>).transpose();
    let status = status.map_err(|error| Failure::usage(error.to_string()))?;
    let query = status.map(|status| ("status".to_owned(), status.to_string())).into_iter().collect();
    context.list::<PlacementRecord>("/placements", query, limit).await
}

/// The places that the words after `--why-not` mean, as words: all of them one, unless some are in quotes.
pub fn places_meant(words: &[String]) -> Vec<Vec<String>> {
    let split = |words: &str| words.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    match words.iter().any(|words| words.trim().contains(' ')) {
        true => words.iter().map(|words| split(words)).collect(),
        false if words.is_empty() => Vec::new(),
        false => vec![split(&words.join(" "))],
    }
}

/// Asks why places that somebody has in mind did not win.
pub async fn why_not(context: &Context, vm: &str, asked: &[String]) -> Result<Vec<WhyNotAnswer>> {
    let mut answers = Vec::new();
    for words in places_meant(asked) {
        let query: Vec<_> = words.into_iter().map(|word| ("place".to_owned(), word)).collect();
        let path = with_query(&format!("/placements/{}/why-not", escape(vm)), &query);
        answers.push(context.client.get(&path).await?);
    }
    Ok(answers)
}

#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    record: &'a PlacementRecord,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    why_not: &'a [WhyNotAnswer],
}

/// Prints a decision, and says by the exit code whether there is a place.
pub fn show(output: &Output, record: &PlacementRecord, why_not: &[WhyNotAnswer]) -> Result<()> {
    output.one(&Shown { record, why_not }, || text(output, record, why_not))?;
    place::outcome(&record.vm_id, &record.decision)
}

pub fn text(output: &Output, record: &PlacementRecord, why_not: &[WhyNotAnswer]) -> String {
    let about = About { name: &record.vm_id, record: Some(record), why_not };
    decision::text(&about, &record.decision, output.format == Format::Wide)
}
