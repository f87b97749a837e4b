//! The command line: `novacron <noun> <verb>`.

mod catalog;
mod migrate;
mod place;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::{exit::EXIT_CODES, output::Format};

pub use catalog::{CatalogArgs, CatalogCommand, CatalogFrom, ListArgs};
pub use migrate::{CommonArgs, ExportArgs, ImportArgs, MigrateCommand, MoveArgs};
pub use place::{ApplyArgs, BurstArgs, ExplainArgs, HowArgs, PlaceArgs, PlanArgs};

const AFTER_HELP: &str = "\
Data goes to standard output, everything else to standard error.
Exit codes: `novacron help exit-codes`. Try it without an account: `novacron demo`.";

/// Makes virtual machines portable: sees them where they run, and moves them with a proof that not one byte changed.
#[derive(Debug, Parser)]
#[command(name = "novacron", version, after_help = AFTER_HELP, max_term_width = 110, propagate_version = false)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// The server's address. Default: http://127.0.0.1:8080.
    #[arg(long, global = true, value_name = "URL", env = "NOVACRON_SERVER")]
    pub server: Option<String>,
    /// A file with the token. $NOVACRON_TOKEN holds the token itself; there is no option for it, since everyone on
    /// a machine can read command lines.
    #[arg(long, global = true, value_name = "FILE", env = "NOVACRON_TOKEN_FILE")]
    pub token_file: Option<PathBuf>,
    /// A PEM file with the authority that signed the server's certificate. Default: the system's authorities.
    #[arg(long, global = true, value_name = "FILE", env = "NOVACRON_CACERT")]
    pub cacert: Option<PathBuf>,
    /// How to print data.
    #[arg(
        short,
        long,
        global = true,
        value_enum,
        value_name = "FORMAT",
        default_value_t,
        hide_possible_values = false
    )]
    pub output: Format,
    /// No colours. $NO_COLOR does the same.
    #[arg(long, global = true)]
    pub no_color: bool,
    /// Say nothing on standard error but errors.
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Say more; twice, say everything.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the control plane: API, operations, and a mover for the disks.
    #[command(after_help = "\
Examples:
  novacron serve --data-dir ./data
  novacron serve --config /etc/novacron/multicloud.yaml --listen 127.0.0.1:9000
SIGTERM and ctrl-C end it well; what is under way goes on at the next start.")]
    Serve(ServeArgs),
    #[cfg(feature = "sandbox")]
    /// See the whole product work, on an AWS in a box: no account, no root, no service.
    Demo(DemoArgs),
    /// The configured providers and what runs at them.
    #[command(subcommand)]
    Provider(ProviderCommand),
    /// The federation's machines.
    #[command(subcommand)]
    Vm(VmCommand),
    /// Move a machine: shows the plan, asks, then shows the progress.
    #[command(subcommand)]
    Migrate(MigrateCommand),
    /// The migrations that run and ran.
    #[command(subcommand)]
    Migration(MigrationCommand),
    /// The other long work that runs and ran: machines being made, bursts, and plans being carried out.
    #[command(subcommand)]
    Operation(OperationCommand),
    /// Where should a machine run, and why: on real prices, without an account, and without a server if need be.
    #[command(after_help = "\
Examples:
  novacron place web --cpu 4 --memory 8Gi --disk 100Gi --provider aws,azure --max-cost 0.20
  novacron place --cpu 2 --memory 4Gi --region eu --compliance GDPR --pricing on-demand,spot --why-not 'eu-west-1 m5.large'
  novacron place -f vm.yaml --offline -o json | jq .primary_placement
Where no server was named and none listens at the default address, it decides in this process. Exit code 8: no place will do;
then the answer says what to ask less of.")]
    Place(Box<PlaceArgs>),
    /// Show a decision that was made, in full: what was considered, what it costs, why the others lost.
    #[command(after_help = "Examples:\n  novacron explain web\n  novacron explain web --why-not 'us-east-1 m5.large'")]
    Explain(ExplainArgs),
    /// Make what manifests describe, or carry out a plan: shows the difference first, then asks. Idempotent.
    #[command(after_help = "\
Examples:
  novacron apply -f vm.yaml --dry-run
  novacron apply -f web.yaml -f db.yaml -y
  novacron apply --plan PLAN
Exit code 3: everything is so already.")]
    Apply(ApplyArgs),
    /// Find better places for the machines that there are: which to move, in which order, and what that saves.
    #[command(after_help = "\
Examples:
  novacron plan
  novacron plan --strategy carbon --max-moves 5
It changes nothing: `novacron apply --plan PLAN` carries it out. Exit code 3: nothing is worth moving.")]
    Plan(PlanArgs),
    /// Take machines that the local hosts have no room for to a cloud: shows the places first, then asks.
    #[command(
        after_help = "Examples:\n  novacron burst -f batch.yaml --dry-run\n  novacron burst web-1 web-2 --mode all-or-nothing -y"
    )]
    Burst(BurstArgs),
    /// Count the federation's machines by cloud and region, and what they cost.
    Statistics,
    /// Look at what can be bought where, for how much, and who says so.
    Catalog(CatalogArgs),
    /// Check and show the configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Look at disk images.
    #[command(subcommand)]
    Disk(DiskCommand),
    #[cfg(feature = "sandbox")]
    /// An AWS in a box, to play with and to test against.
    #[command(subcommand)]
    Sandbox(SandboxCommand),
    /// Print a script that completes commands in a shell.
    Completions {
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
    /// Print the version, and the kinds of provider that this build has.
    Version,
    /// What the exit codes mean.
    #[command(name = "exit-codes", long_about = EXIT_CODES, hide = true)]
    ExitCodes,
    /// Move disks for a control plane. `novacron serve` starts it.
    #[command(hide = true)]
    Mover(MoverArgs),
}

impl Command {
    /// Whether it only talks to a server.
    pub fn is_client(&self) -> bool {
        matches!(
            self,
            Self::Provider(_)
                | Self::Vm(_)
                | Self::Migrate(_)
                | Self::Migration(_)
                | Self::Operation(_)
                | Self::Place(_)
                | Self::Explain(_)
                | Self::Apply(_)
                | Self::Plan(_)
                | Self::Burst(_)
                | Self::Statistics
        )
    }
}

#[derive(Debug, Clone, Default, Args)]
pub struct ConfigFile {
    /// The configuration. Default: /etc/novacron/multicloud.yaml if it exists, else built-in defaults.
    #[arg(short, long, value_name = "FILE", env = "NOVACRON_CONFIG")]
    pub config: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct ServeArgs {
    #[command(flatten)]
    pub file: ConfigFile,
    /// Where to listen, instead of what the configuration says.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<std::net::SocketAddr>,
    /// Where to keep state, instead of what the configuration says.
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
}

#[cfg(feature = "sandbox")]
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// End when everything has been shown. Exit code 0 only if all proofs agree.
    #[arg(long)]
    pub once: bool,
    /// A directory to work in; it must not exist or be empty, and is kept. Default: a temporary one, removed at the end.
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// The demo's port. Default: 8080 if it is free, else any free one.
    #[arg(long, value_name = "PORT")]
    pub port: Option<u16>,
}

#[derive(Debug, Args)]
pub struct MoverArgs {
    /// The socket to listen on; its directory must be its owner's alone.
    #[arg(long, value_name = "PATH")]
    pub listen_unix: PathBuf,
    /// Where to remember what has been moved.
    #[arg(long, value_name = "DIR")]
    pub ledgers: PathBuf,
    /// Memory for data in flight, over all jobs.
    #[arg(long, value_name = "BYTES", default_value_t = 64 << 20)]
    pub buffer_bytes: u64,
    #[arg(long, default_value = "info")]
    pub log_level: String,
    #[arg(long)]
    pub log_json: bool,
    /// Default: standard error.
    #[arg(long, value_name = "FILE")]
    pub log_file: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub enum ProviderCommand {
    /// List the configured providers and what each can do.
    List,
    /// Ask every provider, or one, whether it answers and takes the credentials.
    Check {
        /// A provider's name or kind.
        provider: Option<String>,
    },
    /// List the machines at a provider.
    #[command(after_help = "\
Examples:
  novacron provider discover aws -f instance-state-name=running -f tag:Owner=web,db
  novacron provider discover aws -o json | jq -r '.[].instance_id'")]
    Discover {
        /// A provider's name or kind.
        provider: String,
        /// Only machines for which the vendor's filter NAME has one of the values:
        /// `instance-state-name=running,stopped`, `tag:Owner=web`. May be repeated.
        #[arg(short, long, value_name = "NAME=VALUE[,VALUE]")]
        filter: Vec<String>,
        /// Stop after so many.
        #[arg(long, value_name = "N", allow_negative_numbers = true)]
        limit: Option<u64>,
    },
}

#[derive(Debug, Subcommand)]
pub enum VmCommand {
    /// List the federation's machines.
    List {
        /// Only those at this provider.
        #[arg(long, value_name = "PROVIDER")]
        provider: Option<String>,
        /// Stop after so many.
        #[arg(long, value_name = "N", allow_negative_numbers = true)]
        limit: Option<u64>,
    },
    /// Show one in full.
    Show { vm: String },
}

#[derive(Debug, Subcommand)]
pub enum MigrationCommand {
    /// List migrations, newest first.
    List {
        /// Only those with this status: pending, preparing, transferring, held, finalizing, completed, rolling_back,
        /// rolled_back, cancelled, failed.
        #[arg(long)]
        status: Option<String>,
        /// Only those of this kind.
        #[arg(long, value_parser = ["import", "export", "migrate"])]
        kind: Option<String>,
        /// Stop after so many.
        #[arg(long, value_name = "N", allow_negative_numbers = true)]
        limit: Option<u64>,
    },
    /// Show one with its checkpoints and its proof.
    Show { migration: String },
    /// Follow one to its end. Ctrl-C stops following; the migration goes on.
    Watch { migration: String },
    /// Undo one that still can be undone, and follow it to its end.
    Cancel {
        migration: String,
        /// Return when the wish has been recorded.
        #[arg(long)]
        no_watch: bool,
    },
    /// Let a held one go on.
    Continue { migration: String },
    /// Take a failed one up again where it stopped.
    Retry { migration: String },
    /// Change the rate limit of a running one.
    #[command(after_help = "Examples:\n  novacron migration limit ID 20MB\n  novacron migration limit ID none")]
    Limit {
        migration: String,
        /// Bytes a second, such as 50MB or 100MiB; `none` for no limit.
        #[arg(allow_negative_numbers = true)]
        rate: String,
    },
}

#[derive(Debug, Subcommand)]
pub enum OperationCommand {
    /// List operations that are no migrations, newest first.
    List {
        /// Only those with this status; as of migrations.
        #[arg(long)]
        status: Option<String>,
        /// Only those of this kind.
        #[arg(long, value_parser = ["create", "burst", "rebalance"])]
        kind: Option<String>,
        /// Stop after so many.
        #[arg(long, value_name = "N", allow_negative_numbers = true)]
        limit: Option<u64>,
    },
    /// Show one with what it has come to so far.
    Show { operation: String },
    /// Follow one to its end. Ctrl-C stops following; the work goes on.
    Watch { operation: String },
    /// Undo one that still can be undone, and follow it to its end.
    Cancel {
        operation: String,
        /// Return when the wish has been recorded.
        #[arg(long)]
        no_watch: bool,
    },
    /// Take a failed one up again where it stopped, and follow it to its end.
    Retry {
        operation: String,
        /// Return when it has been taken up.
        #[arg(long)]
        no_watch: bool,
    },
}

#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Check every key, and say which have no effect in this version.
    Check(ConfigFile),
    /// Show the configuration with its defaults. Secrets show as ***.
    Show(ConfigFile),
    /// Print the JSON Schema of the configuration, or of another kind of manifest, for editors.
    Schema {
        #[arg(long, value_parser = ["FederationConfig", "VirtualMachine"], default_value = "FederationConfig")]
        kind: String,
    },
}

#[derive(Debug, Subcommand)]
pub enum DiskCommand {
    /// Print a disk image's content root: the same 64 digits mean the same bytes.
    Root {
        /// A raw or qcow2 image, or a block device.
        file: PathBuf,
        /// Read it as this format instead of looking at its first bytes.
        #[arg(long, value_parser = ["raw", "qcow2"])]
        format: Option<String>,
    },
}

#[cfg(feature = "sandbox")]
#[derive(Debug, Subcommand)]
pub enum SandboxCommand {
    /// Serve EC2, EBS direct, STS and CloudWatch on loopback until ctrl-C.
    Serve {
        /// Where to listen; loopback only.
        #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:4566")]
        listen: std::net::SocketAddr,
        /// Where to keep disk blocks. Default: a temporary directory, removed at the end.
        #[arg(long, value_name = "DIR")]
        data_dir: Option<PathBuf>,
        /// Seed a running instance in us-east-1 with this raw disk image. May be repeated.
        #[arg(long, value_name = "NAME=FILE")]
        instance: Vec<String>,
        /// Seed so many running instances without data.
        #[arg(long, value_name = "N", default_value_t = 0)]
        empty_instances: usize,
    },
}
