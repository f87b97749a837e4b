//! Frames: a length and JSON.

use serde::{Serialize, de::DeserializeOwned};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// No honest frame is as large; a larger one ends the connection.
pub const MAX_FRAME: usize = 1 << 20;

#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    #[error("the connection was lost: {0}")]
    Io(#[from] std::io::Error),
    #[error("a frame of {0} bytes is more than the {MAX_FRAME} that are allowed")]
    TooLong(usize),
    /// Without the parser's own words, which could quote a secret.
    #[error("a frame could not be understood (line {line}, column {column})")]
    Malformed { line: usize, column: usize },
}

/// Reads what a frame holds.
pub fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, FrameError> {
    serde_json::from_slice(body).map_err(|error| FrameError::Malformed { line: error.line(), column: error.column() })
}

/// The next frame; absent where the connection ended between two.
pub(super) async fn read<T: DeserializeOwned>(from: &mut (impl AsyncRead + Unpin)) -> Result<Option<T>, FrameError> {
    let mut len = [0; 4];
    let got = from.read(&mut len).await?;
    if got == 0 {
        return Ok(None);
    }
    from.read_exact(&mut len[got..]).await?;
    let len = u32::from_be_bytes(len) as usize;
    if len > MAX_FRAME {
        return Err(FrameError::TooLong(len));
    }
    let mut body = vec![0; len];
    from.read_exact(&mut body).await?;
    decode(&body).map(Some)
}

pub(super) async fn write<T: Serialize>(to: &mut (impl AsyncWrite + Unpin), frame: &T) -> Result<(), FrameError> {
    let mut bytes = vec![0; 4];
    serde_json::to_writer(&mut bytes, frame)
        .map_err(|error| FrameError::Malformed { line: error.line(), column: error.column() })?;
    let len = bytes.len() - 4;
    if len > MAX_FRAME {
        return Err(FrameError::TooLong(len));
    }
    bytes[..4].copy_from_slice(&(len as u32).to_be_bytes());
    to.write_all(&bytes).await?;
    Ok(to.flush().await?)
}
