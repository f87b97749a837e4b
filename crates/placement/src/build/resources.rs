//! What the machine needs, and how it may be paid.

use std::collections::BTreeSet;

use novacron_catalog::{InstanceType, Pricing};
use novacron_types::{Architecture, GIB, placement::GpuNeed};

use super::Builder;
use crate::{
    PlacementError, Places,
    ask::{Extra, Test, Then},
    policy::Bearing,
    rule::Kind,
    score::Size,
};

impl<'m> Builder<'m, '_> {
    pub(super) fn resources(&mut self) -> Result<(), PlacementError> {
        let Size { vcpus, memory_bytes, disk_gb, .. } = self.ask.size;
        self.on_types("cpu", Kind::Cpu(vcpus), |_, ty| ty.vcpus >= vcpus, |host| host.vcpus >= vcpus)?;
        if memory_bytes > 0 {
            let kind = Kind::Memory(memory_bytes);
            self.on_types(
                "memory",
                kind,
                |_, ty| ty.memory_bytes >= memory_bytes,
                |host| host.memory_bytes >= memory_bytes,
            )?;
        }
        if disk_gb > 0 && !self.ask.market.hosts.is_empty() {
            let bytes = disk_gb.saturating_mul(GIB);
            self.on_types("disk", Kind::Disk(bytes), |_, _| true, |host| host.disk_bytes >= bytes)?;
        }
        // A type that is named brings its own.
        if self.ask.request.instance_type.is_none() || self.ask.request.architecture.is_some() {
            let wanted = self.ask.request.architecture.unwrap_or(Architecture::X86_64);
            self.on_types(
                "architecture",
                Kind::Architecture(wanted),
                |_, ty| ty.architecture == wanted,
                |host| host.architecture == wanted,
            )?;
        }
        if let Some(gpu) = self.ask.request.gpu.clone() {
            let types = &self.ask.market.catalog().parts().types;
            if let Some(model) = &gpu.model {
                known_model(types, model)?;
            }
            self.on_types("gpu", Kind::Gpu(gpu.clone()), |i, _| has_gpu(&types[i], &gpu), |_| false)?;
        }
        if self.ask.request.allow_burstable == Some(false) {
            self.on_types("steady", Kind::Steady, |_, ty| !ty.shared, |_| true)?;
        }
        if !self.ask.market.hosts.is_empty() {
            let bit = self.rule("runs-guests", Kind::RunsGuests)?;
            self.on_hosts(bit, |host| host.runs_guests);
        }
        Ok(())
    }

    pub(super) fn instance_type(&mut self) -> Result<(), PlacementError> {
        let Some(name) = self.ask.request.instance_type.clone() else { return Ok(()) };
        let types = &self.ask.market.catalog().parts().types;
        if !types.iter().any(|ty| ty.name.eq_ignore_ascii_case(&name)) {
            let mut known: Vec<&str> = types.iter().map(|ty| ty.name.as_str()).collect();
            let mut near = Vec::new();
            while near.len() < 3
                && let Some(found) = novacron_types::nearest(&name, known.iter().copied())
            {
                known.retain(|k| *k != found);
                near.push(found.to_owned());
            }
            return Err(PlacementError::UnknownType { name: name.chars().take(64).collect(), nearest: near });
        }
        let kind = Kind::Types { names: vec![name.clone()], allowed: true };
        self.on_types("instance-type", kind, |i, _| types[i].name.eq_ignore_ascii_case(&name), |_| false)
    }

    /// The ways to pay, on demand where nothing else is said. Spot that a provider's configuration allows is had where that
    /// provider makes the machines.
    pub(super) fn pricing(&mut self, bearing: &[Bearing<'_>]) -> Result<Vec<Pricing>, PlacementError> {
        let mut allowed = Vec::new();
        for name in &self.ask.request.pricing {
            let pricing = name.parse::<Pricing>();
            allowed.push(pricing.map_err(|error| PlacementError::invalid("pricing", error.to_string()))?);
        }
        if allowed.is_empty() {
            allowed.push(Pricing::OnDemand);
            // Who prefers spot, takes it.
            for bits in bearing.iter().filter_map(|b| b.places.as_ref()?.pricing) {
                allowed.extend(Pricing::ALL.into_iter().filter(|p| bits & (1 << *p as u8) != 0));
            }
            if self.ask.market.bindings.iter().any(|binding| binding.spot) && !allowed.contains(&Pricing::Spot) {
                allowed.push(Pricing::Spot);
                self.spot_at = Some(self.where_spot_is_enabled());
            }
        }
        Ok(allowed)
    }

    fn where_spot_is_enabled(&self) -> Places {
        let market = self.ask.market;
        let mut at = Places::none(market);
        for (in_it, region) in at.regions.iter_mut().zip(&market.catalog().parts().regions) {
            *in_it = market.binding(region.kind, &region.name).is_some_and(|binding| binding.spot);
        }
        at
    }

    pub(super) fn pay(&mut self, allowed: &[Pricing]) -> Result<(), PlacementError> {
        let name = |pricing: &Pricing| match (pricing, &self.spot_at) {
            (Pricing::Spot, Some(_)) => "spot where a provider has `spot_enabled`".to_owned(),
            _ => pricing.to_string(),
        };
        let mut names: Vec<String> = allowed.iter().map(name).collect();
        names.dedup();
        let bit = self.rule("pricing", Kind::Pricing(names))?;
        for pricing in Pricing::ALL.into_iter().filter(|p| !allowed.contains(p)) {
            self.ask.pricing[pricing as usize] |= bit;
        }
        if let Some(enabled) = self.spot_at.take().filter(|_| allowed.contains(&Pricing::Spot)) {
            let mut elsewhere = Places::all(self.ask.market);
            elsewhere.hosts.fill(false);
            elsewhere.regions.iter_mut().zip(&enabled.regions).for_each(|(at, enabled)| *at &= !enabled);
            elsewhere.pricing = Some(1 << Pricing::Spot as u8);
            let then = Then::Break { bit, unless: None };
            self.ask.extras.push(Extra { test: Test::At(elsewhere), then });
        }
        Ok(())
    }
}

/// That no vendor has such a GPU is no lack of room.
fn known_model(types: &[InstanceType], model: &str) -> Result<(), PlacementError> {
    let known: BTreeSet<&str> = types.iter().filter_map(|ty| Some(ty.gpu.as_ref()?.model.as_str())).collect();
    let wanted = model.to_ascii_lowercase();
    if known.iter().any(|known| known.to_ascii_lowercase().contains(&wanted)) {
        return Ok(());
    }
    // Models have several words, of which one is meant.
    let words = known.iter().flat_map(|known| known.split([' ', '-', '/'])).chain(known.iter().copied());
    let upper = model.to_ascii_uppercase();
    let help = match novacron_types::nearest(&upper, words) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("there are {}", known.iter().copied().collect::<Vec<_>>().join(", ")),
    };
    let model: String = model.chars().take(64).collect();
    Err(PlacementError::invalid("gpu", format!("no vendor has a GPU {model:?}; {help}")))
}

fn has_gpu(ty: &InstanceType, need: &GpuNeed) -> bool {
    ty.gpu.as_ref().is_some_and(|gpu| {
        let model = need
            .model
            .as_ref()
            .is_none_or(|model| gpu.model.to_ascii_lowercase().contains(&model.to_ascii_lowercase()));
        let memory = need.memory_gb.is_none_or(|memory| gpu.memory_bytes >= memory.bytes);
        gpu.milli >= need.count.saturating_mul(1000) && model && memory
    })
}
