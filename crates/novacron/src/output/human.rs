//! Figures as people read them.

use jiff::Timestamp;
use novacron_types::ByteSize;

pub fn bytes(bytes: u64) -> String {
    ByteSize(bytes).to_string()
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
        assert_eq!(time(Timestamp::UNIX_EPOCH), "1970-01-01 00:00:00Z");
    }
}
