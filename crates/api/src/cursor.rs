//! The cursor of a discovery: the provider's own page, how much of it was given, and what it was a discovery of.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use novacron_provider::{ListFilter, PageToken};
use serde::{Deserialize, Serialize};

/// Where a discovery goes on.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Place {
    /// The provider's page. Absent: its first.
    pub page: Option<PageToken>,
    /// Machines of that page which were given already.
    pub skip: usize,
}

const MAX: usize = 8 * 1024;
const MARK: usize = 8;

impl Place {
    /// Opaque, and good for the same discovery only.
    pub(crate) fn write(&self, provider: &str, filter: &ListFilter) -> String {
        let place = serde_json::to_vec(self).unwrap_or_default();
        let mut bytes = mark(provider, filter, &place).to_vec();
        bytes.extend(place);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// `None`: it is of another discovery, or of none.
    pub(crate) fn read(text: &str, provider: &str, filter: &ListFilter) -> Option<Self> {
        if text.len() > MAX {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (mark_read, place) = bytes.split_at_checked(MARK)?;
        if mark(provider, filter, place) != mark_read {
            return None;
        }
        serde_json::from_slice(place).ok()
    }
}

fn mark(provider: &str, filter: &ListFilter, place: &[u8]) -> [u8; MARK] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&serde_json::to_vec(&(provider, filter)).unwrap_or_default());
    hasher.update(place);
    let mut mark = [0; MARK];
    mark.copy_from_slice(&hasher.finalize().as_bytes()[..MARK]);
    mark
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_cursor_is_of_one_discovery(token in ".{0,40}", skip in 0usize..1000) {
            let place = Place { page: Some(PageToken(token)), skip };
            let filter = ListFilter::default();
            let text = place.write("aws", &filter);
            prop_assert_eq!(Place::read(&text, "aws", &filter), Some(place));
            prop_assert_eq!(Place::read(&text, "aws2", &filter), None);
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".{0,60}") {
            prop_assert_eq!(Place::read(&text, "aws", &ListFilter::default()), None);
        }
    }
}
