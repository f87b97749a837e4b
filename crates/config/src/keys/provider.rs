//! Keys of providers' blocks beside those of their kinds.

use super::PROGRAMMES;
use crate::schema::{Key, Kind, key};

pub const KINDS: &[&str] = &["aws", "azure", "gcp", "oci", "openstack", "libvirt", "vsphere", "files", "memory"];

/// Kinds whose machines run on hosts of one's own.
pub const HOST_KINDS: &[&str] = &["libvirt", "files", "openstack", "vsphere"];

/// Keys that every provider's block takes beside those of its kind.
pub const PROVIDER: &[Key] = &[
    key("enabled", Kind::Bool, "`false`: as if the block were not there.").default("true"),
    key("name", Kind::Text, "In `providers` only: its name, by which everything else refers to it."),
    key("kind", Kind::OneOf(KINDS), "In `providers` and `local` only.").alias(&["type"]),
    key("defaults", Kind::Block(DEFAULTS), "What to take where a machine's description is silent."),
];

const DEFAULTS: &[Key] = &[
    key(
        "instance_family",
        Kind::Text,
        "Where no type is named, the smallest of these that is large enough, by the beginning of their names (`t3`). Placement names a type.",
    ),
    key("spot_enabled", Kind::Bool, "Spare capacity will do where a request names no way of paying.").default("false"),
];

/// Keys of hosts of one's own, so that placement can weigh them against clouds.
pub const HOST: &[Key] = &[
    key(
        "capacity",
        Kind::Block(CAPACITY),
        "What is given to machines altogether; more than there is, if it is overcommitted.",
    )
    .default("what the provider reports"),
    key("architecture", Kind::OneOf(&["x86_64", "arm64"]), "Of its processors.").default("x86_64"),
    key(
        "cost",
        Kind::Block(COST),
        "What the whole costs. Either `per_hour`, or `price` and how long it lasts. Without it the cost is unknown.",
    ),
    key("power", Kind::Block(POWER), "What the whole draws, from which carbon follows. Without it that is unknown."),
    key("location", Kind::Location, "Where it stands, for latency."),
    key("country", Kind::Text, "Where it stands, as the two letters of ISO 3166-1 (`DE`), for compliance."),
    key("compliance", PROGRAMMES, "Programmes that its owner says it satisfies."),
];

const CAPACITY: &[Key] = &[
    key("vcpus", Kind::Cpus, "Virtual CPUs.").required(),
    key("memory", Kind::Capacity, "Memory.").required(),
    key("disk", Kind::Capacity, "Disk. Without it: what the provider reports."),
];

const WATTS: Kind = Kind::Integer { min: 0, max: 100_000_000 };

const COST: &[Key] = &[
    key("per_hour", Kind::Dollars, "What an hour costs, all in."),
    key("price", Kind::Dollars, "What it was bought for, spread evenly over its lifetime."),
    key("lifetime_years", Kind::Integer { min: 1, max: 50 }, "How long it is kept."),
    key("watts", WATTS, "What it draws on average, at the wall.").default("0"),
    key("price_per_kwh", Kind::Dollars, "What electricity costs.").default("0"),
    key("currency", Kind::OneOf(&["USD"]), "All prices are compared in US dollars: convert others.").default("USD"),
];

const POWER: &[Key] = &[
    key("idle_watts", WATTS, "What it draws without load.").required(),
    key("full_watts", WATTS, "What it draws at full load.").required(),
    key("grid_g_per_kwh", Kind::Integer { min: 0, max: 10_000 }, "Grams of CO2-equivalent per kWh of its electricity.")
        .required(),
];
