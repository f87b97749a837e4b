//! Keys of deciding where machines run: orchestrator, policies, optimization, bursting, and the catalog of prices.

use super::PROGRAMMES;
use crate::schema::{Key, Kind, Referent, key};

pub const REGIONS: Kind = Kind::List(&Kind::Reference(Referent::Region));
pub const SHARE: Kind = Kind::Number { min: 0.0, max: 1_000_000.0 };
const PERCENT: Kind = Kind::Integer { min: 1, max: 100 };
const SCALARS: Kind = Kind::List(&Kind::Scalar);

/// Ways of paying.
pub const PRICING: &[&str] = &["on-demand", "spot", "commit-1y", "commit-3y", "spot-instances"];
pub const OPERATORS: &[&str] =
    &["<=", "<", ">=", ">", "!=", "==", "=", "in", "not-in", "notIn", "not_in", "contains", "exists", "near"];
pub const STRATEGIES: Kind = Kind::OneOf(&[
    "cost",
    "cost-optimized",
    "performance",
    "latency",
    "balanced",
    "compliance",
    "carbon",
    "carbon-footprint",
]);

pub const ORCHESTRATOR: &[Key] = &[
    key(
        "default_cloud",
        Kind::Reference(Referent::Provider),
        "Where a machine goes for which nothing else was said: a provider's name or kind.",
    ),
    key("placement_policy", STRATEGIES, "What placement prefers where a request names no strategy.")
        .default("balanced"),
    key("weights", Kind::Block(WEIGHTS), "How much each part of the score counts, instead of the strategy's weights."),
    key(
        "cost_optimization",
        Kind::Bool,
        "Look for savings: `optimization` runs, with the strategy `cost`, unless it says otherwise itself.",
    )
    .default("false"),
    key("auto_failover", Kind::Bool, "Fail over without being asked.").later(),
    key("load_balancing", Kind::Bool, "Spread new machines by capacity and by measured load.").default("false"),
    key("compliance_zones", REGIONS, "Regions or groups of regions outside of which no machine may be."),
    key(
        "max_cost_per_hour",
        Kind::Dollars,
        "The most that a machine may cost an hour, in dollars, all its parts together.",
    ),
    key(
        "performance_targets",
        Kind::Block(TARGETS),
        "What every place must offer; of these and a request's own the stricter count.",
    ),
    key(
        "location",
        Kind::Location,
        "Where the federation is: a region, or latitude and longitude. Latency is measured from there where a request says nothing else.",
    ),
    key("quotas", Kind::List(&Kind::Block(QUOTA)), "The most that may be used of a provider, or of all."),
];

pub const WEIGHTS: &[Key] = &[
    key("cost", SHARE, "Cheaper is better.").default("0"),
    key("performance", SHARE, "Faster is better.").default("0"),
    key("compliance", SHARE, "More of the asked programmes is better.").default("0"),
    key("location", SHARE, "Nearer is better.").default("0"),
    key("carbon", SHARE, "Less carbon is better.").default("0"),
];

pub const TARGETS: &[Key] = &[
    key("min_cpu", Kind::Cpus, "Virtual CPUs."),
    key("min_memory_gb", Kind::Number { min: 0.0, max: 1_048_576.0 }, "Memory in GiB."),
    key("max_latency_ms", Kind::Millis, "Round trip in milliseconds."),
    key(
        "min_bandwidth_mbps",
        Kind::Integer { min: 0, max: 100_000_000 },
        "Network in megabits a second: had all the time where the vendor states that, else the most it documents.",
    ),
    key("required_sla", Kind::Number { min: 0.0, max: 100.0 }, "Availability that the vendor promises, in percent."),
];

const QUOTA: &[Key] = &[
    key("provider", Kind::Reference(Referent::Provider), "A provider's name or kind. Without it: all together.")
        .alias(&["kind"]),
    key("region", Kind::Reference(Referent::Region), "Only there; with `provider`, what that provider has there."),
    key("vcpus", Kind::Integer { min: 0, max: 1_000_000_000 }, "Virtual CPUs at once."),
    key("instances", Kind::Integer { min: 0, max: 1_000_000_000 }, "Machines at once."),
    key("monthly_budget", Kind::Dollars, "Dollars a month of 730 hours."),
];

pub const POLICY: &[Key] = &[
    key("name", Kind::Text, "Its name in reasons. No two have the same.").required(),
    key("priority", Kind::Integer { min: 0, max: 1_000_000 }, "Higher ones decide first.").default("0"),
    key("condition", Kind::Block(CONDITION), "When it applies. Without one: always."),
    key("action", Kind::Block(ACTION), "What it does.").required(),
    key(
        "score_multiplier",
        Kind::Number { min: 0.01, max: 100.0 },
        "What the score of each place is multiplied by that the condition and the action's places match; more than 1 is better.",
    ),
];

const CONDITION: &[Key] = &[
    key(
        "type",
        Kind::OneOf(&["label", "workload", "cost", "performance", "compliance", "location"]),
        "What it looks at: a label or the workload of the machine; dollars an hour, the performance score (0 to 100), the programmes or the region of each place.",
    )
    .required(),
    key("key", Kind::Text, "Of `label`: which label."),
    key("operator", Kind::OneOf(OPERATORS), "How the two are compared.").default("=="),
    key("value", Kind::Scalar, "What it is compared with."),
    key("values", SCALARS, "As `value`, several, for `in` and `not-in`."),
];

const ACTION: &[Key] = &[
    key(
        "type",
        Kind::OneOf(&["restrict", "prefer", "distribute", "place", "migrate", "scale"]),
        "`restrict`: nowhere else than at these places. `prefer`: rather there. `place`: as `restrict`, of new machines only. `migrate`: those that exist move there. `distribute`: spread over at least so many providers or zones. `scale`: CPU and memory times `factor`.",
    )
    .required(),
    key(
        "providers",
        Kind::List(&Kind::Reference(Referent::Offer)),
        "Providers by name or kind; pricing models such as `spot-instances` too.",
    ),
    key("regions", REGIONS, "Regions, zones or groups of regions."),
    key("target", Kind::Reference(Referent::Place), "A provider, region or zone, beside those two lists."),
    key("min_providers", Kind::Integer { min: 1, max: 1000 }, "Of `distribute`."),
    key("min_zones", Kind::Integer { min: 1, max: 1000 }, "Of `distribute`."),
    key("group_by", Kind::Text, "Of `distribute`: machines with the same value of this label are spread among themselves."),
    key("factor", Kind::Number { min: 0.01, max: 100.0 }, "Of `scale`: more than 1 is larger."),
];

pub const OPTIMIZATION: &[Key] = &[
    key("enabled", Kind::Bool, "Whether to search on a schedule.")
        .default("the value of `orchestrator.cost_optimization`"),
    key("schedule", Kind::Schedule, "When, in UTC: minute, hour, day, month, weekday.")
        .default("`0 2 * * *`, daily at 2"),
    key(
        "strategies",
        Kind::List(&STRATEGIES),
        "What counts, the most important first, each once: a later one makes no machine worse by those before it.",
    )
    .default("only `cost-optimized`"),
    key("apply", Kind::Bool, "`true`: do what was planned. `false`: only plan and show it.").default("false"),
    key("max_moves", Kind::Integer { min: 1, max: 100_000 }, "Moves in one plan.").default("10"),
    key("min_saving", Kind::Dollars, "Dollars a month that a move must save, less than which is left alone.")
        .default("1"),
    key(
        "payback_days",
        Kind::Integer { min: 1, max: 3650 },
        "Within how many days a move must have saved what it costs.",
    )
    .default("30"),
    key(
        "hysteresis_percent",
        Kind::Integer { min: 0, max: 100 },
        "By how much the new place must be better than the old one, so that machines don't go to and fro.",
    )
    .default("5"),
];

pub const BURSTING: &[Key] = &[
    key("enabled", Kind::Bool, "Whether machines overflow without being asked. `POST /burst` works either way.")
        .default("false"),
    key("threshold_percent", PERCENT, "Use of a host, of CPU or memory, beyond which machines leave it.").default("80"),
    key("return_percent", PERCENT, "Use below which they come home. Less than the threshold.").default("60"),
    key("window_minutes", Kind::Integer { min: 1, max: 1440 }, "For how long use must have been beyond either.")
        .default("10"),
    key(
        "targets",
        Kind::List(&Kind::Reference(Referent::Provider)),
        "Where to: the best of these, which are no hosts of one's own. Without it: the best of all.",
    ),
    key("mode", Kind::OneOf(&["all-or-nothing", "best-effort"]), "Whether a part of what should leave may stay.")
        .default("best-effort"),
];

pub const CATALOG: &[Key] = &[
    key("max_age_days", Kind::Integer { min: 1, max: 36_500 }, "From when on a price is stale.").default("180"),
    key("stale", Kind::OneOf(&["mark", "refuse"]), "What happens to stale prices: they are marked, or not used.")
        .default("mark"),
    key(
        "refresh_schedule",
        Kind::Schedule,
        "When prices are fetched, in UTC. Without it: only by `novacron catalog refresh`.",
    ),
    key(
        "refresh_limit_seconds",
        Kind::Integer { min: 1, max: 86_400 },
        "How long a cloud may take to state all its prices; then those of before are kept. The clouds are asked side by side.",
    )
    .default("600"),
    key("sources", Kind::Block(SOURCES), "Whom prices are fetched from."),
];

const SOURCES: &[Key] = &[
    key("aws", Kind::Block(SOURCE), "Amazon's price lists."),
    key("azure", Kind::Block(SOURCE), "Azure's retail prices."),
    key("gcp", Kind::Block(GCP_SOURCE), "Google's Cloud Billing catalog, which wants an API key."),
    key("oci", Kind::Block(SOURCE), "Oracle's price list."),
];

const ENABLED: Key = key("enabled", Kind::Bool, "`false`: never asked; what is shipped holds.").default("true");
const ENDPOINT: Key = key("endpoint_url", Kind::Url, "Instead of the vendor's own address.");
const SOURCE: &[Key] = &[ENABLED, ENDPOINT];
const GCP_SOURCE: &[Key] =
    &[ENABLED, ENDPOINT, key("api_key", Kind::Text, "An API key of a Google Cloud project.").secret()];

/// A constraint of a manifest.
pub const CONSTRAINT: &[Key] = &[
    key(
        "type",
        Kind::OneOf(&[
            "provider",
            "region",
            "cost",
            "compliance",
            "sla",
            "bandwidth",
            "pricing",
            "instance-type",
            "architecture",
        ]),
        "What it is on.",
    )
    .required(),
    key("operator", Kind::OneOf(OPERATORS), "How: see the table below.").default("=="),
    key("value", Kind::Scalar, "Against what."),
    key("values", SCALARS, "As `value`, several, for `in` and `not-in`."),
    key("max_latency", Kind::Millis, "Of `near`: the longest round trip."),
];

pub const RULES: &[Key] = &[
    key("strategy", STRATEGIES, "What a good place is.").default("the configuration's `placement_policy`"),
    key("weights", Kind::Block(WEIGHTS), "Instead of the strategy's."),
    key("constraints", Kind::List(&Kind::Block(CONSTRAINT)), "What the place must be."),
    key("pricing", Kind::List(&Kind::OneOf(PRICING)), "Ways of paying that will do.").default("only `on-demand`"),
    key("max_cost_per_hour", Kind::Dollars, "The most that one machine may cost an hour, all its parts together."),
    key("compliance_requirements", PROGRAMMES, "Programmes that the region must be listed for, such as `HIPAA`."),
    key("performance_targets", Kind::Block(TARGETS), "What the place must offer."),
    key("preferred_regions", REGIONS, "Rather there than elsewhere."),
    key("near", Kind::Location, "What latency is measured to."),
    key("allow_burstable", Kind::Bool, "`false`: no burstable type and no shared core.").default("true"),
];
