//! The control plane. It knows providers by their traits only, and moves no disk byte itself.
//!
//! [`Control`] is what the API calls: what it answers at once it answers here, and what takes long it hands to the
//! operations engine as a workflow ([`import`](workflow), [`export`](workflow)), whose steps call providers and movers.

mod directory;
mod error;

pub use directory::{Directory, ProviderHealth, ProviderSummary};
pub use error::{ControlError, ErrorClass};
