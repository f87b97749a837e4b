//! What is known of a target, on disk: the digest of every chunk that it holds.
//!
//! One file to a pair of disks. It is at once the cursor from which an interrupted sync goes on, the base against which
//! the next sync finds what changed, and the list from which the target's content root is computed. It is sparse: what
//! never held anything but zeros takes no room.
//!
//! ```text
//! block 0   header: whose it is, which snapshot is being synced, what may be trusted        + digest
//! block 1…  pages of 125 chunks: epoch, flags (done, verified, written), 32 bytes a chunk   + digest
//! ```
//!
//! A chunk is recorded only after a flush of the target that covers it. Header and pages
//! carry digests and are checked when the ledger is opened: one that was torn by a loss of power, or damaged otherwise,
//! makes the whole ledger start over, and then nothing is assumed about the target any more.
//!
//! **Trust.** An epoch is one sync of one snapshot. While the snapshot stays the same, an old digest may be compared
//! with: a chunk that was overwritten without being recorded differs from it, and is written again. Once another
//! snapshot is synced over an unfinished epoch that argument fails, so from then on only what was recorded as done in
//! the unfinished epoch is trusted, until a sync is finished.

mod file;
mod header;
mod page;

pub use file::{Entry, Ledger, LedgerError, Opened};
pub use header::{LedgerIdentity, SyncIdentity};
pub use page::ChunkState;
