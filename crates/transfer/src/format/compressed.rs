//! Compressed clusters at the end of a qcow2 image.
//!
//! The image tells how many sectors a compressed cluster takes, not how many bytes, and QEMU may end the file with the
//! last of these bytes. So what is missing of the last sector may never have been there; to tell, it is decompressed.

use std::{fs::File, io, os::unix::fs::FileExt};

use miniz_oxide::inflate::{
    TINFLStatus,
    core::{DecompressorOxide, decompress, inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF},
};

use super::header::Qcow2Header;

const TABLE: u64 = 0x00ff_ffff_ffff_fe00;
const COMPRESSED: u64 = 1 << 62;
const SECTOR: u64 = 512;

/// Whether the file holds all of the cluster at `at` of the disk, if that is a compressed one.
pub(super) fn is_whole(file: &File, header: &Qcow2Header, at: u64, file_len: u64) -> io::Result<bool> {
    let number = at >> header.cluster_bits;
    let per_table = header.cluster() / 8;
    let table = be64(file, header.l1_offset + 8 * (number / per_table))? & TABLE;
    if table == 0 {
        return Ok(true);
    }
    let entry = be64(file, table + 8 * (number % per_table))?;
    if entry & COMPRESSED == 0 {
        return Ok(true);
    }
    let offset_bits = 70 - header.cluster_bits;
    let offset = entry & ((1 << offset_bits) - 1);
    let sectors = ((entry & (COMPRESSED - 1)) >> offset_bits) + 1;
    if offset / SECTOR * SECTOR + sectors * SECTOR <= file_len {
        return Ok(true);
    }
    if offset >= file_len {
        return Ok(false);
    }
    let mut bytes = vec![0; (file_len - offset) as usize];
    file.read_exact_at(&mut bytes, offset)?;
    let mut cluster = vec![0; header.cluster() as usize];
    let flags = TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
    let (status, _, count) = decompress(&mut DecompressorOxide::new(), &bytes, &mut cluster, 0, flags);
    Ok(count == cluster.len() && matches!(status, TINFLStatus::Done | TINFLStatus::HasMoreOutput))
}

fn be64(file: &File, at: u64) -> io::Result<u64> {
    let mut bytes = [0; 8];
    file.read_exact_at(&mut bytes, at)?;
    Ok(u64::from_be_bytes(bytes))
}
