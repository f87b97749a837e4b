//! Sizes in bytes, written as people write them.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, de};

pub const KIB: u64 = 1 << 10;
pub const MIB: u64 = 1 << 20;
pub const GIB: u64 = 1 << 30;

/// A number of bytes. Reads `8Gi`, `8GiB`, `500GB`, `4096`; prints binary units with one decimal.
/// In JSON it is a plain number of bytes; both a number and a text are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(transparent)]
pub struct ByteSize(pub u64);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a size; write a number of bytes or one with a unit, such as 64Ki, 8GiB or 500GB")]
pub struct ParseSizeError(String);

impl FromStr for ByteSize {
    type Err = ParseSizeError;

    fn from_str(text: &str) -> Result<Self, ParseSizeError> {
        let fail = || ParseSizeError(text.chars().take(40).collect());
        let text_trimmed = text.trim();
        let split = text_trimmed.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text_trimmed.len());
        let (number, unit) = text_trimmed.split_at(split);
        let factor = match unit.trim().to_ascii_lowercase().as_str() {
            "" | "b" => 1,
            "k" | "kb" => 1_000,
            "m" | "mb" => 1_000_000,
            "g" | "gb" => 1_000_000_000,
            "t" | "tb" => 1_000_000_000_000,
            "ki" | "kib" => KIB,
            "mi" | "mib" => MIB,
            "gi" | "gib" => GIB,
            "ti" | "tib" => GIB * 1024,
            _ => return Err(fail()),
        };
        bytes(number, factor).map(ByteSize).ok_or_else(fail)
    }
}

/// A decimal number times the factor, exactly, and then to the nearest byte.
fn bytes(number: &str, factor: u64) -> Option<u64> {
    /// Digits after the point that count: a byte is not split finer.
    const PLACES: usize = 18;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
        return None;
    }
    let digits = |text: &str| if text.is_empty() { Some(0) } else { text.parse::<u64>().ok().map(u128::from) };
    let fraction = &fraction[..fraction.len().min(PLACES)];
    let (factor, scale) = (u128::from(factor), 10u128.pow(fraction.len() as u32));
    let part = (digits(fraction)? * factor + scale / 2) / scale;
    u64::try_from(digits(whole)? * factor + part).ok()
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = ["KiB", "MiB", "GiB", "TiB", "PiB"];
        if self.0 < KIB {
            return f.pad(&format!("{} B", self.0));
        }
        let mut value = self.0 as f64 / 1024.0;
        let mut unit = 0;
        while value >= 1024.0 && unit + 1 < units.len() {
            value /= 1024.0;
            unit += 1;
        }
        f.pad(&format!("{value:.1} {}", units[unit]))
    }
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = ByteSize;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of bytes or a text such as 8GiB")
            }
            fn visit_u64<E: de::Error>(self, v: u64) -> Result<ByteSize, E> {
                Ok(ByteSize(v))
            }
            fn visit_i64<E: de::Error>(self, v: i64) -> Result<ByteSize, E> {
                u64::try_from(v).map(ByteSize).map_err(|_| E::custom("a size can't be negative"))
            }
            fn visit_str<E: de::Error>(self, v: &str) -> Result<ByteSize, E> {
                v.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_what_people_write() {
        for (text, bytes) in [
            ("8Gi", 8 * GIB),
            ("8 GiB", 8 * GIB),
            ("1.5k", 1500),
            ("4096", 4096),
            ("100Gi", 100 * GIB),
            ("2tb", 2_000_000_000_000),
            ("67573.0TiB", 67_573 << 40),
            ("0.1", 0),
            (".5 k", 500),
            ("18446744073709551614.6", u64::MAX),
        ] {
            assert_eq!(text.parse::<ByteSize>().unwrap().0, bytes, "{text}");
        }
        for bad in [
            "",
            "-1",
            "Gi",
            "1 2",
            "8Gx",
            "99999999999999999999",
            "18446744073709551615.5",
            ".",
            "1.2.3",
            "NaN",
            "1e400",
        ] {
            assert!(bad.parse::<ByteSize>().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in ".{0,40}") { let _ = text.parse::<ByteSize>(); }
        #[test]
        fn plain_numbers_are_bytes(n in 0u64..) { prop_assert_eq!(n.to_string().parse::<ByteSize>().unwrap().0, n); }
    }
}
