//! A host of one's own as a place to run machines: what it costs, and what its electricity costs the climate.
//!
//! No snapshot holds such hosts: they are configured, and each has its own cost. It is either said by the hour, or follows from
//! what the host cost, how long it is kept and what it draws.

use novacron_types::{Architecture, GIB, Money};

use crate::{Catalog, Latency, Point, RegionId, compliance, offer::div_round, places};

/// Hours in a year of 365 days.
const HOURS_PER_YEAR: u128 = 8_760;
const MOST_NANOS: i128 = i64::MAX as i128;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalHost {
    pub name: String,
    /// The configured provider that runs it.
    pub provider: String,
    /// What is given to guests altogether; more than the host has, if it is overcommitted. So is memory.
    pub vcpus: u32,
    pub memory_bytes: u64,
    pub disk_bytes: u64,
    pub architecture: Architecture,
    /// `None` when unknown; a host that costs nothing has a cost of 0.
    pub cost: Option<HostCost>,
    /// How much of the cost goes by vCPUs; the rest goes by memory. [`HALF`] unless someone says otherwise.
    pub cpu_permille: u16,
    pub power: Option<HostPower>,
    /// Milligrams of CO2-equivalent per kWh.
    pub grid_mg_per_kwh: Option<u32>,
    /// ISO 3166-1 alpha-2, or empty when unknown.
    pub country: String,
    pub point: Option<Point>,
    /// Programmes that its owner says it satisfies, by the names of [`crate::PROGRAMMES`].
    pub compliance: Vec<String>,
}

/// Half of a host's cost goes by vCPUs and half by memory.
pub const HALF: u16 = 500;

/// Of a whole host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostCost {
    Hourly(Money),
    /// The price is spread evenly over the years; the mean power is paid for each hour.
    Owned {
        price: Money,
        years: u16,
        watts: u32,
        per_kwh: Money,
    },
}

/// Of a whole host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostPower {
    pub idle_watts: u32,
    pub full_watts: u32,
}

/// What an hour of a host costs, each figure rounded by itself, half to even: to price a machine, [`LocalHost::vm_cost`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HourlyCost {
    pub total: Money,
    pub per_vcpu: Money,
    /// Per GiB of memory.
    pub per_gib: Money,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LocalHostError {
    #[error("the host has no vCPUs or no memory")]
    Empty,
    #[error("the host's cost is negative or absurd")]
    Cost,
    #[error("the host is kept for no time")]
    NoTime,
    #[error("the host's price and its electricity are in different currencies, which can't be added")]
    Currencies,
    #[error("more than 1000 ‰ of the host's cost would go by vCPUs")]
    Share,
}

impl LocalHost {
    /// `None` when the cost is unknown.
    pub fn hourly_cost(&self) -> Result<Option<HourlyCost>, LocalHostError> {
        let Some(total) = self.total()? else { return Ok(None) };
        let share = |vcpus, memory_bytes| self.share(total, vcpus, memory_bytes);
        Ok(Some(HourlyCost { total, per_vcpu: share(1, 0), per_gib: share(0, GIB) }))
    }

    /// What a machine's share of the host costs an hour, rounded once, half to even: machines that fill the host cost what
    /// the host does. `None` when the cost is unknown. Whether the machine fits is not asked.
    pub fn vm_cost(&self, vcpus: u32, memory_bytes: u64) -> Result<Option<Money>, LocalHostError> {
        Ok(self.total()?.map(|total| self.share(total, vcpus, memory_bytes)))
    }

    /// Milligrams of CO2-equivalent an hour of a machine at a mean load of `load_permille`, its share of the host taken by its
    /// vCPUs; `None` when the host's power or grid is unknown, or it has no vCPUs. What making the host cost is unknown.
    pub fn vm_carbon_mg_per_hour(&self, vcpus: u32, load_permille: u32) -> Option<u64> {
        let (power, grid) = (self.power?, self.grid_mg_per_kwh?);
        let load = u128::from(load_permille.min(1000));
        let watts_permille = u128::from(power.idle_watts) * (1000 - load) + u128::from(power.full_watts) * load;
        // Thousandths of W × mg/kWh, of which a million make a mg an hour.
        let all = watts_permille * u128::from(grid) * u128::from(vcpus);
        u64::try_from(all.checked_div(1_000_000 * u128::from(self.vcpus))?).ok()
    }

    /// Whether the host stands in a group of regions (`eu`, `us-east`), told by its country and coordinates as for Azure's
    /// regions.
    pub fn is_in_area(&self, area: &str) -> bool {
        places::in_area_at(&self.country, self.point, area)
    }

    /// Whether its owner says that it satisfies the programme, or one that includes it.
    pub fn satisfies(&self, programme: &str) -> bool {
        compliance::satisfies(&self.compliance, programme)
    }

    fn total(&self) -> Result<Option<Money>, LocalHostError> {
        if self.vcpus == 0 || self.memory_bytes == 0 {
            return Err(LocalHostError::Empty);
        }
        if self.cpu_permille > 1000 {
            return Err(LocalHostError::Share);
        }
        let total = match self.cost {
            None => return Ok(None),
            Some(HostCost::Hourly(total)) => Money { nanos: sane(total)? as i128, ..total },
            Some(HostCost::Owned { years: 0, .. }) => return Err(LocalHostError::NoTime),
            Some(HostCost::Owned { price, per_kwh, .. }) if price.currency != per_kwh.currency => {
                return Err(LocalHostError::Currencies);
            }
            Some(HostCost::Owned { price, years, watts, per_kwh }) => {
                let hours = u128::from(years) * HOURS_PER_YEAR;
                let thousandths = sane(price)? * 1000 + sane(per_kwh)? * u128::from(watts) * hours;
                let total = Money { nanos: div_round(thousandths, hours * 1000) as i128, currency: price.currency };
                Money { nanos: sane(total)? as i128, ..total }
            }
        };
        Ok(Some(total))
    }

    /// `total` × (by vCPUs × `vcpus` / all + by memory × `memory_bytes` / all), exact until the one rounding. Memory counts in
    /// whole KiB, so that nothing overflows: the largest product is below 2^127.
    fn share(&self, total: Money, vcpus: u32, memory_bytes: u64) -> Money {
        let (nanos, by_cpu) = (total.nanos.unsigned_abs(), u128::from(self.cpu_permille));
        let all_vcpus = 1000 * u128::from(self.vcpus);
        let all_memory = 1000 * u128::from((self.memory_bytes >> 10).max(1));
        let cpu = nanos * by_cpu * u128::from(vcpus);
        let memory = nanos * (1000 - by_cpu) * u128::from(memory_bytes >> 10);
        let whole = cpu / all_vcpus + memory / all_memory;
        let rest = cpu % all_vcpus * all_memory + memory % all_memory * all_vcpus;
        let odd = whole & 1;
        let nanos = whole - odd + div_round(odd * all_vcpus * all_memory + rest, all_vcpus * all_memory);
        Money { nanos: nanos as i128, ..total }
    }
}

impl Catalog {
    /// The round trip between a place of one's own and a region: always modelled; `None` when the region's coordinates are
    /// unknown.
    pub fn latency_from(&self, from: Point, to: RegionId) -> Option<Latency> {
        Some(self.region(to).point?.round_trip_to(from))
    }
}

/// Not negative, and no more than a price in a catalog.
fn sane(money: Money) -> Result<u128, LocalHostError> {
    if (0..=MOST_NANOS).contains(&money.nanos) { Ok(money.nanos.unsigned_abs()) } else { Err(LocalHostError::Cost) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn usd(text: &str) -> Money {
        text.parse().unwrap()
    }

    fn host(vcpus: u32, memory_bytes: u64, cost: HostCost) -> LocalHost {
        LocalHost {
            name: "rack-1".into(),
            provider: "local".into(),
            vcpus,
            memory_bytes,
            disk_bytes: 0,
            architecture: Architecture::X86_64,
            cost: Some(cost),
            cpu_permille: HALF,
            power: Some(HostPower { idle_watts: 100, full_watts: 300 }),
            grid_mg_per_kwh: Some(400_000),
            country: "DE".into(),
            point: Some(Point { lat_micro: 50_110_000, lon_micro: 8_680_000 }),
            compliance: Vec::new(),
        }
    }

    #[test]
    fn a_host_of_ones_own() {
        // 8,760 USD over a year is 1 USD an hour, and 500 W at 0.3 USD/kWh are 0.15.
        let cost = HostCost::Owned { price: usd("8760"), years: 1, watts: 500, per_kwh: usd("0.3") };
        let host = host(64, 256 * GIB, cost);
        let hourly = host.hourly_cost().unwrap().unwrap();
        assert_eq!(hourly.total, usd("1.15"));
        assert_eq!(hourly.per_vcpu, usd("0.008984375")); // 1.15 / 2 / 64
        assert_eq!(hourly.per_gib, usd("0.002246094")); // 1.15 / 2 / 256
        assert_eq!(host.vm_cost(2, 8 * GIB).unwrap(), Some(usd("0.0359375")));
        // Half of the host's 64 vCPUs at half load: 100 W of 400 g/kWh.
        assert_eq!(host.vm_carbon_mg_per_hour(32, 500), Some(40_000));
        assert!(host.is_in_area("eu") && host.is_in_area("eu-central") && !host.is_in_area("us"));
    }

    #[test]
    fn what_is_not_known_or_can_not_be() {
        let good = host(4, GIB, HostCost::Hourly(usd("0")));
        assert_eq!(good.vm_cost(1, GIB).unwrap(), Some(usd("0")));
        assert_eq!(LocalHost { cost: None, ..good.clone() }.hourly_cost(), Ok(None));
        assert_eq!(LocalHost { grid_mg_per_kwh: None, ..good.clone() }.vm_carbon_mg_per_hour(1, 0), None);
        let fails = |host: LocalHost| host.hourly_cost().unwrap_err();
        let owned = |price, years, per_kwh| Some(HostCost::Owned { price, years, watts: 1, per_kwh });
        assert_eq!(fails(LocalHost { vcpus: 0, ..good.clone() }), LocalHostError::Empty);
        assert_eq!(fails(LocalHost { cpu_permille: 1001, ..good.clone() }), LocalHostError::Share);
        let euros = usd("1 EUR");
        assert_eq!(fails(LocalHost { cost: owned(usd("1"), 1, euros), ..good.clone() }), LocalHostError::Currencies);
        assert_eq!(fails(LocalHost { cost: owned(usd("1"), 0, usd("1")), ..good.clone() }), LocalHostError::NoTime);
        let negative = Some(HostCost::Hourly(usd("-1")));
        assert_eq!(fails(LocalHost { cost: negative, ..good }), LocalHostError::Cost);
    }

    proptest! {
        /// Each of the two is rounded, so both together are off by at most a unit.
        #[test]
        fn two_machines_that_fill_the_host_cost_what_it_does(
            nanos in 0..=i64::MAX, vcpus in 1u32.., kib in 1u64..1 << 54, cpu in 0u32.., memory in 0u64.., cpu_permille in 0..=1000u16,
        ) {
            let total = Money::usd_nanos(nanos.into());
            let host = LocalHost { cpu_permille, ..host(vcpus, kib << 10, HostCost::Hourly(total)) };
            let (cpu, memory) = (cpu % vcpus, memory % kib);
            let cost = |cpu, kib: u64| host.vm_cost(cpu, kib << 10).unwrap().unwrap().nanos;
            let both = cost(cpu, memory) + cost(vcpus - cpu, kib - memory);
            prop_assert!((both - i128::from(nanos)).abs() <= 1, "{both}");
            prop_assert_eq!(cost(vcpus, kib), i128::from(nanos));
        }

        #[test]
        fn nothing_overflows(
            price: i64, kwh: i64, years: u16, watts: u32, idle: u32, grid: u32, vcpus: u32, memory: u64, vm: u32, vm_memory: u64,
        ) {
            let (price, per_kwh) = (Money::usd_nanos(price.into()), Money::usd_nanos(kwh.into()));
            let host = LocalHost {
                power: Some(HostPower { idle_watts: idle, full_watts: watts }),
                grid_mg_per_kwh: Some(grid),
                ..host(vcpus, memory, HostCost::Owned { price, years, watts, per_kwh })
            };
            let _ = (host.hourly_cost(), host.vm_cost(vm, vm_memory), host.vm_carbon_mg_per_hour(vm, 1000));
        }
    }
}
