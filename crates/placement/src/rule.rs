//! What rules a place out, and the words for it.

use novacron_types::{Architecture, ByteSize, Money, placement::GpuNeed};

/// The most rules of one question: each is a bit.
pub(crate) const MOST: usize = 64;

/// One hard rule.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Rule {
    /// Stable: `memory`, `policy:data-residency`.
    pub name: String,
    pub kind: Kind,
}

/// What a rule asks, with what it takes to say so.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kind {
    Cpu(u32),
    Memory(u64),
    Disk(u64),
    Architecture(Architecture),
    Gpu(GpuNeed),
    Steady,
    Bandwidth(u32),
    /// Types or families, and whether one of them or none of them.
    Types {
        names: Vec<String>,
        allowed: bool,
    },
    /// Providers or kinds.
    Providers {
        names: Vec<String>,
        allowed: bool,
    },
    Regions {
        names: Vec<String>,
        allowed: bool,
    },
    ComplianceZones(Vec<String>),
    /// Government, Chinese and sovereign regions and local zones are had by name only.
    Sector,
    Configured,
    RunsGuests,
    Latency {
        to: String,
        micros: u64,
    },
    Programme(&'static str),
    /// Thousandths of a percent.
    Sla(u32),
    Pricing(Vec<String>),
    Cost {
        /// 10⁻⁹ USD an hour.
        nanos: i128,
        /// Less than that, and not as much.
        less: bool,
    },
    /// Every part that was asked for has a price.
    Priced,
    Fresh(u32),
    Currency,
    Quota(String),
    Policy {
        name: String,
        asks: String,
    },
}

impl Rule {
    /// In words, as what is asked.
    pub fn asks(&self) -> String {
        match &self.kind {
            Kind::Cpu(n) => format!("at least {n} vCPU{}", plural(u64::from(*n))),
            Kind::Memory(bytes) => format!("at least {} of memory", ByteSize(*bytes)),
            Kind::Disk(bytes) => format!("room for {} of disk", ByteSize(*bytes)),
            Kind::Architecture(architecture) => format!("an {} processor", architecture_name(*architecture)),
            Kind::Gpu(gpu) => gpu_words(gpu),
            Kind::Steady => "no burstable type and no shared core".to_owned(),
            Kind::Bandwidth(mbps) => format!("at least {mbps} Mbit/s, known"),
            Kind::Types { names, allowed: true } => format!("an instance type of {}", names.join(", ")),
            Kind::Types { names, .. } => format!("no instance type of {}", names.join(", ")),
            Kind::Providers { names, allowed: true } => format!("a provider of {}", names.join(", ")),
            Kind::Providers { names, .. } => format!("no provider of {}", names.join(", ")),
            Kind::Regions { names, allowed: true } => format!("a region of {}", names.join(", ")),
            Kind::Regions { names, .. } => format!("no region of {}", names.join(", ")),
            Kind::ComplianceZones(names) => format!("a region of the compliance zones {}", names.join(", ")),
            Kind::Sector => "a region that everyone can buy in (others are had by naming them)".to_owned(),
            Kind::Configured => "a provider that is configured here".to_owned(),
            Kind::RunsGuests => "a place that runs machines, and not only keeps disks".to_owned(),
            Kind::Latency { to, micros } => {
                format!("at most {} ms to {to} and back", *micros as f64 / 1e3)
            }
            Kind::Programme(name) => format!("a region that is listed for {name}"),
            Kind::Sla(milli) => format!("{} % promised by the vendor", f64::from(*milli) / 1e3),
            Kind::Pricing(names) => format!("paid as {}", names.join(" or ")),
            Kind::Cost { nanos, less } => format!("{} an hour", limit(*nanos, *less)),
            Kind::Priced => "a known price for every part that was asked for".to_owned(),
            Kind::Fresh(days) => format!("prices of at most {days} days ago"),
            Kind::Currency => "prices in USD".to_owned(),
            Kind::Quota(place) => format!("what is left of the quota of {place}"),
            Kind::Policy { asks, .. } => asks.clone(),
        }
    }
}

/// A limit is told with all the digits that somebody wrote.
pub(crate) fn limit(nanos: i128, less: bool) -> String {
    let amount = Money::usd_nanos(nanos);
    let words = amount.words();
    let exact = if nanos % 1000 == 0 { words } else { amount.to_string() };
    format!("{} {exact}", if less { "less than" } else { "at most" })
}

pub(crate) fn plural(n: u64) -> &'static str {
    if n == 1 { "" } else { "s" }
}

pub(crate) fn architecture_name(architecture: Architecture) -> &'static str {
    match architecture {
        Architecture::X86_64 => "x86_64",
        Architecture::Arm64 => "arm64",
    }
}

fn gpu_words(gpu: &GpuNeed) -> String {
    let model = gpu.model.as_deref().map(|model| format!(" of model {model}")).unwrap_or_default();
    let memory = gpu.memory_gb.map(|gb| format!(" with {}", ByteSize(gb.bytes))).unwrap_or_default();
    format!("at least {} GPU{}{model}{memory}", gpu.count, plural(u64::from(gpu.count)))
}
