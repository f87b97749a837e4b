//! Oracle Cloud, of which there are the prices so far: [`OciPrices`] reads the public price list, which needs no account.

mod list;
mod prices;
mod shapes;

pub use list::{Part, PriceList, Tier, read_list};
pub use prices::{OciPrices, OciPricesSettings};
pub use shapes::{Billed, billed};
