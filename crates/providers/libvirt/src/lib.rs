//! KVM hosts by libvirt, here or elsewhere.
//!
//! Machines are domains. Disks are read from *backup jobs* (`backup`): QEMU serves one point in time over NBD,
//! with the changes since the last one where the disk is qcow2. Disks are written into volumes of a storage pool
//! through `qemu-nbd` (`writer`), which a mover starts on the host.
//!
//! libvirt's calls block, so all of them run on threads for blocking work (`host`). What an operation makes is
//! found by names that carry its key (`names`), and by an element in the domain's metadata.

mod backup;
mod capacity;
mod create;
mod factory;
mod fault;
mod ffi;
mod host;
mod inner;
mod inventory;
mod names;
mod nbd;
mod pool;
mod power;
mod provider;
mod settings;
mod sink;
mod source;
mod sweep;
mod writer;
pub mod xml;

pub use factory::LibvirtFactory;
pub use provider::LibvirtProvider;
pub use settings::{DiskFormat, DomainType, Settings};
