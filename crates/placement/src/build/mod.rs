//! From a request and the settings to an [`Ask`]: everything that can be refused is, here.

mod constraints;
mod limits;
mod points;
mod policies;
mod prices;
mod resources;
mod size;

use novacron_catalog::{PROGRAMMES, Region, find_programme};
use novacron_types::placement::PlacementRequest;

use crate::{
    Ask, Market, PlacementError, Places, Settings,
    host::Host,
    market::Lean,
    policy::{self, Bearing},
    rule::{self, Kind, Rule},
};
use size::{size, weights};

impl<'m> Ask<'m> {
    /// Checks the request against the market and the settings.
    pub fn new(market: &'m Market, settings: &Settings, request: &PlacementRequest) -> Result<Self, PlacementError> {
        let bearing = policy::bearing(market, settings, request)?;
        let size = size(settings, request, &bearing)?;
        let (strategy, weights, share) = weights(settings, request)?;
        let parts = market.catalog().parts();
        let ask = Self {
            market,
            request: request.clone(),
            fair: size.fair_price(),
            size,
            strategy,
            weights,
            share,
            rules: Vec::new(),
            types: vec![0; parts.types.len()],
            regions: vec![0; parts.regions.len()],
            pricing: [0; 4],
            groups: vec![0; parts.groups.len()],
            hosts: vec![0; market.hosts.len()],
            region_parts: Vec::new(),
            host_parts: Vec::new(),
            region_points: Vec::new(),
            type_points: Vec::new(),
            region_times: vec![1.0; parts.regions.len()],
            host_times: vec![1.0; market.hosts.len()],
            pricing_times: [1.0; 4],
            disk: Vec::new(),
            traffic: Vec::new(),
            takes_disk: Vec::new(),
            priced: 0,
            limit: None,
            extras: Vec::new(),
            default: None,
            default_first: false,
            near: None,
            applied: Vec::new(),
            notes: Vec::new(),
            zones_used: Vec::new(),
            today: settings.today,
            max_age_days: settings.max_age_days,
        };
        Builder { ask, settings, named: Places::none(market), spot_at: None }.build(&bearing)
    }
}

/// The bit of a programme in [`Market::compliance`].
pub(crate) fn programme_bit(name: &str) -> Result<u32, PlacementError> {
    let name = find_programme(name).map_err(|unknown| PlacementError::UnknownProgramme {
        name: unknown.name,
        nearest: unknown.nearest.into_iter().map(str::to_owned).collect(),
    })?;
    Ok(PROGRAMMES.iter().position(|known| *known == name).map_or(0, |place| 1 << place))
}

struct Builder<'m, 's> {
    ask: Ask<'m>,
    settings: &'s Settings,
    /// Places that were asked for by name: what is not for everyone may be there.
    named: Places,
    /// Where spot is had that nobody asked for; absent: wherever it is paid at all.
    spot_at: Option<Places>,
}

impl<'m> Builder<'m, '_> {
    fn build(mut self, bearing: &[Bearing<'_>]) -> Result<Ask<'m>, PlacementError> {
        self.resources()?;
        self.instance_type()?;
        let mut pricing = self.pricing(bearing)?;
        for constraint in self.ask.request.constraints.clone() {
            self.constraint(&constraint, &mut pricing)?;
        }
        self.pay(&pricing)?;
        self.programmes()?;
        self.settings_rules()?;
        self.performance_targets()?;
        self.policies(bearing)?;
        self.quotas()?;
        self.failures();
        self.sector()?;
        self.configured()?;
        self.prices()?;
        self.cost_limit()?;
        self.location_points()?;
        self.default_cloud(bearing)?;
        self.load();
        Ok(self.ask)
    }

    /// A new rule, as its bit.
    pub(super) fn rule(&mut self, name: impl Into<String>, kind: Kind) -> Result<u64, PlacementError> {
        let place = self.ask.rules.len();
        if place >= rule::MOST {
            return Err(PlacementError::TooManyRules(place + 1, rule::MOST));
        }
        self.ask.rules.push(Rule { name: name.into(), kind });
        Ok(1 << place)
    }

    pub(super) fn on_types(
        &mut self,
        name: &str,
        kind: Kind,
        ty: impl Fn(usize, &Lean) -> bool,
        host: impl Fn(&Host) -> bool,
    ) -> Result<(), PlacementError> {
        let bit = self.rule(name, kind)?;
        let market = self.ask.market;
        for (i, (mask, known)) in self.ask.types.iter_mut().zip(&market.lean).enumerate() {
            *mask |= if ty(i, known) { 0 } else { bit };
        }
        self.on_hosts(bit, host);
        Ok(())
    }

    pub(super) fn on_regions(
        &mut self,
        name: &str,
        kind: Kind,
        region: impl Fn(usize, &Region) -> bool,
        host: impl Fn(usize, &Host) -> bool,
    ) -> Result<(), PlacementError> {
        let bit = self.rule(name, kind)?;
        let market = self.ask.market;
        for (i, (mask, known)) in self.ask.regions.iter_mut().zip(&market.catalog().parts().regions).enumerate() {
            *mask |= if region(i, known) { 0 } else { bit };
        }
        for (i, (mask, known)) in self.ask.hosts.iter_mut().zip(&market.hosts).enumerate() {
            *mask |= if host(i, known) { 0 } else { bit };
        }
        Ok(())
    }

    pub(super) fn on_hosts(&mut self, bit: u64, host: impl Fn(&Host) -> bool) {
        for (mask, known) in self.ask.hosts.iter_mut().zip(&self.ask.market.hosts) {
            *mask |= if host(known) { 0 } else { bit };
        }
    }

    pub(super) fn at(&mut self, name: &str, kind: Kind, places: &Places, allowed: bool) -> Result<(), PlacementError> {
        self.on_regions(name, kind, |i, _| places.regions[i] == allowed, |i, _| places.hosts[i] == allowed)
    }

    /// Takes a rule's bit away from where it was set; the rule stays, and nothing breaks it.
    pub(super) fn drop_rule(&mut self, name: &str) {
        let Some(place) = self.ask.rules.iter().position(|rule| rule.name == name) else { return };
        let keep = !(1u64 << place);
        let ask = &mut self.ask;
        ask.types.iter_mut().chain(&mut ask.regions).chain(&mut ask.hosts).for_each(|mask| *mask &= keep);
    }
}
