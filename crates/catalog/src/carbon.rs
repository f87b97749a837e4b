//! What an hour of a machine costs the climate, as far as it is known.

use crate::{Catalog, GroupId, RegionId, TypeId};

/// Over how long the making of a server is spread: four years.
const SERVER_HOURS: u128 = 4 * 8_760;

/// Milligrams of CO2-equivalent an hour. Always an estimate: of servers and years, not of the machine itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Carbon {
    /// Electricity of the vCPUs; `None` when the grid or the power is unknown. Cooling and losses of the building
    /// are not in it: no source states them by region.
    pub operational_mg_per_hour: Option<u64>,
    /// The machine's share of making its server, spread over four years; `None` when the share is unknown.
    pub embodied_mg_per_hour: Option<u64>,
    /// Whose figures were used.
    pub groups: Vec<GroupId>,
}

impl Catalog {
    /// At a mean load of `load_permille` (0 is idle, 1000 full; more counts as full).
    pub fn carbon(&self, ty: TypeId, region: RegionId, load_permille: u32) -> Carbon {
        let ty = self.instance_type(ty);
        let load = u128::from(load_permille.min(1000));
        let mut groups = Vec::new();
        let operational = ty.power.zip(self.region(region).grid).map(|(power, grid)| {
            groups.extend([power.group, grid.group]);
            let (idle, full) = (u128::from(power.idle_mw_per_vcpu), u128::from(power.full_mw_per_vcpu));
            let mw_permille = (idle * (1000 - load) + full * load) * u128::from(ty.vcpus);
            // Thousandths of mW × mg/kWh.
            (mw_permille * u128::from(grid.mg_per_kwh) / 1_000_000_000) as u64
        });
        let embodied = ty.embodied.filter(|embodied| embodied.server_vcpus > 0).map(|embodied| {
            groups.push(embodied.group);
            let share = u128::from(embodied.server_grams) * 1000 * u128::from(ty.vcpus);
            (share / u128::from(embodied.server_vcpus) / SERVER_HOURS) as u64
        });
        Carbon { operational_mg_per_hour: operational, embodied_mg_per_hour: embodied, groups }
    }
}
