//! Prices as the vendors state them today, put over a catalog.
//!
//! [`fetch`] asks each source by itself, and [`Keeping`] puts what one brings over the catalog that is kept as [`LastGood`]; a
//! source that fails, or whose prices are not to be believed, leaves its rows as they were, with their own date. [`Freshness`]
//! says whether a price is still good enough for a quote.

mod freshness;
mod groups;
mod kept;
mod last_good;
mod merge;
mod report;
#[cfg(test)]
mod tests;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use futures::{Stream, stream::FuturesUnordered};
use jiff::civil::Date;
use novacron_provider::{
    ErrorKind, ProviderError,
    prices::{Machine, MachineGpu, PriceProgress, PriceRequest, PriceSheet, PriceSource, Term},
};
use novacron_types::ProviderKind;

use crate::{Catalog, InstanceType, Pricing, Sector};

pub use freshness::{Freshness, Stale, Verdict};
pub use kept::{Held, Keeping, Stamp};
pub use last_good::{LastGood, Loaded, SaveError, Warning};
pub use merge::{MergePolicy, RefreshError, merge};
pub use report::{Examples, RefreshReport};

/// What became of one source.
#[derive(Debug)]
pub struct SourceResult {
    pub kind: ProviderKind,
    pub source: &'static str,
    pub outcome: Result<RefreshReport, RefreshError>,
}

/// Told now and then how far a source has come, by its name; from any thread.
pub type OnProgress<'a> = &'a (dyn Fn(&'static str, PriceProgress) + Send + Sync);

/// What one source said.
#[derive(Debug)]
pub struct Fetched {
    pub kind: ProviderKind,
    pub source: &'static str,
    pub sheet: Result<PriceSheet, RefreshError>,
}

/// Asks all sources side by side, and yields what each said as soon as it did, or that it did not within `limit`. Only what is
/// asked for is of the catalog, which need not be kept until the answers are here.
pub fn fetch<'a>(
    catalog: &Catalog,
    sources: &'a [Arc<dyn PriceSource>],
    today: Date,
    limit: Duration,
    progress: OnProgress<'a>,
) -> impl Stream<Item = Fetched> + Send + use<'a> {
    let asked = sources.iter().map(|source| ask(&**source, request(catalog, source.kind(), today), limit, progress));
    asked.collect::<FuturesUnordered<_>>()
}

async fn ask(source: &dyn PriceSource, request: PriceRequest, limit: Duration, progress: OnProgress<'_>) -> Fetched {
    let (kind, name) = (source.kind(), source.name());
    let report = |so_far| progress(name, so_far);
    let answer = tokio::time::timeout(limit, source.fetch(&request, &report)).await;
    let sheet = answer.unwrap_or_else(|_| Err(late(kind, name, limit)));
    Fetched { kind, source: name, sheet: sheet.map_err(|error| RefreshError::Fetch(Box::new(error))) }
}

fn late(kind: ProviderKind, name: &'static str, limit: Duration) -> ProviderError {
    let text = format!("not all prices were there within {} s", limit.as_secs_f64());
    ProviderError::new(ErrorKind::Unavailable, name, text).advice(format!(
        "Try again later. If it is only slow, raise `catalog.refresh_limit_seconds`; `catalog.sources.{kind}.enabled: false` leaves it out."
    ))
}

/// Puts what one source said over a catalog, which takes a moment of computing. Where it failed the catalog is as before.
pub fn put_over(catalog: &mut Catalog, fetched: Fetched, today: Date, policy: &MergePolicy) -> SourceResult {
    let Fetched { kind, source, sheet } = fetched;
    let merged = sheet.and_then(|sheet| merge(catalog, &sheet, today, policy));
    let outcome = merged.map(|(after, report)| {
        *catalog = after;
        report
    });
    SourceResult { kind, source, outcome }
}

/// What to ask a source of this kind: prices of every region that has offers or is open to everyone, and of every machine.
pub fn request(catalog: &Catalog, kind: ProviderKind, today: Date) -> PriceRequest {
    let parts = catalog.parts();
    let with_offers: BTreeSet<_> = parts.offers.region.iter().copied().collect();
    let regions = parts.regions.iter().enumerate().filter(|(i, region)| {
        region.kind == kind
            && (region.sector == Sector::Commercial || with_offers.contains(&crate::RegionId(*i as u16)))
    });
    PriceRequest {
        today,
        regions: regions.map(|(_, region)| region.name.clone()).collect(),
        machines: parts.types.iter().filter(|ty| ty.kind == kind).map(machine).collect(),
    }
}

fn machine(ty: &InstanceType) -> Machine {
    let billed = if ty.shared_core { ty.sustained_milli_vcpus } else { ty.vcpus.saturating_mul(1000) };
    Machine {
        name: ty.name.clone(),
        billed_milli_vcpus: billed.into(),
        memory_bytes: ty.memory_bytes,
        gpu: ty.gpu.as_ref().map(|gpu| MachineGpu {
            model: gpu.model.clone(),
            milli: gpu.milli.into(),
            memory_bytes: gpu.memory_bytes,
        }),
        local_disk_gb: ty.local_disk_gb,
    }
}

impl From<Term> for Pricing {
    fn from(term: Term) -> Self {
        match term {
            Term::OnDemand => Self::OnDemand,
            Term::Spot => Self::Spot,
            Term::Commit1Year => Self::Commit1Year,
            Term::Commit3Years => Self::Commit3Years,
        }
    }
}

impl From<Pricing> for Term {
    fn from(pricing: Pricing) -> Self {
        match pricing {
            Pricing::OnDemand => Self::OnDemand,
            Pricing::Spot => Self::Spot,
            Pricing::Commit1Year => Self::Commit1Year,
            Pricing::Commit3Years => Self::Commit3Years,
        }
    }
}
