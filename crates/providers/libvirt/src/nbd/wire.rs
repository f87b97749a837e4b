//! The bytes of NBD (fixed newstyle, structured replies): pure, and bounded whatever the server says.

use std::fmt;

pub const GREETING: u64 = u64::from_be_bytes(*b"NBDMAGIC");
pub const OPTION: u64 = u64::from_be_bytes(*b"IHAVEOPT");
const OPTION_REPLY: u64 = 0x0003_e889_0455_65a9;
const REQUEST: u32 = 0x2560_9513;
const SIMPLE_REPLY: u32 = 0x6744_6698;
const CHUNK: u32 = 0x668e_33ef;

/// The longest answer to an option that is read.
pub const OPTION_LIMIT: u32 = 64 << 10;
/// The longest chunk, other than of data, that is read.
pub const CHUNK_LIMIT: u32 = 8 << 20;

/// Server and client: both follow the protocol as it is since 2.9.17, and send no padding.
pub const FIXED: u16 = 1;
pub const NO_ZEROES: u16 = 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Choice {
    Go = 7,
    StructuredReply = 8,
    SetMetaContext = 10,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub enum Command {
    Read = 0,
    Write = 1,
    Disconnect = 2,
    Flush = 3,
    WriteZeroes = 6,
    BlockStatus = 7,
}

/// What an export can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Abilities(pub u16);

impl Abilities {
    pub fn read_only(self) -> bool {
        self.0 & 1 << 1 != 0
    }
    pub fn flush(self) -> bool {
        self.0 & 1 << 2 != 0
    }
    pub fn write_zeroes(self) -> bool {
        self.0 & 1 << 6 != 0
    }
    pub fn multi_conn(self) -> bool {
        self.0 & 1 << 8 != 0
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Broken(pub &'static str);

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the NBD server broke the protocol: {}", self.0)
    }
}

/// Takes numbers from the front of bytes.
struct Take<'a>(&'a [u8]);

impl<'a> Take<'a> {
    fn bytes(&mut self, len: usize) -> Result<&'a [u8], Broken> {
        let (front, rest) = self.0.split_at_checked(len).ok_or(Broken("an answer is too short"))?;
        self.0 = rest;
        Ok(front)
    }
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Broken> {
        self.bytes(N)?.try_into().map_err(|_| Broken("an answer is too short"))
    }
    fn u16(&mut self) -> Result<u16, Broken> {
        self.array().map(u16::from_be_bytes)
    }
    fn u32(&mut self) -> Result<u32, Broken> {
        self.array().map(u32::from_be_bytes)
    }
    fn u64(&mut self) -> Result<u64, Broken> {
        self.array().map(u64::from_be_bytes)
    }
}

/// The server's flags, from its first 18 bytes.
pub fn greeting(bytes: &[u8; 18]) -> Result<u16, Broken> {
    let mut take = Take(bytes);
    if take.u64()? != GREETING || take.u64()? != OPTION {
        return Err(Broken("it does not greet as a newstyle server"));
    }
    take.u16()
}

pub fn option(choice: Choice, data: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(16 + data.len());
    out.extend(OPTION.to_be_bytes());
    out.extend((choice as u32).to_be_bytes());
    out.extend((data.len() as u32).to_be_bytes());
    out.extend(data);
    out
}

/// The data of [`Choice::Go`]: the export, and that its block sizes are asked for.
pub fn go(export: &str) -> Vec<u8> {
    let mut out = named(export);
    out.extend(1u16.to_be_bytes());
    out.extend(3u16.to_be_bytes());
    out
}

/// The data of [`Choice::SetMetaContext`], for one context.
pub fn set_meta_context(export: &str, context: &str) -> Vec<u8> {
    let mut out = named(export);
    out.extend(1u32.to_be_bytes());
    out.extend(named(context));
    out
}

fn named(name: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(4 + name.len());
    out.extend((name.len() as u32).to_be_bytes());
    out.extend(name.as_bytes());
    out
}

/// The type and length of an answer to an option, from its 20 bytes.
pub fn option_reply(choice: Choice, bytes: &[u8; 20]) -> Result<(u32, u32), Broken> {
    let mut take = Take(bytes);
    if take.u64()? != OPTION_REPLY || take.u32()? != choice as u32 {
        return Err(Broken("an answer is to another option"));
    }
    let (kind, len) = (take.u32()?, take.u32()?);
    if len > OPTION_LIMIT {
        return Err(Broken("an answer to an option is too long"));
    }
    Ok((kind, len))
}

/// What an answer of kind `INFO` tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Info {
    Export { size: u64, abilities: Abilities },
    BlockSize { minimum: u32, maximum: u32 },
    Other,
}

pub fn info(data: &[u8]) -> Result<Info, Broken> {
    let mut take = Take(data);
    Ok(match take.u16()? {
        0 => Info::Export { size: take.u64()?, abilities: Abilities(take.u16()?) },
        3 => {
            let (minimum, _preferred, maximum) = (take.u32()?, take.u32()?, take.u32()?);
            if !minimum.is_power_of_two() || minimum > 64 << 10 || maximum < minimum {
                return Err(Broken("its block sizes make no sense"));
            }
            Info::BlockSize { minimum, maximum }
        }
        _ => Info::Other,
    })
}

/// The id of a context that was agreed on.
pub fn meta_context(data: &[u8]) -> Result<u32, Broken> {
    Take(data).u32()
}

pub fn request(command: Command, cookie: u64, offset: u64, len: u32) -> [u8; 28] {
    let mut out = [0; 28];
    out[..4].copy_from_slice(&REQUEST.to_be_bytes());
    out[6..8].copy_from_slice(&(command as u16).to_be_bytes());
    out[8..16].copy_from_slice(&cookie.to_be_bytes());
    out[16..24].copy_from_slice(&offset.to_be_bytes());
    out[24..].copy_from_slice(&len.to_be_bytes());
    out
}

/// The beginning of an answer: 16 bytes of a simple one, 4 more of a structured one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    Simple { cookie: u64, error: u32 },
    Chunk { cookie: u64, done: bool, kind: u16 },
}

pub fn reply(bytes: &[u8; 16]) -> Result<Reply, Broken> {
    let mut take = Take(bytes);
    match take.u32()? {
        SIMPLE_REPLY => {
            let error = take.u32()?;
            Ok(Reply::Simple { error, cookie: take.u64()? })
        }
        CHUNK => {
            let (flags, kind) = (take.u16()?, take.u16()?);
            Ok(Reply::Chunk { done: flags & 1 != 0, kind, cookie: take.u64()? })
        }
        _ => Err(Broken("an answer begins with no number that it knows")),
    }
}

pub const CHUNK_NONE: u16 = 0;
pub const CHUNK_DATA: u16 = 1;
pub const CHUNK_HOLE: u16 = 2;
pub const CHUNK_STATUS: u16 = 5;

pub fn is_error(kind: u16) -> bool {
    kind & 1 << 15 != 0
}

/// Offset and length.
pub fn hole(data: &[u8]) -> Result<(u64, u64), Broken> {
    let mut take = Take(data);
    Ok((take.u64()?, u64::from(take.u32()?)))
}

/// The number and words of an error.
pub fn error(data: &[u8]) -> Result<(u32, String), Broken> {
    let mut take = Take(data);
    let (number, len) = (take.u32()?, take.u16()?);
    Ok((number, String::from_utf8_lossy(take.bytes(usize::from(len))?).into_owned()))
}

/// Lengths and flags of runs, in order, of a context.
pub fn status(data: &[u8], context: u32) -> Result<Vec<(u64, u32)>, Broken> {
    let mut take = Take(data);
    if take.u32()? != context {
        return Err(Broken("it tells of a context that was not asked for"));
    }
    let mut runs = Vec::with_capacity(take.0.len() / 8);
    while !take.0.is_empty() {
        let (len, flags) = (take.u32()?, take.u32()?);
        if len == 0 {
            return Err(Broken("it tells of a run of no bytes"));
        }
        runs.push((u64::from(len), flags));
    }
    if runs.is_empty() {
        return Err(Broken("it tells of no run"));
    }
    Ok(runs)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_numbers_of_the_protocol() {
        assert_eq!(GREETING, 0x4e42_444d_4147_4943);
        assert_eq!(OPTION, 0x4948_4156_454f_5054);
        let sent = request(Command::Read, 7, 0x1_0000, 512);
        assert_eq!(sent[..8], [0x25, 0x60, 0x95, 0x13, 0, 0, 0, 0]);
        assert_eq!(option(Choice::Go, &go("a")).len(), 16 + 4 + 1 + 4);
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200), fixed: [u8; 18]) {
            let _ = greeting(&fixed);
            let _ = info(&bytes);
            let _ = meta_context(&bytes);
            let _ = hole(&bytes);
            let _ = error(&bytes);
            let _ = status(&bytes, 1);
            if let Some(head) = bytes.first_chunk::<16>() { let _ = reply(head); }
            if let Some(head) = bytes.first_chunk::<20>() { let _ = option_reply(Choice::Go, head); }
        }

        #[test]
        fn runs_round_trip(context: u32, runs in proptest::collection::vec((1u32.., any::<u32>()), 1..50)) {
            let mut bytes = context.to_be_bytes().to_vec();
            for (len, flags) in &runs {
                bytes.extend(len.to_be_bytes());
                bytes.extend(flags.to_be_bytes());
            }
            let expected: Vec<(u64, u32)> = runs.iter().map(|(len, flags)| (u64::from(*len), *flags)).collect();
            prop_assert_eq!(status(&bytes, context).unwrap(), expected);
            prop_assert!(status(&bytes, context.wrapping_add(1)).is_err());
            bytes.pop();
            prop_assert!(status(&bytes, context).is_err());
        }
    }
}
