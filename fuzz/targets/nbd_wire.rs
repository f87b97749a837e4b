//! What an NBD server says, one message at a time: no parser trusts a length, a number or a text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use novacron_transfer::nbd::{NbdAddress, wire};

/// The first bytes as a number; the rest.
fn number(bytes: &mut &[u8]) -> u64 {
    let (head, rest) =
        bytes.split_first_chunk::<8>().map_or((0, &[][..]), |(head, rest)| (u64::from_be_bytes(*head), rest));
    *bytes = rest;
    head
}

fuzz_target!(|data: &[u8]| {
    if let Ok(flags) = wire::parse_hello(data) {
        assert!(data.len() >= 18 && flags & 1 == 1);
    }
    if let Ok(reply) = wire::parse_option_reply(data) {
        assert!(reply.len <= 64 * 1024, "room is made for so many bytes before they have come");
    }
    let mut export = wire::Export::default();
    if wire::parse_info(data, &mut export).is_ok() {
        assert!(export.size <= i64::MAX as u64);
        assert!(export.min_block.is_power_of_two() && export.preferred_block.is_power_of_two());
        assert!(export.max_block >= export.min_block);
    }
    if let Ok((_, name)) = wire::parse_meta_context(data) {
        assert_eq!(name.len(), data.len() - 4);
    }
    if let Ok(reply) = wire::parse_reply(data) {
        let magic = data.first_chunk().map_or(0, |magic| u32::from_be_bytes(*magic));
        let len = wire::reply_len(magic).expect("it was parsed, so its length is known");
        assert_eq!(wire::parse_reply(&data[..len]), Ok(reply), "no more than its length is looked at");
    }
    if let Ok((_, runs)) = wire::parse_status(data) {
        assert_eq!(data.len(), 4 + 8 * runs.len());
        assert!(!runs.is_empty() && runs.iter().all(|(len, _)| *len > 0), "each run goes on");
    }
    if let Ok((_, message)) = wire::parse_error(data) {
        assert!(message.chars().count() <= 500 && !message.contains(char::is_control));
    }
    let _ = wire::parse_hole(data);

    let mut rest = data;
    let (at, count, offset, len) = (number(&mut rest), number(&mut rest), number(&mut rest), number(&mut rest));
    if let Ok(range) = wire::place(at, count, offset, len) {
        assert!(range.end as u64 <= len && (range.end - range.start) as u64 == count);
        assert_eq!(offset + range.start as u64, at);
    }

    if let Some(address) = std::str::from_utf8(data).ok().and_then(|text| text.parse::<NbdAddress>().ok()) {
        assert_eq!(address.to_string().parse(), Ok(address), "an address reads as it prints");
    }
});
