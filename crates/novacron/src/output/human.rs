//! Figures as people read them.

use jiff::Timestamp;
use novacron_types::{ByteSize, Money};

pub fn bytes(bytes: u64) -> String {
    ByteSize(bytes).to_string()
}

/// A price of an hour, without its unit: four decimals, more where it is small.
pub fn hour(money: Money) -> String {
    decimals(money, if (1..10_000_000).contains(&money.nanos.unsigned_abs()) { 6 } else { 4 })
}

/// An amount of whole months, without its unit: cents.
pub fn month(money: Money) -> String {
    decimals(money, 2)
}

/// `0.1530 USD/h`
pub fn hourly(money: Money) -> String {
    format!("{} {}/h", hour(money), money.currency())
}

/// `111.69 USD/month`
pub fn monthly(money: Money) -> String {
    format!("{} {}/month", month(money), money.currency())
}

/// Rounded half away from zero, with thousands set apart.
fn decimals(money: Money, places: u32) -> String {
    let unit = 10u128.pow(9 - places);
    let scaled = (money.nanos.unsigned_abs() + unit / 2) / unit;
    let (whole, fraction) = (scaled / 10u128.pow(places), scaled % 10u128.pow(places));
    let sign = if money.nanos < 0 && scaled > 0 { "−" } else { "" };
    format!("{sign}{}.{fraction:0width$}", thousands(whole), width = places as usize)
}

/// `213,000`
pub fn thousands(number: u128) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// The age of a figure.
pub fn age(days: Option<i32>) -> String {
    match days {
        None => "age unknown".to_owned(),
        Some(i32::MIN..=0) => "today".to_owned(),
        Some(1) => "1 day".to_owned(),
        Some(days) => format!("{days} days"),
    }
}

/// MB/s of 10⁶ bytes.
pub fn rate(mb_per_second: Option<f64>) -> String {
    match mb_per_second {
        Some(rate) if rate.is_finite() && rate >= 0.0 => format!("{rate:.1} MB/s"),
        _ => "rate unknown".to_owned(),
    }
}

pub fn seconds(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 0.0 {
        return "unknown".to_owned();
    }
    let whole = seconds.round() as u64;
    match whole {
        0..10 => format!("{seconds:.1} s"),
        10..60 => format!("{whole} s"),
        60..3600 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
    }
}

pub fn between(start: Timestamp, end: Timestamp) -> String {
    seconds(end.duration_since(start).as_secs_f64())
}

/// In seconds and UTC.
pub fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_short() {
        assert_eq!(seconds(0.31), "0.3 s");
        assert_eq!(seconds(59.4), "59 s");
        assert_eq!(seconds(61.0), "1 min 1 s");
        assert_eq!(seconds(7300.0), "2 h 1 min");
        assert_eq!(seconds(f64::NAN), "unknown");
        assert_eq!(rate(None), "rate unknown");
        assert_eq!(rate(Some(123.45)), "123.5 MB/s");
        let money = |nanos| Money::usd_nanos(nanos);
        assert_eq!(hourly(money(153_049_999)), "0.1530 USD/h");
        assert_eq!(hour(money(3_341_600)), "0.003342");
        assert_eq!(month(money(-1_234_567_895_000_000)), "−1,234,567.90");
        assert_eq!((month(money(-1)), hour(money(0))), ("0.00".into(), "0.0000".into()));
        assert_eq!((thousands(0), thousands(999), thousands(213_000)), ("0".into(), "999".into(), "213,000".into()));
        assert_eq!((age(Some(-1)), age(Some(38)), age(None)), ("today".into(), "38 days".into(), "age unknown".into()));
        assert_eq!(time(Timestamp::UNIX_EPOCH), "1970-01-01 00:00:00Z");
    }
}
