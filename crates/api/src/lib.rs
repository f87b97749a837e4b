//! The HTTP API.
//!
//! ```text
//!  server ─▶ observe ─▶ guard ─▶ authenticate ─▶ routes ─▶ Control
//!  bounds,   id, log,   other     who, and        one file
//!  TLS, stop time       sites     which role      a resource
//! ```
//!
//! [`bind`] and [`serve`] are what the executable calls. Handlers read what came in (`input`), check the role by
//! the extractor that they take, ask [`Control`](novacron_control::Control), and answer. Nothing is decided here.
//! Errors of any layer leave as problem details.

mod auth;
mod config;
mod cursor;
mod exposition;
mod guard;
mod input;
mod observe;
mod openapi;
mod problem;
mod profile;
mod routes;
mod server;
mod state;
mod tls;
mod unique;
mod views;

pub use config::{ApiConfig, Exposed, TlsFiles, Token, check_exposure};
pub use openapi::document as openapi_document;
pub use routes::{BASE, DOCUMENT_PATH};
pub use server::{ServeError, bind, check_tls, router, serve};
pub use tls::TlsError;
