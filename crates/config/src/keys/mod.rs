//! Every key. Add one here and it is checked, documented and in the JSON Schema.

mod manifest;
mod placement;
mod provider;

pub use manifest::{FEDERATION, VIRTUAL_MACHINE};
pub use placement::PRICING;
use placement::{BURSTING, CATALOG, OPTIMIZATION, ORCHESTRATOR, POLICY};
pub use provider::{HOST, HOST_KINDS, KINDS, PROVIDER};

use crate::schema::{Key, Kind, Referent, key};

const PROGRAMMES: Kind = Kind::List(&Kind::Reference(Referent::Programme));

pub const TOP: &[Key] = &[
    key("server", Kind::Block(SERVER), "How the API is served."),
    key("store", Kind::Block(STORE), "Where the state is kept."),
    key("data_dir", Kind::Path, "Databases, ledgers of transfers, sockets, and the disks of the local host.")
        .default("/var/lib/novacron"),
    key("logging", Kind::Block(LOGGING), "What is logged, how and where to."),
    key(
        "migration_options",
        Kind::Block(MIGRATION),
        "Defaults for every import and export; a request's own options go first.",
    ),
    key("mover", Kind::Block(MOVER), "The process that reads and writes disks."),
    key(
        "local",
        Kind::Provider,
        "The federation's own host: the provider `local`, of kind `files` unless `kind` says `libvirt`.",
    )
    .default("kind `files`, path `<data_dir>/disks`"),
    key("aws", Kind::Provider, "Amazon Web Services, as the provider `aws`."),
    key("azure", Kind::Provider, "Microsoft Azure, as the provider `azure`."),
    key("gcp", Kind::Provider, "Google Cloud, as the provider `gcp`."),
    key("oci", Kind::Provider, "Oracle Cloud, as the provider `oci`.").alias(&["oracle"]),
    key("openstack", Kind::Provider, "An OpenStack cloud, as the provider `openstack`."),
    key("libvirt", Kind::Provider, "A KVM host, as the provider `libvirt`."),
    key("vsphere", Kind::Provider, "A vCenter or ESXi host, as the provider `vsphere`.").alias(&["vmware"]),
    key("files", Kind::Provider, "A folder of disks, as the provider `files`."),
    key("providers", Kind::Providers, "Providers with names of their own, for several of one kind."),
    key("storage_options", Kind::Block(STORAGE), "How backups and images are kept."),
    key("orchestrator", Kind::Block(ORCHESTRATOR), "Where machines should run."),
    key("policies", Kind::List(&Kind::Block(POLICY)), "Rules for placement."),
    key("optimization", Kind::Block(OPTIMIZATION), "Regular search for better placements."),
    key("bursting", Kind::Block(BURSTING), "Overflow from hosts of one's own to clouds, and back."),
    key("catalog", Kind::Block(CATALOG), "Where prices are from, and how old they may be."),
    key("networking", Kind::Block(NETWORKING), "How the clouds are connected."),
];

const SERVER: &[Key] = &[
    key("listen", Kind::Address, "Where the API listens. Beyond loopback it needs `tls` and at least one token.")
        .default("127.0.0.1:8080"),
    key("tls", Kind::Block(TLS), "Serve HTTPS."),
    key("tokens", Kind::List(&Kind::Block(TOKEN)), "Who may call. Without any, everyone on this machine is admin."),
    key(
        "max_connections",
        Kind::Integer { min: 1, max: 100_000 },
        "Connections served at once; more wait to be accepted.",
    )
    .default("1024"),
    key(
        "shutdown_seconds",
        Kind::Integer { min: 0, max: 600 },
        "How long a stop waits for answers that are under way.",
    )
    .default("10"),
];

const TLS: &[Key] = &[
    key("cert_file", Kind::Path, "PEM file with the certificate and what chains it to its authority.").required(),
    key("key_file", Kind::Path, "PEM file with its private key.").required(),
];

pub const TOKEN: &[Key] = &[
    key("name", Kind::Text, "Who it is: the actor in the audit log.").required(),
    key(
        "role",
        Kind::OneOf(&["viewer", "operator", "admin"]),
        "What it may do: read; also start and cancel work; everything.",
    )
    .required(),
    key(
        "token",
        Kind::Text,
        "The token itself, at least 16 characters. One of `token`, `token_file` and `token_sha256` is needed.",
    )
    .secret(),
    key("token_file", Kind::Path, "A file that holds the token, read at start."),
    key("token_sha256", Kind::Sha256, "The token's SHA-256, so that the token stands nowhere in the configuration."),
];

const STORE: &[Key] = &[
    key(
        "url",
        Kind::StoreUrl,
        "PostgreSQL, shared by any number of `serve` processes, or SQLite in a folder. The password in it is never shown.",
    )
    .default("SQLite in `data_dir`"),
    key(
        "retention_days",
        Kind::Integer { min: 0, max: 36_500 },
        "How long migrations that have ended, their events and the audit log are kept; 0: for ever. Failed ones stay, for somebody has to see to them.",
    )
    .default("90"),
];

const LOGGING: &[Key] = &[
    key("level", Kind::OneOf(&["error", "warn", "info", "debug", "trace"]), "The least that is logged.")
        .default("info"),
    key("format", Kind::OneOf(&["text", "json"]), "Lines for people, or one JSON object a line.").default("text"),
    key("output", Kind::Text, "`stdout`, `stderr` or the path of a file, which is appended to.").default("stderr"),
];

const MIGRATION: &[Key] = &[
    key("compression_enabled", Kind::Bool, "Compress between two movers.").later(),
    key("compression_level", Kind::Integer { min: 1, max: 19 }, "zstd's level between two movers.").later(),
    key("chunk_size_mb", Kind::Integer { min: 1, max: 1024 }, "The extent that one worker takes, in MiB.").default("100"),
    key("parallel_transfers", Kind::Integer { min: 1, max: 64 }, "Workers to a disk.").default("4"),
    key("bandwidth_limit", Kind::Size, "Bytes a second over all disks of a migration; 0: no limit.").default("0"),
    key("verify_integrity", Kind::Bool, "`true`: check what the target stored. `false`: only what was sent. It can't be switched off.")
        .default("true"),
    key(
        "grace_period_seconds",
        Kind::Integer { min: 0, max: 2_592_000 },
        "How long a verified move can still be undone before its source is deleted, where it is deleted at all.",
    )
    .default("300"),
    key("encryption_in_transit", Kind::Bool, "Encrypt between movers on different machines. There are none yet: all bytes go through one machine, and to clouds by TLS.")
        .default("true")
        .later(),
    key("tls_version", Kind::OneOf(&["1.2", "1.3"]), "The least TLS version between movers.").default("1.3").later(),
];

const MOVER: &[Key] =
    &[key("memory_limit", Kind::Size, "Memory for blocks in flight, over all transfers. At least 16MiB.")
        .default("128MiB")];

const STORAGE: &[Key] = &[
    key("deduplication_enabled", Kind::Bool, "Keep equal chunks once.").later(),
    key("compression_enabled", Kind::Bool, "Compress what is kept.").later(),
    key("tiering_enabled", Kind::Bool, "Move old copies to cheaper storage.").later(),
];

const NETWORKING: &[Key] = &[
    key("mode", Kind::OneOf(&["overlay", "vpn", "peering"]), "How.").later(),
    key("overlay", Kind::Block(OVERLAY), "The overlay's own settings.").later(),
];

const OVERLAY: &[Key] = &[
    key("type", Kind::OneOf(&["wireguard"]), "Its protocol.").later(),
    key("mesh", Kind::Bool, "Connect every site with every other.").later(),
    key("encryption", Kind::OneOf(&["chacha20poly1305"]), "Its cipher.").later(),
];
