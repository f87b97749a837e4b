//! Exact money: an integer of 10⁻⁹ units and a currency. No float ever holds a price.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// An exact amount. In JSON and text it is `"0.0416 USD"`; a bare number is read as USD.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Money {
    /// 10⁻⁹ units of the currency.
    pub nanos: i128,
    /// ISO 4217, upper case.
    pub currency: [u8; 3],
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an amount of money; write at most nine decimals and a currency, such as 0.05 or 0.05 USD")]
pub struct ParseMoneyError(String);

impl Money {
    pub fn usd_nanos(nanos: i128) -> Self {
        Self { nanos, currency: *b"USD" }
    }

    pub fn currency(&self) -> &str {
        std::str::from_utf8(&self.currency).unwrap_or("???")
    }

    /// The amount alone, without trailing zeros: `0.0416`.
    pub fn amount(&self) -> String {
        let sign = if self.nanos < 0 { "-" } else { "" };
        let absolute = self.nanos.unsigned_abs();
        let (whole, fraction) = (absolute / 1_000_000_000, absolute % 1_000_000_000);
        if fraction == 0 {
            return format!("{sign}{whole}");
        }
        let digits = format!("{fraction:09}");
        format!("{sign}{whole}.{}", digits.trim_end_matches('0'))
    }

    /// For a sentence: rounded to millionths, with two decimals at least: `0.10 USD`, `0.003342 USD`. What would be nothing
    /// has all its digits.
    pub fn words(&self) -> String {
        let millionths = (self.nanos.unsigned_abs() + 500) / 1000;
        if millionths == 0 && self.nanos != 0 {
            return self.to_string();
        }
        let sign = if self.nanos < 0 { "-" } else { "" };
        let digits = format!("{:06}", millionths % 1_000_000);
        let fraction = digits.trim_end_matches('0');
        format!("{sign}{}.{fraction:0<2} {}", millionths / 1_000_000, self.currency())
    }
}

impl FromStr for Money {
    type Err = ParseMoneyError;

    fn from_str(text: &str) -> Result<Self, ParseMoneyError> {
        parse(text.trim()).ok_or_else(|| ParseMoneyError(text.chars().take(40).collect()))
    }
}

fn parse(text: &str) -> Option<Money> {
    let text = text.strip_prefix('$').unwrap_or(text);
    let (number, currency) = match text.split_once(' ') {
        Some((number, currency)) => (number, currency.trim()),
        None => (text, "USD"),
    };
    let currency: [u8; 3] = currency.as_bytes().try_into().ok()?;
    if !currency.iter().all(u8::is_ascii_uppercase) {
        return None;
    }
    let (negative, digits) = match number.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, number),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || whole.len() > 18 || fraction.len() > 9 || !all_digits(whole) || !all_digits(fraction) {
        return None;
    }
    let nanos = whole.parse::<i128>().ok()? * 1_000_000_000 + format!("{fraction:0<9}").parse::<i128>().ok()?;
    Some(Money { nanos: if negative { -nanos } else { nanos }, currency })
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{} {}", self.amount(), self.currency()))
    }
}

impl TryFrom<String> for Money {
    type Error = ParseMoneyError;
    fn try_from(text: String) -> Result<Self, ParseMoneyError> {
        text.parse()
    }
}

impl From<Money> for String {
    fn from(money: Money) -> String {
        money.to_string()
    }
}

#[cfg(feature = "openapi")]
impl utoipa::PartialSchema for Money {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .examples(["0.0416 USD"])
            .into()
    }
}

#[cfg(feature = "openapi")]
impl utoipa::ToSchema for Money {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_and_prints() {
        assert_eq!("0.0416".parse::<Money>().unwrap().to_string(), "0.0416 USD");
        assert_eq!("$12".parse::<Money>().unwrap().nanos, 12_000_000_000);
        assert_eq!("-1.5 EUR".parse::<Money>().unwrap().to_string(), "-1.5 EUR");
        for bad in ["", "x", "1.0000000001", "1 usd", "1e3", ".5"] {
            assert!(bad.parse::<Money>().is_err(), "{bad}");
        }
    }

    #[test]
    fn words_are_short_and_hide_nothing() {
        for (nanos, words) in [
            (0, "0.00 USD"),
            (100_000_000, "0.10 USD"),
            (41_600_000, "0.0416 USD"),
            (3_341_600, "0.003342 USD"),
            (18_000_000_000, "18.00 USD"),
            (99_999_999, "0.10 USD"),
            (-1_234_567_899_999, "-1234.5679 USD"),
            (-500, "-0.000001 USD"),
            (499, "0.000000499 USD"),
        ] {
            assert_eq!(Money::usd_nanos(nanos).words(), words, "{nanos}");
        }
    }

    proptest! {
        #[test]
        fn words_are_exact_to_a_millionth(nanos in -10i128.pow(26)..10i128.pow(26)) {
            let read = Money::usd_nanos(nanos).words().parse::<Money>().unwrap();
            prop_assert!((read.nanos - nanos).abs() <= 500);
        }

        #[test]
        fn round_trips(nanos in -10i128.pow(26)..10i128.pow(26)) {
            let money = Money::usd_nanos(nanos);
            prop_assert_eq!(money.to_string().parse::<Money>().unwrap(), money);
        }
    }
}
