//! The bytes of the protocol. Pure: every parser takes a slice and never panics, whatever is in it.

use novacron_types::MIB;

pub(super) const INIT: u64 = 0x4e42_444d_4147_4943;
pub(super) const HAVE_OPT: u64 = 0x4948_4156_454f_5054;
const OPT_REPLY: u64 = 0x0003_e889_0455_65a9;
const REQUEST: u32 = 0x2560_9513;
const SIMPLE: u32 = 0x6744_6698;
const STRUCTURED: u32 = 0x668e_33ef;

pub(super) const FIXED_NEWSTYLE: u16 = 1;
pub(super) const NO_ZEROES: u16 = 2;

pub(super) const OPT_GO: u32 = 7;
pub(super) const OPT_STRUCTURED_REPLY: u32 = 8;
pub(super) const OPT_SET_META_CONTEXT: u32 = 10;

const REP_ACK: u32 = 1;
const REP_INFO: u32 = 3;
const REP_META_CONTEXT: u32 = 4;
const REP_ERROR: u32 = 1 << 31;

const INFO_EXPORT: u16 = 0;
pub(super) const INFO_BLOCK_SIZE: u16 = 3;

pub(super) const EXPORT_READ_ONLY: u16 = 1 << 1;
pub(super) const EXPORT_FLUSH: u16 = 1 << 2;
pub(super) const EXPORT_WRITE_ZEROES: u16 = 1 << 6;
pub(super) const EXPORT_MULTI_CONN: u16 = 1 << 8;

/// More than any honest option's answer has.
pub(super) const MOST_OPTION: u32 = 64 * 1024;
/// A block-status answer that is longer is refused; it would hold more than 100,000 extents.
pub(super) const MOST_STATUS: u32 = MIB as u32;
/// An error's message, and what goes with it.
pub(super) const MOST_MESSAGE: u32 = 8 * 1024;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    #[error("the server's answer ends too early")]
    Short,
    #[error("the server does not speak NBD as it should: {0}")]
    Protocol(&'static str),
}

type Result<T> = std::result::Result<T, WireError>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    Read = 0,
    Write = 1,
    Flush = 3,
    WriteZeroes = 6,
    BlockStatus = 7,
}

/// What an export is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Export {
    pub size: u64,
    pub flags: u16,
    pub min_block: u32,
    pub preferred_block: u32,
    pub max_block: u32,
}

impl Default for Export {
    fn default() -> Self {
        Self { size: 0, flags: 0, min_block: 1, preferred_block: 4096, max_block: 32 << 20 }
    }
}

/// The head of an answer to an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OptionReply {
    pub option: u32,
    pub kind: OptionReplyKind,
    pub len: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OptionReplyKind {
    Ack,
    Info,
    MetaContext,
    Error(u32),
    Other,
}

/// The head of an answer to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    Simple { error: u32, cookie: u64 },
    Chunk { done: bool, kind: ChunkKind, cookie: u64, len: u32 },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChunkKind {
    None,
    Data,
    Hole,
    Status,
    Error,
    /// Unknown, and to be taken for a failure if its highest bit says so.
    Unknown {
        error: bool,
    },
}

/// One run of a block status: how long, and its flags.
pub type StatusRun = (u32, u32);

struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(WireError::Short)?;
        self.0 = rest;
        Ok(taken)
    }
    fn u16(&mut self) -> Result<u16> {
        Ok(u16::from_be_bytes(self.take(2)?.try_into().map_err(|_| WireError::Short)?))
    }
    fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_be_bytes(self.take(4)?.try_into().map_err(|_| WireError::Short)?))
    }
    fn u64(&mut self) -> Result<u64> {
        Ok(u64::from_be_bytes(self.take(8)?.try_into().map_err(|_| WireError::Short)?))
    }
}

/// The server's first 18 bytes: its handshake flags.
pub fn parse_hello(bytes: &[u8]) -> Result<u16> {
    let mut bytes = Bytes(bytes);
    if bytes.u64()? != INIT {
        return Err(WireError::Protocol("it does not greet as an NBD server"));
    }
    if bytes.u64()? != HAVE_OPT {
        return Err(WireError::Protocol("it only knows the old handshake"));
    }
    let flags = bytes.u16()?;
    if flags & FIXED_NEWSTYLE == 0 {
        return Err(WireError::Protocol("it only knows the old handshake"));
    }
    Ok(flags)
}

/// The 20 bytes that head an answer to an option.
pub fn parse_option_reply(bytes: &[u8]) -> Result<OptionReply> {
    let mut bytes = Bytes(bytes);
    if bytes.u64()? != OPT_REPLY {
        return Err(WireError::Protocol("an answer to an option does not begin as one"));
    }
    let (option, kind, len) = (bytes.u32()?, bytes.u32()?, bytes.u32()?);
    if len > MOST_OPTION {
        return Err(WireError::Protocol("an answer to an option is too long"));
    }
    let kind = match kind {
        REP_ACK => OptionReplyKind::Ack,
        REP_INFO => OptionReplyKind::Info,
        REP_META_CONTEXT => OptionReplyKind::MetaContext,
        error if error & REP_ERROR != 0 => OptionReplyKind::Error(error & !REP_ERROR),
        _ => OptionReplyKind::Other,
    };
    Ok(OptionReply { option, kind, len })
}

/// Takes in one piece of information about the export; unknown ones are skipped.
pub fn parse_info(bytes: &[u8], export: &mut Export) -> Result<bool> {
    let mut bytes = Bytes(bytes);
    match bytes.u16()? {
        INFO_EXPORT => {
            export.size = bytes.u64()?;
            export.flags = bytes.u16()?;
            if export.size > i64::MAX as u64 {
                return Err(WireError::Protocol("the export is larger than can be"));
            }
            Ok(true)
        }
        INFO_BLOCK_SIZE => {
            (export.min_block, export.preferred_block, export.max_block) = (bytes.u32()?, bytes.u32()?, bytes.u32()?);
            let powers = export.min_block.is_power_of_two() && export.preferred_block.is_power_of_two();
            if !powers || export.min_block > 64 * 1024 || export.max_block < export.min_block.max(512) {
                return Err(WireError::Protocol("the export's block sizes make no sense"));
            }
            Ok(false)
        }
        _ => Ok(false),
    }
}

/// A context's id and name.
pub fn parse_meta_context(bytes: &[u8]) -> Result<(u32, &str)> {
    let mut bytes = Bytes(bytes);
    let id = bytes.u32()?;
    let name = std::str::from_utf8(bytes.0).map_err(|_| WireError::Protocol("a context's name is not text"))?;
    Ok((id, name))
}

/// How many bytes the head of an answer has, from its first four.
pub fn reply_len(magic: u32) -> Result<usize> {
    match magic {
        SIMPLE => Ok(16),
        STRUCTURED => Ok(20),
        _ => Err(WireError::Protocol("an answer does not begin as one")),
    }
}

/// The head of an answer to a request, its first four bytes included.
pub fn parse_reply(bytes: &[u8]) -> Result<Reply> {
    let mut bytes = Bytes(bytes);
    match bytes.u32()? {
        SIMPLE => Ok(Reply::Simple { error: bytes.u32()?, cookie: bytes.u64()? }),
        STRUCTURED => {
            let (flags, kind, cookie, len) = (bytes.u16()?, bytes.u16()?, bytes.u64()?, bytes.u32()?);
            let kind = match kind {
                0 => ChunkKind::None,
                1 => ChunkKind::Data,
                2 => ChunkKind::Hole,
                5 => ChunkKind::Status,
                0x8001 | 0x8002 => ChunkKind::Error,
                other => ChunkKind::Unknown { error: other & 0x8000 != 0 },
            };
            Ok(Reply::Chunk { done: flags & 1 != 0, kind, cookie, len })
        }
        _ => Err(WireError::Protocol("an answer does not begin as one")),
    }
}

/// The place of a data or hole chunk within a request of `len` bytes at `offset`.
pub fn place(chunk_offset: u64, chunk_len: u64, offset: u64, len: u64) -> Result<std::ops::Range<usize>> {
    let start = chunk_offset.checked_sub(offset);
    let end = start.and_then(|start| start.checked_add(chunk_len));
    match (start, end) {
        (Some(start), Some(end)) if end <= len => Ok(start as usize..end as usize),
        _ => Err(WireError::Protocol("it sends bytes that were not asked for")),
    }
}

/// A hole chunk's offset and length.
pub fn parse_hole(bytes: &[u8]) -> Result<(u64, u32)> {
    let mut bytes = Bytes(bytes);
    Ok((bytes.u64()?, bytes.u32()?))
}

/// A block status's context and runs. None is of length zero.
pub fn parse_status(bytes: &[u8]) -> Result<(u32, Vec<StatusRun>)> {
    let mut bytes = Bytes(bytes);
    let context = bytes.u32()?;
    let mut runs = Vec::with_capacity(bytes.0.len() / 8);
    while !bytes.0.is_empty() {
        let run = (bytes.u32()?, bytes.u32()?);
        if run.0 == 0 {
            return Err(WireError::Protocol("a block status has an empty run"));
        }
        runs.push(run);
    }
    if runs.is_empty() {
        return Err(WireError::Protocol("a block status is empty"));
    }
    Ok((context, runs))
}

/// An error chunk's number and message.
pub fn parse_error(bytes: &[u8]) -> Result<(u32, String)> {
    let mut bytes = Bytes(bytes);
    let (number, len) = (bytes.u32()?, bytes.u16()?);
    let message =
        String::from_utf8_lossy(bytes.take(len.into())?).chars().filter(|c| !c.is_control()).take(500).collect();
    Ok((number, message))
}

pub(super) fn option(option: u32, data: &[u8]) -> Vec<u8> {
    let head = [&HAVE_OPT.to_be_bytes()[..], &option.to_be_bytes(), &(data.len() as u32).to_be_bytes()].concat();
    [&head, data].concat()
}

pub(super) fn text(text: &str) -> Vec<u8> {
    [&(text.len() as u32).to_be_bytes()[..], text.as_bytes()].concat()
}

pub(super) fn request(flags: u16, command: Command, cookie: u64, offset: u64, len: u32) -> [u8; 28] {
    let mut bytes = [0; 28];
    bytes[..4].copy_from_slice(&REQUEST.to_be_bytes());
    bytes[4..6].copy_from_slice(&flags.to_be_bytes());
    bytes[6..8].copy_from_slice(&(command as u16).to_be_bytes());
    bytes[8..16].copy_from_slice(&cookie.to_be_bytes());
    bytes[16..24].copy_from_slice(&offset.to_be_bytes());
    bytes[24..].copy_from_slice(&len.to_be_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_parser_panics(bytes in prop::collection::vec(any::<u8>(), 0..80), magic in prop_oneof![Just(SIMPLE), Just(STRUCTURED), any::<u32>()]) {
            let _ = parse_hello(&bytes);
            let _ = parse_option_reply(&bytes);
            let _ = parse_info(&bytes, &mut Export::default());
            let _ = parse_info(&[&[0, 3], &bytes[..]].concat(), &mut Export::default());
            let _ = parse_meta_context(&bytes);
            let _ = parse_reply(&[&magic.to_be_bytes()[..], &bytes].concat());
            let _ = (parse_hole(&bytes), parse_status(&bytes), parse_error(&bytes));
        }

        #[test]
        fn nothing_lands_outside_of_a_request(at: u64, count in 0u64..1 << 33, offset: u64, len in 0u64..1 << 25) {
            if let Ok(range) = place(at, count, offset, len) {
                prop_assert!(range.end as u64 <= len && range.start <= range.end);
            }
        }
    }

    #[test]
    fn reads_what_servers_send() {
        let mut hello = [INIT.to_be_bytes(), HAVE_OPT.to_be_bytes()].concat();
        hello.extend([0, 3]);
        assert_eq!(parse_hello(&hello), Ok(3));
        assert_eq!(parse_status(&[0, 0, 0, 1, 0, 0, 2, 0, 0, 0, 0, 3]), Ok((1, vec![(512, 3)])));
        assert!(parse_status(&[0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 3]).is_err());
        assert_eq!(parse_error(&[0, 0, 0, 28, 0, 2, b'n', b'o']), Ok((28, "no".into())));
    }
}
