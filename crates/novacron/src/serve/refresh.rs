//! Prices on schedule, by `novacron catalog refresh` as a child: reading all of a vendor's prices takes a hundred megabytes and
//! more, which go with it.

use std::{io, path::PathBuf, process::Stdio, sync::Arc, time::Duration};

use async_trait::async_trait;
use novacron_config::Loaded;
use novacron_control::{CloudRefreshed, OnCloudRefreshed, PriceRefresh, RefreshSettings, Schedule};
use novacron_types::ProviderKind;
use serde::Deserialize;
use tokio::{io::AsyncReadExt, process::Command};

use crate::{exit::Result, prices};

/// What it may take beside asking: to start, to wait for another refresh, and to keep what came.
const BESIDE: Duration = Duration::from_secs(300);

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
    let limit = config.catalog.refresh_limit + BESIDE;
    let prices = Arc::new(Child { config: loaded.file.clone(), data_dir: config.data_dir.clone(), limit });
    Ok(Some(RefreshSettings { schedule, prices }))
}

struct Child {
    config: Option<PathBuf>,
    data_dir: PathBuf,
    limit: Duration,
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
    async fn refresh(&self, each: OnCloudRefreshed<'_>) -> std::result::Result<(), String> {
        let mut command = Command::new(std::env::current_exe().map_err(|error| error.to_string())?);
        command.args(["catalog", "refresh", "--output", "json", "--quiet", "--data-dir"]).arg(&self.data_dir);
        if let Some(config) = &self.config {
            command.arg("--config").arg(config);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let ended = tokio::time::timeout(self.limit, follow(&mut command, each)).await;
        ended.unwrap_or_else(|_| Err(format!("it was not done within {} s", self.limit.as_secs())))
    }
}

/// Tells each row that the command prints, when it does.
async fn follow(command: &mut Command, each: OnCloudRefreshed<'_>) -> std::result::Result<(), String> {
    let words = |error: io::Error| error.to_string();
    let mut child = command.spawn().map_err(words)?;
    let (Some(mut stdout), Some(mut stderr)) = (child.stdout.take(), child.stderr.take()) else {
        return Err("its output can't be read".to_owned());
    };
    let rows = async {
        let mut rows = Rows::default();
        let mut piece = vec![0; 8 << 10];
        loop {
            let count = stdout.read(&mut piece).await?;
            if count == 0 {
                return io::Result::Ok(rows);
            }
            rows.push(&piece[..count]);
            while let Some(row) = rows.next() {
                each(cloud(row));
            }
        }
    };
    let mut said = Vec::new();
    let (rows, _, status) = tokio::try_join!(rows, stderr.read_to_end(&mut said), child.wait()).map_err(words)?;
    if rows.ended {
        return Ok(());
    }
    match String::from_utf8_lossy(&said).trim() {
        "" => Err(format!("the command that asks for them ended: {status}")),
        said => Err(said.chars().take(2000).collect()),
    }
}

/// The elements of an array of JSON that comes in pieces.
#[derive(Default)]
struct Rows {
    read: Vec<u8>,
    ended: bool,
}

impl Rows {
    fn push(&mut self, piece: &[u8]) {
        self.read.extend_from_slice(piece);
    }

    /// The next that is there as a whole.
    fn next(&mut self) -> Option<Row> {
        let begin = self.read.iter().position(|byte| !b" \n\r\t[,".contains(byte))?;
        self.read.drain(..begin);
        self.ended = self.read[0] == b']';
        let mut elements = serde_json::Deserializer::from_slice(&self.read).into_iter();
        let row = elements.next()?.ok()?;
        let end = elements.byte_offset();
        self.read.drain(..end);
        Some(row)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_taken_as_soon_as_they_are_whole() {
        let row = |kind: &str| {
            format!(
                "{{\n    \"kind\": \"{kind}\", \"outcome\": \"]\", \"changed\": 1, \"confirmed\": 2, \"added\": 3, \"removed\": 4\n  }}"
            )
        };
        let text = format!("[\n  {},\n  {}\n]\n", row("aws"), row("oci"));
        let first = text.find(",\n  {").unwrap();
        let (mut rows, mut seen) = (Rows::default(), Vec::new());
        for (i, byte) in text.bytes().enumerate() {
            rows.push(&[byte]);
            while let Some(row) = rows.next() {
                seen.push((i, row.kind));
            }
        }
        assert_eq!(seen[0], (first - 1, "aws".to_owned()));
        assert!(seen.len() == 2 && seen[1].1 == "oci" && rows.ended, "{seen:?}");

        let mut cut = Rows::default();
        cut.push(&text.as_bytes()[..first]);
        assert!(cut.next().is_some() && cut.next().is_none() && !cut.ended);
    }
}
