//! What of the costs a bound counts.

use crate::compile::{Compiled, OUT, gcd};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Costs {
    All,
    /// Nothing: what is above 0 then proves that there is no placement.
    None,
    /// All, but of leaving out an item no more than this.
    UpTo(i64),
    /// Only what leaving out an item costs beyond this.
    Beyond(i64),
}

impl Costs {
    /// Of a column's or an item's placing.
    pub fn column(self, cost: i64) -> i64 {
        match self {
            Self::All | Self::UpTo(_) => cost,
            Self::None | Self::Beyond(_) => 0,
        }
    }

    /// Of leaving out an item.
    pub fn out(self, cost: i64) -> i64 {
        match self {
            Self::All => cost,
            Self::None => 0,
            Self::UpTo(most) => cost.min(most),
            Self::Beyond(most) => (cost - most).max(0),
        }
    }

    pub fn of(self, compiled: &Compiled, kind: u32, column: u32) -> i64 {
        let cost = compiled.cost(kind, column);
        if column == OUT { self.out(cost) } else { self.column(cost) }
    }

    /// Every sum of what is counted is a multiple of it.
    pub fn grain(self, compiled: &Compiled) -> i64 {
        match self {
            Self::All | Self::None => compiled.grain,
            Self::UpTo(most) => gcd(compiled.grain, most).max(1),
            Self::Beyond(_) => {
                compiled.kinds.iter().filter_map(|kind| kind.out).map(|out| self.out(out)).fold(0, gcd).max(1)
            }
        }
    }
}
