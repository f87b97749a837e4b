//! The price capability: what a vendor says that its machines cost.
//!
//! A [`PriceSource`] asks one vendor's own price API for everything and returns it as a [`PriceSheet`], in which each row is
//! the vendor's figure, or follows from the vendor's figures by the rule that its group states. A fetch that was cut short, is
//! in another currency or is absurd as a whole is an error, and nothing of it is used; single rows that can't be right are
//! left out and counted.

mod decimal;
mod sheet;

use async_trait::async_trait;
use jiff::civil::Date;
use novacron_types::ProviderKind;

use crate::Result;

pub use decimal::{Decimal, DecimalError, per, per_term};
pub use sheet::{
    DiskPrice, Oddity, PriceGroup, PriceRow, PriceSheet, SheetBuilder, TransferPrice, TransferTier, TransferTo,
};

/// How a machine is paid for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Term {
    OnDemand,
    /// May be taken away at any time.
    Spot,
    /// Paid for a year whether used or not.
    Commit1Year,
    Commit3Years,
}

impl Term {
    pub const ALL: [Self; 4] = [Self::OnDemand, Self::Spot, Self::Commit1Year, Self::Commit3Years];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::OnDemand => "on-demand",
            Self::Spot => "spot",
            Self::Commit1Year => "commit-1y",
            Self::Commit3Years => "commit-3y",
        }
    }

    /// What a commitment is paid for; years have 8,760 hours, as the vendors' own calculators take them.
    pub fn hours(self) -> Option<u64> {
        match self {
            Self::OnDemand | Self::Spot => None,
            Self::Commit1Year => Some(8_760),
            Self::Commit3Years => Some(3 * 8_760),
        }
    }
}

/// What a machine is made of, for vendors that price the parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    pub name: String,
    /// Thousandths of a vCPU that are billed; less than the guest sees on a shared core.
    pub billed_milli_vcpus: u64,
    pub memory_bytes: u64,
    pub gpu: Option<MachineGpu>,
    pub local_disk_gb: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MachineGpu {
    pub model: String,
    /// Thousandths of a device.
    pub milli: u64,
    /// Of all of them together; 0 when unknown.
    pub memory_bytes: u64,
}

/// What is asked of a price source.
#[derive(Debug, Clone, Default)]
pub struct PriceRequest {
    /// The day of the fetch, UTC: prices that begin later are not today's.
    pub today: Date,
    /// The vendor's names of the regions that prices are wanted for.
    pub regions: Vec<String>,
    /// The machines that are known, for vendors that price the parts of one.
    pub machines: Vec<Machine>,
}

/// How far a fetch has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PriceProgress {
    pub pages: usize,
    pub rows: usize,
}

/// Told now and then, from any thread.
pub type OnPriceProgress<'a> = &'a (dyn Fn(PriceProgress) + Send + Sync);

/// One vendor's price API.
#[async_trait]
pub trait PriceSource: Send + Sync {
    fn kind(&self) -> ProviderKind;

    /// Short, for messages and names of groups: `azure-retail`.
    fn name(&self) -> &'static str;

    /// All prices of the request's regions. It pages through everything, retries what may succeed later, and holds one page at
    /// a time beside the rows.
    ///
    /// # Errors
    /// `Unavailable` and `Throttled` when the API did not answer to the end; `Unauthorised` for a missing or wrong key;
    /// `Invalid` for an answer that can't be the price list: another currency, no prices, pages without end.
    async fn fetch(&self, request: &PriceRequest, progress: OnPriceProgress<'_>) -> Result<PriceSheet>;
}
