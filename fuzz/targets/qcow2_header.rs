//! The head of a qcow2 image and its first table: what is let through lies within the file, and fits together.
#![no_main]

use libfuzzer_sys::fuzz_target;
use novacron_transfer::format::{HEADER_BYTES, Qcow2Header, probe_bytes};

fuzz_target!(|data: &[u8]| {
    let Some((file_len, bytes)) = data.split_first_chunk::<8>() else { return };
    let file_len = u64::from_le_bytes(*file_len);
    if let Some(format) = probe_bytes(bytes) {
        assert_eq!(format == "qcow2", bytes.starts_with(b"QFI\xfb"));
    }
    let parsed = Qcow2Header::parse(bytes, file_len);
    assert_eq!(Qcow2Header::parse(&bytes[..bytes.len().min(HEADER_BYTES)], file_len), parsed, "no more is looked at");
    let Ok(header) = parsed else { return };

    assert_eq!(probe_bytes(bytes), Some("qcow2"));
    let cluster = header.cluster();
    assert!((512..=2 << 20).contains(&cluster) && cluster.is_power_of_two());
    // 32 MiB, the most that is read of it.
    assert!(header.l1_entries <= 4 << 20);
    assert!(header.l1_offset.is_multiple_of(cluster) && header.l1_offset + 8 * header.l1_entries <= file_len);
    let one_table = u128::from(cluster) * u128::from(cluster / 8);
    assert!(u128::from(header.size) <= u128::from(header.l1_entries) * one_table, "every byte has an entry");

    let entries = &bytes[HEADER_BYTES.min(bytes.len())..];
    if header.check_l1(entries, file_len).is_ok() {
        for entry in entries.as_chunks::<8>().0 {
            let table = u64::from_be_bytes(*entry) & 0x00ff_ffff_ffff_fe00;
            assert!(table.is_multiple_of(cluster) && (table == 0 || table + cluster <= file_len));
        }
    }
});
