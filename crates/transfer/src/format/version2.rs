//! What an image of version 2 may not say.
//!
//! The bit that makes a cluster read as zeros exists from version 3 on. In version 2 it is damage: QEMU refuses to read
//! such a cluster, and here it would be taken for zeros, whatever the disk held.

use std::{fs::File, io};

use super::{
    header::{HeaderError, Qcow2Header},
    mend::each,
};

const TABLE: u64 = 0x00ff_ffff_ffff_fe00;
const COMPRESSED: u64 = 1 << 62;
const ZERO: u64 = 1;

/// What is wrong with the tables of an image of version 2 in a file of `file_len` bytes, if anything is. It blocks.
pub(super) fn fault(file: &File, header: &Qcow2Header, file_len: u64) -> io::Result<Option<HeaderError>> {
    if header.version != 2 {
        return Ok(None);
    }
    // Each table is in a place of its own, so that there can't be more of them than clusters in the file.
    let mut room = file_len >> header.cluster_bits;
    let mut fault = None;
    each(file, header.l1_offset, header.l1_entries, TABLE, |_, table| {
        if fault.is_some() {
            return Ok(());
        }
        if room == 0 {
            fault = Some(HeaderError::Damaged("it names more tables of clusters than it can hold"));
            return Ok(());
        }
        room -= 1;
        each(file, table, header.cluster() / 8, !0, |_, entry| {
            if entry & COMPRESSED == 0 && entry & ZERO != 0 {
                fault = Some(HeaderError::Damaged("it marks clusters as zeros, which there are none of in version 2"));
            }
            Ok(())
        })
    })?;
    Ok(fault)
}
