//! `novacron catalog refresh`: today's prices, from the vendors' own price APIs, each by itself.

mod display;

use std::{
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use futures::{Stream, StreamExt};
use novacron_catalog::{
    Catalog,
    refresh::{Fetched, Keeping, LastGood, MergePolicy, RefreshError, SaveError, SourceResult, fetch, put_over},
};
use novacron_config::Config;
use novacron_provider::prices::{PriceProgress, PriceSource};
use novacron_types::ProviderKind;

use super::{
    configuration,
    diff::{rows, show},
    find,
};
use crate::{
    cli::CatalogFrom,
    commands::place::today,
    exit::{Exit, Failure, Result},
    output::Output,
    placing, prices,
};
use display::Display;

/// How often something is said while pages come.
const SAY_EVERY: Duration = Duration::from_secs(3);

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
    let kept = LastGood::new(placing::catalog_folder(&config.data_dir));
    let keep_in = if dry_run { Kept::Here(before.clone()) } else { Kept::Files(Keeping::new(kept.clone())) };
    let keep_in = Arc::new(Mutex::new(keep_in));
    let said = Mutex::new(Instant::now());
    let progress = |source: &'static str, so_far: PriceProgress| {
        let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.elapsed() >= SAY_EVERY {
            *said = Instant::now();
            output.note(format_args!("{source}: {} pages, {} prices", so_far.pages, so_far.rows));
        }
    };
    let fetched = fetch(&before, &sources, today(), config.catalog.refresh_limit, &progress);
    // While one is kept, the others are still asked.
    let ended = fetched.map(|fetched| keep(keep_in.clone(), fetched, policy)).buffer_unordered(sources.len());
    let mut display = Display::new(output);
    let results = tokio::select! {
        results = show_each(ended, &mut display) => results?,
        _ = tokio::signal::ctrl_c() => return Err(Failure::new(
            Exit::Interrupted,
            "stopped before all prices were there: what was kept until then stays, the rest is as before",
        )),
    };
    display.end(&names)?;
    let failed: Vec<&SourceResult> = results.iter().filter(|source| source.outcome.is_err()).collect();
    if failed.len() < results.len() {
        if let Kept::Here(after) = &*keep_in.lock().unwrap_or_else(PoisonError::into_inner) {
            output.note("Nothing is kept. What would change:");
            if output.for_people() {
                show(output, rows(&before, after), 0.0, 20)?;
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

/// Where refreshed prices go.
enum Kept {
    Files(Keeping),
    /// Nowhere: this is only to see what would change.
    Here(Arc<Catalog>),
}

/// Merging takes a moment, and so may waiting for another refresh.
async fn keep(keep_in: Arc<Mutex<Kept>>, fetched: Fetched, policy: MergePolicy) -> Result<SourceResult> {
    let kept =
        tokio::task::spawn_blocking(move || match &mut *keep_in.lock().unwrap_or_else(PoisonError::into_inner) {
            Kept::Files(keeping) => keeping.keep(fetched, today(), &policy).map_err(|error| not_kept(&error)),
            Kept::Here(catalog) => Ok(put_over(Arc::make_mut(catalog), fetched, today(), &policy)),
        });
    kept.await.map_err(|error| Failure::failed("the prices can't be kept").why(error))?
}

async fn show_each(
    ended: impl Stream<Item = Result<SourceResult>>,
    display: &mut Display<'_>,
) -> Result<Vec<SourceResult>> {
    let mut ended = pin!(ended);
    let mut results = Vec::new();
    while let Some(result) = ended.next().await {
        let result = result?;
        display.one(&result)?;
        results.push(result);
    }
    Ok(results)
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
