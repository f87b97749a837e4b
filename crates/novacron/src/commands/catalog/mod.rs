//! `novacron catalog …`: what can be bought, for how much, and who says so. No server is asked.

mod diff;
mod estimate;
mod find;
mod list;
mod refresh;
mod regions;
mod rows;
mod show;
mod sources;

use std::{path::PathBuf, sync::Arc};

use novacron_catalog::Catalog;
use novacron_config::{Config, Overrides};

use super::config;
use crate::{
    cli::{CatalogArgs, CatalogCommand, CatalogFrom, ConfigFile},
    exit::Result,
    output::Output,
    placing,
};

pub async fn run(output: &Output, args: CatalogArgs) -> Result<()> {
    let from = &args.from;
    match args.command {
        CatalogCommand::List(args) => list::run(output, prices(output, from)?.as_ref(), &args),
        CatalogCommand::Show { instance_type, region, kind } => {
            show::run(output, prices(output, from)?.as_ref(), &instance_type, region.as_deref(), kind.as_deref())
        }
        CatalogCommand::Estimate { instance_type, region, disk, traffic, hours } => {
            estimate::run(output, prices(output, from)?.as_ref(), &instance_type, &region, &disk, &traffic, hours)
        }
        CatalogCommand::Regions { kind, region } => {
            regions::run(output, prices(output, from)?.as_ref(), kind.as_deref(), region.as_deref())
        }
        CatalogCommand::Sources => sources::run(output, prices(output, from)?.as_ref()),
        CatalogCommand::Diff { old, new, least, limit } => diff::run(output, from, &old, &new, least, limit),
        CatalogCommand::Refresh { source, dry_run, force } => refresh::run(output, from, &source, dry_run, force).await,
    }
}

/// The prices that were asked for.
fn prices(output: &Output, from: &CatalogFrom) -> Result<Arc<Catalog>> {
    let folder = if from.embedded { None } else { Some(data_dir(output, from)?) };
    let (catalog, notes) = placing::catalog(folder.as_deref())?;
    notes.iter().for_each(|note| output.note(note));
    Ok(catalog)
}

/// Where refreshed prices are kept.
fn data_dir(output: &Output, from: &CatalogFrom) -> Result<PathBuf> {
    match &from.data_dir {
        Some(dir) => Ok(dir.clone()),
        None => Ok(configuration(output, from)?.data_dir),
    }
}

/// The configuration. One that nobody named and that can't be read is left out, and that is said.
fn configuration(output: &Output, from: &CatalogFrom) -> Result<Config> {
    let overrides = Overrides { data_dir: from.data_dir.clone(), ..Overrides::default() };
    match config::load(&ConfigFile { config: from.config.clone() }, overrides.clone()) {
        Ok(loaded) => Ok(loaded.config),
        Err(failure) if from.config.is_some() => Err(failure),
        Err(failure) => {
            output.note(format_args!("{failure}\n  It is left out; name it with --config to use it."));
            config::defaults(overrides)
        }
    }
}
