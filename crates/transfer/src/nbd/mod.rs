//! Network block devices: our own client of the NBD protocol.
//!
//! Fixed newstyle handshake, structured replies, block status (`base:allocation` and `qemu:dirty-bitmap:…`), over Unix
//! sockets and TCP, with many requests in flight over several connections where the server allows that. There is no
//! TLS: it is for sockets of this machine and for networks that are safe by other means.
//!
//! What a server says is bounded and checked in [`wire`], which does no I/O.

mod address;
mod connection;
mod covered;
mod disk;
mod handshake;
pub mod wire;

pub use address::{AddressError, NbdAddress};
pub use disk::{NbdOptions, NbdReader, NbdWriter};
