//! Keys of the manifests. They are written in camelCase, and in snake_case too.

use super::{TOP, placement::RULES};
use crate::schema::{Key, Kind, Referent, key};

const API_VERSION: Key =
    key("apiVersion", Kind::OneOf(&[novacron_types::manifest::API_VERSION]), "The version of the form.").required();

/// The second form: `kind: FederationConfig`. Its `spec` takes the keys of the first, in camelCase too.
pub const FEDERATION: &[Key] = &[
    API_VERSION,
    key("kind", Kind::OneOf(&["FederationConfig"]), "Tells the two forms apart.").required(),
    key("metadata", Kind::Block(METADATA), "About the document."),
    key("spec", Kind::Block(TOP), "The keys of `multicloud.yaml`, written in snake_case or camelCase."),
];

const METADATA: &[Key] = &[
    key("name", Kind::Text, "The federation's name.").later(),
    key("labels", Kind::Map, "For people.").later(),
    key("annotations", Kind::Map, "For people.").later(),
];

/// `kind: VirtualMachine`.
pub const VIRTUAL_MACHINE: &[Key] = &[
    API_VERSION,
    key("kind", Kind::OneOf(&["VirtualMachine"]), "Tells what the document is.").required(),
    key("metadata", Kind::Block(MACHINE_METADATA), "About the machine.").required(),
    key("spec", Kind::Block(MACHINE), "The machine, and where it may be.").required(),
];

const MACHINE_METADATA: &[Key] = &[
    key(
        "name",
        Kind::Text,
        "Its name: at most 128 letters, digits, `-`, `_` and `.`. No two machines of a file have the same.",
    )
    .required(),
    key("labels", Kind::Map, "Tags of the machine; policies ask for them."),
    key("annotations", Kind::Map, "For people and other programs."),
];

const MACHINE: &[Key] = &[
    key("federation", Kind::Block(MACHINE_FEDERATION), "Where it may be."),
    key(
        "replicas",
        Kind::Integer { min: 1, max: 10_000 },
        "How many machines there are of this description: `web-0`, `web-1` and so on.",
    )
    .default("1"),
    key("template", Kind::Block(TEMPLATE), "What it is.").required(),
];

const MACHINE_FEDERATION: &[Key] = &[
    key("enabled", Kind::Bool, "`false`: it stays on the federation's own host, `local`.").default("true"),
    key("placement", Kind::Block(RULES), "What is asked of its place."),
    key("failover", Kind::Block(FAILOVER), "What happens when its place fails."),
];

const FAILOVER: &[Key] = &[
    key("enabled", Kind::Bool, "Whether it goes elsewhere.").default("false").later(),
    key("priority", Kind::List(&Kind::Reference(Referent::Provider)), "Where to, in this order.").later(),
];

const TEMPLATE: &[Key] = &[key("spec", Kind::Block(TEMPLATE_SPEC), "What the machine is.").required()];

const TEMPLATE_SPEC: &[Key] = &[
    key("resources", Kind::Block(RESOURCES), "How large it is.").required(),
    key("architecture", Kind::OneOf(&["x86_64", "arm64"]), "Of its processor.").default("x86_64"),
    key("instance_type", Kind::Text, "Exactly this one of the vendor's types."),
    key(
        "image",
        Kind::Text,
        "What it starts from: the provider's image id, or a name that its configuration maps to one.",
    ),
    key("user_data", Kind::Text, "Given to cloud-init at first boot.").secret(),
    key("workload", Kind::Text, "Such as `batch`; policies ask for it."),
    key("disk_type", Kind::Text, "The vendor's word for the disk.").default("the kind's usual one"),
    key(
        "traffic_gb_per_month",
        Kind::Integer { min: 0, max: 1_000_000_000 },
        "GB a month to the internet, for the estimate.",
    ),
];

const RESOURCES: &[Key] = &[
    key("cpu", Kind::Cpus, "Virtual CPUs.").required(),
    key("memory", Kind::Capacity, "Memory.").required(),
    key("disk", Kind::Capacity, "Disk."),
    key("gpu", Kind::Block(GPU), "Accelerators."),
];

const GPU: &[Key] = &[
    key("count", Kind::Integer { min: 1, max: 1024 }, "How many.").default("1"),
    key("model", Kind::Text, "Part of the model's name, whatever the case: `a100`."),
    key("memory_gb", Kind::Number { min: 0.0, max: 1_048_576.0 }, "GiB of all of them together."),
];
