//! The configuration: `multicloud.yaml`, or the same as `kind: FederationConfig`.
//!
//! ```text
//!  text ─ node ──▶ tree with places ─ expand ──▶ `${VAR}` filled in ─ check ──▶ plain values ─▶ Config
//!                                                                      ▲
//!                                                      keys ───────────┤ one table: also docs and JSON Schema
//!                                                      KeyInfo of each kind of provider, from the caller
//! ```
//!
//! Variables are filled in inside texts that were already parsed, so that no value can change the document's
//! structure. Every fault is found in one go, with its line and column, and none repeats a value that may be secret.

mod check;
mod config;
mod countries;
mod document;
mod error;
mod expand;
mod find;
mod hosts;
mod json_schema;
mod keys;
mod load;
mod location;
mod machine;
mod manifest;
mod names;
mod node;
mod parse;
mod placement;
mod policies;
mod providers;
mod reference;
mod scalar;
mod schedule;
mod schema;
mod secret;
mod sense;
mod shown;
mod token;
mod value;

pub use check::Ineffective;
pub use config::{Config, LogFormat, LogOutput, Logging, Mover, Server, Store, Tls};
pub use document::markdown;
pub use error::{ConfigError, Fault, Place};
pub use expand::Env;
pub use find::find_text;
pub use hosts::{HostCapacity, HostConfig, HostCost, HostPower, ProviderDefaults};
pub use json_schema::{json_schema, machine_schema};
pub use load::{DEFAULT_FILE, FILE_VARIABLE, Loaded, load};
pub use location::Location;
pub use manifest::{FederationManifest, MachineManifest, Manifest, manifests};
pub use names::nearest;
pub use parse::{Context, Overrides, parse};
pub use placement::{
    BurstMode, Bursting, CatalogConfig, Optimization, Orchestrator, PriceSource, PriceSources, Quota, Stale,
};
pub use policies::{Apart, Contradiction, contradictions};
pub use providers::{DecidingOnly, KindInfo};
pub use reference::{Reference, unknown_programmes, unknown_providers, unknown_regions};
pub use schedule::Schedule;
pub use schema::{Effect, Key, Kind, Referent};
pub use secret::HIDDEN;
pub use token::{MIN_TOKEN, TokenConfig, TokenSource};
