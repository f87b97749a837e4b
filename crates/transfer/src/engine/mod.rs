//! One sync: making the target disk equal to one snapshot of the source, and proving it.
//!
//! ```text
//!  extent map ─► plan ─► workers × lanes:  read ─► digest ─► compare ─► write / zero ─► pending
//!  (or changed          each lane has one piece of ≤ 2 MiB in flight                       │
//!   blocks)                                                            flush ─► ledger ◄───┘  by size, or each second
//!                                                                                  │
//!                                            read back what was written ◄──────────┘  heal what differs
//! ```
//!
//! A worker takes an extent of `extent_bytes` and runs its pieces through its lanes, out of order. Memory is the lanes'
//! buffers, which all jobs of a process share through one [`Budget`](crate::Budget). The digests are taken on the bytes
//! as they were read; they are the diff against the ledger, the cursor for a resume, and the proof.

mod barrier;
mod copier;
mod gate;
mod lanes;
mod meter;
mod options;
mod patience;
mod piece;
mod plan;
mod report;
mod verify;

pub use copier::copy;
pub use meter::{Phase, Progress};
pub use options::{Changes, CopyControl, CopyJob, CopyOptions, CopyReport, TransferError};
