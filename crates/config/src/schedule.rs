//! When something is done again and again: five fields of cron.

use std::{fmt, str::FromStr};

use croner::{
    Cron,
    parser::{CronParser, Seconds, Year},
};
use jiff::{Timestamp, tz::TimeZone};
use serde::Deserialize;

/// Minute, hour, day of the month, month, day of the week, in UTC: `0 2 * * *`. There is always a next time.
#[derive(Clone, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub struct Schedule {
    text: String,
    cron: Cron,
}

impl Schedule {
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The first time after `now`. `None`: beyond the years that there are.
    pub fn next(&self, now: Timestamp) -> Option<Timestamp> {
        self.cron.find_next_occurrence(&now.to_zoned(TimeZone::UTC), false).ok().map(|next| next.timestamp())
    }
}

impl FromStr for Schedule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fields = text.split_whitespace().count();
        if fields != 5 {
            return Err(format!("it has {fields} fields"));
        }
        // Longer than every way to write one; and `@` would let names through that hide fields.
        if text.len() > 400 || text.contains('@') {
            return Err("it is no pattern of cron".into());
        }
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let cron = parser.parse(text).map_err(|error| match wrong_field(&parser, text) {
            Some(why) => why,
            None => error.to_string(),
        })?;
        let schedule = Self { text: text.split_whitespace().collect::<Vec<_>>().join(" "), cron };
        match schedule.next(Timestamp::UNIX_EPOCH) {
            Some(_) => Ok(schedule),
            None => Err("there is no such day".into()),
        }
    }
}

/// In their order, and what each takes.
const FIELDS: [(&str, &str); 5] = [
    ("minute", "numbers from 0 to 59"),
    ("hour", "numbers from 0 to 23"),
    ("day of the month", "numbers from 1 to 31"),
    ("month", "numbers from 1 to 12, or `JAN` to `DEC`"),
    ("day of the week", "numbers from 0 to 7, or `SUN` to `SAT`"),
];

/// The first field that is wrong by itself.
fn wrong_field(parser: &CronParser, text: &str) -> Option<String> {
    let wrong = |(index, field): &(usize, &str)| {
        let mut alone = ["*"; 5];
        alone[*index] = field;
        parser.parse(&alone.join(" ")).is_err()
    };
    let (index, field) = text.split_whitespace().enumerate().take(FIELDS.len()).find(wrong)?;
    let (name, takes) = FIELDS[index];
    let field: String = field.chars().take(40).collect();
    Some(format!("its {name} is `{field}`, which takes `*` or {takes}, with `,`, `-` and `/`"))
}

impl fmt::Debug for Schedule {
    /// The text alone: what it is compiled to is thousands of bits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Schedule").field(&self.text).finish()
    }
}

impl TryFrom<String> for Schedule {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_next_time() {
        let next = |schedule: &str, now: &str| {
            let schedule: Schedule = schedule.parse().unwrap();
            schedule.next(now.parse().unwrap()).unwrap().to_string()
        };
        assert_eq!(next("0 2 * * *", "2026-11-28T01:59:59Z"), "2026-11-28T02:00:00Z");
        assert_eq!(next("0 2 * * *", "2026-11-28T02:00:00Z"), "2026-11-29T02:00:00Z");
        assert_eq!(next("*/15 * * * MON-FRI", "2026-11-28T12:00:00Z"), "2026-11-30T00:00:00Z");
        assert_eq!(next("0 0 29 2 *", "2026-01-01T00:00:00Z"), "2028-02-29T00:00:00Z");
    }

    #[test]
    fn what_is_no_schedule() {
        for bad in [
            "",
            "* * * *",
            "0 0 2 * * *",
            "60 * * * *",
            "0 24 * * *",
            "0 0 30 2 *",
            "a b c d e",
            "@ @ @ @ @",
            "*/0 * * * *",
        ] {
            assert!(bad.parse::<Schedule>().is_err(), "{bad}");
        }
    }

    #[test]
    fn the_wrong_field_is_named() {
        for (bad, name) in [
            ("60 * * * *", "its minute is `60`"),
            ("0 24 * * *", "its hour is `24`"),
            ("0 0 32 * *", "its day of the month is `32`"),
            ("0 0 * 13 *", "its month is `13`"),
            ("0 0 * * 9", "its day of the week is `9`"),
            ("*/0 * * * *", "its minute is `*/0`"),
            ("0 5-x * * *", "its hour is `5-x`"),
        ] {
            let why = bad.parse::<Schedule>().unwrap_err();
            assert!(why.contains(name), "{bad}: {why}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        #[test]
        fn any_text_is_read_or_refused(text in "([0-9*,/LW#A-Z-]{1,6} ){4}[0-9*,/LW#A-Z-]{1,6}") {
            let _ = text.parse::<Schedule>();
        }
    }
}
