//! Prices on schedule, by `novacron catalog refresh` as a child: reading all of a vendor's prices takes a hundred megabytes and
//! more, which go with it.

use std::{
    path::PathBuf,
    process::{Output, Stdio},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use novacron_config::Loaded;
use novacron_control::{CloudRefreshed, PriceRefresh, RefreshSettings, Schedule};
use novacron_types::ProviderKind;
use serde::Deserialize;
use tokio::process::Command;

use crate::{exit::Result, prices};

/// The vendors are asked for hundreds of pages, at their pace.
const LIMIT: Duration = Duration::from_secs(3600);

/// The schedule, if there is one; and which clouds it does not ask, and why.
pub async fn settings(loaded: &Loaded, notes: &mut Vec<String>) -> Result<Option<RefreshSettings>> {
    let config = &loaded.config;
    let Some(schedule) = config.catalog.refresh_schedule.clone() else { return Ok(None) };
    for kind in ProviderKind::CLOUDS {
        if let Err(why) = prices::source(config, kind).await? {
            notes.push(format!("`catalog.refresh_schedule`: {kind} is not asked for its prices: {why}"));
        }
    }
    let schedule = Schedule(Arc::new(move |now| schedule.next(now)));
    let prices = Arc::new(Child { config: loaded.file.clone(), data_dir: config.data_dir.clone() });
    Ok(Some(RefreshSettings { schedule, prices }))
}

struct Child {
    config: Option<PathBuf>,
    data_dir: PathBuf,
}

/// A row of what the command prints.
#[derive(Deserialize)]
struct Row {
    kind: String,
    outcome: String,
    changed: u64,
    confirmed: u64,
    added: u64,
    removed: u64,
    #[serde(default)]
    error: Option<String>,
}

#[async_trait]
impl PriceRefresh for Child {
    async fn refresh(&self) -> std::result::Result<Vec<CloudRefreshed>, String> {
        let mut command = Command::new(std::env::current_exe().map_err(|error| error.to_string())?);
        command.args(["catalog", "refresh", "--output", "json", "--quiet", "--data-dir"]).arg(&self.data_dir);
        if let Some(config) = &self.config {
            command.arg("--config").arg(config);
        }
        command.stdin(Stdio::null()).kill_on_drop(true);
        let ended = tokio::time::timeout(LIMIT, command.output()).await;
        let ended = ended.map_err(|_| format!("it was not done within {} minutes", LIMIT.as_secs() / 60))?;
        outcome(&ended.map_err(|error| error.to_string())?)
    }
}

fn outcome(ended: &Output) -> std::result::Result<Vec<CloudRefreshed>, String> {
    if let Ok(rows) = serde_json::from_slice::<Vec<Row>>(&ended.stdout) {
        return Ok(rows.into_iter().map(cloud).collect());
    }
    let said = String::from_utf8_lossy(&ended.stderr);
    match said.trim() {
        "" => Err(format!("the command that asks for them ended: {}", ended.status)),
        said => Err(said.chars().take(2000).collect()),
    }
}

fn cloud(row: Row) -> CloudRefreshed {
    let Row { kind, outcome, changed, confirmed, added, removed, error } = row;
    let outcome = match (outcome.as_str(), error) {
        ("refreshed", None) => Ok(format!("{changed} changed, {confirmed} confirmed, {added} new, {removed} gone")),
        (_, why) => Err(why.unwrap_or_default()),
    };
    CloudRefreshed { cloud: kind, outcome }
}
