//! The head of a qcow2 image, read without trust. Pure, so that it can be fuzzed.

/// How much of a file is needed.
pub const HEADER_BYTES: usize = 112;

const MAGIC: u32 = 0x5146_49fb;
/// As much as QEMU takes: an L1 table of 32 MiB.
const MOST_L1_ENTRIES: u64 = 4 << 20;

const DIRTY: u64 = 1;
const CORRUPT: u64 = 1 << 1;
const DATA_FILE: u64 = 1 << 2;
const COMPRESSION: u64 = 1 << 3;
const EXTENDED_L2: u64 = 1 << 4;

/// What is needed of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Qcow2Header {
    pub version: u32,
    /// Of the disk, in bytes.
    pub size: u64,
    pub cluster_bits: u32,
    /// Where the table of tables of clusters is, and how many entries it has.
    pub l1_offset: u64,
    pub l1_entries: u64,
    /// It was not closed properly; its reference counts may be wrong, its content is not.
    pub dirty: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    #[error("it is not a qcow2 image")]
    NotQcow2,
    #[error("it ends within its header")]
    Short,
    #[error("it is a qcow2 image of version {0}; 2 and 3 can be read")]
    Version(u32),
    #[error("it has a backing file; flatten it first with `qemu-img convert`")]
    BackingFile,
    #[error("it keeps its data in another file; convert it first with `qemu-img convert`")]
    DataFile,
    #[error("it is encrypted")]
    Encrypted,
    #[error("it is marked as corrupt; `qemu-img check -r all` may repair it")]
    Corrupt,
    #[error("it uses features of qcow2 that are not supported (bits {0:#x}); convert it with `qemu-img convert`")]
    Features(u64),
    #[error("its header contradicts itself: {0}")]
    Nonsense(&'static str),
    #[error("it is damaged: {0}")]
    Damaged(&'static str),
    #[error("it is cut short: its {what} lies beyond its end")]
    Truncated { what: &'static str },
}

impl Qcow2Header {
    /// Reads the first bytes of a file of `file_len` bytes.
    pub fn parse(bytes: &[u8], file_len: u64) -> Result<Self, HeaderError> {
        let be32 = |at: usize| -> Result<u32, HeaderError> {
            let bytes = bytes.get(at..).and_then(|rest| rest.first_chunk());
            bytes.map(|bytes| u32::from_be_bytes(*bytes)).ok_or(HeaderError::Short)
        };
        let be64 = |at: usize| -> Result<u64, HeaderError> {
            let bytes = bytes.get(at..).and_then(|rest| rest.first_chunk());
            bytes.map(|bytes| u64::from_be_bytes(*bytes)).ok_or(HeaderError::Short)
        };
        if be32(0).map_err(|_| HeaderError::NotQcow2)? != MAGIC {
            return Err(HeaderError::NotQcow2);
        }
        let version = be32(4)?;
        if !(2..=3).contains(&version) {
            return Err(HeaderError::Version(version));
        }
        let (cluster_bits, size) = (be32(20)?, be64(24)?);
        let features = if version == 3 { be64(72)? } else { 0 };
        match features {
            bits if bits & CORRUPT != 0 => return Err(HeaderError::Corrupt),
            bits if bits & DATA_FILE != 0 => return Err(HeaderError::DataFile),
            bits if bits & !(DIRTY | COMPRESSION) != 0 => {
                return Err(HeaderError::Features(bits & !(DIRTY | COMPRESSION | EXTENDED_L2) | bits & EXTENDED_L2));
            }
            _ => {}
        }
        if be64(8)? != 0 || be32(16)? != 0 {
            return Err(HeaderError::BackingFile);
        }
        if be32(32)? != 0 {
            return Err(HeaderError::Encrypted);
        }
        if !(9..=21).contains(&cluster_bits) {
            return Err(HeaderError::Nonsense("its cluster size is not between 512 bytes and 2 MiB"));
        }
        let cluster = 1u64 << cluster_bits;
        let per_l2 = cluster / 8;
        let wanted_l1 = size.div_ceil(cluster).div_ceil(per_l2);
        let (l1_entries, l1_offset) = (u64::from(be32(36)?), be64(40)?);
        if l1_entries > MOST_L1_ENTRIES || wanted_l1 > l1_entries {
            return Err(HeaderError::Nonsense("its size does not fit its table of clusters"));
        }
        let (refcounts, refcount_clusters) = (be64(48)?, u64::from(be32(56)?));
        let inside = |offset: u64, len: u64| offset.checked_add(len).is_some_and(|end| end <= file_len);
        for (what, offset, len) in [
            ("table of clusters", l1_offset, l1_entries * 8),
            ("table of reference counts", refcounts, refcount_clusters * cluster),
        ] {
            if offset % cluster != 0 || offset == 0 && len > 0 {
                return Err(HeaderError::Nonsense("a table does not start at a cluster"));
            }
            if !inside(offset, len) {
                return Err(HeaderError::Truncated { what });
            }
        }
        if version == 3 {
            let header_length = u64::from(be32(100)?);
            if header_length < 104 || header_length > cluster {
                return Err(HeaderError::Nonsense("its header is longer than a cluster or too short"));
            }
            if be32(96)? > 6 {
                return Err(HeaderError::Nonsense("its reference counts are wider than 64 bits"));
            }
        }
        Ok(Self { version, size, cluster_bits, l1_offset, l1_entries, dirty: features & DIRTY != 0 })
    }

    pub fn cluster(&self) -> u64 {
        1 << self.cluster_bits
    }

    /// Checks entries of the L1 table: each table that they name must be whole within a file of `file_len` bytes. A
    /// table beyond the end would read as zeros, and so would the data that it tells of.
    pub fn check_l1(&self, entries: &[u8], file_len: u64) -> Result<(), HeaderError> {
        const OFFSET: u64 = 0x00ff_ffff_ffff_fe00;
        for entry in entries.chunks_exact(8).filter_map(|entry| entry.first_chunk()) {
            let offset = u64::from_be_bytes(*entry) & OFFSET;
            if !offset.is_multiple_of(self.cluster()) {
                return Err(HeaderError::Nonsense("a table of clusters does not start at a cluster"));
            }
            if offset != 0 && offset.checked_add(self.cluster()).is_none_or(|end| end > file_len) {
                return Err(HeaderError::Truncated { what: "second table of clusters" });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// An empty image of 1 GiB, as `qemu-img create` makes it.
    fn good() -> Vec<u8> {
        let mut bytes = vec![0; HEADER_BYTES];
        let mut put32 = |at: usize, value: u32| bytes[at..at + 4].copy_from_slice(&value.to_be_bytes());
        for (at, value) in [(0, MAGIC), (4, 3), (20, 16), (24, 0), (28, 1 << 30), (36, 2), (44, 0x3_0000)] {
            put32(at, value);
        }
        for (at, value) in [(52, 0x1_0000), (56, 1), (96, 4), (100, 112)] {
            put32(at, value);
        }
        bytes
    }

    #[test]
    fn takes_a_good_one_and_says_what_is_wrong_with_others() {
        let parse = |at: usize, value: u32, len: u64| {
            let mut bytes = good();
            bytes[at..at + 4].copy_from_slice(&value.to_be_bytes());
            Qcow2Header::parse(&bytes, len)
        };
        let len = 0x4_0000;
        assert_eq!(parse(4, 3, len).unwrap().size, 1 << 30);
        assert_eq!(parse(0, 0, len), Err(HeaderError::NotQcow2));
        assert_eq!(parse(4, 1, len), Err(HeaderError::Version(1)));
        assert_eq!(parse(12, 200, len), Err(HeaderError::BackingFile));
        assert_eq!(parse(32, 2, len), Err(HeaderError::Encrypted));
        assert_eq!(parse(76, 2, len), Err(HeaderError::Corrupt));
        assert_eq!(parse(76, 4, len), Err(HeaderError::DataFile));
        assert_eq!(parse(76, 16, len), Err(HeaderError::Features(16)));
        assert!(matches!(parse(20, 63, len), Err(HeaderError::Nonsense(_))));
        assert!(matches!(parse(24, u32::MAX, len), Err(HeaderError::Nonsense(_))));
        assert!(matches!(parse(4, 3, 0x3_0000), Err(HeaderError::Truncated { .. })));
        assert_eq!(Qcow2Header::parse(&good()[..60], len), Err(HeaderError::Short));
        assert_eq!(Qcow2Header::parse(b"", 0), Err(HeaderError::NotQcow2));
    }

    proptest! {
        #[test]
        fn never_panics(changes in prop::collection::vec((0..HEADER_BYTES, any::<u8>()), 0..40), cut in 0..=HEADER_BYTES, len: u64) {
            let mut bytes = good();
            changes.into_iter().for_each(|(at, value)| bytes[at] = value);
            let _ = Qcow2Header::parse(&bytes[..cut], len);
        }
    }

    #[test]
    fn tables_beyond_the_end_are_refused() {
        let header = Qcow2Header::parse(&good(), 1 << 20).unwrap();
        let table = |offset: u64| (offset | 1 << 63).to_be_bytes();
        header.check_l1(&[[0; 8], table(0xf_0000)].concat(), 1 << 20).unwrap();
        assert!(matches!(header.check_l1(&table(0xf_0000), (1 << 20) - 1), Err(HeaderError::Truncated { .. })));
        assert!(matches!(header.check_l1(&table(1 << 50), 1 << 20), Err(HeaderError::Truncated { .. })));
        assert!(matches!(header.check_l1(&table(0x200), 1 << 20), Err(HeaderError::Nonsense(_))));
    }
}
