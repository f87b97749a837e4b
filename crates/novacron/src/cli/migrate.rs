//! The options of imports and exports, and what they say in a request.

use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use novacron_types::ByteSize;
use serde_json::{Map, Value};

#[derive(Debug, Subcommand)]
pub enum MigrateCommand {
    /// Bring an instance from a provider into the federation: to the local host, or to another provider.
    #[command(after_help = "\
Examples:
  novacron migrate import aws i-0123456789abcdef0 --dry-run
  novacron migrate import aws i-0123456789abcdef0 --name web --migration-type cold -y
  novacron migrate import aws-us-east i-0123456789abcdef0 --to kvm-1 --bandwidth-limit 50MB")]
    Import(ImportArgs),
    /// Take a VM of the federation to a provider.
    #[command(after_help = "\
Examples:
  novacron migrate export web aws --instance-type t3.medium --dry-run
  novacron migrate export web aws --instance-type m5.large --ebs-volume-type gp3 --ebs-iops 4000 -y")]
    Export(ExportArgs),
    /// Take an instance from one provider to another, by an image where both are of one vendor.
    #[command(after_help = "\
Examples:
  novacron migrate move aws-us-east i-0123456789abcdef0 aws-eu-west --dry-run
  novacron migrate move kvm-1 web aws --instance-type t3.medium -y")]
    Move(MoveArgs),
}

#[derive(Debug, Args)]
pub struct ImportArgs {
    /// The provider that has the instance; a name or a kind.
    pub provider: String,
    /// The instance's id there, as `novacron provider discover` shows it.
    pub instance: String,
    /// Where to; a provider's name or kind. Default: local.
    #[arg(long, value_name = "PROVIDER")]
    pub to: Option<String>,
    /// What to call the VM. Default: the instance's name, else its id.
    #[arg(long)]
    pub name: Option<String>,
    /// `snapshot` moves a crash-consistent snapshot and leaves the source running; `cold` stops it first.
    #[arg(long, value_parser = ["snapshot", "cold"])]
    pub migration_type: Option<String>,
    /// Terminate the instance once the target is verified and the grace period has passed.
    #[arg(long)]
    pub terminate_source: bool,
    #[command(flatten)]
    pub common: CommonArgs,
}

#[derive(Debug, Args)]
pub struct ExportArgs {
    /// The VM's id, as `novacron vm list` shows it.
    pub vm: String,
    /// The provider to take it to; a name or a kind.
    pub provider: String,
    /// What to call the instance. Default: the VM's name.
    #[arg(long)]
    pub name: Option<String>,
    #[command(flatten)]
    pub target: TargetArgs,
    #[command(flatten)]
    pub common: CommonArgs,
}

#[derive(Debug, Args)]
pub struct MoveArgs {
    /// The provider that has the instance; a name or a kind.
    pub source: String,
    /// The instance's id there.
    pub instance: String,
    /// The provider to take it to; a name or a kind.
    pub destination: String,
    /// What to call the new instance. Default: the instance's name, else its id.
    #[arg(long)]
    pub name: Option<String>,
    #[command(flatten)]
    pub target: TargetArgs,
    #[command(flatten)]
    pub common: CommonArgs,
}

/// What the machine becomes.
#[derive(Debug, Args)]
pub struct TargetArgs {
    /// Default: the smallest that holds the machine's CPUs and memory.
    #[arg(long, value_name = "TYPE")]
    pub instance_type: Option<String>,
    /// Delete the machine at its source once the target is verified and the grace period has passed.
    #[arg(long)]
    pub delete_source: bool,
    /// The kind of the new volumes, such as gp3.
    #[arg(long, value_name = "TYPE")]
    pub ebs_volume_type: Option<String>,
    /// Operations a second of the new volumes.
    #[arg(long, value_name = "N")]
    pub ebs_iops: Option<u32>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Verify {
    /// Check what the target stored.
    Stored,
    /// Check only what was sent.
    Transit,
}

#[derive(Debug, Args)]
pub struct CommonArgs {
    /// Show what would be done, and do nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask.
    #[arg(short, long)]
    pub yes: bool,
    /// Start it and return at once.
    #[arg(long, overrides_with = "watch")]
    pub no_watch: bool,
    /// Follow it to its end (the default).
    #[arg(long, hide = true)]
    pub watch: bool,
    /// Start the machine at the target.
    #[arg(long, overrides_with = "no_start")]
    pub start: bool,
    /// Leave the machine at the target stopped.
    #[arg(long)]
    pub no_start: bool,
    /// `vpc`: the target's configured network; `public`: the same with a public address; `default`: the provider's.
    #[arg(long, value_parser = ["vpc", "public", "default"])]
    pub network_mode: Option<String>,
    /// Ask for a dedicated path to the volumes.
    #[arg(long, value_name = "true|false", num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    pub ebs_optimized: Option<bool>,
    /// Give up and undo after so long (90s, 30m, 6h; a plain number is seconds).
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub timeout: Option<Duration>,
    /// Give up at the first error, even if it may go away.
    #[arg(long)]
    pub no_retry: bool,
    /// How the target's bytes are checked. Default: stored.
    #[arg(long, value_enum)]
    pub verify: Option<Verify>,
    /// Bytes a second, such as 50MB or 100MiB. `novacron migration limit` changes it later.
    #[arg(long, value_name = "RATE", allow_negative_numbers = true)]
    pub bandwidth_limit: Option<ByteSize>,
    /// Workers to a disk, 1 to 64.
    #[arg(long, value_name = "N")]
    pub parallel_transfers: Option<u32>,
    /// The extent that one worker takes, in MiB.
    #[arg(long, value_name = "MIB")]
    pub chunk_size_mb: Option<u32>,
    /// zstd's level, 1 to 19, between two movers. In this version one mover does all: nothing is compressed.
    #[arg(long, value_name = "LEVEL")]
    pub compression_level: Option<i32>,
    /// Send bytes as they are, even between two movers.
    #[arg(long)]
    pub no_compression: bool,
    /// Any option of the API by its name: `-O retry_on_failure=false`. May be repeated.
    #[arg(short = 'O', long = "option", value_name = "NAME=VALUE", value_parser = parse_option)]
    pub options: Vec<(String, Value)>,
}

impl ImportArgs {
    pub fn options(&self) -> Map<String, Value> {
        let mut map = self.common.base();
        put(&mut map, "migration_type", self.migration_type.clone());
        put(&mut map, "terminate_source", self.terminate_source.then_some(true));
        self.common.over(map)
    }
}

impl ExportArgs {
    pub fn options(&self) -> Map<String, Value> {
        self.target.options(&self.common)
    }
}

impl MoveArgs {
    pub fn options(&self) -> Map<String, Value> {
        self.target.options(&self.common)
    }
}

impl TargetArgs {
    fn options(&self, common: &CommonArgs) -> Map<String, Value> {
        let mut map = common.base();
        put(&mut map, "instance_type", self.instance_type.clone());
        put(&mut map, "delete_source", self.delete_source.then_some(true));
        put(&mut map, "ebs_volume_type", self.ebs_volume_type.clone());
        put(&mut map, "ebs_iops", self.ebs_iops);
        common.over(map)
    }
}

impl CommonArgs {
    fn base(&self) -> Map<String, Value> {
        let mut map = Map::new();
        put(&mut map, "start", self.start.then_some(true).or(self.no_start.then_some(false)));
        put(&mut map, "network_mode", self.network_mode.clone());
        put(&mut map, "ebs_optimized", self.ebs_optimized);
        put(&mut map, "timeout", self.timeout.map(|timeout| timeout.as_secs()));
        put(&mut map, "retry_on_failure", self.no_retry.then_some(false));
        put(&mut map, "verify_integrity", self.verify.map(|verify| matches!(verify, Verify::Stored)));
        put(&mut map, "bandwidth_limit", self.bandwidth_limit.map(|limit| limit.0));
        put(&mut map, "parallel_transfers", self.parallel_transfers);
        put(&mut map, "chunk_size_mb", self.chunk_size_mb);
        put(&mut map, "compression_level", self.compression_level);
        put(&mut map, "compression_enabled", self.no_compression.then_some(false));
        map
    }

    /// What was given by name wins.
    fn over(&self, mut map: Map<String, Value>) -> Map<String, Value> {
        map.extend(self.options.iter().cloned());
        map
    }
}

fn put(map: &mut Map<String, Value>, key: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        map.insert(key.to_owned(), value.into());
    }
}

/// `name=value`; the value is JSON where it reads as such, else text.
fn parse_option(text: &str) -> Result<(String, Value), String> {
    let (name, value) = text.split_once('=').ok_or("write it as NAME=VALUE")?;
    if name.is_empty() {
        return Err("the name is missing before `=`".to_owned());
    }
    let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
    Ok((name.to_owned(), value))
}

/// Seconds, or a number with a unit.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is not a length of time; write 90s, 30m or 6h");
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let factor = match unit.trim() {
        "" | "s" => 1,
        "m" | "min" => 60,
        "h" => 3600,
        "d" => 86400,
        _ => return Err(wrong()),
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    number.checked_mul(factor).map(Duration::from_secs).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{CommandFactory, Parser};
    use serde_json::json;

    use crate::cli::{Cli, Command};

    fn import(args: &[&str]) -> Map<String, Value> {
        let all = ["novacron", "migrate", "import", "aws", "i-1"].iter().chain(args);
        match Cli::try_parse_from(all).unwrap().command {
            Command::Migrate(MigrateCommand::Import(args)) => args.options(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_grammar_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn only_what_was_said_is_asked_for() {
        assert_eq!(import(&[]), Map::new());
        let said = import(&[
            "--terminate-source",
            "--no-start",
            "--timeout",
            "2h",
            "--verify",
            "transit",
            "--bandwidth-limit",
            "50MB",
            "--ebs-optimized",
            "-O",
            "network_mode=public",
            "-O",
            "chunk_size_mb=8",
            "--chunk-size-mb",
            "4",
        ]);
        let expected = json!({
            "terminate_source": true, "start": false, "timeout": 7200, "verify_integrity": false,
            "bandwidth_limit": 50_000_000, "ebs_optimized": true, "network_mode": "public", "chunk_size_mb": 8,
        });
        assert_eq!(Value::Object(said), expected);
    }

    #[test]
    fn times_are_read() {
        assert_eq!(parse_duration("90").unwrap().as_secs(), 90);
        assert_eq!(parse_duration("6h").unwrap().as_secs(), 21600);
        for bad in ["", "h", "1.5h", "-1", "1 fortnight", "99999999999999999d"] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
    }
}
