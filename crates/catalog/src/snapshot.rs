//! A catalog as one file.
//!
//! ```text
//! 0   8   "NOVACAT\0"
//! 8   2   format version, little-endian
//! 10  4   length of the rows, little-endian
//! 14  32  BLAKE3 of bytes 0..14 and of everything after this field
//! 46      the rows (module `rows`), zstd
//! ```
//! The same rows give the same bytes with the same zstd.

use crate::{Catalog, KindNotHeld, Parts, PartsError, WireError, rows};

const MAGIC: &[u8; 8] = b"NOVACAT\0";
const VERSION: u16 = 2;
const HEAD: usize = 14;
const HASH: usize = 32;
/// Longer rows are refused before any memory is asked for them. About 3.8 million offers.
const MAX_ROWS: usize = 64 << 20;
const LEVEL: i32 = 19;

/// Why bytes are not a catalog.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    #[error("this is not a catalog snapshot")]
    NotASnapshot,
    #[error(
        "the catalog snapshot has format {0}, and this program reads format {VERSION}; take the one that came with it"
    )]
    Version(u16),
    #[error("the catalog snapshot is damaged: its checksum is wrong")]
    Checksum,
    #[error("the catalog snapshot says it holds {0} bytes, more than the {MAX_ROWS} that are read")]
    TooLarge(usize),
    #[error("the catalog snapshot can't be decompressed")]
    Zstd(#[source] std::io::Error),
    #[error("the catalog snapshot's rows can't be read")]
    Wire(#[from] WireError),
    #[error(transparent)]
    Parts(#[from] PartsError),
}

/// Why a catalog can't be written.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    #[error(transparent)]
    Kind(#[from] KindNotHeld),
    #[error("the catalog has {0} bytes of rows, more than the {MAX_ROWS} that a snapshot holds")]
    TooLarge(usize),
    #[error("the catalog can't be compressed")]
    Zstd(#[source] std::io::Error),
}

pub(crate) fn encode(parts: &Parts) -> Result<Vec<u8>, EncodeError> {
    let rows = rows::write(parts)?;
    if rows.len() > MAX_ROWS {
        return Err(EncodeError::TooLarge(rows.len()));
    }
    let body = zstd::bulk::compress(&rows, LEVEL).map_err(EncodeError::Zstd)?;
    let mut file = Vec::with_capacity(HEAD + HASH + body.len());
    file.extend_from_slice(MAGIC);
    file.extend_from_slice(&VERSION.to_le_bytes());
    file.extend_from_slice(&(rows.len() as u32).to_le_bytes());
    let hash = checksum(&file, &body);
    file.extend_from_slice(hash.as_bytes());
    file.extend_from_slice(&body);
    Ok(file)
}

/// At most 64 MiB are asked for before the checksum is known to be right, and it is the first thing that is looked at.
pub(crate) fn decode(file: &[u8]) -> Result<Catalog, SnapshotError> {
    let (Some(head), Some(hash), Some(body)) = (file.get(..HEAD), file.get(HEAD..HEAD + HASH), file.get(HEAD + HASH..))
    else {
        return Err(SnapshotError::NotASnapshot);
    };
    if &head[..8] != MAGIC {
        return Err(SnapshotError::NotASnapshot);
    }
    let version = u16::from_le_bytes([head[8], head[9]]);
    if version != VERSION {
        return Err(SnapshotError::Version(version));
    }
    if checksum(head, body).as_bytes() != hash {
        return Err(SnapshotError::Checksum);
    }
    let len = u32::from_le_bytes([head[10], head[11], head[12], head[13]]) as usize;
    if len > MAX_ROWS {
        return Err(SnapshotError::TooLarge(len));
    }
    let rows = zstd::bulk::decompress(body, len).map_err(SnapshotError::Zstd)?;
    decode_rows(&rows)
}

/// The rows alone, without a checksum to keep nonsense away.
pub(crate) fn decode_rows(rows: &[u8]) -> Result<Catalog, SnapshotError> {
    Ok(Catalog::new(rows::read(rows)?)?)
}

fn checksum(head: &[u8], body: &[u8]) -> blake3::Hash {
    blake3::Hasher::new().update(head).update(body).finalize()
}
