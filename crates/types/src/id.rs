//! Identifiers. Each is its own type, so that an instance's id can't be passed where a VM's is meant.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Why a text is not an identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind} {text:?} is not valid: {why}")]
pub struct IdError {
    kind: &'static str,
    text: String,
    why: &'static str,
}

const MAX_LEN: usize = 255;

fn check(kind: &'static str, text: &str) -> Result<(), IdError> {
    let why = if text.is_empty() {
        "it is empty"
    } else if text.len() > MAX_LEN {
        "it is longer than 255 bytes"
    } else if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        "it has white space or control characters"
    } else {
        return Ok(());
    };
    Err(IdError { kind, text: text.chars().take(64).collect(), why })
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Takes any non-empty text of at most 255 bytes without white space or control characters.
            pub fn new(text: impl Into<String>) -> Result<Self, IdError> {
                let text = text.into();
                check($kind, &text)?;
                Ok(Self(text))
            }
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
        impl FromStr for $name {
            type Err = IdError;
            fn from_str(s: &str) -> Result<Self, IdError> {
                Self::new(s)
            }
        }
        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(s: String) -> Result<Self, IdError> {
                Self::new(s)
            }
        }
        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }
        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}

id!(
    /// The federation's own, stable name of a machine, wherever it currently is.
    VmId, "VM id");
id!(
    /// What a provider calls a machine (`i-0123456789abcdef0`, a libvirt UUID).
    InstanceId, "instance id");
id!(
    /// A long work: an import, an export, a migration.
    OperationId, "operation id");
id!(
    /// The name under which a provider is configured (`aws-us-east`).
    ProviderName, "provider name");
id!(
    /// What a provider calls a point-in-time copy of a disk.
    SnapshotId, "snapshot id");
id!(
    /// What a provider calls a disk.
    DiskId, "disk id");
id!(
    /// What a provider calls a machine image.
    ImageId, "image id");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_would_break_a_line_or_a_path() {
        for bad in ["", "a b", "a\nb", "\u{0}", &"x".repeat(256)] {
            assert!(InstanceId::new(bad).is_err(), "{bad:?}");
            assert!(serde_json::from_value::<InstanceId>(serde_json::json!(bad)).is_err());
        }
        assert_eq!(InstanceId::new("i-1").unwrap().to_string(), "i-1");
    }
}
