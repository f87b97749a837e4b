//! An NBD client: disks that QEMU and `qemu-nbd` serve, as readers and writers.

mod client;
mod connection;
mod wire;

pub use client::{changed, reader, writer};
