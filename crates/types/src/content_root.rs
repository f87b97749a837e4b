//! The proof that two disks are equal.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// The root of the digest tree over a disk's chunks: 32 bytes, printed as 64 lowercase hex digits.
/// Equal roots of disks of equal size mean equal bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(value_type = String))]
#[serde(try_from = "String", into = "String")]
pub struct ContentRoot(pub [u8; 32]);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a content root is 64 lowercase hexadecimal digits")]
pub struct ParseContentRootError;

impl fmt::Display for ContentRoot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ContentRoot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for ContentRoot {
    type Err = ParseContentRootError;

    fn from_str(text: &str) -> Result<Self, ParseContentRootError> {
        let digits = text.as_bytes();
        if digits.len() != 64 {
            return Err(ParseContentRootError);
        }
        let nibble = |digit: u8| match digit {
            b'0'..=b'9' => Ok(digit - b'0'),
            b'a'..=b'f' => Ok(digit - b'a' + 10),
            _ => Err(ParseContentRootError),
        };
        let mut root = [0u8; 32];
        for (byte, pair) in root.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
        }
        Ok(Self(root))
    }
}

impl TryFrom<String> for ContentRoot {
    type Error = ParseContentRootError;
    fn try_from(text: String) -> Result<Self, ParseContentRootError> {
        text.parse()
    }
}

impl From<ContentRoot> for String {
    fn from(root: ContentRoot) -> String {
        root.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn round_trips(bytes: [u8; 32]) {
            let root = ContentRoot(bytes);
            prop_assert_eq!(root.to_string().parse::<ContentRoot>().unwrap(), root);
        }
        #[test]
        fn refuses_anything_else(text in "[0-9a-fA-F]{0,70}") {
            let fine = text.len() == 64 && !text.bytes().any(|b| b.is_ascii_uppercase());
            prop_assert_eq!(text.parse::<ContentRoot>().is_ok(), fine);
        }
    }
}
