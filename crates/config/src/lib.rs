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
mod document;
mod error;
mod expand;
mod keys;
mod load;
mod node;
mod parse;
mod providers;
mod schema;
mod secret;
mod token;

pub use check::{Ineffective, nearest};
pub use config::{Config, LogFormat, LogOutput, Logging, Mover, Server, Store, Tls};
pub use document::{json_schema, markdown};
pub use error::{ConfigError, Fault, Place};
pub use expand::Env;
pub use load::{DEFAULT_FILE, FILE_VARIABLE, Loaded, load};
pub use parse::{Context, Overrides, parse};
pub use providers::KindInfo;
pub use schema::{Effect, Key, Kind};
pub use secret::HIDDEN;
pub use token::{MIN_TOKEN, TokenConfig, TokenSource};
