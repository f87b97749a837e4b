//! Which bytes of a read have come.

use std::ops::Range;

/// Pieces of one answer that may lie apart from each other; honest servers send a handful.
const MOST_PIECES: usize = 4096;

/// In order, apart from each other, none empty.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Covered(Vec<Range<usize>>);

impl Covered {
    /// Adds a piece. False: it is empty, some of it has come before, or there are too many. A server that sends some
    /// bytes twice would otherwise be believed to have sent all.
    #[must_use]
    pub fn add(&mut self, piece: Range<usize>) -> bool {
        let at = self.0.partition_point(|known| known.end <= piece.start);
        let free = self.0.get(at).is_none_or(|next| piece.end <= next.start);
        if piece.is_empty() || !free {
            return false;
        }
        let joins_next = self.0.get(at).is_some_and(|next| next.start == piece.end);
        let joins_last = at > 0 && self.0[at - 1].end == piece.start;
        match (joins_last, joins_next) {
            (true, true) => self.0[at - 1].end = self.0.remove(at).end,
            (true, false) => self.0[at - 1].end = piece.end,
            (false, true) => self.0[at].start = piece.start,
            (false, false) if self.0.len() >= MOST_PIECES => return false,
            (false, false) => self.0.insert(at, piece),
        }
        true
    }

    /// Whether all of `len` bytes have come.
    pub fn is_whole(&self, len: u64) -> bool {
        match self.0.as_slice() {
            [] => len == 0,
            [only] => only.start == 0 && only.end as u64 == len,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn counts_each_byte_once(pieces in prop::collection::vec((0usize..40, 0usize..12), 0..40)) {
            let mut covered = Covered::default();
            let mut model = [false; 64];
            for (start, len) in pieces {
                let fits = len > 0 && !model[start..start + len].contains(&true);
                prop_assert_eq!(covered.add(start..start + len), fits);
                if fits {
                    model[start..start + len].fill(true);
                }
                for len in 1..64 {
                    let whole = model[..len].iter().all(|known| *known) && !model[len..].contains(&true);
                    prop_assert_eq!(covered.is_whole(len as u64), whole);
                }
            }
        }
    }
}
