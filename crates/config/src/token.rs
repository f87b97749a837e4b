//! Bearer tokens as they are configured.

use std::{io::Read, path::PathBuf};

use novacron_types::Role;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

/// The shortest token that is taken: shorter ones can be guessed.
pub const MIN_TOKEN: usize = 16;

#[derive(Debug)]
pub struct TokenConfig {
    pub name: String,
    pub role: Role,
    pub source: TokenSource,
}

#[derive(Debug)]
pub enum TokenSource {
    Inline(SecretString),
    File(PathBuf),
    Sha256([u8; 32]),
}

impl TokenConfig {
    /// The token's SHA-256; reads the file if it is kept in one. White space around it there does not count.
    pub fn sha256(&self) -> Result<[u8; 32], String> {
        match &self.source {
            TokenSource::Sha256(digest) => Ok(*digest),
            TokenSource::Inline(token) => Ok(Sha256::digest(token.expose_secret()).into()),
            TokenSource::File(path) => {
                let shown = path.display();
                let mut text = String::new();
                std::fs::File::open(path)
                    .and_then(|file| file.take(4096).read_to_string(&mut text))
                    .map_err(|error| format!("token `{}`: {shown}: {error}", self.name))?;
                let token = text.trim();
                if token.is_empty() {
                    return Err(format!("token `{}`: {shown} is empty; {}", self.name, too_short()));
                }
                if token.len() < MIN_TOKEN {
                    return Err(format!("token `{}`: {shown}: {}", self.name, too_short()));
                }
                Ok(Sha256::digest(token).into())
            }
        }
    }
}

pub(crate) fn too_short() -> String {
    format!("a token has at least {MIN_TOKEN} characters; make one with `openssl rand -hex 32`")
}
