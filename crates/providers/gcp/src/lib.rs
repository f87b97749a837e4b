//! Google Cloud, of which there are the prices so far: [`GcpPrices`] reads the SKUs of Compute Engine from the Cloud Billing
//! API, and makes machines out of them.

mod assemble;
mod page;
mod part;
mod prices;

pub use assemble::{Rates, assemble, disks};
pub use page::{Page, Reading, read_page};
pub use part::{Part, read_part};
pub use prices::{GcpPrices, GcpPricesSettings};
