//! The options of deciding where machines run.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use novacron_types::{ByteSize, MIB, ParseSizeError, placement::PlanMode};

#[derive(Debug, Args)]
pub struct PlaceArgs {
    /// The machine's name. Default: what --file says, else one is made.
    pub name: Option<String>,
    /// A `kind: VirtualMachine` manifest, or a request as the API takes it, in YAML or JSON; `-` is standard input. Options
    /// go before what it says.
    #[arg(short, long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// How many alternatives to show.
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=50))]
    pub alternatives: Option<u32>,
    /// Why a place that you have in mind did not win: a provider, region, type or way of paying, or several of them, such as
    /// us-east-1 m5.large. Several places: each in quotes, as 'us-east-1 m5.large' 'gcp spot'.
    #[arg(long, value_name = "WORDS", num_args = 1..)]
    pub why_not: Vec<String>,
    /// Also make the machine there, once you have seen the place and said yes. Needs --image.
    #[arg(long)]
    pub create: bool,
    /// What it starts from: the provider's image id, or a name that its configuration maps to one.
    #[arg(long)]
    pub image: Option<String>,
    /// Decide and show; keep and make nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Make it without asking.
    #[arg(short, long)]
    pub yes: bool,
    /// Decide in this process, from the catalog in the executable; no server is asked and nothing is kept.
    #[arg(long)]
    pub offline: bool,
    /// The configuration to decide by in this process; implies --offline.
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    #[command(flatten)]
    pub machine: MachineArgs,
    #[command(flatten)]
    pub wish: WishArgs,
}

/// What the machine is.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "The machine")]
pub struct MachineArgs {
    /// Virtual CPUs.
    #[arg(long, value_name = "N", alias = "vcpus", allow_negative_numbers = true)]
    pub cpu: Option<u32>,
    /// Memory, such as 8Gi.
    #[arg(long, value_name = "SIZE", value_parser = capacity, allow_negative_numbers = true)]
    pub memory: Option<ByteSize>,
    /// Disk, such as 100Gi.
    #[arg(long, value_name = "SIZE", value_parser = capacity, allow_negative_numbers = true)]
    pub disk: Option<ByteSize>,
    /// The vendor's word for the disk, such as gp3. Default: the vendor's usual one.
    #[arg(long, value_name = "NAME")]
    pub disk_type: Option<String>,
    /// Accelerators, such as 1, or 2:A100.
    #[arg(long, value_name = "N[:MODEL]")]
    pub gpu: Option<String>,
    /// Default: x86_64.
    #[arg(long, value_name = "ARCH", value_parser = ["x86_64", "amd64", "arm64", "aarch64"])]
    pub arch: Option<String>,
    /// Exactly this instance type.
    #[arg(long = "type", value_name = "TYPE")]
    pub instance_type: Option<String>,
    /// No burstable type, and no part of a core.
    #[arg(long)]
    pub no_burstable: bool,
    /// GB a month to the internet.
    #[arg(long, value_name = "GB")]
    pub traffic: Option<u64>,
    /// Megabits a second that must be had all the time.
    #[arg(long, value_name = "MBIT")]
    pub bandwidth: Option<u32>,
    /// A label, which policies may ask for. May be repeated.
    #[arg(long, value_name = "KEY=VALUE")]
    pub label: Vec<String>,
    /// What it does, such as batch; policies may ask for it.
    #[arg(long, value_name = "WORD")]
    pub workload: Option<String>,
}

/// Where it may be, and what counts.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Its place")]
pub struct WishArgs {
    /// Only at these: names or kinds of providers.
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub provider: Vec<String>,
    /// Only in these: regions, zones, or groups such as us-east.
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub region: Vec<String>,
    /// Rather in these than elsewhere.
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub prefer: Vec<String>,
    /// What latency is measured to: a region, zone or group, or latitude and longitude such as 50.11,8.68.
    #[arg(long, value_name = "PLACE")]
    pub near: Option<String>,
    /// The longest round trip to --near, such as 10ms.
    #[arg(long, value_name = "TIME")]
    pub max_latency: Option<String>,
    /// The most that it may cost an hour, in USD, disks and traffic in it.
    #[arg(long, value_name = "USD", allow_negative_numbers = true)]
    pub max_cost: Option<String>,
    /// Programmes that the region must be listed for, such as HIPAA.
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub compliance: Vec<String>,
    /// Percent that the vendor must promise for machines over two zones.
    #[arg(long, value_name = "PERCENT", allow_negative_numbers = true)]
    pub sla: Option<f64>,
    /// Ways of paying that will do: on-demand, spot, commit-1y, commit-3y. Default: on-demand.
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub pricing: Vec<String>,
    /// What counts: cost-optimized, performance, balanced, compliance or carbon. Default: as configured, else balanced.
    #[arg(long)]
    pub strategy: Option<String>,
    /// What counts, instead of a strategy: cost=40,performance=30,compliance=20,location=10,carbon=0.
    #[arg(long, value_name = "PART=N,…")]
    pub weights: Option<String>,
    /// Only where a provider is configured that can make it.
    #[arg(long)]
    pub configured: bool,
}

#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// The VM's id or name, or the placement's id. Without one, what was decided is listed, the newest first.
    pub vm: Option<String>,
    /// Of the list, only those: decided, infeasible, creating, created or failed.
    #[arg(long, conflicts_with = "vm")]
    pub status: Option<String>,
    /// Stop the list after so many.
    #[arg(short = 'n', long, value_name = "N", conflicts_with = "vm")]
    pub limit: Option<u64>,
    /// Why a place that you have in mind did not win: a provider, region, type or way of paying, or several of them, such as
    /// us-east-1 m5.large. Several places: each in quotes, as 'us-east-1 m5.large' 'gcp spot'.
    #[arg(long, value_name = "WORDS", num_args = 1.., requires = "vm")]
    pub why_not: Vec<String>,
}

#[derive(Debug, Args)]
pub struct ApplyArgs {
    /// Manifests, YAML or JSON, several documents in one file if need be; `-` is standard input. May be repeated.
    #[arg(short, long, value_name = "FILE", required_unless_present = "plan")]
    pub file: Vec<PathBuf>,
    /// Carry out a plan that `novacron plan` made.
    #[arg(long, value_name = "PLAN", conflicts_with = "file")]
    pub plan: Option<String>,
    #[command(flatten)]
    pub how: HowArgs,
}

/// A size that a machine can have. Most who write a bare number think of GiB, and not of bytes.
fn capacity(text: &str) -> Result<ByteSize, String> {
    let size: ByteSize = text.parse().map_err(|error: ParseSizeError| error.to_string())?;
    if size.0 >= MIB {
        return Ok(size);
    }
    let bare = text.trim().bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') && size.0 > 0;
    let meant = if bare { format!("; did you mean {}Gi?", text.trim()) } else { String::new() };
    Err(format!("that is {size}, and no machine has less than a MiB{meant}"))
}

/// Plan before apply.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "How")]
pub struct HowArgs {
    /// Show what would be done, and do nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Do it without asking.
    #[arg(short, long)]
    pub yes: bool,
    /// Return when it has begun.
    #[arg(long)]
    pub no_watch: bool,
}

#[derive(Debug, Args)]
pub struct PlanArgs {
    /// What to be better in: cost-optimized, performance, balanced, compliance or carbon. Default: as configured.
    #[arg(long)]
    pub strategy: Option<String>,
    /// The most machines to move.
    #[arg(long, value_name = "N")]
    pub max_moves: Option<u32>,
    /// The least that a move must save a month, in USD.
    #[arg(long, value_name = "USD", allow_negative_numbers = true)]
    pub min_saving: Option<String>,
    /// In how many days a move must have paid for itself.
    #[arg(long, value_name = "DAYS")]
    pub payback_days: Option<u32>,
    /// By how many percent the new place must be better.
    #[arg(long, value_name = "PERCENT")]
    pub hysteresis: Option<u32>,
}

#[derive(Debug, Args)]
pub struct BurstArgs {
    /// VMs of local hosts, which then move to a cloud.
    pub vm: Vec<String>,
    /// New machines: `kind: VirtualMachine` manifests, or a request as the API takes it. May be repeated.
    #[arg(short, long, value_name = "FILE", required_unless_present = "vm")]
    pub file: Vec<PathBuf>,
    /// Default: as configured, else best-effort.
    #[arg(long, value_enum)]
    pub mode: Option<Mode>,
    #[command(flatten)]
    pub how: HowArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// Every machine is placed, or none is.
    AllOrNothing,
    /// As many as can be, at the least cost.
    BestEffort,
}

impl From<Mode> for PlanMode {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::AllOrNothing => Self::AllOrNothing,
            Mode::BestEffort => Self::BestEffort,
        }
    }
}
