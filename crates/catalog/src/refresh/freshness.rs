//! How old a price may be.

use jiff::civil::Date;

use crate::Group;

/// What happens to a quote whose prices are older than they may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stale {
    Refuse,
    Mark,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Freshness {
    /// A price of this age is still fresh.
    pub max_age_days: u32,
    pub stale: Stale,
}

/// Of one group of rows on one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Fresh {
        days: u32,
    },
    /// To be shown, and marked. No age: the date is missing or in the future, so that it can't be told.
    Marked {
        days: Option<u32>,
    },
    /// Not to be used.
    Refused {
        days: Option<u32>,
    },
}

impl Freshness {
    /// A date of tomorrow is today's: days change at different hours around the world.
    pub fn judge(&self, group: &Group, today: Date) -> Verdict {
        let days = group.age_days(today).filter(|days| *days >= -1).map(|days| days.max(0).unsigned_abs());
        match (days, self.stale) {
            (Some(days), _) if days <= self.max_age_days => Verdict::Fresh { days },
            (days, Stale::Mark) => Verdict::Marked { days },
            (days, Stale::Refuse) => Verdict::Refused { days },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Per;

    #[test]
    fn old_prices_are_refused_or_marked() {
        let group = |as_of: &str| Group {
            name: "g".into(),
            source: "s".into(),
            licence: "MIT".into(),
            as_of: as_of.into(),
            rule: None,
            currency: *b"USD",
            per: Per::Hour,
        };
        let judge = |as_of: &str, stale| {
            Freshness { max_age_days: 30, stale }.judge(&group(as_of), Date::constant(2026, 11, 28))
        };
        for stale in [Stale::Mark, Stale::Refuse] {
            assert_eq!(judge("2026-11-28", stale), Verdict::Fresh { days: 0 });
            assert_eq!(judge("2026-11-29", stale), Verdict::Fresh { days: 0 });
            assert_eq!(judge("2026-10-29", stale), Verdict::Fresh { days: 30 });
            assert_eq!(judge("2026-11", stale), Verdict::Fresh { days: 27 });
        }
        assert_eq!(judge("2026-10-28", Stale::Mark), Verdict::Marked { days: Some(31) });
        assert_eq!(judge("2026-10-28", Stale::Refuse), Verdict::Refused { days: Some(31) });
        assert_eq!(judge("2026-11-30", Stale::Mark), Verdict::Marked { days: None });
        assert_eq!(judge("lately", Stale::Refuse), Verdict::Refused { days: None });
    }
}
