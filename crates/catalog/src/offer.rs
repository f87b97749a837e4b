//! Offers: what can be bought, in columns that a filter runs over.

use std::{fmt, str::FromStr};

use crate::{GroupId, RegionId, TypeId};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Pricing {
    OnDemand,
    /// May be taken away at any time.
    Spot,
    /// Paid for a year whether used or not.
    Commit1Year,
    Commit3Years,
}

impl Pricing {
    pub const ALL: [Self; 4] = [Self::OnDemand, Self::Spot, Self::Commit1Year, Self::Commit3Years];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::OnDemand => "on-demand",
            Self::Spot => "spot",
            Self::Commit1Year => "commit-1y",
            Self::Commit3Years => "commit-3y",
        }
    }

    pub(crate) fn from_code(code: u8) -> Option<Self> {
        Self::ALL.get(usize::from(code)).copied()
    }
}

impl fmt::Display for Pricing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a pricing model; there are on-demand, spot, commit-1y and commit-3y")]
pub struct UnknownPricing(pub String);

impl FromStr for Pricing {
    type Err = UnknownPricing;

    /// Reads the seeds' `spot-instances` too.
    fn from_str(text: &str) -> Result<Self, UnknownPricing> {
        let name = text.strip_suffix("-instances").unwrap_or(text);
        Self::ALL
            .into_iter()
            .find(|p| p.as_str() == name)
            .ok_or_else(|| UnknownPricing(text.chars().take(40).collect()))
    }
}

/// How often spot machines of this type are taken away in a month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Interruption {
    Under5,
    From5To10,
    From10To15,
    From15To20,
    Over20,
}

impl Interruption {
    pub const ALL: [Self; 5] = [Self::Under5, Self::From5To10, Self::From10To15, Self::From15To20, Self::Over20];

    /// In percent, as the vendor says it.
    pub fn as_str(self) -> &'static str {
        ["<5%", "5-10%", "10-15%", "15-20%", ">20%"][self as usize]
    }

    /// `None` for a code that does not exist, [`NO_BAND`] among them.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.get(usize::from(code)).copied()
    }
}

/// [`Offers::band`] of an offer whose interruptions are not known, or that has none.
pub const NO_BAND: u8 = u8::MAX;

/// Index into [`Offers`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OfferId(pub u32);

/// One row of [`Offers`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offer {
    pub ty: TypeId,
    pub pricing: Pricing,
    pub region: RegionId,
    pub group: GroupId,
    /// 10⁻⁹ units of the group's currency for the group's period, as the source states it.
    pub price_nanos: u64,
    /// [`Interruption`]'s code, or [`NO_BAND`].
    pub band: u8,
    /// Bit n is the zone with the n-th letter (`us-east-1a` is bit 0); 0 when it is not known which zones have it.
    pub zones: u16,
}

/// All offers, each column as long as the others, sorted by type, pricing and region, none twice.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Offers {
    pub ty: Vec<TypeId>,
    pub pricing: Vec<Pricing>,
    pub region: Vec<RegionId>,
    pub group: Vec<GroupId>,
    pub price_nanos: Vec<u64>,
    pub band: Vec<u8>,
    pub zones: Vec<u16>,
    /// 10⁻⁹ units an hour: `price_nanos`, or a month's by 730 and rounded half to even. The column to filter by.
    pub hourly_nanos: Vec<u64>,
}

impl Offers {
    pub fn len(&self) -> usize {
        self.ty.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ty.is_empty()
    }

    /// `None` beyond the end.
    pub fn get(&self, id: OfferId) -> Option<Offer> {
        let i = id.0 as usize;
        Some(Offer {
            ty: *self.ty.get(i)?,
            pricing: *self.pricing.get(i)?,
            region: *self.region.get(i)?,
            group: *self.group.get(i)?,
            price_nanos: *self.price_nanos.get(i)?,
            band: *self.band.get(i)?,
            zones: *self.zones.get(i)?,
        })
    }

    pub fn iter(&self) -> impl Iterator<Item = Offer> + '_ {
        (0..self.len() as u32).filter_map(|i| self.get(OfferId(i)))
    }

    pub(crate) fn push(&mut self, offer: Offer) {
        self.ty.push(offer.ty);
        self.pricing.push(offer.pricing);
        self.region.push(offer.region);
        self.group.push(offer.group);
        self.price_nanos.push(offer.price_nanos);
        self.band.push(offer.band);
        self.zones.push(offer.zones);
    }
}

impl FromIterator<Offer> for Offers {
    fn from_iter<T: IntoIterator<Item = Offer>>(rows: T) -> Self {
        let mut offers = Self::default();
        rows.into_iter().for_each(|row| offers.push(row));
        offers
    }
}

/// `n / d`, rounded half to even.
pub(crate) fn div_round(n: u128, d: u128) -> u128 {
    let (q, r) = (n / d, n % d);
    match (2 * r).cmp(&d) {
        std::cmp::Ordering::Less => q,
        std::cmp::Ordering::Greater => q + 1,
        std::cmp::Ordering::Equal => q + q % 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words() {
        for pricing in Pricing::ALL {
            assert_eq!(pricing.as_str().parse(), Ok(pricing));
            assert_eq!(Pricing::from_code(pricing as u8), Some(pricing));
        }
        assert_eq!("spot-instances".parse(), Ok(Pricing::Spot));
        assert!("free".parse::<Pricing>().is_err());
    }

    #[test]
    fn halves_go_to_the_even() {
        assert_eq!([1, 3, 5, 6, 7].map(|n| div_round(n, 2)), [0, 2, 2, 3, 4]);
    }
}
