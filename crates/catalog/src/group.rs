//! Where rows come from. Every figure of the catalog belongs to one group of rows, and the group says who stated it and when.

use jiff::civil::Date;

/// Index into [`crate::Parts::groups`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupId(pub u8);

/// What period an offer's price of this group is for, as its source states it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Per {
    Hour,
    /// 730 hours.
    Month,
}

/// Rows of one source, one date and one way of getting at them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Short and unique: `aws-on-demand`.
    pub name: String,
    /// Who states the figures.
    pub source: String,
    /// SPDX expression of the source's licence.
    pub licence: String,
    /// `YYYY`, `YYYY-MM` or `YYYY-MM-DD`: as exact as the source is.
    pub as_of: String,
    /// `None`: each figure is the source's own. Else the rule by which it was derived from the source's figures.
    pub rule: Option<String>,
    /// ISO 4217, of every amount in the group.
    pub currency: [u8; 3],
    pub per: Per,
}

impl Group {
    /// Derived, and so never to be shown as a price that a vendor stated.
    pub fn is_derived(&self) -> bool {
        self.rule.is_some()
    }

    /// The earliest day that [`Group::as_of`] can mean, so that an age is never understated.
    pub fn as_of_date(&self) -> Option<Date> {
        let mut parts = self.as_of.split('-');
        let year = parts.next()?.parse().ok()?;
        let month = parts.next().map_or(Some(1), |p| p.parse().ok())?;
        let day = parts.next().map_or(Some(1), |p| p.parse().ok())?;
        if parts.next().is_some() {
            return None;
        }
        Date::new(year, month, day).ok()
    }

    /// Whole days between the figures' date and `today`; negative when the figures are of the future.
    pub fn age_days(&self, today: Date) -> Option<i32> {
        Some(self.as_of_date()?.until(today).ok()?.get_days())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(as_of: &str) -> Group {
        Group {
            name: "g".into(),
            source: "s".into(),
            licence: "MIT".into(),
            as_of: as_of.into(),
            rule: None,
            currency: *b"USD",
            per: Per::Hour,
        }
    }

    #[test]
    fn an_age_is_never_understated() {
        let today = Date::constant(2026, 11, 23);
        for (as_of, days) in [("2026-11-22", Some(1)), ("2026-11", Some(22)), ("2026", Some(326)), ("soon", None)] {
            assert_eq!(group(as_of).age_days(today), days, "{as_of}");
        }
    }
}
