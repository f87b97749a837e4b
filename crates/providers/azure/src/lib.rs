//! Azure, of which there are the prices so far: [`AzurePrices`] reads the Retail Prices API, which needs no account.

mod item;
mod prices;

pub use item::{Page, Reading, read_page};
pub use prices::{AzurePrices, AzurePricesSettings};
