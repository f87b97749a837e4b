//! Everything that can be chosen, indexed once for many questions.

use std::{collections::HashMap, ops::Range, sync::Arc};

use novacron_catalog::{AREAS, Catalog, InstanceType, PROGRAMMES, Pricing, Region, RegionId, TypeId};
use novacron_types::{Architecture, ProviderKind, ProviderName};

use crate::{Host, Places, score};

/// A configured provider. What can be had at one of a cloud, can be made there; of another kind it is a name that is known,
/// and stands for its host where there is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    pub name: ProviderName,
    pub kind: ProviderKind,
    /// Absent: every region of its kind.
    pub region: Option<String>,
    pub zone: Option<String>,
    /// Spot is taken where the request does not say how to pay.
    pub spot: bool,
}

/// Offers of one type and one way of paying.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub ty: TypeId,
    pub pricing: Pricing,
    pub offers: Range<u32>,
    /// Least and most of their hourly prices.
    pub least: u64,
    pub most: u64,
    /// Their regions: a place in [`Market::spreads`].
    pub spread: u32,
}

/// What the rules and scores of every question read of a type, close together.
#[derive(Debug, Clone)]
pub(crate) struct Lean {
    pub memory_bytes: u64,
    /// Network points, 0 to 1.
    pub network: f64,
    pub vcpus: u32,
    pub sustained_milli_vcpus: u32,
    pub network_mbps: Option<u32>,
    pub kind: ProviderKind,
    pub architecture: Architecture,
    /// Burstable, or a part of a core.
    pub shared: bool,
    /// At half load, thousandths of a milliwatt; absent where it is not known.
    pub half_load: Option<u64>,
    /// Milligrams an hour for its making.
    pub embodied: u64,
}

/// What a disk of the usual sort costs in a region, by what the type takes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct UsualDisk {
    /// 10⁻⁹ of the currency for a GB and month.
    pub nanos: Option<u64>,
    /// GB: the least that is sold.
    pub least_gb: u64,
}

/// The catalog, the hosts and the configured providers.
#[derive(Debug, Clone)]
pub struct Market {
    catalog: Arc<Catalog>,
    pub(crate) hosts: Vec<Host>,
    pub(crate) bindings: Vec<Binding>,
    pub(crate) runs: Vec<Run>,
    /// The regions of a run's offers, one each; what is equal is there once.
    pub(crate) spreads: Vec<Box<[RegionId]>>,
    /// Which runs are of a kind: types are sorted by it.
    pub(crate) kinds: Vec<(ProviderKind, Range<usize>)>,
    /// Regions by the name of an area, sorted.
    pub(crate) areas: HashMap<&'static str, Vec<RegionId>>,
    /// Programmes of each region, as bits in the order of [`PROGRAMMES`].
    pub(crate) compliance: Vec<u32>,
    /// By type.
    pub(crate) lean: Vec<Lean>,
    /// Whether a type takes the kind's usual disk; the price by region.
    pub(crate) takes_usual: Vec<bool>,
    pub(crate) usual_disk: Vec<UsualDisk>,
    /// Round trips between regions in microseconds, row by row; [`UNKNOWN`] where nothing tells.
    latency: Vec<u32>,
    /// Offers by region.
    pub(crate) offers_in: Vec<u64>,
}

const UNKNOWN: u32 = u32::MAX;

impl Market {
    pub fn new(catalog: Arc<Catalog>, hosts: Vec<Host>, bindings: Vec<Binding>) -> Self {
        let (runs, spreads) = runs(&catalog);
        let mut market = Self {
            runs,
            spreads,
            areas: areas(&catalog),
            compliance: Vec::new(),
            lean: lean(&catalog),
            takes_usual: Vec::new(),
            usual_disk: Vec::new(),
            latency: latency(&catalog),
            offers_in: offers_in(&catalog),
            kinds: Vec::new(),
            catalog,
            hosts,
            bindings,
        };
        market.index_kinds();
        market.index_compliance();
        market.index_disks();
        market
    }

    /// The same with other hosts, without indexing the catalog again.
    #[must_use]
    pub fn with_hosts(&self, hosts: Vec<Host>) -> Self {
        Self { hosts, ..self.clone() }
    }

    pub fn catalog(&self) -> &Arc<Catalog> {
        &self.catalog
    }

    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    pub fn bindings(&self) -> &[Binding] {
        &self.bindings
    }

    /// The provider that can make machines in a region, the first of those configured.
    pub fn binding(&self, kind: ProviderKind, region: &str) -> Option<&Binding> {
        self.bindings.iter().find(|b| b.kind == kind && b.region.as_deref().is_none_or(|r| r == region))
    }

    /// Of an offer at half load, electricity and making; `None` when the electricity is not known.
    pub(crate) fn milligrams(&self, ty: TypeId, region: RegionId) -> Option<u64> {
        let lean = &self.lean[usize::from(ty.0)];
        let grid = self.catalog.region(region).grid?;
        let electricity = u128::from(lean.half_load?) * u128::from(grid.mg_per_kwh) / 1_000_000_000;
        Some(electricity as u64 + lean.embodied)
    }

    /// The round trip to the nearest of some places, in microseconds.
    pub(crate) fn latency_from_region(&self, region: usize, to: &Places) -> Option<u64> {
        let count = self.offers_in.len();
        let row = self.latency.get(region * count..(region + 1) * count)?;
        let regions = row.iter().zip(&to.regions).filter(|(have, wanted)| **wanted && **have != UNKNOWN);
        let hosts = to.hosts.iter().zip(&self.hosts).filter(|(wanted, _)| **wanted);
        let from_hosts = hosts.filter_map(|(_, host)| self.host_latency(host, RegionId(region as u16)));
        regions.map(|(have, _)| u64::from(*have)).chain(from_hosts).min()
    }

    pub(crate) fn latency_from_host(&self, host: usize, to: &Places) -> Option<u64> {
        if to.hosts[host] {
            return Some(0);
        }
        let host = &self.hosts[host];
        let wanted = to.regions.iter().enumerate().filter(|(_, wanted)| **wanted);
        wanted.filter_map(|(i, _)| self.host_latency(host, RegionId(i as u16))).min()
    }

    fn host_latency(&self, host: &Host, region: RegionId) -> Option<u64> {
        self.catalog.latency_from(host.point?, region).map(|latency| u64::from(latency.micros))
    }

    /// Thousandths of a percent that the vendor promises in a region, for machines over its zones where it has several.
    pub(crate) fn promised(&self, region: &Region) -> u32 {
        self.catalog.sla(region.kind).map_or(0, |sla| {
            if region.zones >= 2 {
                sla.multi_zone_milli_percent
            } else {
                sla.spread_milli_percent.max(sla.single_milli_percent)
            }
        })
    }

    fn index_kinds(&mut self) {
        for (i, run) in self.runs.iter().enumerate() {
            let kind = self.lean[usize::from(run.ty.0)].kind;
            match self.kinds.last_mut() {
                Some((last, range)) if *last == kind => range.end = i + 1,
                _ => self.kinds.push((kind, i..i + 1)),
            }
        }
    }

    fn index_compliance(&mut self) {
        let regions = &self.catalog.parts().regions;
        let bits = |region: &novacron_catalog::Region| {
            let listed = PROGRAMMES.iter().enumerate().filter(|(_, name)| region.satisfies(name));
            listed.fold(0u32, |bits, (place, _)| bits | 1 << place)
        };
        self.compliance = regions.iter().map(bits).collect();
    }

    fn index_disks(&mut self) {
        let catalog = &self.catalog;
        let types = catalog.parts().types.len();
        self.takes_usual = vec![false; types];
        self.usual_disk = vec![UsualDisk::default(); catalog.parts().regions.len()];
        for run in &self.runs {
            let ty = usize::from(run.ty.0);
            if self.takes_usual[ty] {
                continue;
            }
            // Whether a type takes a disk does not depend on the region.
            for offer in run.offers.clone() {
                let region = catalog.offers().region[offer as usize];
                if let Some(disk) = catalog.usual_disk(run.ty, region) {
                    self.takes_usual[ty] = true;
                    self.usual_disk[usize::from(region.0)] =
                        UsualDisk { nanos: Some(disk.nanos_per_gb_month), least_gb: catalog.sold_gb(disk, 1) };
                }
            }
        }
    }
}

fn runs(catalog: &Catalog) -> (Vec<Run>, Vec<Box<[RegionId]>>) {
    let offers = catalog.offers();
    let (mut runs, mut spreads) = (Vec::new(), HashMap::new());
    let mut start = 0;
    while start < offers.len() {
        let (ty, pricing) = (offers.ty[start], offers.pricing[start]);
        let same = |i: &usize| offers.ty[*i] == ty && offers.pricing[*i] == pricing;
        let all = start..start + (start..offers.len()).take_while(same).count();
        let prices = offers.hourly_nanos[all.clone()].iter().copied();
        let next = spreads.len() as u32;
        let spread = *spreads.entry(&offers.region[all.clone()]).or_insert(next);
        let (least, most) = prices.fold((u64::MAX, 0), |(least, most), price| (least.min(price), most.max(price)));
        runs.push(Run { ty, pricing, offers: all.start as u32..all.end as u32, least, most, spread });
        start = all.end;
    }
    let mut spreads: Vec<_> = spreads.into_iter().collect();
    spreads.sort_unstable_by_key(|(_, place)| *place);
    (runs, spreads.into_iter().map(|(regions, _)| regions.into()).collect())
}

fn lean(catalog: &Catalog) -> Vec<Lean> {
    let lean = |(i, ty): (usize, &InstanceType)| {
        // The region matters to the electricity only.
        let making = catalog.carbon(TypeId(i as u16), RegionId(0), 0).embodied_mg_per_hour;
        Lean {
            memory_bytes: ty.memory_bytes,
            network: score::network_points(ty.bandwidth_mbps().unwrap_or(0)),
            vcpus: ty.vcpus,
            sustained_milli_vcpus: ty.sustained_milli_vcpus,
            network_mbps: ty.bandwidth_mbps(),
            kind: ty.kind,
            architecture: ty.architecture,
            shared: ty.burstable || ty.shared_core,
            half_load: ty.power.map(|power| {
                (u64::from(power.idle_mw_per_vcpu) + u64::from(power.full_mw_per_vcpu)) * 500 * u64::from(ty.vcpus)
            }),
            embodied: making.unwrap_or(0),
        }
    };
    catalog.parts().types.iter().enumerate().map(lean).collect()
}

fn latency(catalog: &Catalog) -> Vec<u32> {
    let count = catalog.parts().regions.len() as u16;
    let all = (0..count).flat_map(|from| (0..count).map(move |to| (RegionId(from), RegionId(to))));
    all.map(|(from, to)| catalog.latency(from, to).map_or(UNKNOWN, |latency| latency.micros)).collect()
}

fn offers_in(catalog: &Catalog) -> Vec<u64> {
    let mut counts = vec![0; catalog.parts().regions.len()];
    catalog.offers().region.iter().for_each(|region| counts[usize::from(region.0)] += 1);
    counts
}

fn areas(catalog: &Catalog) -> HashMap<&'static str, Vec<RegionId>> {
    AREAS.into_iter().map(|area| (area, catalog.places(area, None).unwrap_or_default())).collect()
}
