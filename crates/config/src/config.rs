//! The configuration once it has been checked.

use std::{collections::BTreeMap, fmt, net::SocketAddr, path::PathBuf, time::Duration};

use novacron_provider::ProviderDefinition;
use novacron_types::{ByteSize, ProviderName, Role, TransferOptions, placement::Policy};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::Value;

use crate::{
    check::Ineffective,
    error::Place,
    hosts::{HostConfig, ProviderDefaults},
    placement::{Bursting, CatalogConfig, Optimization, Orchestrator, PlainCatalog, PlainOptimization},
    providers::DecidingOnly,
    reference::Reference,
    token::TokenConfig,
};

/// Everything that can be configured, defaults filled in. Printing it shows no secret; for people there is
/// [`Config::redacted`].
#[derive(Debug)]
pub struct Config {
    pub server: Server,
    pub store: Store,
    pub data_dir: PathBuf,
    pub logging: Logging,
    /// The defaults of every migration's transfer.
    pub migration_options: TransferOptions,
    /// How long a verified move can still be undone before its source is deleted.
    pub grace_period: Duration,
    pub mover: Mover,
    /// Those that are enabled, `local` always among them where this build has its kind.
    pub providers: Vec<ProviderDefinition>,
    /// Names of those that are configured and not enabled.
    pub disabled_providers: Vec<String>,
    /// Those that are enabled and of a kind that this version has no provider for.
    pub deciding_only: Vec<DecidingOnly>,
    /// Of those that are enabled, the ones whose machines run on hosts of one's own.
    pub hosts: Vec<HostConfig>,
    /// Of those that are enabled and have any.
    pub provider_defaults: BTreeMap<ProviderName, ProviderDefaults>,
    pub orchestrator: Orchestrator,
    /// None of them contradict each other as far as can be told without knowing which regions are in which groups: see
    /// [`contradictions`](crate::contradictions).
    pub policies: Vec<Policy>,
    /// Where each policy's name stands.
    pub policy_places: Vec<Place>,
    pub optimization: Optimization,
    pub bursting: Bursting,
    pub catalog: CatalogConfig,
    /// Every name of a region, zone or group, and of a provider, with its place. Those of providers are known; regions are
    /// for whoever has the catalog to check.
    pub references: Vec<Reference>,
    /// Keys that are set, and that nothing follows in this version.
    pub ineffective: Vec<Ineffective>,
    pub(crate) shown: Value,
}

impl Config {
    /// The configuration as it applies, defaults included, with `***` for every secret.
    pub fn redacted(&self) -> &Value {
        &self.shown
    }

    /// [`redacted`](Self::redacted) as YAML.
    pub fn redacted_yaml(&self) -> String {
        serde_saphyr::to_string(&self.shown).unwrap_or_default()
    }
}

#[derive(Debug)]
pub struct Server {
    pub listen: SocketAddr,
    pub tls: Option<Tls>,
    pub tokens: Vec<TokenConfig>,
    pub max_connections: usize,
    pub shutdown_seconds: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Tls {
    pub cert_file: PathBuf,
    pub key_file: PathBuf,
}

/// Where the state is kept.
#[derive(Debug)]
pub struct Store {
    /// Absent: SQLite in the data directory.
    pub url: Option<SecretString>,
    /// How long what has ended is kept. Absent: for ever.
    pub retention: Option<Duration>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logging {
    /// `error`, `warn`, `info`, `debug` or `trace`.
    pub level: String,
    pub format: LogFormat,
    pub output: LogOutput,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    Json,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogOutput {
    Stdout,
    Stderr,
    File(PathBuf),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mover {
    /// For blocks in flight, over all transfers.
    pub memory_limit: ByteSize,
}

/// The plain form of what the checker let through. Its fields are the keys.
#[derive(Deserialize)]
#[serde(default)]
pub(crate) struct Plain {
    pub server: PlainServer,
    pub store: PlainStore,
    pub logging: PlainLogging,
    pub migration_options: PlainMigration,
    pub mover: PlainMover,
    pub data_dir: PathBuf,
    pub orchestrator: Orchestrator,
    pub optimization: PlainOptimization,
    pub bursting: Bursting,
    pub catalog: PlainCatalog,
}

#[derive(Deserialize)]
#[serde(default)]
pub(crate) struct PlainServer {
    pub listen: SocketAddr,
    pub tls: Option<Tls>,
    pub tokens: Vec<PlainToken>,
    pub max_connections: usize,
    pub shutdown_seconds: u64,
}

#[derive(Deserialize)]
pub(crate) struct PlainToken {
    pub name: String,
    pub role: Role,
    pub token: Option<String>,
    pub token_file: Option<PathBuf>,
    pub token_sha256: Option<String>,
}

#[derive(Deserialize)]
#[serde(default)]
pub(crate) struct PlainStore {
    pub url: Option<String>,
    pub retention_days: u64,
}

#[derive(Deserialize)]
#[serde(default)]
pub(crate) struct PlainLogging {
    pub level: String,
    pub format: String,
    pub output: String,
}

/// As [`TransferOptions`], beside keys that are not of the transfer.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct PlainMigration {
    pub compression_enabled: Option<bool>,
    pub compression_level: Option<i32>,
    pub chunk_size_mb: Option<u32>,
    pub parallel_transfers: Option<u32>,
    pub bandwidth_limit: Option<ByteSize>,
    pub verify_integrity: Option<bool>,
    pub grace_period_seconds: Option<u64>,
}

#[derive(Deserialize)]
#[serde(default)]
pub(crate) struct PlainMover {
    pub memory_limit: ByteSize,
}

impl Default for Plain {
    fn default() -> Self {
        Self {
            server: PlainServer::default(),
            store: PlainStore::default(),
            logging: PlainLogging::default(),
            migration_options: PlainMigration::default(),
            mover: PlainMover::default(),
            data_dir: PathBuf::from("/var/lib/novacron"),
            orchestrator: Orchestrator::default(),
            optimization: PlainOptimization::default(),
            bursting: Bursting::default(),
            catalog: PlainCatalog::default(),
        }
    }
}

impl Default for PlainServer {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            tls: None,
            tokens: Vec::new(),
            max_connections: 1024,
            shutdown_seconds: 10,
        }
    }
}

impl Default for PlainStore {
    fn default() -> Self {
        Self { url: None, retention_days: 90 }
    }
}

impl Default for PlainLogging {
    fn default() -> Self {
        Self { level: "info".into(), format: "text".into(), output: "stderr".into() }
    }
}

impl Default for PlainMover {
    fn default() -> Self {
        Self { memory_limit: ByteSize(128 * novacron_types::MIB) }
    }
}

impl From<PlainLogging> for Logging {
    fn from(plain: PlainLogging) -> Self {
        Self {
            level: plain.level,
            format: if plain.format == "json" { LogFormat::Json } else { LogFormat::Text },
            output: match plain.output.as_str() {
                "stdout" => LogOutput::Stdout,
                "stderr" => LogOutput::Stderr,
                path => LogOutput::File(path.into()),
            },
        }
    }
}

impl From<PlainMigration> for TransferOptions {
    fn from(plain: PlainMigration) -> Self {
        Self {
            compression_enabled: plain.compression_enabled,
            compression_level: plain.compression_level,
            chunk_size_mb: plain.chunk_size_mb,
            parallel_transfers: plain.parallel_transfers,
            bandwidth_limit: plain.bandwidth_limit,
            verify_integrity: plain.verify_integrity,
        }
    }
}

impl fmt::Display for Ineffective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{}: `{}` is checked, and has no effect in this version",
            self.place.line, self.place.column, self.path
        )
    }
}
