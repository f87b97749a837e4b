//! `novacron catalog refresh`: today's prices, from the vendors' own price APIs, each by itself.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use novacron_catalog::refresh::{
    LastGood, MergePolicy, RefreshError, SaveError, SourceResult, Updated, fetch, merge_all,
};
use novacron_config::Config;
use novacron_provider::prices::{PriceProgress, PriceSource};
use novacron_types::ProviderKind;
use serde::Serialize;

use super::{
    configuration,
    diff::{rows, show},
    find,
};
use crate::{
    cli::CatalogFrom,
    commands::place::today,
    exit::{Exit, Failure, Result},
    output::{Column, Output, Row, human},
    placing, prices,
};

/// How often something is said while pages come.
const SAY_EVERY: Duration = Duration::from_secs(3);

/// What became of one source.
#[derive(Debug, Serialize)]
struct SourceRow {
    source: &'static str,
    kind: ProviderKind,
    /// `refreshed`, or `kept`: the prices of before.
    outcome: &'static str,
    changed: usize,
    confirmed: usize,
    added: usize,
    removed: usize,
    kept: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl SourceRow {
    fn new(result: &SourceResult) -> Self {
        let row = |outcome| Self {
            source: result.source,
            kind: result.kind,
            outcome,
            changed: 0,
            confirmed: 0,
            added: 0,
            removed: 0,
            kept: 0,
            error: None,
        };
        match &result.outcome {
            Ok(report) => Self {
                changed: report.changed,
                confirmed: report.confirmed,
                added: report.added,
                removed: report.removed,
                kept: report.kept,
                ..row("refreshed")
            },
            Err(error) => Self { error: Some(error.to_string()), ..row("kept") },
        }
    }
}

impl Row for SourceRow {
    fn columns() -> &'static [Column] {
        const COLUMNS: &[Column] = &[
            Column::new("SOURCE"),
            Column::new("CLOUD"),
            Column::new("PRICES"),
            Column::new("CHANGED"),
            Column::new("CONFIRMED"),
            Column::new("NEW"),
            Column::new("GONE"),
            Column::new("KEPT"),
            Column::new("WHY"),
        ];
        COLUMNS
    }
    fn cells(&self) -> Vec<String> {
        let count = |n: usize| human::thousands(n as u128);
        vec![
            self.source.to_owned(),
            self.kind.to_string(),
            self.outcome.to_owned(),
            count(self.changed),
            count(self.confirmed),
            count(self.added),
            count(self.removed),
            count(self.kept),
            self.error.clone().unwrap_or_default(),
        ]
    }
}

pub async fn run(output: &Output, from: &CatalogFrom, only: &[String], dry_run: bool, force: bool) -> Result<()> {
    if from.embedded {
        return Err(Failure::usage("the prices in the executable can't be refreshed").hint("Leave out --embedded."));
    }
    let config = configuration(output, from)?;
    let kinds = only.iter().map(|kind| find::kind(kind)).collect::<Result<Vec<_>>>()?;
    let sources = sources(output, &config, &kinds).await?;
    let (before, notes) = placing::catalog(Some(&config.data_dir))?;
    notes.iter().for_each(|note| output.note(note));
    let names: Vec<&str> = sources.iter().map(|source| source.name()).collect();
    output.note(format_args!("Asking {} …", names.join(", ")));
    let policy = MergePolicy { forced: force, ..MergePolicy::default() };
    let said = Mutex::new(Instant::now());
    let progress = |source: &'static str, so_far: PriceProgress| {
        let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.elapsed() >= SAY_EVERY {
            *said = Instant::now();
            output.note(format_args!("{source}: {} pages, {} prices", so_far.pages, so_far.rows));
        }
    };
    let fetched = tokio::select! {
        fetched = fetch(&before, &sources, today(), &progress) => fetched,
        _ = tokio::signal::ctrl_c() => return Err(Failure::new(Exit::Interrupted, "nothing was refreshed")),
    };
    let kept = LastGood::new(placing::catalog_folder(&config.data_dir));
    let Updated { before, refreshed, .. } = if dry_run {
        let refreshed = merge_all(&before, fetched, today(), &policy);
        Updated { before: Arc::unwrap_or_clone(before), refreshed, warnings: Vec::new() }
    } else {
        kept.update(fetched, today(), &policy).map_err(|error| not_kept(&error))?
    };
    let sources: Vec<SourceRow> = refreshed.sources.iter().map(SourceRow::new).collect();
    output.rows(&sources)?;
    for report in refreshed.sources.iter().filter_map(|source| source.outcome.as_ref().ok()) {
        output.note(report);
    }
    let failed: Vec<&SourceResult> = refreshed.sources.iter().filter(|source| source.outcome.is_err()).collect();
    if failed.len() < refreshed.sources.len() {
        if dry_run {
            output.note("Nothing is kept. What would change:");
            if output.for_people() {
                show(output, rows(&before, &refreshed.catalog), 0.0, 20)?;
            }
        } else {
            output.note(format_args!(
                "Kept in {}. `novacron catalog diff` shows what changed; a server that runs decides by it within seconds.",
                kept.path().display()
            ));
        }
    }
    match failed.as_slice() {
        [] => Ok(()),
        failed => Err(failure(failed, sources.len())),
    }
}

fn not_kept(error: &SaveError) -> Failure {
    let why = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    let hint = match error {
        SaveError::Io { source, .. } if source.kind() == std::io::ErrorKind::StorageFull => {
            "Make room on the disk; the prices of before are still there."
        }
        _ => "Name a directory of yours with --data-dir, or run as the server's user.",
    };
    Failure::failed(error.to_string()).why(why).hint(hint)
}

fn failure(failed: &[&SourceResult], of: usize) -> Failure {
    let names: Vec<String> = failed.iter().map(|source| source.kind.to_string()).collect();
    let first = failed[0].outcome.as_ref().err();
    let advice = first.and_then(|error| match error {
        RefreshError::Fetch(error) => error.advice.clone(),
        RefreshError::TooManyRemoved { .. } | RefreshError::MedianMoved { .. } => {
            Some("Add --force if you know that it is so.".to_owned())
        }
        _ => None,
    });
    Failure::failed(format!(
        "{} of {of} sources failed: {}; their prices are those of before",
        failed.len(),
        names.join(", ")
    ))
    .why(first.map(ToString::to_string).unwrap_or_default())
    .maybe_hint(advice)
}

/// The sources that were asked for, or those that can be asked as things stand.
async fn sources(output: &Output, config: &Config, only: &[ProviderKind]) -> Result<Vec<Arc<dyn PriceSource>>> {
    let mut sources = Vec::new();
    for kind in ProviderKind::CLOUDS {
        if !only.is_empty() && !only.contains(&kind) {
            continue;
        }
        match prices::source(config, kind).await? {
            Ok(source) => sources.push(source),
            Err(why) if only.is_empty() => output.note(format_args!("{kind} is not asked: {why}")),
            Err(why) => return Err(Failure::refused(format!("{kind} can't be asked for its prices")).why(why)),
        }
    }
    if sources.is_empty() {
        return Err(Failure::new(Exit::NothingToDo, "no price source is enabled")
            .hint("Look at `catalog.sources` in the configuration."));
    }
    Ok(sources)
}
