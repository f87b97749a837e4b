//! The options of looking at prices.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use novacron_types::ByteSize;

#[derive(Debug, Args)]
pub struct CatalogArgs {
    #[command(flatten)]
    pub from: CatalogFrom,
    #[command(subcommand)]
    pub command: CatalogCommand,
}

/// Which prices.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Which prices")]
pub struct CatalogFrom {
    /// The configuration, whose data directory has the refreshed prices. Default: $NOVACRON_CONFIG, else
    /// /etc/novacron/multicloud.yaml if it exists, else the prices in the executable.
    #[arg(short, long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The data directory that has them, instead of what the configuration says.
    #[arg(long, global = true, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// The prices in the executable, whatever was refreshed.
    #[arg(long, global = true, conflicts_with_all = ["config", "data_dir"])]
    pub embedded: bool,
}

#[derive(Debug, Subcommand)]
pub enum CatalogCommand {
    /// List what can be bought, the cheapest first.
    #[command(after_help = "\
Examples:
  novacron catalog list --region us-east --min-cpu 4 --min-memory 16Gi
  novacron catalog list --kind gcp --type n2 --pricing spot -n 0 -o csv")]
    List(ListArgs),
    /// Show an instance type: what it is, and what it costs in each region or in one.
    #[command(
        after_help = "Examples:\n  novacron catalog show m5.large\n  novacron catalog show e2-standard-4 us-central1"
    )]
    Show {
        /// The vendor's name, such as m5.large.
        #[arg(value_name = "TYPE")]
        instance_type: String,
        /// The vendor's region, or a group such as us-east.
        region: Option<String>,
        /// Only of this kind, where several have a type of that name.
        #[arg(long)]
        kind: Option<String>,
    },
    /// What a machine costs with its disks and its traffic, each way of paying beside the others.
    #[command(after_help = "\
Examples:
  novacron catalog estimate m5.large us-east-1 --disk 100
  novacron catalog estimate m5.large us-east-1 --disk 100:gp3 --disk 500:st1 --traffic 500")]
    Estimate {
        #[arg(value_name = "TYPE")]
        instance_type: String,
        region: String,
        /// GB, and the vendor's word for the disk where it is not the usual one. May be repeated.
        #[arg(long, value_name = "GB[:NAME]")]
        disk: Vec<String>,
        /// GB a month that leave the region, to the internet or to another region. May be repeated.
        #[arg(long, value_name = "GB[:REGION]")]
        traffic: Vec<String>,
        /// Of so many hours as well: their part of a month of 730.
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=876_000))]
        hours: Option<u32>,
    },
    /// List the regions, and what is known of each.
    Regions {
        /// Only of this kind: aws, azure, gcp or oci.
        #[arg(long)]
        kind: Option<String>,
        /// Only those that this stands for: a region, a zone, or a group such as eu.
        region: Option<String>,
    },
    /// List where the figures are from: whose, under which licence, how old, and by which rule where they are derived.
    Sources,
    /// What a refresh changed, or how two catalogs differ.
    #[command(after_help = "\
Examples:
  novacron catalog diff                       # the last refresh
  novacron catalog diff embedded current      # all refreshes since this program was built
  novacron catalog diff old.snapshot new.snapshot")]
    Diff {
        /// `embedded`, `previous`, `current`, or a snapshot's file.
        #[arg(default_value = "previous")]
        old: String,
        #[arg(default_value = "current")]
        new: String,
        /// Only changes of at least so many percent.
        #[arg(long, value_name = "PERCENT", default_value_t = 0.0)]
        least: f64,
        /// Stop after so many; 0 for all.
        #[arg(short = 'n', long, value_name = "N", default_value_t = 100)]
        limit: usize,
    },
    /// Ask the vendors for today's prices, each by itself; what fails keeps the prices of before.
    #[command(after_help = "\
Examples:
  novacron catalog refresh --source azure,oci --dry-run
  novacron catalog refresh --config multicloud.yaml
Azure's and Oracle's prices need no account, Google's an API key (`catalog.sources.gcp.api_key`), and AWS's the credentials of a
configured provider.")]
    Refresh {
        /// Only these: aws, azure, gcp, oci. Default: those that are configured or need no account.
        #[arg(long, value_name = "A,B", value_delimiter = ',')]
        source: Vec<String>,
        /// Say what would change, and keep nothing.
        #[arg(long)]
        dry_run: bool,
        /// Take prices that are not believed: most offers gone, or prices many times those before.
        #[arg(long)]
        force: bool,
    },
}

#[derive(Debug, Args)]
pub struct ListArgs {
    /// Only of this kind: aws, azure, gcp or oci.
    #[arg(long)]
    pub kind: Option<String>,
    /// Only in these: regions, zones, or groups such as us-east.
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub region: Vec<String>,
    /// Only types whose names begin with one of these.
    #[arg(long = "type", value_name = "A,B", value_delimiter = ',')]
    pub types: Vec<String>,
    #[arg(long, value_name = "N")]
    pub min_cpu: Option<u32>,
    #[arg(long, value_name = "SIZE")]
    pub min_memory: Option<ByteSize>,
    /// Only with accelerators whose model has this in its name; `any` for any.
    #[arg(long, value_name = "MODEL")]
    pub gpu: Option<String>,
    #[arg(long, value_name = "ARCH", value_parser = ["x86_64", "amd64", "arm64", "aarch64"])]
    pub arch: Option<String>,
    /// on-demand, spot, commit-1y or commit-3y. Default: on-demand.
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub pricing: Vec<String>,
    /// Stop after so many; 0 for all.
    #[arg(short = 'n', long, value_name = "N", default_value_t = 50)]
    pub limit: usize,
}
