//! Moves disk bytes, and proves that they arrived.
//!
//! [`content`] says what a disk holds in one number. [`engine`] makes a target equal to a source, resumes from a
//! [`ledger`], and verifies. [`mod@file`] reads and writes raw images and block devices, [`mod@format`] qcow2 images too,
//! [`nbd`] network block devices. [`mover`] is the worker process in which all of this runs, close to the disks, and
//! its protocol.

mod blocking;
mod budget;
mod rate;

pub mod content;
pub mod engine;
pub mod file;
pub mod format;
pub mod ledger;
pub mod mover;
pub mod nbd;

pub use budget::{Budget, Lease};
pub use engine::{CopyControl, CopyJob, CopyOptions, CopyReport, TransferError, copy};
pub use rate::RateLimiter;
