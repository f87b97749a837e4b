//! Amounts as the API writes them: plain numbers, kept exactly.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use serde_json::Number;

use crate::{GIB, Money};

/// Dollars, written as a number (`0.05`) or as text (`"0.05 USD"`), kept to 10⁻⁹.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Dollars {
    pub nanos: i128,
}

impl Dollars {
    pub fn money(self) -> Money {
        Money::usd_nanos(self.nanos)
    }
}

impl Serialize for Dollars {
    /// A number again; what it can't hold is in the text beside it wherever that matters.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let amount: f64 = self.money().amount().parse().unwrap_or(f64::MAX);
        serializer.serialize_f64(amount)
    }
}

impl<'de> Deserialize<'de> for Dollars {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = match NumberOrText::deserialize(deserializer)? {
            // Its shortest form is what was written, not the nearest float's digits.
            NumberOrText::Number(number) => plain(&number),
            NumberOrText::Text(text) => text,
        };
        let money: Money = text.parse().map_err(D::Error::custom)?;
        if money.currency != *b"USD" {
            return Err(D::Error::custom(format!("amounts are in USD here, not in {}", money.currency())));
        }
        Ok(Self { nanos: money.nanos })
    }
}

/// GiB, written as a number that may have a fraction (`0.5`); kept in bytes, to the nearest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Gigabytes {
    pub bytes: u64,
}

impl Gigabytes {
    pub fn from_gib(gib: u64) -> Self {
        Self { bytes: gib.saturating_mul(GIB) }
    }

    /// Rounded up to whole GiB, as disks are sold.
    pub fn whole(self) -> u64 {
        self.bytes.div_ceil(GIB)
    }
}

impl Serialize for Gigabytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.bytes.is_multiple_of(GIB) {
            serializer.serialize_u64(self.bytes / GIB)
        } else {
            serializer.serialize_f64(self.bytes as f64 / GIB as f64)
        }
    }
}

impl<'de> Deserialize<'de> for Gigabytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = Number::deserialize(deserializer)?;
        let bad = |why: &str| Err(D::Error::custom(format!("{} GB {why}", plain(&number))));
        let Some(gib) = number.as_f64() else { return bad("is no size") };
        match gib {
            gib if gib < 0.0 => bad("is less than nothing"),
            // Beyond any machine or disk there is, and still exact enough.
            gib if gib > 1e9 => bad("is more than there can be"),
            gib => Ok(Self { bytes: (gib * GIB as f64).round() as u64 }),
        }
    }
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a number, or a text such as \"0.05 USD\"")]
enum NumberOrText {
    Number(Number),
    Text(String),
}

/// A number without an exponent where it can be had.
fn plain(number: &Number) -> String {
    match number.as_f64().filter(|_| number.is_f64()) {
        Some(float) if float.abs() < 1e15 => format!("{float}"),
        _ => number.to_string(),
    }
}

#[cfg(feature = "openapi")]
mod schema {
    use super::{Dollars, Gigabytes};
    use utoipa::openapi::{
        ObjectBuilder, OneOfBuilder, RefOr,
        schema::{Schema, Type},
    };

    fn number(example: f64, most: f64) -> ObjectBuilder {
        ObjectBuilder::new()
            .schema_type(Type::Number)
            .minimum(Some(0))
            .maximum(Some(most))
            .examples([serde_json::json!(example)])
    }

    impl utoipa::PartialSchema for Dollars {
        fn schema() -> RefOr<Schema> {
            let text =
                ObjectBuilder::new().schema_type(Type::String).pattern(Some(r"^\$?[0-9]{1,15}(\.[0-9]{1,9})?( USD)?$"));
            OneOfBuilder::new().item(number(0.05, 1e12)).item(text).into()
        }
    }
    impl utoipa::ToSchema for Dollars {}
    impl utoipa::PartialSchema for Gigabytes {
        fn schema() -> RefOr<Schema> {
            number(4.0, 1e9).into()
        }
    }
    impl utoipa::ToSchema for Gigabytes {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn dollars(json: &str) -> Result<i128, String> {
        serde_json::from_str::<Dollars>(json).map(|d| d.nanos).map_err(|e| e.to_string())
    }

    #[test]
    fn what_is_written_is_meant() {
        assert_eq!(dollars("0.1").unwrap(), 100_000_000);
        assert_eq!(dollars("0.0335057").unwrap(), 33_505_700);
        assert_eq!(dollars("1e-7").unwrap(), 100);
        assert_eq!(dollars("\"0.05 USD\"").unwrap(), 50_000_000);
        assert_eq!(dollars("3").unwrap(), 3_000_000_000);
        assert!(dollars("\"0.05 EUR\"").unwrap_err().contains("USD"));
        assert!(dollars("true").unwrap_err().contains("expected a number"));
        assert!(dollars("1e300").is_err() && dollars("\"x\"").is_err() && dollars("null").is_err());
        assert_eq!(serde_json::to_string(&Dollars { nanos: 33_600_000 }).unwrap(), "0.0336");
    }

    #[test]
    fn sizes() {
        let size = |json: &str| serde_json::from_str::<Gigabytes>(json).map(|g| g.bytes).map_err(|e| e.to_string());
        assert_eq!(size("0.5").unwrap(), GIB / 2);
        assert_eq!(size("8").unwrap(), 8 * GIB);
        for bad in ["-1", "1e10", "\"8\"", "null"] {
            assert!(size(bad).is_err(), "{bad}");
        }
        assert_eq!(serde_json::to_string(&Gigabytes { bytes: GIB / 2 }).unwrap(), "0.5");
    }

    proptest! {
        #[test]
        fn dollars_to_a_millionth_survive_json(micros in 0i128..1_000_000_000_000) {
            let there = Dollars { nanos: micros * 1000 };
            let text = serde_json::to_string(&there).unwrap();
            prop_assert_eq!(serde_json::from_str::<Dollars>(&text).unwrap(), there);
        }
    }
}
