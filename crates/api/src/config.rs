//! How the API is served.

use std::{fmt, net::SocketAddr, path::PathBuf, time::Duration};

use novacron_types::Role;

/// Who may call, and within which bounds.
#[derive(Debug, Clone)]
pub struct ApiConfig {
    /// None: whoever reaches the port is admin, which is only allowed on loopback.
    pub tokens: Vec<Token>,
    pub tls: Option<TlsFiles>,
    /// Connections served at once; more wait to be accepted.
    pub max_connections: usize,
    /// How long a stop waits for answers that are under way.
    pub shutdown: Duration,
}

impl Default for ApiConfig {
    fn default() -> Self {
        Self { tokens: Vec::new(), tls: None, max_connections: 1024, shutdown: Duration::from_secs(10) }
    }
}

/// A bearer token, known by its SHA-256 only.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    /// The actor in the audit log.
    pub name: String,
    pub role: Role,
    pub sha256: [u8; 32],
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("name", &self.name).field("role", &self.role).finish_non_exhaustive()
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    pub cert_file: PathBuf,
    pub key_file: PathBuf,
}

/// Why it is not safe to listen there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{address} can be reached from other machines, so it needs {missing}. {advice}")]
pub struct Exposed {
    pub address: SocketAddr,
    pub missing: &'static str,
    pub advice: &'static str,
}

/// Beyond loopback there must be TLS and a token.
pub fn check_exposure(address: SocketAddr, config: &ApiConfig) -> Result<(), Exposed> {
    if address.ip().to_canonical().is_loopback() {
        return Ok(());
    }
    let missing = match (config.tls.is_some(), config.tokens.is_empty()) {
        (true, false) => return Ok(()),
        (false, true) => "TLS and a token",
        (false, false) => "TLS",
        (true, true) => "a token",
    };
    let advice = "Set `server.tls` and `server.tokens`, or listen on 127.0.0.1.";
    Err(Exposed { address, missing, advice })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_is_open() {
        let mut config = ApiConfig::default();
        let far: SocketAddr = "0.0.0.0:8080".parse().unwrap();
        for near in ["127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "[::ffff:127.0.0.1]:1"] {
            assert_eq!(check_exposure(near.parse().unwrap(), &config), Ok(()));
        }
        assert_eq!(check_exposure(far, &config).unwrap_err().missing, "TLS and a token");
        config.tls = Some(TlsFiles { cert_file: "c".into(), key_file: "k".into() });
        assert_eq!(check_exposure(far, &config).unwrap_err().missing, "a token");
        config.tokens.push(Token { name: "a".into(), role: Role::Viewer, sha256: [0; 32] });
        assert_eq!(check_exposure(far, &config), Ok(()));
        config.tls = None;
        assert_eq!(check_exposure("[2001:db8::1]:80".parse().unwrap(), &config).unwrap_err().missing, "TLS");
    }
}
