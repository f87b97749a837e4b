//! Lists that are read a page at a time.

use std::{fmt, str::FromStr};

use crate::StoreError;

/// One page, and where the next one starts if there is one.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    pub items: Vec<T>,
    pub next: Option<PageCursor>,
}

impl<T> Page<T> {
    /// Makes a page of at most `limit` items out of up to `limit + 1` that were read, each beside its place.
    pub fn from_rows(mut rows: Vec<(u64, T)>, limit: u32) -> Self {
        let limit = limit as usize;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| more).map(|(place, _)| PageCursor(*place));
        Self { items: rows.into_iter().map(|(_, item)| item).collect(), next }
    }
}

/// A place in a list. Its text is opaque to whoever passes it on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageCursor(pub u64);

// Sets a cursor apart from a number that somebody made up.
const MARK: u64 = 0x6e6f_7661_6372_6f6e;

impl fmt::Display for PageCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "c{:016x}", self.0 ^ MARK)
    }
}

impl FromStr for PageCursor {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, StoreError> {
        text.strip_prefix('c')
            .filter(|hex| hex.len() == 16 && hex.bytes().all(|b| b.is_ascii_hexdigit()))
            .and_then(|hex| u64::from_str_radix(hex, 16).ok())
            .map(|place| Self(place ^ MARK))
            .filter(|cursor| i64::try_from(cursor.0).is_ok())
            .ok_or(StoreError::BadCursor)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_cursor_survives_its_text(place in 0u64..=i64::MAX as u64) {
            prop_assert_eq!(PageCursor(place).to_string().parse::<PageCursor>().unwrap(), PageCursor(place));
        }
        #[test]
        fn any_text_is_read_or_refused(text in ".*") {
            let _ = text.parse::<PageCursor>();
        }
    }
}
