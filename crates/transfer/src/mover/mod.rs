//! The mover: the process through which disk bytes go, and how the control plane talks to it.
//!
//! A mover listens on a Unix socket that only its own user may reach. One connection is one request: a job, which
//! answers with progress and ends with a report or a failure, or a short question. When a connection is lost its job
//! stops, with what it moved in the ledger, so that the same request goes on where it was. A mover says something with
//! every [`HEARTBEAT`] of a job and answers questions at once; one that is silent for [`SILENCE`] hangs: its client gives
//! the connection up, and whoever started it ([`MoverChild`]) kills it and starts another.
//!
//! ```text
//! control plane                                   mover
//!   MoverClient ── Start{source, target, …} ──►  serve ─► Registry ─► BlockReader, BlockWriter ─► engine
//!               ◄── Progress … Progress ──────
//!               ── SetRate … ─────────────────►
//!               ◄── Done{report} | Failed{fault}
//! ```
//!
//! A frame is its length (4 bytes, big endian, at most [`MAX_FRAME`]) and JSON. Definitions of providers travel in it
//! with their secrets; nothing of them is logged.

mod child;
mod client;
mod converse;
mod frame;
mod job;
mod ledgers;
mod protocol;
mod server;

use std::time::Duration;

pub use child::{ChildConfig, MoverChild, lifeline};
pub use client::{JobHandle, MoverClient, MoverError};
pub use frame::{FrameError, MAX_FRAME, decode as decode_frame};
pub use protocol::{
    FromMover, JobFault, JobOptions, JobReport, JobSpec, SourceSpec, TargetSpec, ToMover, WireDefinition,
};
pub use server::{MoverConfig, bind, serve};

/// While a job runs, so often does the mover say how it goes.
pub const HEARTBEAT: Duration = Duration::from_millis(200);
/// A mover that says nothing for so long hangs.
pub const SILENCE: Duration = Duration::from_secs(30);
