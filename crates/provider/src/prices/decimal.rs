//! Prices out of JSON, exactly: the digits as they are written, never a float.

use std::fmt;

use serde::{Deserialize, Deserializer, de};
use serde_json::value::RawValue;

/// An amount in 10⁻⁹ units as JSON has it, a number or a text with one. Digits beyond the ninth are rounded half to even.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Decimal(pub i128);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a decimal number that a price can be")]
pub struct DecimalError(String);

/// Longer numbers are no prices.
const MOST_CHARS: usize = 60;
const MOST_EXPONENT: i32 = 40;

impl std::str::FromStr for Decimal {
    type Err = DecimalError;

    /// Reads what JSON calls a number: `0.0416`, `-1`, `1.2E-05`.
    fn from_str(text: &str) -> Result<Self, DecimalError> {
        parse(text).map(Self).ok_or_else(|| DecimalError(text.chars().take(40).collect()))
    }
}

fn parse(text: &str) -> Option<i128> {
    if text.len() > MOST_CHARS {
        return None;
    }
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, read_exponent(exponent)?),
        None => (text, 0),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) if !fraction.is_empty() => (whole, fraction),
        Some(_) => return None,
        None => (mantissa, ""),
    };
    let digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
    if whole.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    // The amount is `digits` × 10^shift, in 10⁻⁹ units.
    let shift = exponent - fraction.len() as i32 + 9;
    let nanos = scale(&digits, shift)?;
    Some(if negative { -nanos } else { nanos })
}

fn read_exponent(text: &str) -> Option<i32> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    let exponent: i32 = text.strip_prefix('+').unwrap_or(text).parse().ok().filter(|_| plain)?;
    (-MOST_EXPONENT..=MOST_EXPONENT).contains(&exponent).then_some(exponent)
}

/// `digits` × 10^`shift`, rounded half to even; `None` beyond 38 digits.
fn scale(digits: &[u8], shift: i32) -> Option<i128> {
    let kept = (digits.len() as i32 + shift.min(0)).max(0) as usize;
    let (kept, cut) = digits.split_at(kept);
    let push = |value: i128, digit: &u8| value.checked_mul(10)?.checked_add(i128::from(digit - b'0'));
    let mut value = kept.iter().try_fold(0i128, push)?;
    for _ in 0..shift.max(0) {
        value = value.checked_mul(10)?;
    }
    // Zeros stand between what is kept and the first digit that was written, when everything is cut and more.
    let beyond = digits.len() as i32 + shift < 0;
    let up = match cut {
        [] => false,
        _ if beyond => false,
        [b'0'..=b'4', ..] => false,
        [b'5', rest @ ..] if rest.iter().all(|digit| *digit == b'0') => value % 2 == 1,
        _ => true,
    };
    value.checked_add(i128::from(up))
}

/// A whole `amount` as its `count`th part, rounded half to even.
pub fn per(amount: u64, count: u64) -> u64 {
    let count = count.max(1);
    let (q, r) = (amount / count, amount % count);
    match (u128::from(r) * 2).cmp(&u128::from(count)) {
        std::cmp::Ordering::Less => q,
        std::cmp::Ordering::Greater => q + 1,
        std::cmp::Ordering::Equal => q + q % 2,
    }
}

/// What an hour of a commitment costs whose price is for the whole term.
pub fn per_term(total: u64, term: super::Term) -> u64 {
    per(total, term.hours().unwrap_or(1))
}

impl Decimal {
    /// As a price: `None` for what is negative or does not fit.
    pub fn nanos(self) -> Option<u64> {
        u64::try_from(self.0).ok()
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&novacron_types::Money { nanos: self.0, currency: *b"USD" }.amount())
    }
}

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?.get();
        let text = raw.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(raw);
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn nanos(text: &str) -> Option<i128> {
        text.parse::<Decimal>().ok().map(|decimal| decimal.0)
    }

    #[test]
    fn as_vendors_write_them() {
        for (text, expected) in [
            ("0.0416", 41_600_000),
            ("0.0416000000", 41_600_000),
            ("1.2E-05", 12_000),
            ("1E-9", 1),
            ("5e-10", 0),
            ("15e-10", 2),
            ("5.0000001e-10", 1),
            ("9e-11", 0),
            ("9.9e-12", 0),
            ("0.0083764275", 8_376_428),
            ("0.0083764265", 8_376_426),
            ("-1", -1_000_000_000),
            ("0", 0),
            ("2e3", 2_000_000_000_000),
            ("1136", 1_136_000_000_000),
        ] {
            assert_eq!(nanos(text), Some(expected), "{text}");
        }
        let long = "1".repeat(61);
        for bad in ["", "-", ".5", "1.", "1e", "1e+", "1e99", "NaN", "Infinity", "1,0", "+1", "0x1", "1 ", "--1", &long]
        {
            assert_eq!(nanos(bad), None, "{bad}");
        }
        assert_eq!(nanos(&"9".repeat(40)), None);
    }

    #[test]
    fn out_of_json() {
        #[derive(Deserialize)]
        struct Row {
            a: Decimal,
            b: Decimal,
        }
        let row: Row = serde_json::from_str(r#"{"a": 0.1234567890123, "b": "0.0960000000"}"#).unwrap();
        assert_eq!((row.a.0, row.b.0), (123_456_789, 96_000_000));
        for bad in [r#"{"a": true, "b": 1}"#, r#"{"a": [], "b": 1}"#, r#"{"a": "x", "b": 1}"#, r#"{"a": null, "b": 1}"#]
        {
            assert!(serde_json::from_str::<Row>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_term_by_the_hour() {
        assert_eq!(per_term(8_760 * 41_600_000, super::super::Term::Commit1Year), 41_600_000);
        assert_eq!([per(5, 2), per(7, 2), per(4, 3), per(5, 3)], [2, 4, 1, 2]);
    }

    proptest! {
        /// A number that is written out in full comes back, wherever the exponent puts the point.
        #[test]
        fn every_way_of_writing_is_the_same(value in -10i128.pow(24)..10i128.pow(24), places in 0usize..30, exponent in -9i32..9) {
            let sign = if value < 0 { "-" } else { "" };
            let digits = format!("{:0>width$}", value.unsigned_abs(), width = places + 1);
            let (whole, fraction) = digits.split_at(digits.len() - places);
            let point = if places == 0 { "" } else { "." };
            let shown = format!("{sign}{whole}{point}{fraction}e{exponent}");
            let shift = 9 + exponent - places as i32;
            let exact = if shift >= 0 {
                value.checked_mul(10i128.pow(shift as u32))
            } else {
                let unit = 10i128.pow(shift.unsigned_abs().min(38));
                let (q, r) = (value.abs() / unit, value.abs() % unit);
                let up = 2 * r > unit || (2 * r == unit && q % 2 == 1);
                Some(value.signum() * (q + i128::from(up)))
            };
            if shown.len() <= MOST_CHARS {
                prop_assert_eq!(nanos(&shown), exact, "{}", shown);
            }
        }

        #[test]
        fn no_text_panics(text in "[-+0-9.eE]{0,70}") {
            let _ = nanos(&text);
            let _ = serde_json::from_str::<Decimal>(&text);
        }

        #[test]
        fn a_part_is_never_off_by_more_than_half(amount: u64, count in 1u64..100_000) {
            let part = per(amount, count);
            let back = i128::from(part) * i128::from(count) - i128::from(amount);
            prop_assert!(2 * back.abs() <= i128::from(count));
        }
    }
}
