//! Where a server is and which of its exports is meant.

use std::{fmt, path::PathBuf, str::FromStr};

use serde::{Deserialize, Serialize};

/// `nbd+unix:///export?socket=/path` or `nbd://host:port/export`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum NbdAddress {
    Unix { socket: PathBuf, export: String },
    Tcp { host: String, export: String },
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not the address of a network block device; write nbd+unix:///export?socket=/path or nbd://host:port/export"
)]
pub struct AddressError(String);

impl NbdAddress {
    pub fn unix(socket: impl Into<PathBuf>, export: impl Into<String>) -> Self {
        Self::Unix { socket: socket.into(), export: export.into() }
    }

    pub fn export(&self) -> &str {
        match self {
            Self::Unix { export, .. } | Self::Tcp { export, .. } => export,
        }
    }
}

impl FromStr for NbdAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let fail = || AddressError(text.chars().take(200).collect());
        if let Some(rest) = text.strip_prefix("nbd+unix://") {
            let (path, query) = rest.split_once('?').ok_or_else(fail)?;
            let socket = query.strip_prefix("socket=").filter(|socket| !socket.is_empty()).ok_or_else(fail)?;
            return Ok(Self::unix(socket, path.strip_prefix('/').unwrap_or(path)));
        }
        let rest = text.strip_prefix("nbd://").ok_or_else(fail)?;
        let (host, export) = rest.split_once('/').unwrap_or((rest, ""));
        if host.is_empty() {
            return Err(fail());
        }
        let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let host = if has_port { host.to_owned() } else { format!("{host}:10809") };
        Ok(Self::Tcp { host, export: export.to_owned() })
    }
}

impl fmt::Display for NbdAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix { socket, export } => write!(f, "nbd+unix:///{export}?socket={}", socket.display()),
            Self::Tcp { host, export } => write!(f, "nbd://{host}/{export}"),
        }
    }
}

impl TryFrom<String> for NbdAddress {
    type Error = AddressError;
    fn try_from(text: String) -> Result<Self, AddressError> {
        text.parse()
    }
}

impl From<NbdAddress> for String {
    fn from(address: NbdAddress) -> String {
        address.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_prints() {
        for text in [
            "nbd+unix:///sda?socket=/run/x.sock",
            "nbd+unix:///?socket=/x",
            "nbd://127.0.0.1:10810/",
            "nbd://[::1]:9/a",
        ] {
            assert_eq!(text.parse::<NbdAddress>().unwrap().to_string(), text);
        }
        assert_eq!("nbd://host".parse::<NbdAddress>().unwrap().to_string(), "nbd://host:10809/");
        for bad in ["", "nbd://", "nbd+unix:///x", "nbd+unix:///?socket=", "http://x"] {
            assert!(bad.parse::<NbdAddress>().is_err(), "{bad}");
        }
    }
}
