//! Machines as disk images in a folder. It runs no guests, and says so.
//!
//! ```text
//! <path>/<instance id>/vm.json, disk-0.raw …       a machine that was made here
//! <path>/<name>.raw|.img|.qcow2                    an image that a person put there: a machine with one disk
//! <path>/.staging/<operation>/disk-0.raw …         disks that an operation is filling
//! <path>/.pins/<snapshot>.json                     what must not be deleted, because it is being read
//! ```
//!
//! A machine is made by renaming its operation's staging folder, so it is there whole or not at all. An image that is
//! read is locked shared and one that is written exclusively (`flock`), so a machine can't be deleted under a reader.
//! Nothing outside of the folder is ever opened: names in `vm.json` are checked, and no link is followed.

mod capacity;
mod factory;
mod folder;
mod machine;
mod provider;
mod sink;
mod source;

pub use factory::{FilesFactory, KEYS};
pub use folder::can_hold_files;
pub use machine::disks_in_record;
pub use provider::Files;
