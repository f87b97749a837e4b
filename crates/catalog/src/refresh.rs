//! Prices as the vendors state them today, put over a catalog.
//!
//! [`fetch`] asks each source by itself and [`merge_all`] puts what they bring over a catalog; a source that fails, or whose
//! prices are not to be believed, leaves its rows as they were, with their own date. [`LastGood`] keeps the result, and
//! [`Freshness`] says whether a price is still good enough for a quote.

mod freshness;
mod groups;
mod kept;
mod last_good;
mod merge;
mod report;
#[cfg(test)]
mod tests;

use std::{collections::BTreeSet, sync::Arc};

use futures::future::join_all;
use jiff::civil::Date;
use novacron_provider::prices::{Machine, MachineGpu, PriceProgress, PriceRequest, PriceSheet, PriceSource, Term};
use novacron_types::ProviderKind;

use crate::{Catalog, InstanceType, Pricing, Sector};

pub use freshness::{Freshness, Stale, Verdict};
pub use kept::{Held, Stamp, Updated};
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

#[derive(Debug)]
pub struct Refreshed {
    /// The catalog with everything that could be refreshed; the same as before when nothing could.
    pub catalog: Catalog,
    /// In the order of the sources.
    pub sources: Vec<SourceResult>,
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

/// Asks all sources at once. Only what is asked for is of the catalog, which need not be kept until the answers are here.
pub fn fetch<'a>(
    catalog: &Catalog,
    sources: &'a [Arc<dyn PriceSource>],
    today: Date,
    progress: OnProgress<'a>,
) -> impl Future<Output = Vec<Fetched>> + Send + use<'a> {
    let ask = |source: &'a Arc<dyn PriceSource>| {
        let request = request(catalog, source.kind(), today);
        async move {
            let name = source.name();
            let sheet = source.fetch(&request, &|so_far| progress(name, so_far)).await;
            Fetched { kind: source.kind(), source: name, sheet: sheet.map_err(|e| RefreshError::Fetch(Box::new(e))) }
        }
    };
    join_all(sources.iter().map(ask).collect::<Vec<_>>())
}

/// Merges one source after the other, which takes a moment of computing for each.
pub fn merge_all(catalog: &Catalog, fetched: Vec<Fetched>, today: Date, policy: &MergePolicy) -> Refreshed {
    let mut refreshed = Refreshed { catalog: catalog.clone(), sources: Vec::new() };
    for Fetched { kind, source, sheet } in fetched {
        let merged = sheet.and_then(|sheet| merge(&refreshed.catalog, &sheet, today, policy));
        let outcome = merged.map(|(catalog, report)| {
            refreshed.catalog = catalog;
            report
        });
        refreshed.sources.push(SourceResult { kind, source, outcome });
    }
    refreshed
}

/// Asks all sources, and merges what they say.
pub async fn run(
    catalog: &Catalog,
    sources: &[Arc<dyn PriceSource>],
    today: Date,
    policy: &MergePolicy,
    progress: OnProgress<'_>,
) -> Refreshed {
    merge_all(catalog, fetch(catalog, sources, today, progress).await, today, policy)
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
