//! What can be wrong with a price list that arrives in one piece.

use serde::{Deserialize, Serialize};

use crate::faults::Effect;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum PriceFault {
    /// 429, and how many seconds to wait.
    TooMany { retry_after: u64 },
    /// Half of the page's rows are missing; what says how many there are, if anything does, is not changed.
    HalfPage,
    /// The page says that it is the last.
    LostPages,
    /// The next page is this one.
    Endless,
    /// The next page lies at another host, where the list names an address.
    Elsewhere,
    /// Amounts are said to be in this currency.
    Currency { code: String },
    /// Every price is this many times what it should be; may be 0 or negative.
    Times { factor: i64 },
}

impl PriceFault {
    /// Those among the effects of a request.
    pub(crate) fn among(effects: &[Effect]) -> Vec<Self> {
        let fault = |effect: &Effect| if let Effect::Prices(fault) = effect { Some(fault.clone()) } else { None };
        effects.iter().filter_map(fault).collect()
    }

    /// The price that is stated instead.
    pub(super) fn price(faults: &[Self], nanos: u64) -> i128 {
        let factor = |fault: &Self| if let Self::Times { factor } = fault { i128::from(*factor) } else { 1 };
        i128::from(nanos) * faults.iter().map(factor).product::<i128>()
    }

    pub(super) fn currency<'a>(faults: &'a [Self]) -> &'a str {
        let code = |fault: &'a Self| match fault {
            Self::Currency { code } => Some(code.as_str()),
            _ => None,
        };
        faults.iter().find_map(code).unwrap_or("USD")
    }
}
